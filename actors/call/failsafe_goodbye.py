"""The goodbye of a call whose core fails at every turn, said without the core; then the line is left, or handed on.

Where the policy names a person (`limits.escalation.transfer_to`), the caller is handed to them instead of being hung up
on. The order is written down as a command, because the carrier's resume webhook reads the target in the journal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from offhook.policies.core.codec import encode
from offhook.policies.core.commands import TransferCall
from offhook.policies.core.events import Event, LineClosed, LineLost, PlaybackEnded, PlaybackFailed
from offhook.policies.core.records import COMMANDS, GOODBYE, TRANSFER, UNFOLDED, Fault

from ..process.clock import Cancellable
from ..voice.voice import Voice
from .lifecycle import Move
from .phone_line import PhoneLine
from .session import Session
from .timers import Timers

log = logging.getLogger(__name__)

GOODBYE_MS = 8_000  # then the line is left, whatever was heard of the goodbye
UTTERANCE = "goodbye"
GRANT = "escalation"  # under which the transfer is ordered: the policy's own word, no gate is left to be asked

_LAST: tuple[type[Event], ...] = (PlaybackEnded, PlaybackFailed, LineClosed, LineLost)


class FailsafeGoodbye:
    """Events come here instead of to the core; they are written down, not folded. `leave(reason)` is called once."""

    def __init__(
        self, session: Session, voice: Voice, line: PhoneLine, timers: Timers, leave: Callable[[str], None]
    ) -> None:
        self._session = session
        self._voice = voice
        self._line = line
        self._timers = timers
        self._leave = leave
        self._recorder = session.recorder
        self._reason = ""
        self._target = ""
        self._gone = False  # nobody is on the line any more
        self._patience: Cancellable | None = None

    def begin(self, reason: str) -> None:
        """Give the call up: say the policy's goodbye, or that a person takes over, where the carrier offers transfers.
        Leave at once where nobody hears."""
        session = self._session
        log.error("giving the call up: %s", reason, extra={"call": session.setup.call})
        if not session.move(Move.GIVE_UP):
            return
        self._timers.clear()
        limits = session.policy.limits
        self._reason = reason
        self._target = limits.escalation.transfer_to if self._line.transfers else ""
        words = limits.escalation.transfer_line if self._target else limits.goodbye_line
        then = TRANSFER if self._target else GOODBYE
        self._recorder.tell(session.now(), Fault("core", error=reason, then=then))
        heard = self._line.open
        self._patience = session.loop.call_later(GOODBYE_MS / 1_000 if heard else 0, self._go)
        if heard:
            self._voice.say(UTTERANCE, words)

    def take(self, event: Event) -> None:
        """Write an event down; leave when it says that the goodbye is over."""
        self._recorder.write(event.at_ms, UNFOLDED, encode(event))
        self._gone = self._gone or isinstance(event, LineClosed)
        if isinstance(event, _LAST) and self._patience is not None:
            self._patience.cancel()
            self._patience = self._session.loop.call_later(0, self._go)  # not from inside of the voice

    def _go(self) -> None:
        self._patience = None
        if self._target and self._line.transfers and not self._gone:
            order = TransferCall(GRANT, self._target)
            self._recorder.write(self._session.now(), COMMANDS, [encode(order)])
            self._recorder.flush()
            self._line.transfer(self._target)
            self._leave(f"transferred, because it failed: {self._reason}")
            return
        self._line.hangup(self._reason)
        self._leave(f"failed: {self._reason}")
