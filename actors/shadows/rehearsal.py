"""Rehearsals: simulated calls led by a bundle's agents, and what is found in them: what must never be, and what can
never come to anything (a slot that nobody can fill, a tool that there is not).

Run in a process that can be spared (`serve/bundles/policy_check.py`); what comes back is plain values.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypedDict

from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Kind, Proposal, Purpose
from offhook.policies.core.view import View
from offhook.policies.gate.case import name_of
from offhook.policies.gate.entry import proposals_of
from offhook.policies.replay.backtest import Proposer
from offhook.policies.simulation.journal import journal_of
from offhook.policies.simulation.run import AGENTS, Played, play
from offhook.policies.testing.transcript import transcript

from ..agents.failures import NotProposals, failure_of, guarded, place_of, way_of
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
class Asked:
    """Which agent thinks now, and why it was asked; read by another thread, once all takes too long."""

    agent: str = ""  # "" = none
    reason: str = ""
    thread: int = field(default_factory=threading.get_ident)

    def begins(self, agent: str, reason: str) -> None:
        self.agent, self.reason = agent, reason

    def ends(self) -> None:
        self.agent = self.reason = ""

    def told(self, bundle: str) -> str:
        """Who thinks, why, and the line at which it is; where none was asked, the line alone."""
        agent, reason, frame = self.agent, self.reason, sys._current_frames().get(self.thread)
        place = way_of(frame, bundle) if frame is not None else ""
        at = f" at {place}" if place else ""
        return (
            f"agents.{agent} hangs{at}, asked because: {reason}" if agent else f"it hangs{at}, while no agent is asked"
        )


@dataclass(slots=True)
class Watched:
    """An agent, and what it has proposed and asked for."""

    name: str
    agent: Any
    bundle: str
    asked_now: Asked
    proposed: set[tuple[Kind, str, str]] = field(default_factory=set)  # kind, its name in the policy's rules, action
    asked: set[tuple[str, Asks]] = field(default_factory=set)  # slot, kind of question
    refused: dict[str, None] = field(default_factory=dict)  # what no call takes in of it, told once each

    def propose(self, view: View, reason: str) -> Sequence[Proposal]:
        """What the agent proposes."""
        found: Sequence[Proposal] = self._ask(reason, self.agent.propose, view, reason)
        if not isinstance(found, (list, tuple)):
            raise NotProposals(found, self._source)
        good, refused = proposals_of(found)
        for each in good:
            self.proposed.add((each.kind, name_of(each), each.action))
            if each.slot and each.purpose is not Purpose.CONFIRMATION and each.asks is not Asks.NOTHING:
                self.asked.add((each.slot, each.asks))
        for one in refused:
            self.refused.setdefault(
                f"agents.{self.name}: no call takes in a proposal ({one.what}) of {self.place}: {one.rule} needs "
                f"{one.required}{_members(one.required)}, is {one.actual}"
            )
        return found

    @property
    def _source(self) -> Callable[..., Any]:
        source: Callable[..., Any] = getattr(self.agent, "source", self.agent.propose)
        return source

    @property
    def place(self) -> str:
        """Where its `propose` is: "agents/guide.py:21 in propose"."""
        return place_of(self._source, self.bundle)

    def _ask(self, reason: str, method: Callable[..., Any], *arguments: Any) -> Any:
        self.asked_now.begins(self.name, reason)
        try:
            return guarded(method, *arguments)
        finally:
            self.asked_now.ends()

    def __getattr__(self, name: str) -> Any:
        """`read`, where the agent is a reader, and what it may have besides."""
        found = getattr(self.agent, name)
        return partial(self._ask, "it reads an answer", found) if name == "read" and found is not None else found


def rehearse(
    policy: Policy, bundle: str, calls: int, seed: int = 1, tools: Collection[str] = (), asked: Asked | None = None
) -> Rehearsed:
    """Simulate calls led by the bundle, with callers and faults drawn from seeds.

    Args:
        tools: names of those that carry out acts; () = not known, so none is missed.
        asked: is kept at which agent thinks now, for another thread.

    Raises:
        PolicyError: an agent cannot be loaded.
    """
    now = asked or Asked()
    watched = {name: Watched(name, agent, bundle, now) for name, agent in agents_of(policy, bundle).items()}
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
    refused = [told for each in watched.values() for told in each.refused]
    found["faults"] = [*list(failures.values())[:FAILURES_MAX], *refused[:FAILURES_MAX], *found["faults"]]
    found["warnings"] = _warnings(policy, watched, calls, tools)
    return found


def _members(required: str) -> str:
    """The members of an enumeration that a check asks for."""
    kind = {"Purpose": Purpose, "Asks": Asks, "Kind": Kind}.get(required.rpartition("one of ")[2])
    return f" ({', '.join(f'{kind.__name__}.{each.name}' for each in kind)})" if kind is not None else ""


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
        if unnamed := sorted(acts.difference(policy.gate.actions)):
            told.append(
                f"agents.{name} proposes {', '.join(unnamed)} ({each.place}), which gate.actions does not name, so no "
                f"rule of the policy holds for it; named are {', '.join(sorted(policy.gate.actions)) or 'none'}"
            )
        if unknown := sorted(acts.difference(tools) if tools else ()):
            told.append(
                f"agents.{name} proposes {', '.join(unknown)}, which no tool carries out; known are "
                f"{', '.join(sorted(tools))}; name the file of yours with --tools FILE"
            )
    return told
