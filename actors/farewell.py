"""The goodbye of a call whose core fails at every turn: said without the core, then the line is left. Nothing else."""

from __future__ import annotations

from collections.abc import Callable

from offhook.policies.codec import encode
from offhook.policies.events import Event, LineClosed, LineLost, PlaybackEnded, PlaybackFailed

from .clock import Alarm, Cancellable
from .phone_line import PhoneLine
from .recorder import Recorder
from .voice import Voice

GOODBYE_MS = 8_000  # then the line is left, whatever was heard of the goodbye
UTTERANCE = "goodbye"

_LAST: tuple[type[Event], ...] = (PlaybackEnded, PlaybackFailed, LineClosed, LineLost)


class Farewell:
    """Events come here instead of to the core; they are written down, not folded. `leave(reason)` is called once."""

    def __init__(
        self, voice: Voice, line: PhoneLine, recorder: Recorder, alarm: Alarm, leave: Callable[[str], None]
    ) -> None:
        self._voice = voice
        self._line = line
        self._recorder = recorder
        self._alarm = alarm
        self._leave = leave
        self._reason = ""
        self._patience: Cancellable | None = None

    @property
    def begun(self) -> bool:
        """The core is not asked any more."""
        return bool(self._reason)

    def begin(self, reason: str, goodbye: str, at_ms: int) -> None:
        """Say `goodbye`, or leave at once where nobody listens."""
        self._reason = reason
        self._recorder.write(at_ms, "fault", {"where": "core", "error": reason, "then": "goodbye"})
        heard = self._line.open
        self._patience = self._alarm.call_later(GOODBYE_MS / 1_000 if heard else 0, self._go)
        if heard:
            self._voice.say(UTTERANCE, goodbye)

    def take(self, event: Event) -> None:
        """Write an event down; leave when it says that the goodbye is over."""
        self._recorder.write(event.at_ms, "unfolded", encode(event))
        if isinstance(event, _LAST) and self._patience is not None:
            self._patience.cancel()
            self._patience = self._alarm.call_later(0, self._go)  # not from inside of the voice

    def _go(self) -> None:
        self._patience = None
        self._line.hangup(self._reason)
        self._leave(f"failed: {self._reason}")
