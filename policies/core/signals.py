"""Signals: one dated piece of evidence each, and the ledger that holds them: parts of a call's state.

How they are weighed is `evidence/evidence.py`, how words become signals `evidence/cues.py`; the whole state is
`state.py`.
"""

from __future__ import annotations

from enum import StrEnum

from .parts import part


class Sign(StrEnum):
    """What one piece of evidence says."""

    COMMITMENT = "commitment"
    CONCERN = "concern"
    CONFIRMATION = "confirmation"
    DENIAL = "denial"
    HESITATION = "hesitation"
    QUESTION = "question"
    INTEREST = "interest"
    SOFTENING = "softening"
    WAIT = "wait"  # "hold on a second"
    STOP = "stop"  # "don't call again"
    HUMAN = "human"  # "let me talk to a person"
    GOODBYE = "goodbye"
    TONE = "tone"  # loudness, pitch or pace left this caller's own baseline
    DETAIL = "detail"  # a slot's value was said
    RETRACTION = "retraction"  # an earlier provisional signal was not borne out


@part
class Signal:
    """One dated piece of evidence. The ledger is append-only: a correction is a RETRACTION that `refers` back."""

    id: int  # position in the ledger, from 0
    sign: Sign
    strength: float  # 0 to 1
    at_ms: int
    revision: int
    turn: int
    source: str  # "words", "prosody", "silence", "digits", "operator"
    text: str = ""  # the words that carry it; personal data
    topic: str = ""  # a concern's topic, a detail's slot
    segment: int = -1  # the recognizer segment, -1 = none
    provisional: bool = False  # from a partial transcript
    refers: int = -1  # the signal that a retraction takes back, or the provisional one that this one bears out


@part
class Ledger:
    """The evidence, and what it adds up to."""

    signals: tuple[Signal, ...] = ()
    retracted: frozenset[int] = frozenset()  # count no longer: taken back, or borne out by a final signal that refers
    readiness: float = 0.0  # 0 to 1, cumulative, decaying
    uncertainty: float = 1.0  # 0 to 1
    ready: bool = False  # readiness with hysteresis
    # The sums behind them: one more signal costs the same however long the call is (see `evidence/evidence.py`).
    support: float = 0.0  # of final words, as of `weighed_ms`
    doubt: float = 0.0
    wavering: float = 0.0
    weighed_ms: int = 0
    open: tuple[int, ...] = ()  # provisional signals neither borne out nor taken back
    finals: tuple[int, ...] = ()  # the last segments whose final words are in
    stopped: int = -1  # the signal that asked not to be called, -1 = none
