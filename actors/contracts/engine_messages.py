"""The messages between a call and speech engines; see `messages.py` for the rules, `engines/port.py` for engines.

Engines are others' programs: where a field is of no exact type, whoever reads it takes what it can
(`engines/conduct.py`).
"""

from __future__ import annotations

from typing import Any

from .message import Message, among
from .messages import HELLO


class EngineHello(Message, name=HELLO):
    """To a speech engine."""

    sound: str = ""  # a name of `actors/audio/format.py`; "" = the telephone's
    protocol: int = 0


# --- call -> recognizer, recognizer -> call ---------------------------------------------------------------------------


class Open(Message, name="open"):
    """A stream begins. `options`: see `actors/engines/port.py`."""

    stream: str
    origin_ms: int  # the call's clock at its first sample
    options: object = None


class Sound(Message, name="sound"):
    """Sound of a stream. `ask` 1 = tell how far you are once this is read."""

    stream: str
    sound: bytes
    ask: object = 0


class Close(Message, name="close"):
    """A stream ends."""

    stream: str


class Refused(Message, name="refused"):
    """It cannot read this stream by its options."""

    stream: str
    reason: str


class Words(Message, name="words"):
    """The reading of one segment. No text and not final: read up to `ended_ms`, and no word there that was not told."""

    stream: str
    segment: int
    text: str
    final: object  # true or false, also as 1 or 0
    started_ms: float
    ended_ms: float


TO_RECOGNIZER = among(Open, Sound, Close)
TO_CALL_FROM_RECOGNIZER = among(Refused, Words)

# --- call -> synthesizer, synthesizer -> call -------------------------------------------------------------------------


class Speak(Message, name="speak"):
    """Say this. `options`: see `actors/engines/port.py`."""

    id: str
    text: str
    voice: object = ""
    options: object = None


class Cancel(Message, name="cancel"):
    """Do not go on saying it."""

    id: str


class Spoken(Message, name="spoken"):
    """All sound of it was sent."""

    id: str
    total_ms: object = 0


class Spoke(Message, name="sound"):
    """Sound of an utterance."""

    id: str
    sound: bytes


class Timing(Message, name="timing"):
    """When the words of the sound that is sent next end: [word, end_ms] each, offsets in the utterance."""

    id: str
    words: list[Any]
    estimated: object = 0  # 1 = it does not know them


class Unspoken(Message, name="unspoken"):
    """It will not be said."""

    id: str
    reason: object


TO_SYNTHESIZER = among(Speak, Cancel)
TO_CALL_FROM_SYNTHESIZER = among(Spoke, Timing, Spoken, Unspoken)
