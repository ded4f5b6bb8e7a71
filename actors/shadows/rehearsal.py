"""Rehearsals: simulated calls led by a bundle's agents, and what is found in them: what must never be, and what can
never come to anything (a slot that nobody can fill, a tool that there is not).

Run in a process that can be spared (`serve/bundles/policy_check.py`); what comes back is plain values.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.policies.core.view import View
from offhook.policies.gate.case import name_of
from offhook.policies.replay.backtest import Proposer
from offhook.policies.simulation.journal import journal_of
from offhook.policies.simulation.run import AGENTS, Played, play
from offhook.policies.testing.transcript import transcript

from ..agents.failures import NotProposals, failure_of
from .trial import agents_of

FILLS = (Asks.TIME, Asks.DIGITS, Asks.NAME)  # the kinds of question whose answers fill a slot
FILLS_TOLD = "TIME, DIGITS and NAME"
UNASKED = frozenset(
    {"time", "number", "name"}
)  # slots that fill without a question: see policies/language/en/values.py
SPOKEN = "en"  # by simulated callers (`policies/simulation/caller.py`)
FAILURES_MAX = 10  # different ones that are told


class Rehearsed(TypedDict):
    """What a rehearsal found."""

    calls: int
    events: int
    outcomes: dict[str, int]  # outcome -> calls
    faults: list[str]  # what must never be, one text each, with its call's seed
    warnings: list[str]  # what can never come to anything, or was not tried
    faulty: str  # the first call with a fault, as a dialogue; "" = there is none


@dataclass(slots=True)
class Watched:
    """An agent, and what it has proposed and asked for."""

    agent: Any
    proposed: set[tuple[Kind, str, str]] = field(default_factory=set)  # kind, its name in the policy's rules, action
    asked: set[tuple[str, Asks]] = field(default_factory=set)  # slot, kind of question

    def propose(self, view: View, reason: str) -> Sequence[Proposal]:
        """What the agent proposes."""
        found: Sequence[Proposal] = self.agent.propose(view, reason)
        if not isinstance(found, (list, tuple)):
            raise NotProposals(found)
        for each in found:
            if isinstance(each, Proposal):
                self.proposed.add((each.kind, name_of(each), each.action))
                if each.slot and each.purpose is not Purpose.CONFIRMATION and each.asks is not Asks.NOTHING:
                    self.asked.add((each.slot, each.asks))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.agent, name)  # `read`, where the agent is a reader, and what it may have besides


def rehearse(policy: Policy, bundle: str, calls: int, seed: int = 1, tools: Collection[str] = ()) -> Rehearsed:
    """Simulate calls led by the bundle, with callers and faults drawn from seeds.

    Args:
        tools: names of those that carry out acts; () = not known, so none is missed.

    Raises:
        PolicyError: an agent cannot be loaded.
    """
    watched = {name: Watched(agent) for name, agent in agents_of(policy, bundle).items()}
    agents: Mapping[str, Proposer] = watched
    found = Rehearsed(calls=calls, events=0, outcomes={}, faults=[], warnings=[], faulty="")
    failures: dict[str, str] = {}
    for number in range(seed, seed + calls):
        played = play(number, policy=policy, agents=agents)
        found["events"] += played.events
        found["outcomes"][played.outcome] = found["outcomes"].get(played.outcome, 0) + 1
        for raised in played.raised:
            failure = failure_of(raised.error, bundle)
            when = f"at {raised.at_ms} ms of call {number}"
            failures.setdefault(f"{raised.agent} {failure.reason}", f"agents.{raised.agent}: {failure.told()}\n{when}")
        found["faults"] += [
            f"{each.checker}: {each.message} (at {each.at_ms} ms of call {number})"
            for each in played.violations
            if each.checker != AGENTS
        ]
        if played.violations and not found["faulty"]:
            found["faulty"] = _dialogue(played, policy)
    found["faults"] = [*list(failures.values())[:FAILURES_MAX], *found["faults"]]
    found["warnings"] = _warnings(policy, watched, calls, tools)
    return found


def _dialogue(played: Played, policy: Policy) -> str:
    heading = f"call {played.seed}:"
    return f"{heading}\n{transcript(journal_of(f'sim-{played.seed}', policy, played.records))}"


def _warnings(policy: Policy, watched: Mapping[str, Watched], calls: int, tools: Collection[str]) -> list[str]:
    """What of a policy can never come to anything, as far as simulated calls show."""
    fillable = {slot for each in watched.values() for slot, asks in each.asked if asks in FILLS} | UNASKED
    told = []
    for name, each in watched.items():
        if open_slots := sorted(slot for slot, asks in each.asked if asks is Asks.OPEN and slot not in fillable):
            told.append(
                f"agents.{name} asks for {', '.join(open_slots)} as OPEN: what is answered fills no slot; questions "
                f"whose answers do are {FILLS_TOLD}"
            )
    for action, rules in policy.gate.actions.items():
        wanted = dict.fromkeys((*rules.confirmed_slots, *rules.slots))
        if empty := [slot for slot in wanted if slot not in fillable]:
            told.append(
                f"gate.actions.{action} needs {', '.join(empty)}, which nobody can fill: in {calls} simulated calls no "
                f"agent asked for it as one of {FILLS_TOLD}"
            )
    proposed = {name for each in watched.values() for _, name, _ in each.proposed}
    if never := [action for action in policy.gate.actions if action not in proposed and ":" not in action]:
        untried = f"gate.actions: {', '.join(never)} proposed in none of {calls} simulated calls, so not tried"
        if policy.language.partition("-")[0].lower() != SPOKEN:
            untried += f": simulated callers speak English, which says nothing of a policy in {policy.language!r}"
        told.append(untried)
    for name, each in watched.items():
        acts = {action for kind, _, action in each.proposed if kind is Kind.TOOL}
        if unknown := sorted(acts.difference(tools) if tools else ()):
            told.append(
                f"agents.{name} proposes {', '.join(unknown)}, which no tool carries out; known are "
                f"{', '.join(sorted(tools))}; name the file of yours with --tools FILE"
            )
    return told
