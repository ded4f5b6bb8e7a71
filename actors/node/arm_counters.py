"""Counts calls of a rollout's arms: how many there were, how many ended, how many carry which mark. One node's.

What a mark is stands in `policies/fleet/rollout.py`; it is read here from what calls write down anyway, as it comes in,
and counted once a call. Calls that are in no rollout are not looked at.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from offhook.policies.core import events as ev
from offhook.policies.core.layout import CodecFault
from offhook.policies.core.proposals import Answer, Verdict
from offhook.policies.core.records import End, Fault, Record

from ..contracts.node_operations import ArmFigures, ArmReport

ARMS_MAX = 64  # the oldest are forgotten: whoever compares them has fetched them long ago
SLOW_US = 50_000  # from a frame's arrival to the `clear` that it caused; the goal at 200 live calls
VERDICTS_MIN = 3  # fewer say nothing yet of how a call that goes on is denied
HUNG_UP = "caller_hung_up"
ROUND = "round"  # the timer by which an agent is too late


@dataclass(slots=True)
class Arm:
    """One arm's counts."""

    calls: int = 0
    ended: int = 0
    marks: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Seen:
    """What is known of one call that goes on."""

    marks: set[str] = field(default_factory=set)
    denied: int = 0
    verdicts: int = 0


class ArmCounters:
    """The counts of one node since its supervisor's start."""

    def __init__(self) -> None:
        self._began_unix_ms = time.time_ns() // 1_000_000
        self._arms: OrderedDict[str, Arm] = OrderedDict()
        self._calls: dict[str, Seen] = {}

    def began(self, call: str, arm: str, *, seated: bool) -> None:
        """A call of an arm has begun; `seated`: every agent has a process to be asked in."""
        self._arm(arm).calls += 1
        self._calls[call] = Seen()
        if not seated:
            self._mark(call, arm, "failed")

    def take(self, call: str, arm: str, records: Iterable[Record]) -> None:
        """Records of a call."""
        for record in records:
            with suppress(CodecFault):  # of a process of another version; what it says besides is counted
                self._take(call, arm, record)

    def _take(self, call: str, arm: str, record: Record) -> None:
        if record.kind == Fault.KIND or record.holds(ev.AgentLost):
            self._mark(call, arm, "failed")
        elif record.holds(ev.TimerFired):
            event = record.event()
            if isinstance(event, ev.TimerFired) and event.timer == ROUND:
                self._mark(call, arm, "late")
        elif (verdict := record.verdict()) is not None:
            seen = self._calls.setdefault(call, Seen())
            seen.verdicts += 1
            seen.denied += _denied(verdict)
            if seen.verdicts >= VERDICTS_MIN and seen.denied * 2 > seen.verdicts:
                self._mark(call, arm, "denied")
        elif (end := record.told(End)) is not None and end.counts.get("reaction_us_max", 0) > SLOW_US:
            self._mark(call, arm, "slow")

    def over(self, call: str, arm: str, outcome: str, lost: bool = False) -> None:
        """A call is over; `lost`: its process could not end it."""
        if arm:
            if lost:
                self._mark(call, arm, "lost")
            elif outcome == HUNG_UP:
                self._mark(call, arm, "hung_up")
            seen = self._calls.get(call)
            if seen is not None and seen.denied * 2 > seen.verdicts:
                self._mark(call, arm, "denied")
            self._arm(arm).ended += 1
        self._calls.pop(call, None)

    def figures(self) -> ArmReport:
        """All counts."""
        arms = {name: ArmFigures(arm.calls, arm.ended, dict(arm.marks)) for name, arm in self._arms.items()}
        return ArmReport(self._began_unix_ms, arms)

    def _arm(self, name: str) -> Arm:
        if name not in self._arms:
            self._arms[name] = Arm()
            if len(self._arms) > ARMS_MAX:
                self._arms.popitem(last=False)
        return self._arms[name]

    def _mark(self, call: str, arm: str, mark: str) -> None:
        seen = self._calls.setdefault(call, Seen())
        if mark not in seen.marks:
            seen.marks.add(mark)
            self._arm(arm).marks[mark] += 1


def _denied(verdict: Verdict) -> bool:
    """Whether a verdict denies for another reason than the autonomy that the step itself has taken away."""
    return verdict.answer is Answer.DENY and any(not each.ok and each.rule != "autonomy" for each in verdict.rules)
