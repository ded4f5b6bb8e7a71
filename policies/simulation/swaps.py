"""Swaps of the policy in simulated calls: at a safe point, or forced at a deadline; sometimes undone a moment later.

The new policy has other thresholds and other agents: some of the former ones are gone, one may be new. Answers of the
former agents that are still under way arrive all the same: they must be fenced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..conversation.swap import unsafe
from ..core import events as ev
from ..core.policy import Arbitration, BargeIn, Endpointing, Evidence, Policy
from . import faults as fault
from .drawn import stock_agents
from .world import Proposer, Record, World

DEADLINE_MS = (0, 8_000)  # from the wish to the forced swap
UNDO_MS = (0, 3_000)  # from the swap to the return of the former policy


@dataclass(slots=True)
class Swapping:
    """One swap of one call, from the wish for it to its end."""

    world: World
    policy: Policy
    agents: Mapping[str, Proposer]
    version: str
    forced: bool = False
    reason: str = ""
    done: bool = False

    def begin(self) -> None:
        """Somebody wants it now."""
        world = self.world
        if world.faults.hits(fault.SWAP_FORCED):
            world.after(world.chance.randint(*DEADLINE_MS), self._at_the_deadline)
        world.after_step.append(lambda _world: world.after(0, self.look) if not self.done else None)
        self.look()

    def look(self) -> None:
        """Is this a moment for it?"""
        world = self.world
        if self.done or world.over or not world.state.call:
            return
        if unsafe(world.state) and not self.forced:
            return
        self.done = True
        former = Swapping(world, world.policy, dict(world.agents), world.state.policy_version, True, "undone")
        world.policy, world.agents = self.policy, dict(self.agents)
        world.feed(ev.PolicyChanged(world.now_ms, self.version, tuple(self.agents), self.reason))
        if not self.reason and world.faults.hits(fault.SWAP_UNDONE):
            world.after(world.chance.randint(*UNDO_MS), former.look)

    def _at_the_deadline(self) -> None:
        self.forced = True
        self.look()


def swapping(world: World, drawn: Policy) -> Swapping:
    """A swap to `drawn`, under thresholds of its own and with agents that partly differ."""
    chance = world.chance
    specs = dict(drawn.agents)
    if chance.random() < 0.5:
        del specs[chance.choice(sorted(specs))]
    if chance.random() < 0.3:
        specs["second"] = chance.choice(list(specs.values()))
    policy = drawn.model_copy(
        update={
            "agents": specs,
            "barge_in": BargeIn(decision_window_ms=chance.choice((300, 500, 900))),
            "endpointing": Endpointing(floor_ms=chance.choice((200, 250, 500))),
            "silence": drawn.silence.model_copy(update={"hesitating_after_ms": chance.choice((1_500, 3_000, 4_500))}),
            "evidence": Evidence(half_life_ms=chance.choice((60_000, 90_000))),
            "arbitration": Arbitration(deadline_ms=chance.choice((80, 150, 400))),
        }
    )
    return Swapping(world, policy, stock_agents(policy), f"drawn-{chance.randint(0, 9)}")


def acts_of_two_versions(record: Record, world: World, swapped_at: int) -> str:
    """What is done after a swap on an invitation from before it; "" = nothing. The core's own acts outlast a swap."""
    live = {grant.id: grant for grant in world.state.authority.grants}
    for command in record.commands:
        grant = live.get(getattr(command, "grant", ""))
        if grant is not None and grant.proposal.basis < swapped_at and grant.proposal.agent != "core":
            return f"{type(command).__name__} of {grant.proposal.id} from revision {grant.proposal.basis}"
    return ""
