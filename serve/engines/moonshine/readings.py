"""Which of a recognizer's readings are worth telling: held back, shortened to what stands, or passed on. Pure.

A streaming recognizer that decodes the whole segment anew at every step invents its last words, and invents all of
them from under a second of sound ("You", "No, no" for "Nobody"). Measured on moonshine tiny: of 0.3 s and 0.5 s of a
sentence it made "You", of 0.8 s "It, it, it,", of 1.2 s "It was a.". A decision must not rest on such words, so a
partial is told from 0.8 s on, and of it only what two readings in a row agree on; the final reading is told whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..port import Reading

PARTIAL_FROM_S = 0.8
INVENTED_BELOW_S = 0.7  # a final reading of less sound than this is dropped when it is one of INVENTED
INVENTED = frozenset({"you", "thank you", "bye", "uh", "the", "i", "oh"})  # what moonshine makes of coughs and clicks

_NOT_WORD = re.compile(r"[^\w'$%]+")


@dataclass(frozen=True, slots=True)
class Line:
    """One segment as the recognizer reads it now. Times are seconds of its stream."""

    id: int
    text: str
    start_s: float
    duration_s: float
    final: bool


class Readings:
    """All segments of one stream. Call `read` with every line that changed, in order."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._count = 0
        self._last: dict[int, list[str]] = {}  # the words of the last reading, of segments that are not final
        self._told: dict[int, str] = {}
        self._begun: dict[int, int] = {}  # where those that are not final begin, in ms of the stream

    @property
    def open(self) -> bool:
        """A segment is begun and not final."""
        return bool(self._last)

    @property
    def open_from_ms(self) -> int:
        """Where the first segment begins that is not final; -1 = there is none."""
        return min(self._begun.values(), default=-1)

    @property
    def count(self) -> int:
        """Segments that were told: the number of the next one."""
        return self._count

    def forget_ids(self) -> None:
        """The recognizer starts anew: its ids mean other segments from here on."""
        self._numbers.clear()
        self._last.clear()
        self._told.clear()
        self._begun.clear()

    def read(self, line: Line, base_ms: int = 0) -> Reading | None:
        """What to tell of a line, if anything. `base_ms` is where the recognizer's second 0 lies in the stream."""
        words = line.text.split()
        if line.final:
            return self._final(line, base_ms)
        before = self._last.get(line.id)
        self._last[line.id] = words
        self._begun[line.id] = max(0, base_ms + round(line.start_s * 1_000))
        if before is None or line.duration_s < PARTIAL_FROM_S:
            return None
        text = " ".join(words[: _agreed(before, words)])
        if not text or _bare(text) == _bare(self._told.get(line.id, "")):
            return None
        self._told[line.id] = text
        return self._reading(line, text, base_ms)

    def _final(self, line: Line, base_ms: int) -> Reading | None:
        self._last.pop(line.id, None)
        self._begun.pop(line.id, None)
        told = self._told.pop(line.id, None)
        text = line.text.strip()
        if line.duration_s < INVENTED_BELOW_S and _bare(text) in INVENTED:
            text = ""
        if not _bare(text) and told is None:  # nothing was told, there is nothing to take back
            return None
        return self._reading(line, text if _bare(text) else "", base_ms)

    def _reading(self, line: Line, text: str, base_ms: int) -> Reading:
        if line.id not in self._numbers:
            self._numbers[line.id] = self._count
            self._count += 1
        start_ms = base_ms + round(line.start_s * 1_000)
        return Reading(
            self._numbers[line.id], text, line.final, max(0, start_ms), start_ms + round(line.duration_s * 1_000)
        )


def _agreed(before: list[str], now: list[str]) -> int:
    """How many words from the beginning two readings share; case and punctuation may still change."""
    count = 0
    for old, new in zip(before, now, strict=False):
        if _bare(old) != _bare(new):
            break
        count += 1
    return count


def _bare(text: str) -> str:
    return _NOT_WORD.sub(" ", text.lower()).strip()
