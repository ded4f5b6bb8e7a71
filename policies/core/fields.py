"""What each field of a proposal may be: type, range and size.

A check takes the field's name and its value, which may be anything, and returns the value as it is kept. What follows
where it is not what it may be is `gate/entry.py`'s matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from .proposals import Asks, Kind, Purpose
from .sayable import on_one_line

NAME_CHARS_MAX = 64  # of a topic, a slot, a tool, an argument
ID_CHARS_MAX = 160  # of a proposal: the agent's name, a revision and a label
TARGET_CHARS_MAX = 200  # of a transfer: a number or an address
REASON_CHARS_MAX = 1_000  # of an agent's or a reader's own words
ARGUMENTS_MAX = 32
ARGUMENTS_CHARS_MAX = 4_000  # all of them: eight proposals stay far below what one message of a link may weigh
TERMS_MAX = 16
RESTS_ON_MAX = 32
COUNT_MAX = 2**53  # turns and revisions, as far as JSON counts exactly
MOMENT_MAX_MS = 2 * 86_400_000  # on a call's clock: twice the longest call

WELL_FORMED = "well_formed"  # the rule by which a proposal is not taken in


class Refused(Exception):
    """A value is not taken in: what is required, what was found, and the rule that says so."""

    def __init__(self, required: str, actual: str, rule: str = WELL_FORMED) -> None:
        super().__init__(required, actual)
        self.required = required
        self.actual = actual
        self.rule = rule


_EMPTY: tuple[Any, ...] = ()  # there is one empty tuple, and most fields of pairs are it

Check = Callable[[str, Any], Any]  # (the field's name, its value) -> the value as it is kept. Raises: Refused


def _text(chars_max: int) -> Check:
    """Text of one line. A subclass of `str` (an enum's member) is kept as plain text."""

    def check(name: str, value: Any) -> str:
        if type(value) is str and len(value) <= chars_max and value.isprintable():
            return value
        text = _any_text(name, value, chars_max)
        if not text.isprintable():
            raise Refused(f"{name}: printable characters on one line", "others")
        return text

    return check


def _any_text(name: str, value: Any, chars_max: int) -> str:
    if not isinstance(value, str):
        raise Refused(f"{name}: text", type(value).__name__)
    text = str.__str__(value)
    if len(text) > chars_max:
        raise Refused(f"{name}: at most {chars_max} characters", str(len(text)))
    return text


def _words(name: str, value: Any) -> str:
    """Text that is spoken: its size is `sayable`'s matter."""
    if type(value) is str:
        return value
    if not isinstance(value, str):
        raise Refused(f"{name}: text", type(value).__name__)
    return str.__str__(value)


def _shown(name: str, value: Any) -> str:
    """Text that is only shown: what cannot be is left out of it."""
    if type(value) is str and len(value) <= REASON_CHARS_MAX and value.isprintable():
        return value
    return on_one_line(_any_text(name, value, REASON_CHARS_MAX), REASON_CHARS_MAX)


def _member(kind: type[StrEnum]) -> Check:
    def check(name: str, value: Any) -> StrEnum:
        if type(value) is not kind:
            raise Refused(f"{name}: one of {kind.__name__}", type(value).__name__)
        return value

    return check


def _whole(most: int) -> Check:
    def check(name: str, value: Any) -> int:
        if type(value) is not int:
            raise Refused(f"{name}: a whole number", type(value).__name__)
        if not 0 <= value <= most:
            raise Refused(f"{name}: 0 to {most}", "less" if value < 0 else "more")
        return value

    return check


def _share(name: str, value: Any) -> float:
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Refused(f"{name}: a number", type(value).__name__)
    number = float.__float__(value) if isinstance(value, float) else int.__int__(value)
    if not 0 <= number <= 1:  # nor is NaN
        raise Refused(f"{name}: 0 to 1", f"{number:.4g}" if isinstance(number, float) else "another number")
    return float(number)


def _yes_or_no(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise Refused(f"{name}: True or False", type(value).__name__)
    return value


def _pairs(name: str, value: Any, most: int) -> list[tuple[str, Any]]:
    """Pairs of a plain name and something, each name once."""
    if type(value) not in (tuple, list) or not all(type(pair) in (tuple, list) and len(pair) == 2 for pair in value):
        raise Refused(f"{name}: pairs of a name and text", type(value).__name__)
    if len(value) > most:
        raise Refused(f"{name}: at most {most}", str(len(value)))
    names = [_any_text(f"a name in {name}", pair[0], NAME_CHARS_MAX) for pair in value]
    if not all(map(_ARGUMENT.fullmatch, names)):
        raise Refused(f"{name}: plain names", "others")
    if len(set(names)) < len(names):
        raise Refused(f"{name}: each name once", "a name twice")
    return [(each, pair[1]) for each, pair in zip(names, value, strict=True)]


def _arguments(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if value is _EMPTY:
        return ()
    found = _pairs(name, value, ARGUMENTS_MAX)
    pairs = [(each, _any_text(f"{name}: {each}", said, ARGUMENTS_CHARS_MAX)) for each, said in found]
    if sum(len(said) for _, said in pairs) > ARGUMENTS_CHARS_MAX:
        raise Refused(f"{name}: at most {ARGUMENTS_CHARS_MAX} characters in all", "more")
    if not all(said.replace("\n", " ").replace("\t", " ").isprintable() for _, said in pairs):
        raise Refused(f"{name}: printable characters", "others")
    return tuple(sorted(pairs))


def _terms(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    if value is _EMPTY:
        return ()
    return tuple((each, _words(f"{name}: {each}", said)) for each, said in _pairs(name, value, TERMS_MAX))


def _rests_on(name: str, value: Any) -> tuple[str, ...]:
    if value is _EMPTY:
        return ()
    if type(value) not in (tuple, list) or len(value) > RESTS_ON_MAX:
        raise Refused(f"{name}: at most {RESTS_ON_MAX} names of what it rests on", type(value).__name__)
    names = tuple(_text(2 * NAME_CHARS_MAX)(name, each) for each in value)
    if not all(map(_BASIS.fullmatch, names)):
        raise Refused(f"{name}: words, signals, concerns, slot:NAME or concern:TOPIC", "others")
    return names


_ARGUMENT = re.compile(r"\w[\w.-]*")  # no "=" and no separator: they tell two acts' arguments apart
_BASIS = re.compile(r"words|signals|concerns|(?:slot|concern):.+")

# Every field of a proposal has a row; without one `gate/entry.py` cannot be imported.
CHECKS: Mapping[str, Check] = {
    "id": _text(ID_CHARS_MAX),
    "agent": _text(NAME_CHARS_MAX),
    "kind": _member(Kind),
    "turn": _whole(COUNT_MAX),
    "basis": _whole(COUNT_MAX),
    "text": _words,
    "purpose": _member(Purpose),
    "asks": _member(Asks),
    "priority": _share,
    "topic": _text(NAME_CHARS_MAX),
    "slot": _text(NAME_CHARS_MAX),
    "action": _text(TARGET_CHARS_MAX),
    "arguments": _arguments,
    "interruptible": _yes_or_no,
    "expires_ms": _whole(MOMENT_MAX_MS),
    "reason": _shown,
    "terms": _terms,
    "about": _text(NAME_CHARS_MAX),
    "rests_on": _rests_on,
    "part": _whole(COUNT_MAX),
}
