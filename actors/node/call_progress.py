"""How a live call goes, as its records tell: its stage, what waits for an operator, whose agents failed, who ended it.

Read off the notices among a call's commands as they come in at the supervisor, so that a list of calls asks no call.
What the journal does with the records is `intake.py`'s matter. A supervisor that has just begun knows nothing of the
calls that it finds until their next notice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

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

    def take(self, records: Iterable[list[Any]]) -> None:
        """Records of the call: [call, epoch, seq, at_ms, kind, body]."""
        for _call, _epoch, _seq, at_ms, kind, body in records:
            if kind in ("start", "policy"):
                self.waits.clear()  # what another policy's agents asked for is asked for no more
                self.policy = str((body.get("policy") or {}).get("name", self.policy))
            for command in body if kind == "commands" else ():
                if command[0] == "Publish":
                    self._notice(command[1], command[2], at_ms)

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

    def _notice(self, topic: str, body: dict[str, Any], at_ms: int) -> None:
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
