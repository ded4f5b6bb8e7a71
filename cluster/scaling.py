"""Scaling: from what the nodes tell to what is wanted of them, and of the autoscaler. The one owner of its request.

`decide` is pure: figures of this moment in, orders out; the theory is `policies/fleet/capacity.py`'s. `Scaling`
remembers what must be remembered between two looks (arrivals, holding times, lead times, what was wanted) and hands the
orders to an executor, which alone knows Ray. A node is never killed: cordoned -> its last call ends -> its spares
retire -> it is released and leaves. A node that is about to be taken away (a preemption notice, `kubectl drain`) goes
the same way. Which stages there are, and what may follow on which, is `policies/fleet/node_lifecycle.py`'s table.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from offhook.policies.fleet import capacity
from offhook.policies.fleet.capacity import Goals, Lead, Plan, Traffic, Wanted
from offhook.policies.fleet.node_lifecycle import NODE_MOVES, TAKEN_AWAY, NodeMove, NodeStage

log = logging.getLogger(__name__)

SLOT = "call_slot"  # the resource of which a node advertises as many as it carries calls
BUNDLES_MAX = 1_000  # above it whole nodes are asked for: the autoscaler packs bundles one by one, in Python
LEAD_WEIGHT = 0.3  # of the newest measured lead time
JOINS_MAX = 1_000  # nodes asked for and not seen yet


@dataclass(frozen=True, slots=True)
class Node:
    """One node as the director sees it. `fixed`: the head, or a node that nobody scales: never let go."""

    name: str
    calls: int
    spares: int
    slots: int
    stage: NodeStage = NodeStage.SERVING
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be done. Idempotent: given twice, the second time changes nothing."""

    slots: int  # of which the autoscaler is told, all nodes together
    slots_per_node: int
    spares: Mapping[str, int] = field(default_factory=dict)  # node -> spares wanted
    cordon: tuple[str, ...] = ()
    uncordon: tuple[str, ...] = ()
    release: tuple[str, ...] = ()  # empty and cordoned: may leave
    why: str = ""

    def bundles(self) -> list[dict[str, float]]:
        """As `ray.autoscaler.sdk.request_resources` takes them: a slot each, or whole nodes where there are many."""
        if self.slots <= BUNDLES_MAX:
            return [{SLOT: 1.0}] * self.slots
        return [{SLOT: float(self.slots_per_node)}] * -(-self.slots // self.slots_per_node)


class Executor(Protocol):
    """Carries orders out; each may raise, and is then given again at the next look."""

    async def request_slots(self, bundles: list[dict[str, float]]) -> None:
        """Tell the autoscaler what is wanted in all: the floor, what is in use included."""

    async def keep_spares(self, node: str, spares: int) -> None:
        """Have a node keep so many warm."""

    async def cordon(self, node: str, on: bool) -> None:
        """Give a node no new calls and let its spares go (`on`), or take it back."""

    async def release(self, node: str) -> None:
        """End what runs on an empty node, so that it is idle and the autoscaler takes it away."""


def decide(plan: Plan, nodes_wanted: int, nodes: Sequence[Node], goals: Goals) -> Orders:
    """Orders for a plan; `nodes_wanted` is the plan's number after scale-in has been held back (`capacity.settle`).

    Cordoned nodes come back before new ones are asked for; the emptiest are cordoned first, so calls that must end
    before a node can leave are few; nodes that are leaving anyway are cordoned at once and not counted.
    """
    cordon = [node.name for node in nodes if node.stage is NodeStage.NOTICED]
    taking = [node for node in nodes if node.stage is NodeStage.SERVING]
    resting = [node for node in nodes if node.stage is NodeStage.DRAINING]
    resting.sort(key=lambda node: (-node.calls, node.name))
    missing = nodes_wanted - len(taking)
    uncordon = [node.name for node in resting[: max(0, missing)]]
    if missing < 0:
        emptiest = sorted((node for node in taking if not node.fixed), key=lambda node: (node.calls, node.name))
        cordon += [node.name for node in emptiest[:-missing]]
    taking_on = [node for node in taking if node.name not in cordon]
    takes = taking_on + [node for node in resting if node.name in uncordon]
    room = {node.name: max(0, node.slots - node.calls) for node in takes}
    may_go = [node for node in nodes if (node.stage, NodeMove.RELEASE) in NODE_MOVES and node.name not in uncordon]
    release = [node.name for node in may_go if not node.calls and not node.fixed]
    # A node that takes no calls any more is a node to the autoscaler: asked for without it, none would come in its
    # place. It grants all of a request or nothing, so more than there may be is never asked for.
    elsewhere = {*release, *room}
    idle = [node for node in nodes if node.stage not in TAKEN_AWAY and node.name not in elsewhere]
    slots = nodes_wanted * goals.slots_per_node + sum(node.slots for node in idle)
    return Orders(
        slots=min(slots, goals.nodes_max * goals.slots_per_node),
        slots_per_node=goals.slots_per_node,
        spares=_within(capacity.share_out(plan.spares, room), room, goals),
        cordon=tuple(cordon),
        uncordon=tuple(uncordon),
        release=tuple(release),
        why=plan.why,
    )


def _within(spares: Mapping[str, int], room: Mapping[str, int], goals: Goals) -> dict[str, int]:
    """Each node's share within the bounds for one node; never more than it has room for."""
    return {
        node: min(room[node], goals.node_spares_max, max(goals.node_spares_min, share))
        for node, share in spares.items()
    }


class Scaling:
    """The director's capacity. Every moment is handed in, in seconds of one clock that never goes back."""

    def __init__(self, goals: Goals, executor: Executor, lead: Lead | None = None) -> None:
        self.goals = goals
        self.lead = lead or Lead()
        self.traffic = Traffic(holding_s=goals.holding_s)
        self.orders: Orders | None = None
        self._executor = executor
        self._arrivals = 0
        self._looked_s: float | None = None
        self._wanted: Wanted = ()
        self._known: set[str] | None = None
        self._asked: deque[float] = deque(maxlen=JOINS_MAX)  # when each node that has not joined yet was asked for
        self._told: dict[str, object] = {}  # order -> what was carried out last
        self.let_go: tuple[str, ...] = ()  # the nodes that were released at the last look

    # --- what is measured ---------------------------------------------------------------------------------------------

    def arrived(self) -> None:
        """A call has asked for a slot, whether it gets one or not."""
        self._arrivals += 1

    def ended(self, holding_s: float) -> None:
        """A call has ended after so long."""
        self.traffic = capacity.ended(self.traffic, holding_s)

    def spare_started(self, took_s: float) -> None:
        """A warm process was there after so long."""
        spare_s = self.lead.spare_s + LEAD_WEIGHT * (max(0.0, took_s) - self.lead.spare_s)
        self.lead = Lead(spare_s, self.lead.node_s, self.lead.look_s)

    def forget(self, node: str) -> None:
        """A node's supervisor has begun anew, and does not know what it was told: it is told again."""
        self._told.pop(f"spares {node}", None)

    # --- the look -----------------------------------------------------------------------------------------------------

    async def look(self, now_s: float, nodes: Sequence[Node], waiting: int = 0) -> Orders:
        """Decide, and carry out what has changed since the last look. An order that fails is logged and given again.
        `waiting`: callers who ring or queue need a slot as those who have one do."""
        before_s, self._looked_s = self._looked_s, now_s
        if before_s is not None and now_s > before_s:
            self.traffic = capacity.observe(self.traffic, self._arrivals, now_s - before_s)
            self._arrivals = 0
        if before_s is None:  # a director that was restarted must not let nodes go before it has seen some traffic
            self._wanted = ((now_s, sum(node.stage is NodeStage.SERVING for node in nodes)),)
        self._joined(now_s, {node.name for node in nodes})
        nodes = [node for node in nodes if node.stage is not NodeStage.RELEASED]
        live = sum(node.calls for node in nodes) + waiting
        plan = capacity.plan(self.traffic, live, self.lead, self.goals)
        self._wanted, wanted = capacity.settle(self._wanted, now_s, plan.nodes, self.goals.calm_ms / 1_000.0)
        self.orders = orders = decide(plan, wanted, nodes, self.goals)
        coming = wanted - sum(node.stage is NodeStage.SERVING for node in nodes) - len(orders.uncordon)
        while len(self._asked) < min(coming, JOINS_MAX):
            self._asked.append(now_s)
        while len(self._asked) > max(0, coming):
            self._asked.pop()  # the newest are wanted no more
        await self._carry_out(orders)
        return orders

    def _joined(self, now_s: float, names: set[str]) -> None:
        """Nodes that were asked for and are here now tell how long a node takes."""
        if self._known is not None:
            for _ in names - self._known:
                if self._asked:
                    took_s = now_s - self._asked.popleft()
                    node_s = self.lead.node_s + LEAD_WEIGHT * (took_s - self.lead.node_s)
                    self.lead = Lead(self.lead.spare_s, node_s, self.lead.look_s)
        self._known = names

    async def _carry_out(self, orders: Orders) -> None:
        """Cordon before anything is taken away, and ask for nodes before spares: they take longest."""
        executor = self._executor
        for node in orders.uncordon:
            await self._do(f"cordon {node}", False, executor.cordon(node, False))
        for node in orders.cordon:
            await self._do(f"cordon {node}", True, executor.cordon(node, True))
        if self._told.get("slots") != orders.slots:
            await self._do("slots", orders.slots, executor.request_slots(orders.bundles()))
        for node, spares in orders.spares.items():
            if self._told.get(f"spares {node}") != spares:
                await self._do(f"spares {node}", spares, executor.keep_spares(node, spares))
        self.let_go = ()
        for node in orders.release:
            if await self._do(f"release {node}", True, executor.release(node)):
                self.let_go += (node,)
                log.info("node %s is empty and may leave", node[:8])

    async def _do(self, what: str, value: object, order: Awaitable[None]) -> bool:
        try:
            await order
        except Exception as error:  # whatever it is: the next look gives the order again
            self._told.pop(what, None)
            log.warning("%s = %s was not carried out: %s", what, value, error)
            return False
        self._told[what] = value
        return True
