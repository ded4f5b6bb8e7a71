"""Whether an answer in Dutch is a yes with nothing left over: every word is accounted for, or it is none.

"Ja, als mijn vrouw het goed vindt" has a yes in it, and a condition: unclear, which is never a yes.
"""

from __future__ import annotations

from offhook.policies.language.port.port import Assent, Polarity, Terms

from . import values, words
from .words import clauses, holds, longest, words_in, words_of

LISTENING_CHARS_MAX = 48  # a listener who says more says something
_REFUSAL, _CHANGE, _CONDITION, _DOUBT = "a refusal", "a change", "a condition", "doubt"
_OTHER_VALUE, _UNREAD = "another value than was read back", "words beyond a plain yes"
_GRAVITY = (_UNREAD, _DOUBT, _CONDITION, _OTHER_VALUE, _CHANGE, _REFUSAL)
_CONNECTING = words_of("om op de het van voor uur 's s in")


def read(text: str, terms: Terms = ()) -> Assent:
    """What a whole turn answers to a question that had `terms` read back."""
    parts = clauses(text)
    if not parts:
        return Assent(Polarity.NONE, "no words")
    affirmed, worst = False, ""
    for clause in parts:
        found, rest = _consumed(clause.words)
        affirmed = affirmed or found
        wrong = _DOUBT if clause.asked else _marked(rest) or _beyond(rest, terms)
        worst = max(worst, wrong, key=lambda why: _GRAVITY.index(why) if why else -1)
    if worst == _REFUSAL and not affirmed:
        return Assent(Polarity.NO, worst, takes_back=True)
    if worst:
        return Assent(Polarity.UNCLEAR, worst, takes_back=worst in (_REFUSAL, _CHANGE))
    said = frozenset(words_in(text))
    if affirmed and not (said & words.FAREWELLS and said <= words.LISTENING | words.FAREWELLS):
        return Assent(Polarity.YES)
    return Assent(Polarity.UNCLEAR, "nothing affirms it")


def listening(text: str) -> bool:
    """A listener's words alone."""
    parts = clauses(text)
    return len(text) <= LISTENING_CHARS_MAX and all(
        words.LISTENING.issuperset(each.words) and not each.asked for each in parts
    )


def takes_back(text: str, terms: Terms = ()) -> bool:
    """Said of something that was agreed, and done: it shall not stand."""
    own = {word for _, value in terms for word in words_in(value)} - _CONNECTING
    for clause in clauses(text):
        if holds(clause.words, words.TAKING_BACK):
            return True
        if any(word == "niet" and after in own for word, after in zip(clause.words, clause.words[1:], strict=False)):
            return True  # "niet dinsdag"
    return False


def undoing(text: str) -> Polarity:
    """Whether what is done shall be undone, by the words alone."""
    said = words_in(text)
    if not words.KEEPING.isdisjoint(said):
        return Polarity.NO
    return Polarity.NONE if words.UNDOING.isdisjoint(said) else Polarity.YES


def _consumed(said: tuple[str, ...]) -> tuple[bool, tuple[str, ...]]:
    """(whether something affirms, the words that nothing accounts for)."""
    rest: list[str] = []
    affirmed, at = False, 0
    while at < len(said):
        length = 0 if rest and rest[-1] in words.REFUSING else longest(said, at, words.AFFIRMING)
        affirmed = affirmed or bool(length)
        length = length or longest(said, at, words.COURTEOUS) or (said[at] in words.FILLING)
        if not length:
            rest.append(said[at])
        at += length or 1
    return affirmed, tuple(rest)


def _marked(rest: tuple[str, ...]) -> str:
    for known, why in (
        (words.REFUSING, _REFUSAL),
        (words.CHANGING, _CHANGE),
        (words.CONDITIONAL, _CONDITION),
        (words.DOUBTING, _DOUBT),
    ):
        if not known.isdisjoint(rest):
            return why
    return _CONDITION if holds(rest, words.CONDITIONS) else ""


def _beyond(rest: tuple[str, ...], terms: Terms) -> str:
    """Nothing where the rest says a value that was read back, and only that."""
    if not rest:
        return ""
    value = values.told(rest)
    if not value:
        return _UNREAD
    if any(values.same(value, term) or _part_of(value, term) for _, term in terms):
        plain = {word for word in rest if not _is_value(word)} - _CONNECTING
        return _UNREAD if plain else ""
    return _OTHER_VALUE


def _part_of(value: str, term: str) -> bool:
    """ "dinsdag" of "dinsdag om 10 uur"."""
    said, known = values.moment_in(words_in(value), True), values.moment_in(words_in(term), True)
    return any(said) and said.day in ("", known.day) and said.clock in ("", known.clock)


def _is_value(word: str) -> bool:
    calendar = words.DAYS | words.RELATIVE | words.MONTHS | words.PARTS.keys() | words.NUMBERS.keys()
    return word in calendar or word[0].isdigit() or word in ("half", "kwart", "over", "voor", "volgende")
