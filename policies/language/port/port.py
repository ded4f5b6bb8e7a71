"""The port of a language: what the call's core asks of the words, and in which terms it is answered.

One package a language (`en/` is the first), found by the name that a policy gives (`registry.py`): its module
`language` has `LANGUAGE`, its module `lines` what the core says by default. Everything is pure: text in, what it says
out, no state of a call. A language that cannot tell answers with the cautious value that is named at each question; the
core never takes what was not understood for a yes. `offhook.testing.language_conformance` is what every language
passes. A language imports this module and no other.

How the port grows: languages are packages of others, which a release must not break. A new question is a field at the
end of `Language` with a default that is its cautious answer, and a fact a field at the end of its class with a default;
none is taken away, renamed or asked with other arguments. So a package from before it loads, and is asked as one that
cannot tell. A change without a cautious default is another port, with another group of entry points.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from ...core.parts import part
from ...core.proposals import Asks, Polarity, Purpose
from ...core.state import Sign

__all__ = [
    "DIGITS", "NAME", "NOTHING_ASKED", "TIME", "UNWEIGHED", "Asked", "Asks", "Assent", "Completeness", "Cue", "Heard",
    "Language", "OverlapWords", "Polarity", "Purpose", "Recording", "Sign", "Terms", "Voice",
]  # fmt: skip

Terms = Sequence[tuple[str, str]]  # (name, value as it was read back)


# --- what words say -------------------------------------------------------------------------------------------------


class Cue(NamedTuple):
    """What a piece of text says, once; `strength` 0 to 1. A DETAIL's topic is the value's slot, its text the value."""

    sign: Sign
    strength: float
    topic: str = ""
    text: str = ""


@part
class Asked:
    """What the words may answer. `overheard` = the agent was still speaking, and had not asked yet."""

    asks: Asks = Asks.NOTHING
    purpose: Purpose | None = None
    topic: str = ""
    slot: str = ""
    overheard: bool = False


NOTHING_ASKED = Asked()


class Assent(NamedTuple):
    """What an answer says, and which kind of word keeps it from being a clean yes or no."""

    says: Polarity
    why: str = ""
    takes_back: bool = False  # a refusal or a change: it takes back even that which needs no consent


@part
class Completeness:
    """`factor` multiplies patience: above 1 = more is coming, below 1 = nothing more is needed; `why` in words."""

    factor: float
    why: str


UNWEIGHED = Completeness(1.0, "words not weighed")


# --- who speaks -----------------------------------------------------------------------------------------------------


class Voice(StrEnum):
    """Whose words these are."""

    PERSON = "person"  # asks the caller something, or answers as only somebody who is there does
    GREETING = "greeting"  # so short and plain that it is probably a person's
    MACHINE = "machine"
    SCREENER = "screener"
    UNKNOWN = ""


@part
class Heard:
    """How a greeting is read. `phrase` is what decided."""

    voice: Voice = Voice.UNKNOWN
    phrase: str = ""
    sure: bool = False  # of a machine: these words leave nothing to wait for


class Recording(StrEnum):
    """What kind of recording the words are."""

    MENU = "menu"
    ANNOUNCEMENT = "announcement"
    NONE = ""


# --- talking over the agent -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OverlapWords:
    """What words weigh that a caller says over the agent: above 0 they take the floor, below 0 a listener says them.

    Both may be empty: then only the voice counts.

    Args:
        same: other spellings of a word, lower case, and the one that `weights` has.
        weights: log-odds by feature. `w yes` = one of the first four words, `1 yes` = the first, `l yes` = the last,
            `= yes i do` = the first three in their order, `b yes i` = two in a row (`conversation/overlap.py` has all).
    """

    same: Mapping[str, str]
    weights: Mapping[str, float]


# --- values ---------------------------------------------------------------------------------------------------------

TIME, DIGITS, NAME = "time", "number", "name"  # what a value is called where the agent has not named a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language as its functions. Each is called often (several times for each reading of a recognizer) and is quick.

    Those without a default decide what is agreed to, and whether an act stands; the defaults of the others are their
    cautious answers, with which calls work and are slower.

    Args:
        name: as a policy names it, an ISO 639-1 code: "en".
        read: the cues of one segment, at most one for each sign and topic, in the order in which they are first said.
            What is not understood has none.
        assent: what a whole turn answers to a question that had these terms read back. Not understood: UNCLEAR.
        listening: a listener's words alone ("okay", "mm-hm"): they answer and change nothing. Not sure: False.
        takes_back: said of something that was agreed, and done: it shall not stand.
        undoing: whether what is done shall be undone, by the words alone: "cancel it" = YES, "keep it", "do not" = NO.
            They do not say: NONE.
        same: two wordings of a value are the same value. Not sure: False.
        merged: a value that was said in pieces: what was known, and what came now.
        is_moment: a value is a day or a time.
        money: words for amounts of money, lower case: an offer's price stands where one of them is, and is told only
            when it was heard.
        completeness: how complete the words of a turn are, given what was asked. Not sure: `UNWEIGHED`.
        greeting: how the words read by which somebody, or something, picks up. Not sure: UNKNOWN.
        live: which phrase only somebody says who is there. None, or not sure: "".
        asks: the text ends in a question to the one who listens. Not sure: False.
        recording: which kind of recording the words are. Not sure: NONE.
        piece: the words are a piece of what was heard before: a recording that comes again. Not sure: False.
        overlap: what words weigh that are said over the agent.
    """

    name: str
    read: Callable[[str, Asked], tuple[Cue, ...]]
    assent: Callable[[str, Terms], Assent]
    listening: Callable[[str], bool]
    takes_back: Callable[[str, Terms], bool]
    undoing: Callable[[str], Polarity]
    same: Callable[[str, str], bool]
    merged: Callable[[str, str], str]
    is_moment: Callable[[str], bool]
    money: frozenset[str]
    completeness: Callable[[str, Asks], Completeness] = lambda _text, _asks: UNWEIGHED
    greeting: Callable[[str], Heard] = lambda _text: Heard()
    live: Callable[[str], str] = lambda _text: ""
    asks: Callable[[str], bool] = lambda _text: False
    recording: Callable[[str], Recording] = lambda _text: Recording.NONE
    piece: Callable[[Sequence[str], Sequence[str]], bool] = lambda _words, _before: False
    overlap: OverlapWords = OverlapWords({}, {})
