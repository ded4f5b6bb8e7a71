"""What a generated caller means by what it says: the truth that a call never learns, told to the checkers.

A caller's lines are written with their meaning in front of each piece; "|" is a pause within the turn:

    "yes: yeah sure | question: and what does it cost"

Whatever has no meaning in front is talk: words that answer nothing that was asked. How the pieces sound on the line is
`mouth.py`'s matter, which words a meaning is put into `wording.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Meant(StrEnum):
    """What one piece of a caller's turn is meant as."""

    YES = "yes"  # to what was asked, with nothing left over
    CONDITION = "condition"  # a yes with something left over: a condition, a doubt, irony
    NO = "no"  # refuses, or takes back
    WAIT = "wait"  # nothing shall be done now
    CHANGE = "change"  # something else shall be done
    QUESTION = "question"  # asks something else
    VALUE = "value"  # a time, a number, a name
    PERSON = "person"  # asks for a person
    TALK = "talk"
    TOKEN = "token"  # a listener's: "go on"
    NOISE = "noise"  # a sound without words


# After one of these, nothing may be done that was agreed to before.
TAKES_BACK = frozenset({Meant.CONDITION, Meant.NO, Meant.WAIT, Meant.CHANGE})
# What an answer may hold beside its yes, and still be one with nothing left over.
BESIDE_A_YES = frozenset({Meant.YES, Meant.TOKEN, Meant.QUESTION})

_TAGS = {str(meant): meant for meant in Meant}


@dataclass(frozen=True, slots=True)
class Piece:
    """One talkspurt to come: its words, and what they mean."""

    text: str
    meant: Meant = Meant.TALK


@dataclass(frozen=True, slots=True)
class Uttered:
    """A talkspurt of the caller, a noise at their end, or keys pressed; `segment` -1 = no recognizer reads it."""

    text: str
    meant: Meant
    onset_ms: int
    ends_ms: int
    segment: int = -1
    keys: bool = False


def pieces(line: str) -> list[Piece]:
    """A caller's line, piece by piece."""
    found = []
    for part in line.split("|"):
        tag, colon, text = part.partition(":")
        meant = _TAGS.get(tag.strip()) if colon else None
        found.append(Piece(text.strip(), meant) if meant is not None else Piece(part.strip()))
    return found
