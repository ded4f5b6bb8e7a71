"""Counts calls of a rollout's arms: how many there were, how many ended, how many carry which mark. One node's.

What a mark is stands in `policies/fleet/rollout.py`; it is read here from what calls write down anyway, as it comes in,
and counted once a call. Calls that are in no rollout are not looked at.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..contracts.node_operations import ArmFigures, ArmReport

ARMS_MAX = 64  # the oldest are forgotten: whoever compares them has fetched them long ago
SLOW_US = 50_000  # from a frame's arrival to the `clear` that it caused; the goal at 200 live calls
VERDICTS_MIN = 3  # fewer say nothing yet of how a call that goes on is denied
HUNG_UP = "caller_hung_up"
DENY = "deny"


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

    def take(self, call: str, arm: str, records: Iterable[list[Any]]) -> None:
        """Records of a call: [call, epoch, seq, at_ms, kind, body]."""
        for record in records:
            kind, body = record[4], record[5]
            if kind == "event":
                if body[0] == "AgentLost":
                    self._mark(call, arm, "failed")
                elif body[0] == "TimerFired" and body[2] == "round":
                    self._mark(call, arm, "late")
            elif kind == "verdict":
                seen = self._calls.setdefault(call, Seen())
                seen.verdicts += 1
                seen.denied += _denied(body)
                if seen.verdicts >= VERDICTS_MIN and seen.denied * 2 > seen.verdicts:
                    self._mark(call, arm, "denied")
            elif kind == "fault":
                self._mark(call, arm, "failed")
            elif kind == "end" and body.get("counts", {}).get("reaction_us_max", 0) > SLOW_US:
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


def _denied(verdict: list[Any]) -> bool:
    """Whether an encoded verdict denies for another reason than the autonomy that the step itself has taken away."""
    return verdict[6] == DENY and any(not ok and rule != "autonomy" for rule, _required, _actual, ok in verdict[12])
