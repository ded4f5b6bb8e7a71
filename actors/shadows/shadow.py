"""A shadow: a candidate policy that thinks along with a live call, does nothing, and tells where it would differ.

It subscribes to the call's events as an observer. Every so many events, and at the call's end, what was heard so far is
led again by the candidate (`policies/replay/backtest.py`): so what it finds on a live call is what a backtest of the
same call finds, less what the last moments may still bring. From the first divergence on nothing can be known, and it
leaves the call. The call pays for the sending of what it writes down anyway, and cuts a shadow off that does not keep
up. A shadow runs the candidate's agents: it belongs into a process that may die, never into a call's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core.errors import OffhookError
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import COMMANDS, EVENT, SNAPSHOT, Record
from offhook.policies.replay.backtest import SAME_MS, Proposer, Trial, backtest
from offhook.policies.replay.differences import Difference
from offhook.policies.replay.recording import read

from ..call.broadcaster import EVENTS
from ..contracts import message as declared
from ..contracts.messages import PROTOCOL, TO_OBSERVER_FROM_CALL, Gone, Notice, SubscriberHello
from ..link.link import Array, Link, connect

LOOK_EVENTS = 60  # between two looks: some ten seconds of lively talk; a look costs a tenth of a millisecond an event
EVENTS_MAX = 20_000  # of one call; beyond it the shadow leaves
UNCERTAIN_MS = SAME_MS  # before the newest event: what is missing there may still come


@dataclass(slots=True)
class Findings:
    """What one shadow has found on one call so far."""

    call: str
    events: int = 0
    differences: list[Difference] = field(default_factory=list)
    known_until_ms: int = 0
    left: str = ""  # why it is not with the call any more; "" = it is


class Shadow:
    """One candidate with one call. `tell(call, differences)` gets those that are new, on the loop."""

    def __init__(
        self,
        call: str,
        policy: Policy,
        agents: Mapping[str, Proposer] | None,
        tell: Callable[[str, list[Difference]], None],
        look_events: int = LOOK_EVENTS,
    ) -> None:
        self.findings = Findings(call)
        self.over = asyncio.Event()
        self.trial: Trial | None = None  # the last look
        self._look_began_s = 0.0  # 0 = there is none under way
        self._policy = policy
        self._agents = agents
        self._tell = tell
        self._look_events = look_events
        self._records: list[Record] = []
        self._link: Link | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0

    async def join(self, endpoint: str, token: str) -> None:
        """Subscribe to the call (`Supervisor.observe` says where). Raises: LinkLost."""
        hello = SubscriberHello("shadow", "observer", [EVENTS], protocol=PROTOCOL)
        self._link = await connect(endpoint, token, *hello.fields, on_message=self._heard, on_close=self._closed)

    def leave(self, reason: str) -> None:
        """Stop listening; what was heard is looked at once more."""
        if not self.findings.left:
            self.findings.left = reason
            if self._link is not None:
                self._link.close(reason)
            self._look()

    @property
    def looking_s(self) -> float:
        """How long the look that is under way has taken; 0 where there is none."""
        return asyncio.get_running_loop().time() - self._look_began_s if self._look_began_s else 0.0

    # --- listening --------------------------------------------------------------------------------------------------

    def _heard(self, _link: Link, message: Array) -> None:
        match declared.read(message, TO_OBSERVER_FROM_CALL):
            case Notice(topic=topic, body=body) if topic == EVENTS:
                self._keep(body)
            case Gone(reason):
                self.leave(reason)

    def _keep(self, body: Mapping[str, Any]) -> None:
        if "snapshot" in body:
            if body["snapshot"][1]:  # a blank state is where every call begins
                self._write(SNAPSHOT, body["snapshot"])
            return
        self.findings.events += 1
        self._write(EVENT, body["event"])
        if body["commands"]:
            self._write(COMMANDS, body["commands"])
        if self.findings.events > EVENTS_MAX:
            self.leave(f"over {EVENTS_MAX} events")
        elif self.findings.events - self._looked_at >= self._look_events:
            self._look()

    def _write(self, kind: str, body: Any) -> None:
        self._records.append(Record(self.findings.call, 1, len(self._records) + 1, 0, kind, body))

    def _closed(self, _link: Link, reason: str) -> None:
        self.leave(reason)

    # --- looking ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look_now())

    async def _look_now(self) -> None:
        while True:
            self._looked_at = self.findings.events
            last = bool(self.findings.left)
            if self._looked_at:
                self._look_began_s = asyncio.get_running_loop().time()
                trial = await asyncio.to_thread(self._try, list(self._records))
                self._look_began_s = 0.0
                self._found(trial, last)
            if last:
                self._looking = None
                self.over.set()
                return
            if not self.findings.left and self.findings.events - self._looked_at < self._look_events:
                self._looking = None
                return

    def _try(self, records: list[Record]) -> Trial | None:
        try:
            return backtest(read(records), self._policy, self._agents)
        except OffhookError:
            return None  # nothing that this version can read

    def _found(self, trial: Trial | None, last: bool) -> None:
        findings = self.findings
        if trial is None:
            self.leave("its events cannot be read")
            return
        self.trial = trial
        certain_ms = trial.end_ms if last else trial.end_ms - UNCERTAIN_MS
        findings.known_until_ms = min(trial.known_until_ms, certain_ms)
        fresh = [each for each in trial.differences if each.at_ms <= certain_ms and each not in findings.differences]
        findings.differences += fresh
        if fresh:
            self._tell(findings.call, fresh)
        if not last and trial.divergence is not None and trial.known_until_ms < certain_ms:
            self.leave("it diverged, and the caller has gone on: what follows cannot be known")
