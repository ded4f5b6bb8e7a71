"""Times, numbers and names in Dutch words, each brought to one form: "dinsdag om 10 uur", "0612345678", "Jan Jansen".

The form is what the agent says back. "half elf" = 10:30, "kwart voor tien" = 9:45, "vijf over half vier" = 3:35.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from offhook.policies.language.port.port import DIGITS, NAME, TIME, Asks

from .words import DAYS, MONTHS, NUMBERS, PARTS, RELATIVE, words_in, words_of

UNASKED_DIGITS_MIN = 7  # a shorter number that nobody asked for is no phone number
NAME_WORDS_MAX = 3
_SAME_DIGITS_MIN = 3
_CLOCK = re.compile(r"(\d{1,2})[:.](\d{2})")
_NAME_LEADS = (("mijn", "naam", "is"), ("ik", "heet"), ("u", "spreekt", "met"), ("je", "spreekt", "met"))
_NO_NAME = words_of("en maar ik ben dat dit de het een u je niet goed ja nee uh eh van voor over")
_AFTER_AN_HOUR = words_of("s op dan graag hoor alstublieft alsjeblieft past schikt is lijkt")
_OF_NAMES = words_of("de van den der")  # "Piet de Vries"
_NO_MORNING = words_of("goede goeie")  # "goede morgen" names no day


class Moment(NamedTuple):
    """A day and a time of day, as far as they were said."""

    day: str = ""
    clock: str = ""

    def __str__(self) -> str:
        return f"{self.day} om {self.clock}" if self.day and self.clock else self.day or self.clock


def found(words: tuple[str, ...], asks: Asks, slot: str) -> list[tuple[str, str]]:
    """The values said in one clause, as (slot, value)."""
    values = []
    moment = moment_in(words, asks is Asks.TIME)
    if any(moment):
        values.append(((slot if asks is Asks.TIME else "") or TIME, str(moment)))
    digits = digits_in(words)
    if (asks is Asks.DIGITS and digits) or (len(digits) >= UNASKED_DIGITS_MIN and not any(moment)):
        values.append(((slot if asks is Asks.DIGITS else "") or DIGITS, digits))
    name = name_in(words, asks is Asks.NAME)
    if name:
        values.append(((slot if asks is Asks.NAME else "") or NAME, name))
    return values


def same(one: str, other: str) -> bool:
    """Two wordings of one value."""
    if one.lower() == other.lower():
        return True
    said = [told(words_in(value)) for value in (one, other)]
    return bool(said[0]) and said[0] == said[1]


def told(words: tuple[str, ...]) -> str:
    """The one value that these words say, in its one form; "" = none."""
    moment, digits = moment_in(words, True), digits_in(words)
    return digits if len(digits) >= _SAME_DIGITS_MIN and not moment.day else str(moment)


def merged(before: str, after: str) -> str:
    """A time said in pieces: what the newer piece leaves out, the older one keeps."""
    old, new = moment_in(words_in(before), True), moment_in(words_in(after), True)
    return str(Moment(new.day or old.day, new.clock or old.clock)) or after


def is_moment(value: str) -> bool:
    """A value names a day or a time of day."""
    return any(moment_in(words_in(value), False))


# --- times ----------------------------------------------------------------------------------------------------------


def moment_in(words: tuple[str, ...], asked: bool) -> Moment:
    """The time that is meant; with `asked`, or beside a day, a bare "tien" will do."""
    day = _day(words)
    clock = _clock(words, asked or bool(day))
    return Moment(day, clock)


def _day(words: tuple[str, ...]) -> str:
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        if word in DAYS or (word in RELATIVE and before not in _NO_MORNING):
            return f"volgende {word}" if before == "volgende" else word
        for day in DAYS:  # "dinsdagmiddag"
            if word.startswith(day) and word.removeprefix(day) in PARTS:
                return day
        if word in MONTHS and at and 1 <= _number(before) <= 31:
            return f"{_number(before)} {word}"
    return ""


def _clock(words: tuple[str, ...], loose: bool) -> str:
    for at, word in enumerate(words):
        match = _CLOCK.fullmatch(word)
        if match and int(match[1]) < 24 and int(match[2]) < 60:
            return _said(int(match[1]), int(match[2]), words)
        if word == "half" and _hour(words, at + 1):
            offset = _offset(words, at)
            return _said(*divmod(_hour(words, at + 1) * 60 - 30 + offset, 60), words)
        if word in ("over", "voor") and at and _hour(words, at + 1) and _minutes(words[at - 1]):
            return _said(*divmod(_hour(words, at + 1) * 60 + _offset(words, at + 1), 60), words)
    for at in range(len(words)):
        hour = _hour(words, at)
        before, after = "".join(words[at - 1 : at]) if at else "", "".join(words[at + 1 : at + 2])
        if not hour or after in ("over", "voor"):
            continue
        if after == "uur" or before == "om" or (loose and _stands_alone(words[at], before, after)):
            minutes = _number(words[at + 2]) if after == "uur" and at + 2 < len(words) else 0
            return _said(hour, minutes if 0 < minutes < 60 else 0, words)
    return ""


def _stands_alone(word: str, before: str, after: str) -> bool:
    """ "tien graag" is a time where one was asked for; "een moment", "over tien minuten" and "tien euro" are none."""
    return word != "een" and before not in ("over", "voor") and (not after or after in _AFTER_AN_HOUR)


def _offset(words: tuple[str, ...], at: int) -> int:
    """Minutes that stand before word `at`: "vijf over" = 5, "kwart voor" = -15; 0 = none."""
    if at < 2 or words[at - 1] not in ("over", "voor"):
        return 0
    return _minutes(words[at - 2]) * (1 if words[at - 1] == "over" else -1)


def _minutes(word: str) -> int:
    return 15 if word == "kwart" else max(0, _number(word))


def _hour(words: tuple[str, ...], at: int) -> int:
    hour = _number(words[at]) if at < len(words) else 0
    return hour if 1 <= hour <= 23 else 0


def _number(word: str) -> int:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 2 else NUMBERS.get(word, -1)


def _said(hour: int, minute: int, words: tuple[str, ...]) -> str:
    own = [word for word in words if word not in RELATIVE]  # "vanavond" has its part in it already
    part = next((PARTS[end] for word in own for end in PARTS if word.endswith(end)), "")
    clock = f"{hour or 12}:{minute:02d}" if minute else f"{hour or 12} uur"
    return f"{clock} 's {part}" if part and hour <= 12 else clock


# --- numbers and names ----------------------------------------------------------------------------------------------


def digits_in(words: tuple[str, ...]) -> str:
    """The longest run of dictated digits: "nul zes, dubbel vijf" -> "0655"."""
    best, run, times = "", "", 1
    for word in words:
        if word == "dubbel":
            times = 2
            continue
        if word.isascii() and word.isdigit():
            run += word * times
        elif word in NUMBERS:
            run += str(NUMBERS[word]) * times
        elif word not in ("uh", "eh", "en", "dan"):
            best, run = max(best, run, key=len), ""
        times = 1
    return max(best, run, key=len)


def name_in(words: tuple[str, ...], asked: bool) -> str:
    """The name that the caller gives; with `asked`, the words alone will do."""
    for lead in _NAME_LEADS:
        for at in range(len(words) - len(lead)):
            if words[at : at + len(lead)] == lead:
                return _named(words[at + len(lead) :])
    return _named(words) if asked and len(words) <= NAME_WORDS_MAX else ""


def _named(words: tuple[str, ...]) -> str:
    names: list[str] = []
    for word in words[:NAME_WORDS_MAX]:
        if (word in _NO_NAME and not (names and word in _OF_NAMES)) or not word[0].isalpha():
            break
        names.append(word)
    return " ".join(word if word in _OF_NAMES else word.capitalize() for word in names)
