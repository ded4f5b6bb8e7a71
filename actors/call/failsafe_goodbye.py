"""The goodbye of a call whose core fails at every turn, said without the core; then the line is left, or handed on.

Where the policy names a person (`limits.escalation.transfer_to`), the caller is handed to them instead of being hung up
on. The order is written down as a command, because the carrier's resume webhook reads the target in the journal.
"""

from __future__ import annotations

from collections.abc import Callable

from offhook.policies.core.codec import encode
from offhook.policies.core.commands import TransferCall
from offhook.policies.core.events import Event, LineClosed, LineLost, PlaybackEnded, PlaybackFailed
from offhook.policies.core.policy import Limits
from offhook.policies.core.records import COMMANDS, GOODBYE, TRANSFER, UNFOLDED, Fault

from ..process.clock import Alarm, Cancellable
from ..voice.voice import Voice
from .phone_line import PhoneLine
from .recorder import Recorder

GOODBYE_MS = 8_000  # then the line is left, whatever was heard of the goodbye
UTTERANCE = "goodbye"
GRANT = "escalation"  # under which the transfer is ordered: the policy's own word, no gate is left to be asked

_LAST: tuple[type[Event], ...] = (PlaybackEnded, PlaybackFailed, LineClosed, LineLost)


class FailsafeGoodbye:
    """Events come here instead of to the core; they are written down, not folded. `leave(reason)` is called once."""

    def __init__(
        self,
        voice: Voice,
        line: PhoneLine,
        recorder: Recorder,
        alarm: Alarm,
        now_ms: Callable[[], int],
        leave: Callable[[str], None],
    ) -> None:
        self._voice = voice
        self._line = line
        self._recorder = recorder
        self._alarm = alarm
        self._now_ms = now_ms
        self._leave = leave
        self._reason = ""
        self._target = ""
        self._gone = False  # nobody is on the line any more
        self._patience: Cancellable | None = None

    @property
    def begun(self) -> bool:
        """The core is not asked any more."""
        return bool(self._reason)

    def begin(self, reason: str, limits: Limits, at_ms: int) -> None:
        """Say the policy's goodbye, or that a person takes over; leave at once where nobody listens."""
        self._reason = reason
        self._target = limits.escalation.transfer_to
        words = limits.escalation.transfer_line if self._target else limits.goodbye_line
        then = TRANSFER if self._target else GOODBYE
        self._recorder.tell(at_ms, Fault("core", error=reason, then=then))
        heard = self._line.open
        self._patience = self._alarm.call_later(GOODBYE_MS / 1_000 if heard else 0, self._go)
        if heard:
            self._voice.say(UTTERANCE, words)

    def take(self, event: Event) -> None:
        """Write an event down; leave when it says that the goodbye is over."""
        self._recorder.write(event.at_ms, UNFOLDED, encode(event))
        self._gone = self._gone or isinstance(event, LineClosed)
        if isinstance(event, _LAST) and self._patience is not None:
            self._patience.cancel()
            self._patience = self._alarm.call_later(0, self._go)  # not from inside of the voice

    def _go(self) -> None:
        self._patience = None
        if self._target and not self._gone:
            order = TransferCall(GRANT, self._target, announced=False)
            self._recorder.write(self._now_ms(), COMMANDS, [encode(order)])
            self._recorder.flush()
            self._line.transfer(self._target, False)
            self._leave(f"transferred, because it failed: {self._reason}")
            return
        self._line.hangup(self._reason)
        self._leave(f"failed: {self._reason}")
