"""Values: times, numbers and names in the caller's words, each brought to one form.

The form is what a person would say back: "tuesday at 10", "tomorrow at 3:30 pm", "5550123", "Mary Jones". The same
value comes out of "ten o'clock" and "10:00". Words are in the normal form of `phrases.py`, except that amounts keep
their digits. What a value is for is `evidence/slots.py`'s matter.
"""

from __future__ import annotations

import re

from ...core.parts import part
from ...core.proposals import Asks
from ..port.port import DIGITS, NAME, TIME
from .phrases import clauses
from .vocabulary import NUMBERS, words_of

_SAME_DIGITS_MIN = 3  # fewer may be anything
UNASKED_DIGITS_MIN = 7  # a shorter number that nobody asked for is no phone number
NAME_WORDS_MAX = 3

_DAYS = words_of("monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight")
_PARTS = {"morning": "morning", "afternoon": "afternoon", "evening": "evening", "night": "evening"}
MONTHS = words_of("january february march april may june july august september october november december")
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_MERIDIEM = {"am": "am", "pm": "pm", "a.m": "am", "p.m": "pm", "a.m.": "am", "p.m.": "pm"}
_CLOCK = re.compile(r"^(\d{1,2})(?::(\d{2}))?$")
_HALVES = {"half": 30, "quarter": 15}
_TENS = frozenset({"twenty", "thirty", "forty", "fifty"})

# After these a bare number is a time of day even where no time was asked for.
_AT = frozenset({"at", "around", "by", "before", "after", "until", "till"})

# Words that end a name, or that are none.
_NO_NAME = words_of(
    "a an the not and but so i it is am are was this that here there good fine okay yes no well sorry just really",
    "very calling speaking busy interested sure going from with in on at of to for my your what who how why glad",
    "happy afraid worried looking wondering trying thinking doing great alright tired ready done back home still",
)
_NAME_LEADS = (("my", "name", "is"), ("the", "name", "is"), ("name", "is"), ("call", "me"), ("my", "names"))
_ANSWER_LEADS = (*_NAME_LEADS, ("this", "is"), ("i", "am"), ("it", "is"))


_ASKS = frozenset({Asks.TIME, Asks.DIGITS, Asks.NAME})
_TRIGGERS = _DAYS | MONTHS | NUMBERS.keys() | {"noon", "midnight", "week", "name", "names", "double", "triple"}


@part
class Moment:
    """A time of day and the day, as far as they were said."""

    day: str = ""
    clock: str = ""

    def __str__(self) -> str:
        return f"{self.day} at {self.clock}" if self.day and self.clock else self.day or self.clock


def found(words: tuple[str, ...], asks: Asks, slot: str) -> list[tuple[str, str]]:
    """The values said in one clause, as (slot, value).

    `words` keep their digits. What was asked for takes the asked slot's name; everything else its own kind's. Most
    clauses hold nothing: ask `may_hold` first, it costs less.
    """
    values: list[tuple[str, str]] = []
    moment = moment_in(words, asks is Asks.TIME)
    if moment is not None:
        values.append(((slot if asks is Asks.TIME else "") or TIME, str(moment)))
    if asks is Asks.DIGITS or not moment:
        digits = digits_in(words)
        if len(digits) >= (1 if asks is Asks.DIGITS else UNASKED_DIGITS_MIN):
            values.append(((slot if asks is Asks.DIGITS else "") or DIGITS, digits))
    name = name_in(words, asks is Asks.NAME)
    if name:
        values.append(((slot if asks is Asks.NAME else "") or NAME, name))
    return values


def may_hold(words: tuple[str, ...], asks: Asks) -> bool:
    """False where words without digits cannot hold a value."""
    return asks in _ASKS or not _TRIGGERS.isdisjoint(words)


def same(one: str, other: str) -> bool:
    """True for two ways to say one value: "Tuesday at ten o'clock" and "tuesday at 10"."""
    if one.lower() == other.lower():
        return True
    said = [_canonical(value) for value in (one, other)]
    return bool(said[0]) and said[0] == said[1]


def _canonical(value: str) -> str:
    return told(tuple(word for clause in clauses(value) for word in clause.spoken))[1]


def told(words: tuple[str, ...]) -> tuple[str, str]:
    """The one value that these words say, as (kind, value in its one form); ("", "") where they say none.

    A day, a colon or a half of the day makes it a time; without one, a longer run of digits is a number and a shorter
    one a time of day.
    """
    moment = moment_in(words, True)
    digits = digits_in(words)
    if len(digits) >= _SAME_DIGITS_MIN and (moment is None or not (moment.day or _is_written_time(words))):
        return DIGITS, digits
    return (TIME, str(moment)) if moment is not None else ("", "")


def _is_written_time(words: tuple[str, ...]) -> bool:
    """ "3:30", "3 pm": however many digits are in it, it is no number."""
    return any(":" in word or word in _MERIDIEM for word in words)


def spelled(word: str) -> str:
    """The digits of a number that is written out ("ten" -> "10", "tenth" -> "10th", "p.m." -> "pm"); "" = none."""
    if word in NUMBERS:
        return str(NUMBERS[word])
    return f"{_ORDINALS[word]}th" if word in _ORDINALS else _MERIDIEM.get(word, "")


# --- times ----------------------------------------------------------------------------------------------------------


def moment_in(words: tuple[str, ...], asked: bool) -> Moment | None:
    """The time that is meant; with `asked`, a bare "ten" will do."""
    day = _day_in(words)
    clock = _clock_in(words, asked or bool(day))
    return Moment(day, clock) if day or clock else None


def is_moment(value: str) -> bool:
    """True for a value that names a day or a time of day."""
    return moment_in(tuple(value.split()), False) is not None or value in ("noon", "midnight")


def parse(value: str) -> Moment:
    """A value that `str(Moment)` made -> the Moment."""
    day, at, clock = value.rpartition(" at ")
    if at:
        return Moment(day, clock)
    return Moment("", value) if value[:1].isdigit() or value in ("noon", "midnight") else Moment(value, "")


def merged(before: str, after: str) -> str:
    """A time said in pieces: what the newer piece leaves out, the older one keeps ("tuesday" + "10" = both).

    Saying "tuesday at 10" again, of "tuesday at 10 am", leaves the half of the day out and changes nothing.
    """
    old, new = parse(before), parse(after)
    same_day = new.day in ("", old.day)
    clock = old.clock if same_day and new.clock and new.clock == old.clock.partition(" ")[0] else new.clock
    return str(Moment(new.day or old.day, clock or old.clock))


def _day_in(words: tuple[str, ...]) -> str:
    for at, word in enumerate(words):
        if word in _DAYS:
            part = _PARTS.get(words[at + 1], "") if at + 1 < len(words) else ""
            following = (at > 0 and words[at - 1] == "next" and "next ") or ""
            return f"{following}{word}{' ' + part if part else ''}"
        if word == "week" and at and words[at - 1] == "next":
            return "next week"
        if word in MONTHS and (word != "may" or (at and words[at - 1] in ("of", "in")) or _ordinal(words, at + 1)):
            date = _ordinal(words, at + 1) or (_ordinal(words, at - 2) if at > 1 and words[at - 1] == "of" else 0)
            return f"{word} {date}" if date else ""
    return ""


def _ordinal(words: tuple[str, ...], at: int) -> int:
    if not 0 <= at < len(words):
        return 0
    word = words[at]
    if word == "the":
        return _ordinal(words, at + 1)
    if word in _ORDINALS:
        return _ORDINALS[word]
    if word in ("twenty", "thirty") and at + 1 < len(words) and words[at + 1] in _ORDINALS:
        return NUMBERS[word] + _ORDINALS[words[at + 1]]
    number = word.rstrip("stndrh")
    return int(number) if len(number) <= 2 and number.isdecimal() and 0 < int(number) <= 31 else 0


def _clock_in(words: tuple[str, ...], loose: bool) -> str:
    for at, word in enumerate(words):
        if word in ("noon", "midnight"):
            return word
        if word in _HALVES and at + 2 < len(words) and words[at + 1] in ("past", "after"):
            hour = _hour(words[at + 2])
            if hour:
                return _spoken(hour, _HALVES[word], words, at + 3)
        hour, minute, after = _hour_and_minute(words, at)
        if not hour:
            continue
        marked = after < len(words) and (words[after] in _MERIDIEM or words[after] == "o'clock")
        led = at > 0 and words[at - 1] in _AT and not (after < len(words) and words[after] in _UNITS)
        bare = (
            loose
            and (at == 0 or words[at - 1] not in _NOT_BEFORE_A_TIME)
            and not (after < len(words) and words[after] in _UNITS)
        )
        if ":" in word or marked or led or bare:
            return _spoken(hour, minute, words, after)
    return ""


_UNITS = words_of(
    "dollars cents percent people seats users minutes minute hours hour days day weeks week months month years",
    "year of times second seconds more other",
)
_NOT_BEFORE_A_TIME = MONTHS | {"than", "the", "no", "this", "that", "which", "any", "every", "each", "another"}


def _hour_and_minute(words: tuple[str, ...], at: int) -> tuple[int, int, int]:
    """(hour, minute, index after) of a clock time that begins at `at`; hour 0 = none."""
    match = _CLOCK.match(words[at])
    if match:
        hour = int(match[1])
        return (hour if 1 <= hour <= 23 else 0), int(match[2] or 0) % 60, at + 1
    hour = _hour(words[at])
    if not hour or at + 1 >= len(words):
        return hour, 0, at + 1
    follow = words[at + 1]
    if follow in _TENS:
        unit = NUMBERS.get(words[at + 2], 0) if at + 2 < len(words) else 0
        return (hour, NUMBERS[follow] + unit, at + 3) if 0 < unit < 10 else (hour, NUMBERS[follow], at + 2)
    if follow in ("ten", "fifteen"):
        return hour, NUMBERS[follow], at + 2
    return hour, 0, at + 1


def _hour(word: str) -> int:
    number = int(word) if len(word) <= 2 and word.isdecimal() else NUMBERS.get(word, 0)
    return number if 1 <= number <= 12 else 0


def _spoken(hour: int, minute: int, words: tuple[str, ...], at: int) -> str:
    if at < len(words) and words[at] == "o'clock":
        at += 1
    half = _MERIDIEM.get(words[at], "") if at < len(words) else ""
    if (not half and at + 1 < len(words) and words[at] == "in") or (at < len(words) and words[at] == "in"):
        part = next((word for word in words[at : at + 3] if word in _PARTS), "")
        half = {"morning": "am", "afternoon": "pm", "evening": "pm", "night": "pm"}.get(part, "")
    clock = f"{hour}:{minute:02d}" if minute else str(hour)
    return f"{clock} {half}" if half else clock


# --- numbers and names ----------------------------------------------------------------------------------------------


def digits_in(words: tuple[str, ...]) -> str:
    """The longest run of dictated digits: "five five five, oh one" -> "55501"; "double five" -> "55"."""
    best, run, times = "", "", 1
    for word in words:
        if word in ("double", "triple"):
            times = 2 if word == "double" else 3
            continue
        plain = re.sub(r"[^0-9]", "", word)
        number = NUMBERS.get(word, -1)
        if plain and not word[0].isalpha():
            run += plain * times
        elif 0 <= number < 10 or 10 <= number < 100:
            run += str(number) * times
        elif word not in ("um", "uh", "and", "then", "dash", "area", "code", "is"):
            best, run = max(best, run, key=len), ""
        times = 1
    return max(best, run, key=len)


def name_in(words: tuple[str, ...], asked: bool) -> str:
    """The name that the caller gives; with `asked`, the words alone will do. Spelled letters are joined."""
    for lead in _ANSWER_LEADS if asked else _NAME_LEADS:
        at = _index(words, lead)
        if at >= 0:
            return _named(words[at + len(lead) :])
    return _named(words) if asked and len(words) <= NAME_WORDS_MAX + 1 else ""


def _named(words: tuple[str, ...]) -> str:
    names: list[str] = []
    for word in words:
        if word in _NO_NAME or not word[0].isalpha() or (len(names) == NAME_WORDS_MAX and len(word) > 1):
            break
        names.append(word)
    if len(names) > 1 and all(len(word) == 1 for word in names):
        return "".join(names).capitalize()
    return " ".join(word.capitalize() for word in names[:NAME_WORDS_MAX])


def _index(words: tuple[str, ...], lead: tuple[str, ...]) -> int:
    width = len(lead)
    return next((at for at in range(len(words) - width + 1) if words[at : at + width] == lead), -1)
