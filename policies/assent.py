"""Assent: whether an answer is a yes with nothing left over. Pure: the whole turn's words in, a polarity and why out.

Whoever commits somebody to what cannot be undone must not guess. So this reads the other way round than `reading.py`:
an answer is a yes only where an affirmation is in it and *every* word is accounted for, by an affirmation, courtesy,
the sounds of speaking, or the very values that were read back. A further question beside the yes does not spoil it.
Conditions, changes, doubt, irony and words that nobody could read make it unclear, and unclear is never yes. `why`
names the kind and never quotes, because verdicts repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import assent_words as lexicon
from . import values
from .phrases import Clause, clauses
from .proposals import Polarity
from .values import parse
from .vocabulary import NUMBERS

Terms = Sequence[tuple[str, str]]  # (name, value as it was read back)


class Assent(NamedTuple):
    """What an answer says, and which kind of word keeps it from being a clean yes or no."""

    says: Polarity
    why: str = ""


LISTENING_CHARS_MAX = 48  # a listener who says more says something
NO_ANSWER = Assent(Polarity.NONE, "no words")

_VALUE_WORDS = NUMBERS.keys() | lexicon.VALUES


def read(text: str, terms: Terms = ()) -> Assent:
    """What `text`, a whole turn, answers to a question that had `terms` read back."""
    parts = clauses(text)
    if not any(clause.words for clause in parts):
        return NO_ANSWER
    affirmed = False
    worst: Assent | None = None
    for clause in parts:
        found, wrong = _of_clause(clause, terms)
        affirmed = affirmed or found
        if wrong is not None and (worst is None or _GRAVITY[wrong.why] > _GRAVITY[worst.why]):
            worst = wrong
    if worst is not None:
        if worst.why == _REFUSAL and not affirmed:
            return Assent(Polarity.NO, worst.why)
        return Assent(Polarity.UNCLEAR, worst.why)
    if affirmed and not _brushed_off(parts):
        return Assent(Polarity.YES)
    return Assent(Polarity.UNCLEAR, _NO_AFFIRMATION)


def _brushed_off(parts: Sequence[Clause]) -> bool:
    """ "Okay, thanks, bye": nothing but a listener's words and a farewell."""
    words = {word for clause in parts for word in clause.words} - {"good"}
    return not lexicon.FAREWELLS.isdisjoint(words) and words <= (lexicon.LISTENING - {"yes"}) | lexicon.FAREWELLS | {
        "you"
    }


def listening(text: str) -> bool:
    """True for a listener's words alone ("okay", "mm-hm", "right, I see"): they answer and change nothing."""
    if len(text) > LISTENING_CHARS_MAX:
        return False
    return all(lexicon.LISTENING.issuperset(clause.words) and not clause.turned for clause in clauses(text))


# --- one clause -----------------------------------------------------------------------------------------------------

_IRONY, _CONDITION, _REFUSAL, _CHANGE = "irony", "a condition", "a refusal", "a change"
_DOUBT, _OTHER_VALUE = "doubt", "another value than was read back"
_UNREAD, _NO_AFFIRMATION = "words that nobody could read", "nothing affirms it"
REFUSING = frozenset({_REFUSAL, _CHANGE})  # what takes back even that which needs no consent
_GRAVITY = {_UNREAD: 1, _DOUBT: 2, _CONDITION: 3, _OTHER_VALUE: 4, _CHANGE: 5, _IRONY: 6, _REFUSAL: 7}


def _of_clause(clause: Clause, terms: Terms) -> tuple[bool, Assent | None]:
    """(whether something affirms, what is left over)."""
    words = clause.words
    if clause.turned:
        return False, _unclear(_CONDITION)  # "yes, but ..."
    if not words:
        return False, None
    if words in lexicon.IRONIC_ALONE or _holds(words, lexicon.IRONIC):
        return False, _unclear(_IRONY)
    affirmed, rest, spoken = _consumed(words, clause.spoken)
    if not rest:
        return affirmed, None
    if rest[0] in lexicon.WONDERING and (clause.asked or affirmed or len(rest) > 2):
        marked = _marked(rest, questions=True)
        return affirmed, marked
    marked = _marked(rest)
    if marked is not None:
        return affirmed, marked
    return affirmed, _beyond_the_values(rest, spoken, terms)


def _consumed(words: tuple[str, ...], spoken: tuple[str, ...]) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Take affirmations, courtesy and fillers out of a clause; what is left, in normal form and as spoken.

    A word that changes what comes after it ("right now", "not good") keeps its neighbours: an affirmation counts only
    where nothing that could turn it stands directly before it.
    """
    affirmed = False
    rest: list[int] = []
    at = 0
    while at < len(words):
        turned = at > 0 and (at - 1 in rest) and words[at - 1] in lexicon.REFUSING
        length = 0 if turned else _longest(words, at, lexicon.AFFIRMING)
        if length:
            affirmed = True
        else:
            length = _longest(words, at, lexicon.COURTEOUS)
        if not length and words[at] in lexicon.FILLING and not _a_digit(words, at):
            length = 1
        if length:
            at += length
        else:
            rest.append(at)
            at += 1
    return affirmed, tuple(words[n] for n in rest), tuple(spoken[n] for n in rest)


def _a_digit(words: tuple[str, ...], at: int) -> bool:
    """ "five oh one": the "oh" is a nought."""
    return words[at] == "oh" and not NUMBERS.keys().isdisjoint(words[max(0, at - 1) : at + 2 : 2])


def _marked(words: tuple[str, ...], *, questions: bool = False) -> Assent | None:
    """The gravest marker among words that nothing accounts for."""
    if not lexicon.REFUSING.isdisjoint(words):
        return _unclear(_REFUSAL)
    if not lexicon.CHANGING.isdisjoint(words):
        return _unclear(_CHANGE)
    conditional = lexicon.CONDITIONAL - {"when"} if questions else lexicon.CONDITIONAL
    if not conditional.isdisjoint(words) or _holds(words, lexicon.CONDITIONAL_PHRASES):
        return _unclear(_CONDITION)
    if not questions and (not lexicon.DOUBTING.isdisjoint(words) or _holds(words, lexicon.DOUBTING_PHRASES)):
        return _unclear(_DOUBT)
    return None


def _beyond_the_values(rest: tuple[str, ...], spoken: tuple[str, ...], terms: Terms) -> Assent | None:
    """Nothing where the rest says the values that were read back, and only them."""
    own = {word for _, value in terms for word in value.lower().split()}
    if any(word not in own and word not in _VALUE_WORDS and not word[0].isdigit() for word in spoken):
        return _unclear(_UNREAD)
    if not terms:
        return _unclear(_UNREAD)
    if set(spoken) <= own:
        return None
    kind, value = values.told(spoken)
    if value:
        return None if any(_agrees(kind, value, term) for _, term in terms) else _unclear(_OTHER_VALUE)
    return None if set(rest) <= _CONNECTING else _unclear(_UNREAD)


_CONNECTING = frozenset({"at", "on", "the", "of", "for", "in", "to"})


def _agrees(name: str, value: str, term: str) -> bool:
    """The value that was said is the one that was read back, or a part of it ("ten" of "tuesday at 10")."""
    if name == values.DIGITS:
        digits = "".join(character for character in term if character.isdigit())
        return bool(digits) and (digits == value or value == values.digits_in(tuple(term.lower().split())))
    said, known = parse(value), parse(term.lower())
    if not known.day and not known.clock:
        return False
    day = not said.day or said.day == known.day
    halves = {said.clock, known.clock}  # "10" and "10 am" may be the same, "10 am" and "10 pm" may not
    clock = not said.clock or len(halves) == 1 or {each.partition(" ")[0] for each in halves} <= halves
    return day and clock and len({each.partition(" ")[0] for each in halves if each}) <= 1


def _longest(words: tuple[str, ...], at: int, phrases: tuple[tuple[str, ...], ...]) -> int:
    """The length of the longest of `phrases` that stands at word `at`; 0 = none."""
    found = _INDEX[id(phrases)].get(words[at], ())
    return next((len(phrase) for phrase in found if words[at : at + len(phrase)] == phrase), 0)


def _holds(words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> bool:
    return any(phrase[0] in words and _stands(words, phrase) for phrase in phrases)


def _stands(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(words[at : at + len(phrase)] == phrase for at in range(len(words)))


def _unclear(why: str) -> Assent:
    return Assent(Polarity.UNCLEAR, why)


def _indexed(phrases: tuple[tuple[str, ...], ...]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Phrases by their first word, the longest first."""
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for phrase in phrases:
        found[phrase[0]] = (*found.get(phrase[0], ()), phrase)
    return found


_INDEX = {id(phrases): _indexed(phrases) for phrases in (lexicon.AFFIRMING, lexicon.COURTEOUS)}
