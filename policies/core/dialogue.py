"""What was told, asked, answered and is owed: parts of a call's state, each immutable. The rules stand in
`evidence/heard.py` (told), `gate/consent.py` (answered) and `gate/debts.py` (owed); the whole state is `state.py`.
"""

from __future__ import annotations

from .parts import part
from .proposals import Polarity, Reading


@part
class Segment:
    """One recognizer segment: its present text, and whether that is final."""

    id: int
    text: str
    final: bool
    started_ms: int
    ended_ms: int


@part
class Turn:
    """What one side said at a stretch, as far as the other side has heard it."""

    speaker: str  # "caller", or the agent ("core" = the call's own lines)
    from_ms: int
    until_ms: int
    text: str = ""  # an agent's, to the last word that was heard to its end; may hold personal data
    utterance: str = ""  # an agent's
    cut: bool = False  # an agent's that was not heard to its end
    segments: tuple[Segment, ...] = ()  # a caller's, in their newest reading; personal data
    chars: int = 0  # how long its words are: they are counted against the transcript's limit at every turn

    @property
    def words(self) -> str:
        """What was said, whoever said it."""
        return self.text or " ".join(segment.text for segment in self.segments if segment.text)


@part
class Term:
    """Words that an utterance has to get across, and where they end: told once heard that far."""

    name: str  # a slot's, or what the policy calls it ("price")
    value: str  # as it stands in the text; may be personal data
    ends: int  # how many words of the text must be heard to their end


@part
class Told:
    """A term that the caller has heard to its end."""

    name: str
    value: str
    utterance: str
    at_ms: int
    revision: int


@part
class Answer:
    """The caller's answer to a yes-or-no question, taken as a whole: every word of the turn."""

    utterance: str  # the question
    says: Polarity
    why: str  # the kind of word that keeps it from being clean; never the words
    at_ms: int  # when the turn was over, or a later reading changed it
    revision: int
    turn: int
    terms: tuple[Term, ...]  # what that question had read back, and the caller had heard
    segments: tuple[Segment, ...]  # the words; personal data
    confirms: bool = False  # the question read something back and asked for a yes
    action: str = ""  # the act that it asked consent to, where the question named one
    readings: tuple[tuple[str, Reading], ...] = ()  # by other readers

    @property
    def final(self) -> bool:
        """No word of it will be taken back by the recognizer."""
        return all(segment.final for segment in self.segments)

    @property
    def contrary(self) -> str:
        """The reader that reads it otherwise than as a yes; empty = none."""
        return next((name for name, reading in self.readings if reading.says is not Polarity.YES), "")


@part
class Debt:
    """Something that the caller is owed and could not be given when it was due."""

    kind: str  # "result", "timer", "key", "reply", "sentence"
    what: str  # the act's grant, the timer's name, the utterance
    since_ms: int
    tries: int = 0  # rounds that were opened for it
    by: str = ""  # the utterance that came of such a round: once heard, it has paid
