"""The funnel that every event of a call passes: validate, journal, act.

    take(event) -> step (policies.machine) -> records handed to the journal -> commands carried out

There is one way in, and events that arise while another is folded wait their turn, so the order in the journal is the
order in which things happened. An event that the state does not allow is counted and changes nothing. A bug in a
reducer must not cost the caller the line: it is recorded as a "fault", the state stays as it was, the call goes on; too
many of them and the runtime is asked to end the call with a goodbye.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from offhook.policies.conversation import machine
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import Command, RecordVerdict
from offhook.policies.core.errors import IllegalEvent
from offhook.policies.core.events import CallCreated, Event, PlaybackReached, SpeechMeasured
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import COMMANDS, EVENT, SNAPSHOT, VERDICT, Fault
from offhook.policies.core.state import CallState
from offhook.policies.language.port.registry import LanguageFault

from .recorder import Recorder

log = logging.getLogger(__name__)

FAULTS_MAX = 5  # within FAULT_WINDOW_MS: the core fails at every turn, the caller deserves an end
FAULT_WINDOW_MS = 10_000
FAULTS_TOTAL_MAX = 50  # in one call
# Told many times a second, and of little worth once the next one is here: without commands their records wait for the
# frames' acknowledgement (`Hearing`), which saves the node most of its journal's messages. Until then the gateway keeps
# the sound that a next owner would measure again, and knows itself how far the carrier is in playing.
PATIENT = (SpeechMeasured, PlaybackReached)
SNAPSHOT_EVERY = 256  # events: about half a minute of lively talk to fold again after a takeover


class Funnel:
    """One call's state and the only way to change it.

    Args:
        carry_out: does what one command asks for.
        settled: called after an event and all of its commands (with the event), also after a fault.
        give_up: called once when the core failed too often.
    """

    def __init__(
        self,
        policy: Policy,
        recorder: Recorder,
        carry_out: Callable[[Command], None],
        settled: Callable[[Event], None],
        give_up: Callable[[str], None],
        state: CallState | None = None,
    ) -> None:
        self.state = state or CallState(epoch=recorder.epoch)
        self.policy = policy
        self.events: Counter[str] = Counter()
        self.illegal = 0
        self.faults = 0
        self._recorder = recorder
        self._carry_out = carry_out
        self._settled = settled
        self._give_up = give_up
        self._recent_faults: deque[int] = deque(maxlen=FAULTS_MAX)
        self._given_up = False
        # Told of every event with its commands, once they are carried out (`Broadcaster.follow`).
        self.follower: Callable[[list[Any], list[Any], int, int], None] | None = None
        self._queue: deque[Event] = deque()
        self._folding = False
        self._since_snapshot = 0
        self.snapshot_seq = 0  # number of the newest snapshot's record; 0 = none yet

    def take(self, event: Event) -> None:
        """Fold an event in, or queue it where another is being folded."""
        self._queue.append(event)
        if self._folding:
            return
        self._folding = True
        try:
            while self._queue:
                self._fold(self._queue.popleft())
        finally:
            self._folding = False

    def encoded(self) -> list[Any]:
        """The whole state as it is now."""
        return encode(self.state)

    def snapshot(self) -> None:
        """Record the whole state as it is now."""
        self._since_snapshot = 0
        self.snapshot_seq = self._recorder.write(self.state.now_ms, SNAPSHOT, encode(self.state))

    @property
    def snapshot_due(self) -> bool:
        """Enough events since the last snapshot. The runtime takes it when the loop is idle, never inside an event."""
        return self._since_snapshot >= SNAPSHOT_EVERY

    def _fold(self, event: Event) -> None:
        if event.at_ms < self.state.now_ms:
            # It was under way while another was folded: it enters the call at the present moment.
            event = replace(event, at_ms=self.state.now_ms)
        self.events[type(event).__name__] += 1
        try:
            decision = machine.step(self.state, event, self.policy)
            record = encode(event)
            commands = [encode(command) for command in decision.commands]
        except IllegalEvent as fault:
            self.illegal += 1
            log.warning("illegal event: %s", fault, extra={"call": self.state.call})
            return
        except Exception as error:
            self._fault(event, "step", error)
            self._settled(event)
            return
        self.state = decision.state
        self._since_snapshot += 1
        recorder = self._recorder
        recorder.write(event.at_ms, EVENT, record, patient=not commands and isinstance(event, PATIENT))
        if commands:
            recorder.write(event.at_ms, COMMANDS, commands)
            for command in decision.commands:
                if type(command) is RecordVerdict:
                    recorder.write(event.at_ms, VERDICT, encode(command.verdict))
            recorder.flush()  # journal before act
            for command in decision.commands:
                try:
                    self._carry_out(command)
                except Exception as error:
                    self._fault(event, type(command).__name__, error)
        if self.follower is not None:
            self.follower(record, commands, self.state.revision, self.state.turn)
        self._settled(event)

    def _fault(self, event: Event, where: str, error: Exception) -> None:
        self.faults += 1
        kind = type(event).__name__
        trace = traceback.format_exc(limit=-6)
        kind_of_error = type(error).__name__
        bug = f"bug at {where} in {kind}"
        if isinstance(error, LanguageFault):  # its text quotes nobody
            bug = kind_of_error = str(error)
        log.error("%s", bug, extra={"call": self.state.call, "pii_trace": trace})
        try:
            record = encode(event)
        except Exception:
            record = []
        self._recorder.tell(event.at_ms, Fault(where, kind, type(error).__name__, trace, record))
        self._recent_faults.append(event.at_ms)
        often = len(self._recent_faults) == FAULTS_MAX and event.at_ms - self._recent_faults[0] <= FAULT_WINDOW_MS
        stillborn = isinstance(event, CallCreated) and where == "step"
        if (often or stillborn or self.faults >= FAULTS_TOTAL_MAX) and not self._given_up:
            self._given_up = True
            self._give_up(f"{self.faults} faults of the core, the last in {kind}: {kind_of_error}")
