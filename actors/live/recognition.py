"""The words that the caller says: the reconnecting client of a recognizer, and `none`. Voice activity is in `ears`.

The last seconds of audio are kept until the recognizer has given their final words. When it is lost, a new stream
begins with them, so its loss costs a delay and no word; segment numbers go on, and what was final stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from offhook.policies.events import Event, HealthChanged, WordsHeard

from .. import wire
from ..clock import Clock
from ..errors import ProtocolFault
from ..link import Link, Message
from ..redial import Endpoint, Redial
from .sound import BYTES_PER_MS, SILENCE

PART = "recognizer"
BATCH_MS = 100  # sent at once: half of the recognizer's own interval; `flush` does not wait for it
KEPT_MS = 8_000  # kept for another stream: a long sentence, 64 kB
DRIFT_MS = 500  # the carrier left out more than this: filled with silence, so that times stay true
FILL_MS_MAX = 5_000  # a longer gap begins a new stream


class Recognizer(Protocol):
    """Reads words from the caller's audio. Words come as events. `used_s`: seconds of audio that an engine has had."""

    used_s: float

    def feed(self, audio: bytes, at_ms: int) -> None:
        """Mu-law audio whose last sample is heard at `at_ms` on the call's clock. Never waits, never raises."""
        ...

    def flush(self) -> None:
        """Send what waits for a whole batch: the caller has just stopped speaking."""
        ...

    def place(self) -> tuple[int, int, int]:
        """How far the words have come, for the call's next owner: (end of the last final words in ms, highest segment,
        the segment that is not final or -1)."""
        ...

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """A former owner came so far: audio before `final_ms` is not read again, segment numbers go on."""
        ...

    def close(self) -> None:
        """The call is over."""
        ...


class NoRecognizer:
    """No recognizer: says so once, so that nothing waits for words."""

    def __init__(self, emit: Callable[[Event], None], clock: Clock) -> None:
        emit(HealthChanged(clock.now_ms(), PART, False))
        self.used_s = 0.0

    def feed(self, audio: bytes, at_ms: int) -> None:
        """See `Recognizer`."""

    def flush(self) -> None:
        """See `Recognizer`."""

    def place(self) -> tuple[int, int, int]:
        """See `Recognizer`."""
        return 0, -1, -1

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """See `Recognizer`."""

    def close(self) -> None:
        """See `Recognizer`."""


class RecognitionClient:
    """Streams the caller's audio to a recognizer over the link. Needs a running loop.

    Args:
        endpoints: (endpoint, token) of the recognizers, the preferred one first.
        emit: takes WordsHeard, and HealthChanged("recognizer", ...) when it goes and comes back.
        clock: stamps them.
        stream: names this call's streams.
    """

    def __init__(self, endpoints: Sequence[Endpoint], emit: Callable[[Event], None], clock: Clock, stream: str) -> None:
        self._emit = emit
        self._clock = clock
        self._name = stream
        self._streams = 0
        self._stream = ""  # the present one's name; "" = none
        self._kept = bytearray()  # audio from `_kept_from_ms` on
        self._kept_from_ms = 0
        self._sent = 0  # bytes of `_kept` that the present stream has
        self.used_s = 0.0
        self._base = 0  # segment number of the present stream's first segment
        self._segment = -1  # highest seen, of the call
        self._open_segment = -1  # the one whose words are not final; -1 = none
        self._final_ms = 0  # end of the last final words
        self._redial = Redial(endpoints, self._opened, self._message, self._lost)
        self._redial.start()

    @property
    def up(self) -> bool:
        """A recognizer is connected, or has not been found missing yet."""
        return self._redial.up

    def redirect(self, endpoints: Sequence[Endpoint]) -> None:
        """The recognizers have moved; a link that is open stays."""
        self._redial.redirect(endpoints)

    def feed(self, audio: bytes, at_ms: int) -> None:
        """See `Recognizer`."""
        begins_ms = at_ms - len(audio) // BYTES_PER_MS
        gap_ms = begins_ms - self._kept_until_ms
        if not self._kept or gap_ms > FILL_MS_MAX:
            self._begin_kept(begins_ms)
        elif gap_ms > DRIFT_MS:
            self._kept += SILENCE * (gap_ms * BYTES_PER_MS)
        self._kept += audio
        if len(self._kept) - self._sent >= BATCH_MS * BYTES_PER_MS:
            self.flush()

    def flush(self) -> None:
        """See `Recognizer`."""
        link = self._redial.link
        if link is not None and self._kept:
            if not self._stream:
                self._open_stream(link)
            if self._sent < len(self._kept):
                link.send(wire.SOUND, self._stream, bytes(self._kept[self._sent :]))
                self.used_s += (len(self._kept) - self._sent) / (BYTES_PER_MS * 1_000)
                self._sent = len(self._kept)
        self._forget(self._kept_until_ms - KEPT_MS)

    def close(self) -> None:
        """See `Recognizer`."""
        if self._redial.link is not None and self._stream:
            self._redial.link.send(wire.CLOSE, self._stream)
        self._redial.stop()

    def place(self) -> tuple[int, int, int]:
        """See `Recognizer`."""
        return self._final_ms, self._segment, self._open_segment

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """See `Recognizer`."""
        self._final_ms, self._segment, self._open_segment = final_ms, segment, open_segment

    # --- the audio kept ---------------------------------------------------------------------------------------------

    @property
    def _kept_until_ms(self) -> int:
        return self._kept_from_ms + len(self._kept) // BYTES_PER_MS

    def _begin_kept(self, from_ms: int) -> None:
        if self._stream and self._redial.link is not None:
            self._redial.link.send(wire.CLOSE, self._stream)
        self._stream = ""
        self._kept.clear()
        self._kept_from_ms, self._sent = from_ms, 0

    def _forget(self, before_ms: int) -> None:
        excess = min((before_ms - self._kept_from_ms) * BYTES_PER_MS, len(self._kept))
        if excess > 0:
            del self._kept[:excess]
            self._kept_from_ms += excess // BYTES_PER_MS
            self._sent = max(0, self._sent - excess)

    # --- the recognizer ---------------------------------------------------------------------------------------------

    def _open_stream(self, link: Link) -> None:
        self._streams += 1
        self._stream = f"{self._name}/{self._streams}"
        # Words that were not final are read anew, under their number; the others keep theirs.
        self._base = self._open_segment if self._open_segment >= 0 else self._segment + 1
        self._sent = 0
        self._forget(self._final_ms)  # what is final is not read again
        link.send(wire.OPEN, self._stream, self._kept_from_ms)

    def _opened(self, _link: Link) -> None:
        if self._redial.was_down:
            self._emit(HealthChanged(self._clock.now_ms(), PART, True))
        self._stream = ""
        self.flush()

    def _lost(self, _reason: str) -> None:
        self._stream = ""
        self._emit(HealthChanged(self._clock.now_ms(), PART, False))

    def _message(self, _link: Link, message: Message) -> None:
        if message[0] != wire.WORDS or len(message) < 7:
            raise ProtocolFault(f"a recognizer says {wire.WORDS!r} with 6 fields, not {str(message[0])!r}")
        stream, segment, text, final, started_ms, ended_ms = message[1:7]
        if not (isinstance(segment, int) and isinstance(text, str) and segment >= 0):
            raise ProtocolFault("words need a segment from 0 and a text")
        if stream != self._stream:
            return  # a former stream's
        number = self._base + segment
        self._segment = max(self._segment, number)
        if final:
            self._final_ms = max(self._final_ms, int(ended_ms))
            if self._open_segment <= number:
                self._open_segment = -1
        else:
            self._open_segment = number
        self._emit(WordsHeard(self._clock.now_ms(), number, text, bool(final), int(started_ms), int(ended_ms)))
