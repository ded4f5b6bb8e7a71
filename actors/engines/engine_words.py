"""What a recognizer may say of a stream: its words, checked by type, range and size before anything rests on them.

Pure. What follows from words is `recognition.py`'s matter; how they look on the wire, `contracts/engine_messages.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..contracts import message
from ..contracts.engine_messages import TO_CALL_FROM_RECOGNIZER, Refused
from ..contracts.engine_messages import Words as WordsMessage
from ..contracts.errors import ProtocolFault

TEXT_CHARS_MAX = 4_000  # of one segment; two minutes of the fastest talk
SEGMENTS_MAX = 100_000  # of one stream; a day of talk has a third of it
FUTURE_MS_MAX = 5_000  # later than any sound that was sent: rounding, an engine's own clock, and not much more


@dataclass(frozen=True, slots=True)
class Words:
    """The reading of one segment. No text, and not final: read up to `ended_ms`, and nothing (new) was found there."""

    stream: str
    segment: int
    text: str
    final: bool
    started_ms: int
    ended_ms: int

    @property
    def progress(self) -> bool:
        """It says how far the recognizer has read, and no word."""
        return not self.final and not self.text.strip()


def read(array: list[Any], heard_ms: int) -> Words | Refused | None:
    """What a recognizer says of a stream: words, or that it cannot read it; None where it is neither.

    Args:
        heard_ms: the end of the newest sound on the call's clock.
    """
    try:
        told = message.read(array, TO_CALL_FROM_RECOGNIZER)
    except ProtocolFault:
        return None
    if isinstance(told, Refused):
        return told
    if not isinstance(told, WordsMessage) or told.final not in (False, True):  # 0 and 1 are among them
        return None
    if not 0 <= told.segment < SEGMENTS_MAX or len(told.text) > TEXT_CHARS_MAX:
        return None
    started_ms, ended_ms = _moment(told.started_ms), _moment(told.ended_ms)
    if started_ms is None or ended_ms is None or not started_ms <= ended_ms <= heard_ms + FUTURE_MS_MAX:
        return None
    return Words(told.stream, told.segment, told.text, bool(told.final), max(0, started_ms), max(0, ended_ms))


def _moment(value: object) -> int | None:
    """Milliseconds; a number that is none of this call's is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if -_MS_MAX < value < _MS_MAX else None  # also false for what is not a number


_MS_MAX = 1 << 40  # 34 years
