"""How a live call goes, as its records tell: its stage, what waits for an operator, whose agents failed, who ended it.

Read off the notices among a call's commands as they come in at the supervisor, so that a list of calls asks no call.
What the journal does with the records is `intake.py`'s matter. A supervisor that has just begun knows nothing of the
calls that it finds until their next notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core.commands import Publish
from offhook.policies.core.layout import CodecFault
from offhook.policies.core.records import PolicyChange, Record, Start

from ..contracts.call_operations import AwaitedApproval, ProgressSummary

WAITING_MAX = 8  # proposals of one call that wait for an operator; as many as the gate keeps


@dataclass(slots=True)
class CallProgress:
    """What is known of one call."""

    policy: str = ""  # its name
    stage: str = "opening"
    answered_ms: int = 0  # on the call's clock; 0 = not yet
    waits: dict[str, tuple[str, int]] = field(default_factory=dict)  # proposal -> (action, until when, on its clock)
    failures: int = 0  # of its agents
    failed: str = ""  # the newest: "guide: KeyError at agents/guide.py:21 in propose"
    ended_by: str = ""  # who or what ended it, in words

    def take(self, records: Iterable[Record]) -> None:
        """Records of the call."""
        for record in records:
            with suppress(CodecFault):  # of a process of another version; what it says besides is told
                self._take(record)

    def _take(self, record: Record) -> None:
        led_by = record.told(Start) or record.told(PolicyChange)
        if led_by is not None:
            self.waits.clear()  # what another policy's agents asked for is asked for no more
            self.policy = str(led_by.policy.get("name", self.policy))
        for notice in record.commands_of(Publish):
            self._notice(notice.topic, notice.body, record.at_ms)

    def summary(self, at_ms: int) -> ProgressSummary:
        """What a list of calls tells of it; `at_ms` is the newest moment of the call that is known."""
        waiting = (
            AwaitedApproval(proposal, action, until_ms)
            for proposal, (action, until_ms) in self.waits.items()
            if until_ms >= at_ms
        )
        return ProgressSummary(
            policy=self.policy,
            stage=self.stage,
            answered_ms=self.answered_ms,
            waiting=tuple(waiting),
            failures=self.failures,
            failed=self.failed,
            ended_by=self.ended_by,
        )

    def _notice(self, topic: str, body: Mapping[str, Any], at_ms: int) -> None:
        what = body.get("what")
        match topic:
            case "stage":
                self.stage = str(body.get("stage", ""))
            case "approval" if what == "asked":
                self.waits[str(body["proposal"])] = (str(body.get("action", "")), int(body.get("until_ms", 0)))
                while len(self.waits) > WAITING_MAX:
                    del self.waits[next(iter(self.waits))]
            case "approval":
                self.waits.pop(str(body.get("proposal", "")), None)
            case "agent" if what == "lost":
                self.failures += 1
                self.failed = f"{body.get('agent', '')}: {body.get('reason', '')}"
            case "call" if what == "answered":
                self.answered_ms = at_ms
            case "call" if what in ("ending", "closed"):
                self.waits.clear()
                self.ended_by = str(body.get("reason", "")) if what == "ending" else self.ended_by
