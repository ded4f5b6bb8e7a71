"""The words that the caller says: the reconnecting client of a recognizer, and `none`. Voice activity is in `ears`.

The last seconds of audio are kept until the recognizer has given their final words. When it is lost, a new stream
begins with them, so its loss costs a delay and no word; segment numbers go on, and what was final stays so.

Lost is also one whose link is open: that says nothing while the caller speaks, or mostly what are no words
(`engine_words.py`). It is left for another, and counts as back when words come. One that reads on and finds nothing is
not silent: asked how far it is, it answers with a progress, which goes to the core as words without text.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from offhook.policies.core.events import Event, HealthChanged, WordsHeard
from offhook.policies.speech.turns import plain

from ..audio.format import BYTES_PER_MS, BYTES_PER_S, SILENCE, TELEPHONE
from ..contracts.engine_messages import Close, EngineHello, Open, Refused, Sound
from ..contracts.messages import PROTOCOL
from ..link.link import Array, Link
from ..link.reconnect import Endpoint, Reconnect
from ..process.clock import Clock
from . import engine_words
from .conduct import Conduct
from .engine_words import Words
from .port import STOCK_RECOGNITION, RecognitionOptions

PART = "recognizer"
BATCH_MS = 100  # sent at once: half of the recognizer's own interval; `flush` does not wait for it
KEPT_MS = 12_000  # kept for another stream: what a recognizer may leave unread before it is left, with pauses; 96 kB
DRIFT_MS = 500  # the carrier left out more than this: filled with silence, so that times stay true
FILL_MS_MAX = 5_000  # a longer gap begins a new stream
WORDLESS_MS = 10_000  # of speech; the policy's `ears.wordless_ms`
ASK_MS = 1_000  # of speech without a word: ask how far it is; what reads noise or music must not pass for silent
FINALS_KEPT = 16  # segments; recognizers repeat themselves within a few
PROGRESS_MAX = 5  # told in a second; the core waits for one at a time
REASON_CHARS_MAX = 200


class NoRecognizer:
    """No recognizer: says so once, so that nothing waits for words."""

    def __init__(self, emit: Callable[[Event], None], clock: Clock) -> None:
        emit(HealthChanged(clock.now_ms(), PART, False))
        self.used_s = 0.0
        self.refused = 0
        self.wordless_ms = WORDLESS_MS

    def feed(self, audio: bytes, at_ms: int) -> None:
        """See `Recognizer`."""

    def flush(self) -> None:
        """See `Recognizer`."""

    def speech(self, onset_ms: int, voiced_ms: int) -> None:
        """See `Recognizer`."""

    def place(self) -> tuple[int, int, int]:
        """See `Recognizer`."""
        return 0, -1, -1

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """See `Recognizer`."""

    def read_by(self, options: RecognitionOptions) -> None:
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
        options: by which it reads.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        emit: Callable[[Event], None],
        clock: Clock,
        stream: str,
        options: RecognitionOptions = STOCK_RECOGNITION,
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._name = stream
        self._options = options
        self._streams = 0
        self._stream = ""  # the present one's name; "" = none
        self._kept = bytearray()  # audio from `_kept_from_ms` on
        self._kept_from_ms = 0
        self._sent = 0  # bytes of `_kept` that the present stream has
        self.used_s = 0.0
        self._base = 0  # segment number of the present stream's first segment
        self._segment = -1  # highest seen, of the call
        self._final_segment = -1  # highest that is final
        self._finals: deque[tuple[int, str]] = deque(maxlen=FINALS_KEPT)  # of the last ones that are: their plain words
        self._open_segment = -1  # the one whose words are not final; -1 = none
        self._final_ms = 0  # end of the last final words
        self.wordless_ms = WORDLESS_MS
        self._spurt = (-1, 0)  # the talkspurt that was last told of: its onset, its voice
        self._unread = 0  # ms of speech since the recognizer last said anything
        self._asked = 0  # how many of them there were when it was last asked
        self._conduct = Conduct()
        self._progress: deque[int] = deque(maxlen=PROGRESS_MAX)  # when it was last told
        self._read_ms = 0  # how far, as told
        self._useless = False  # one was left, and no other has said a word yet
        self._told_up = True
        self._reconnect = Reconnect(
            endpoints, self._opened, self._message, self._lost, EngineHello(TELEPHONE.name, PROTOCOL).fields
        )
        self._reconnect.start()

    @property
    def up(self) -> bool:
        """A recognizer is connected, or has not been found missing yet."""
        return self._reconnect.up

    def redirect(self, endpoints: Sequence[Endpoint]) -> None:
        """The recognizers have moved; a link that is open stays."""
        self._reconnect.redirect(endpoints)

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
            self._send(ask=False)

    def flush(self) -> None:
        """See `Recognizer`."""
        self._send(ask=True)

    def speech(self, onset_ms: int, voiced_ms: int) -> None:
        """See `Recognizer`."""
        before_ms = self._spurt[1] if self._spurt[0] == onset_ms else 0
        self._spurt = (onset_ms, voiced_ms)
        if self._reconnect.link is None:
            return
        self._unread += max(0, voiced_ms - before_ms)
        if self._unread >= self.wordless_ms:
            self._leave(f"it has said nothing for {self._unread} ms of speech")
        elif self._unread - self._asked >= ASK_MS:
            self._asked = self._unread
            self._send(ask=True)

    @property
    def refused(self) -> int:
        """See `Recognizer`."""
        return self._conduct.refused

    def _send(self, ask: bool) -> None:
        link = self._reconnect.link
        if link is not None and self._kept:
            if not self._stream:
                self._open_stream(link)
            unsent = bytes(self._kept[self._sent :])
            if ask:
                link.send(*Sound(self._stream, unsent, 1))
            elif unsent:
                link.send(*Sound(self._stream, unsent))
            self.used_s += len(unsent) / BYTES_PER_S
            self._sent = len(self._kept)
        self._forget(self._kept_until_ms - KEPT_MS)

    def close(self) -> None:
        """See `Recognizer`."""
        if self._reconnect.link is not None and self._stream:
            self._reconnect.link.send(*Close(self._stream))
        self._reconnect.stop()

    def place(self) -> tuple[int, int, int]:
        """See `Recognizer`."""
        return self._final_ms, self._segment, self._open_segment

    def go_on(self, final_ms: int, segment: int, open_segment: int) -> None:
        """See `Recognizer`."""
        self._final_ms, self._segment, self._open_segment = final_ms, segment, open_segment
        self._final_segment = segment - 1 if segment == open_segment else segment

    def read_by(self, options: RecognitionOptions) -> None:
        """See `Recognizer`."""
        if options == self._options:
            return
        self._options = options
        if self._stream and self._reconnect.link is not None:
            self._reconnect.link.send(*Close(self._stream))
        self._stream = ""  # the next begins with what is not final

    # --- the audio kept ---------------------------------------------------------------------------------------------

    @property
    def _kept_until_ms(self) -> int:
        return self._kept_from_ms + len(self._kept) // BYTES_PER_MS

    def _begin_kept(self, from_ms: int) -> None:
        if self._stream and self._reconnect.link is not None:
            self._reconnect.link.send(*Close(self._stream))
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
        link.send(*Open(self._stream, self._kept_from_ms, self._options.as_map()))

    def _opened(self, _link: Link) -> None:
        if not self._useless:
            self._tell_health(up=True)
        self._conduct.new_link()
        self._stream = ""
        self._unread = self._asked = 0
        self._send(ask=self._useless)

    def _lost(self, _reason: str) -> None:
        self._stream = ""
        self._tell_health(up=False)

    def _leave(self, reason: str) -> None:
        """Its link is open, and it is of no use: another is tried, with the sound that is kept."""
        self._useless = True
        self._reconnect.leave(f"the recognizer is left: {reason}")

    def _tell_health(self, up: bool) -> None:
        if up is not self._told_up:
            self._told_up = up
            self._emit(HealthChanged(self._clock.now_ms(), PART, up))

    def _message(self, _link: Link, message: Array) -> None:
        found = engine_words.read(message, max(self._kept_until_ms, self._clock.now_ms()))
        if isinstance(found, Refused) and found.stream == self._stream:
            self._leave(f"it refuses: {found.reason[:REASON_CHARS_MAX]}")
            return
        if not isinstance(found, Words):
            if self._conduct.refuse():
                self._leave("most of what it says are no words")
            return
        self._conduct.good()
        if found.stream != self._stream:
            return  # a former stream's
        self._unread = self._asked = 0
        if self._useless:
            self._useless = False
            self._reconnect.keep()
            self._tell_health(up=True)
        number = self._base + found.segment
        if found.progress or self._said_already(number, found):
            self._tell_progress(found.ended_ms)
            return
        self._segment = max(self._segment, number)
        self._read_ms = max(self._read_ms, found.ended_ms)
        if found.final:
            self._final_ms = max(self._final_ms, found.ended_ms)
            self._final_segment = max(self._final_segment, number)
            self._finals.append((number, plain(found.text)))
            if self._open_segment <= number:
                self._open_segment = -1
        elif number > self._final_segment or number == self._open_segment:
            self._open_segment = number
        self._emit(WordsHeard(self._clock.now_ms(), number, found.text, found.final, found.started_ms, found.ended_ms))

    def _said_already(self, number: int, found: Words) -> bool:
        """The segment has its final words, and these are the same, none, or partial ones that come late."""
        final = next((text for known, text in reversed(self._finals) if known == number), None)
        return final is not None and (not found.final or plain(found.text) in ("", final))

    def _tell_progress(self, read_ms: int) -> None:
        """Read so far, and no word there. It has the number of the segment that is still to come: no words stand under
        it, so none are taken back, and the next words have it all the same."""
        now_ms = self._clock.now_ms()
        often = len(self._progress) == PROGRESS_MAX and now_ms - self._progress[0] < 1_000
        if read_ms <= self._read_ms or often:
            return
        self._read_ms = read_ms
        self._progress.append(now_ms)
        self._emit(WordsHeard(now_ms, self._segment + 1, "", False, read_ms, read_ms))
