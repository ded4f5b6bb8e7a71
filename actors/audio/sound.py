"""The sound of one utterance as it comes in from an engine: audio, word times, and what a position means in words.

Positions are milliseconds from the utterance's first sample. Who makes the sound is `engines/synthesis.py`'s and
`engines/sources.py`'s matter; when it is sent, and what was heard of it, `voice/voice.py`'s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from ..contracts.errors import ProtocolFault
from .format import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENCE

SOUND_MS_MAX = 600_000  # ten minutes are no utterance but a fault of the engine; 4.8 MB
WORD_TAIL_MS = 40  # a word whose last 40 ms are missing was understood: final consonants decay below the line's noise

Word = tuple[str, int]  # the word, and where it ends in ms


def _nothing() -> None:
    pass


class Sound:
    """Audio and word times of one utterance, growing until `complete`. Calls `on_change` after every growth."""

    __slots__ = ("_audio", "_ends", "_words", "complete", "estimated", "failed", "on_change", "taken_ms", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.complete = False  # nothing more comes: it is whole, or it `failed`
        self.failed = ""  # why the rest of it will never come
        self.estimated = False  # some of its words' times are guessed by whoever made them
        self.taken_ms = 0  # how far the voice has ever sent it
        self.on_change: Callable[[], None] = _nothing
        self._audio = bytearray()
        self._words: list[str] = []
        self._ends: list[int] = []

    @property
    def length_ms(self) -> int:
        """How much audio is here."""
        return len(self._audio) // BYTES_PER_MS

    @property
    def total_ms(self) -> int:
        """The whole length; 0 = not known yet."""
        return self.length_ms if self.complete and not self.failed else 0

    @property
    def timed(self) -> list[Word]:
        """The words with their ends, as the maker told them."""
        return list(zip(self._words, self._ends, strict=True))

    # --- the maker's side -------------------------------------------------------------------------------------------

    def add(self, audio: bytes) -> None:
        """Audio that follows what is here: mu-law bytes, any number.

        Raises:
            ProtocolFault: more than SOUND_MS_MAX for one utterance.
        """
        if self.complete:
            return
        if len(self._audio) + len(audio) > SOUND_MS_MAX * BYTES_PER_MS:
            raise ProtocolFault(f"an utterance of over {SOUND_MS_MAX} ms; split the text")
        self._audio += audio
        self.on_change()

    def time(self, words: Iterable[Sequence[object]], offset_ms: int = 0, estimated: bool = False) -> None:
        """Words with their ends: [[word, end_ms], ...], in order; `offset_ms` is added to each.

        Raises:
            ProtocolFault: an entry is not a word and a number of ms.
        """
        self.estimated = self.estimated or estimated
        for entry in words:
            word, end_ms = entry if len(entry) == 2 else (None, None)
            if not isinstance(word, str) or not isinstance(end_ms, (int, float)):
                raise ProtocolFault("a word's time must be [word, end_ms]")
            self._words.append(word)
            # Never before the last one: a bisection must find its place whatever the engine says.
            self._ends.append(max(int(end_ms) + offset_ms, self._ends[-1] if self._ends else 0))

    def finish(self) -> None:
        """All of it is here. The last frame is filled up with silence, since carriers take whole frames."""
        if not self.complete:
            self._audio += SILENCE * (-len(self._audio) % FRAME_BYTES)
            self.complete = True
            self.on_change()

    def fail(self, reason: str) -> None:
        """The rest will never come."""
        if not self.complete:
            self.failed = reason or "no reason given"
            self._audio += SILENCE * (-len(self._audio) % FRAME_BYTES)
            self.complete = True
            self.on_change()

    def rest(self) -> tuple[int, str]:
        """Where a second engine has to go on, and with which text; drops what lies behind it.

        Returns:
            The position at which its audio will be put, and the words that are still to be spoken ("" = none, or not
            to be told because the first engine gave no word times).
        """
        if not self._audio and not self._words:
            return 0, self.text
        if not self._words:
            return self.length_ms, ""
        whole = bisect_right(self._ends, self.length_ms)
        base_ms = max(self._ends[whole - 1] if whole else 0, self.taken_ms)
        base_ms += -base_ms % FRAME_MS
        spoken = self._prefix(whole)
        del self._audio[base_ms * BYTES_PER_MS :]
        self._audio += SILENCE * (base_ms * BYTES_PER_MS - len(self._audio))
        del self._words[whole:], self._ends[whole:]
        return base_ms, self.text[len(spoken) :].strip() if self.text.startswith(spoken) else ""

    # --- the voice's side -------------------------------------------------------------------------------------------

    def slice(self, from_ms: int, to_ms: int) -> bytes:
        """Audio between two positions."""
        return bytes(self._audio[from_ms * BYTES_PER_MS : to_ms * BYTES_PER_MS])

    def heard_text(self, heard_ms: int) -> str:
        """The words that a listener has heard to their end at `heard_ms`, as they stand in the text."""
        return self._prefix(self._heard_words(heard_ms))

    def word_start(self, heard_ms: int) -> int:
        """Where to go on after a hold at `heard_ms`: the start of the first word not heard to its end."""
        count = self._heard_words(heard_ms)
        ends = self._word_times()[1]
        if count == len(ends) and self.complete:
            return self.length_ms
        start_ms = ends[count - 1] if count else 0
        return start_ms - start_ms % FRAME_MS

    def _heard_words(self, heard_ms: int) -> int:
        if heard_ms <= 0:
            return 0
        return bisect_right(self._word_times()[1], heard_ms + WORD_TAIL_MS)

    def _word_times(self) -> tuple[list[str], list[int]]:
        if self._words:
            return self._words, self._ends
        # An engine without word times: the words share the sound by their letters.
        words = self.text.split()
        letters = sum(len(word) + 1 for word in words)
        per_letter = self.length_ms / letters if self.complete and not self.failed and letters else MS_PER_LETTER
        ends, end = [], 0.0
        for word in words:
            end += (len(word) + 1) * per_letter
            ends.append(int(end))
        return words, ends

    def _prefix(self, count: int) -> str:
        """The text up to and with its `count`-th word; the words alone where they are not found in the text."""
        words = self._word_times()[0][:count]
        place = 0
        for word in words:
            found = self.text.find(word, place)
            if found < 0:
                return " ".join(words)
            place = found + len(word)
        # Punctuation that hangs on the last word belongs to it.
        while place < len(self.text) and words and not self.text[place].isspace():
            place += 1
        return self.text[:place].strip()


MS_PER_LETTER = 66  # 150 words a minute, five letters and a space each: the usual estimate for read English
