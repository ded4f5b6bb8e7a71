"""Assent: whether an answer is a yes with nothing left over. Pure: the whole turn's words in, a polarity and why out.

Whoever commits somebody to what cannot be undone must not guess. So this reads the other way round than `reading.py`:
an answer is a yes only where an affirmation is in it and *every* word is accounted for, by an affirmation, courtesy,
the sounds of speaking, or the very values that were read back. A further question beside the yes does not spoil it.
Conditions, changes, doubt, irony and words that nobody could read make it unclear, and unclear is never yes. `why`
names the kind and never quotes, because verdicts repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.proposals import Polarity
from ..port.port import DIGITS, Assent, Terms
from . import assent_words as lexicon
from . import values
from .phrases import Clause, clauses
from .values import parse
from .vocabulary import NUMBERS

LISTENING_CHARS_MAX = 48  # a listener who says more says something
QUESTION_WORDS_MIN = 3  # a shorter one is a tag: "is it?"
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
            return Assent(Polarity.NO, worst.why, takes_back=True)
        return Assent(Polarity.UNCLEAR, worst.why, takes_back=worst.why in _REFUSING)
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


def takes_back(text: str, terms: Terms = ()) -> bool:
    """Said of something that was agreed, and done: it shall not stand. "No" to "anything else?" does not say that."""
    own = {form for _, value in terms for form in _forms(value)} - _CONNECTING
    for clause in clauses(text):
        words = clause.words
        if _holds(words, lexicon.TAKING_BACK):
            return True
        if any(word == "not" and _plain(after) in own for word, after in zip(words, clause.spoken[1:], strict=False)):
            return True  # "not tuesday"
    return False


def undoing(text: str) -> Polarity:
    """Whether what is done shall be undone, by the words alone; NONE = they do not say."""
    words = text.lower().replace("n't", " not").split()
    if not lexicon.KEEPING.isdisjoint(words):
        return Polarity.NO
    return Polarity.YES if "cancel" in words else Polarity.NONE


# --- one clause -----------------------------------------------------------------------------------------------------

_IRONY, _CONDITION, _REFUSAL, _CHANGE = "irony", "a condition", "a refusal", "a change"
_DOUBT, _OTHER_VALUE = "doubt", "another value than was read back"
_FIRST, _UNFINISHED = "a question that comes first", "a sentence that is not finished"
_UNREAD, _NO_AFFIRMATION = "words beyond a plain yes", "nothing affirms it"
_REFUSING = frozenset({_REFUSAL, _CHANGE})  # what takes back even that which needs no consent
_GRAVITY = {
    why: gravity
    for gravity, why in enumerate(
        (_UNREAD, _UNFINISHED, _FIRST, _DOUBT, _CONDITION, _OTHER_VALUE, _CHANGE, _IRONY, _REFUSAL)
    )
}


def _of_clause(clause: Clause, terms: Terms) -> tuple[bool, Assent | None]:
    """(whether something affirms, what is left over)."""
    words = clause.words
    if clause.turned:
        return False, _unclear(_CONDITION)  # "yes, but ..."
    if not words:
        return False, None
    if words in lexicon.IRONIC_ALONE or _holds(words, lexicon.IRONIC):
        return False, _unclear(_IRONY)
    if _holds(words, lexicon.CORRECTING):
        return False, _unclear(_CHANGE)
    at = _question_at(words, clause.asked)
    affirmed, rest, spoken = _consumed(words[:at], clause.spoken[:at])
    if at < len(words):
        wrong = _of_question(words[at:], clause.spoken[at:], terms)
    elif clause.asked:
        return False, _marked(rest) or _unclear(_DOUBT)  # "tuesday at ten?", "right?"
    elif words[-1] in lexicon.TRAILING and _longest_end(words, lexicon.AFFIRMING + lexicon.COURTEOUS) < 2:
        wrong = _unclear(_UNFINISHED)
    else:
        wrong = None
    if wrong is not None or not rest:
        return affirmed, wrong
    return affirmed, _marked(rest) or _beyond_the_values(rest, spoken, terms)


def _question_at(words: tuple[str, ...], asked: bool) -> int:
    """Where a question to the agent begins; the number of words where none does."""
    for at in range(len(words) - 1):
        follows = lexicon.QUESTIONS.get(words[at], frozenset())
        begins = words[at + 1] in follows or (asked and bool(follows) and words[at + 1] in lexicon.ASKED_SUBJECTS)
        if begins and not _inside_yes(words, at):
            return at
    return len(words)


def _inside_yes(words: tuple[str, ...], at: int) -> bool:
    """ "That is it": the "is" begins no question."""
    return any(_longest(words, start, lexicon.AFFIRMING) > at - start for start in range(max(0, at - 3), at))


def _of_question(words: tuple[str, ...], spoken: tuple[str, ...], terms: Terms) -> Assent | None:
    """A mere further question leaves nothing over. One about the yes itself, or its price, has to be settled first."""
    marked = _marked(words, questions=True)
    if marked is not None:
        return marked
    doubts = len(words) < QUESTION_WORDS_MIN or words[:2] == ("who", "is")
    if doubts or not lexicon.CHALLENGING.isdisjoint(words):
        return _unclear(_DOUBT)
    if not lexicon.MONEY.isdisjoint(words):
        return _unclear(_FIRST)
    own = {form for _, value in terms for form in _forms(value)}
    named = {_plain(word) for word in spoken} & lexicon.NAMING
    return None if named <= own else _unclear(_OTHER_VALUE)


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
    if not lexicon.DOUBTING.isdisjoint(words) or _holds(words, lexicon.DOUBTING_PHRASES):
        return _unclear(_DOUBT)
    return None


# --- values -----------------------------------------------------------------------------------------------------------

_CONNECTING = frozenset({"at", "on", "the", "of", "for", "o'clock"})
_HALF_DAYS = {"am": {"morning", "in"}, "pm": {"afternoon", "in"}}
_MINUTES = {"30": {"half", "past"}, "15": {"quarter", "past"}}


def _beyond_the_values(rest: tuple[str, ...], spoken: tuple[str, ...], terms: Terms) -> Assent | None:
    """Nothing where the rest says the values that were read back, each word of it, and only them.

    Asked the other way round ("does it name another value?") a value that no parser knows would pass: "ten to ten".
    """
    if not terms:
        return _unclear(_UNREAD)
    said = [_plain(word) for word in spoken]
    kind, value = values.told(tuple(word.removesuffix(":00") for word in spoken))
    if kind == DIGITS:
        numbers = all(word in lexicon.DIGITS or word[0].isdigit() for word in spoken)
        return None if numbers and any(_same_digits(value, term) for _, term in terms) else _unclear(_OTHER_VALUE)
    own = [form for _, term in terms for form in _forms(term)]
    if any(word not in own and word not in _CONNECTING for word in said):
        return _unclear(_OTHER_VALUE if all(map(_is_value, rest, said)) else _UNREAD)
    if any(said.count(word) > own.count(word) for word in said if word not in _CONNECTING):
        return _unclear(_OTHER_VALUE)  # "ten ten"
    if value and not any(_agrees(value, term) for _, term in terms):
        return _unclear(_OTHER_VALUE)
    return None


def _is_value(word: str, plain: str) -> bool:
    return word in _VALUE_WORDS or plain[0].isdigit()


def _forms(value: str) -> list[str]:
    """The words, in their plain form, in which a value may be said: "10:30 am" -> 10:30 10 30 half past am morning."""
    found: list[str] = []
    dated = not values.MONTHS.isdisjoint(value.lower().split())
    for word in map(_plain, value.lower().split()):
        found.append(word)
        if dated and word.isdigit():
            found.append(f"{word}th")
        hour, colon, minutes = word.partition(":")
        if colon:
            found += [hour, minutes, *_MINUTES.get(minutes, ())]
        found += _HALF_DAYS.get(word, ())
    return found


def _plain(word: str) -> str:
    """A number however it is said -> its digits: "ten", "10:00" -> "10"; "tenth", "10th" -> "10th"."""
    if word[:1].isdigit():
        return f"{word.rstrip('stndrh')}th" if word[-1].isalpha() else word.removesuffix(":00")
    return values.spelled(word) or word


def _same_digits(said: str, term: str) -> bool:
    digits = "".join(character for character in term if character.isdigit())
    return bool(digits) and (digits == said or said == values.digits_in(tuple(term.lower().split())))


def _agrees(value: str, term: str) -> bool:
    """The time that was said is the one that was read back, or a part of it ("ten" of "tuesday at 10")."""
    said, known = parse(value), parse(term.lower())
    if not known.day and not known.clock:
        return False
    hours = {each.partition(" ")[0] for each in (said.clock, known.clock) if each}
    halves = {each.partition(" ")[2] for each in (said.clock, known.clock) if " " in each}
    return (not said.day or said.day == known.day) and len(hours) <= 1 and len(halves) <= 1


def _longest(words: tuple[str, ...], at: int, phrases: tuple[tuple[str, ...], ...]) -> int:
    """The length of the longest of `phrases` that stands at word `at`; 0 = none."""
    found = _INDEX[id(phrases)].get(words[at], ())
    return next((len(phrase) for phrase in found if words[at : at + len(phrase)] == phrase), 0)


def _holds(words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> bool:
    return any(phrase[0] in words and _stands(words, phrase) for phrase in phrases)


def _longest_end(words: tuple[str, ...], phrases: tuple[tuple[str, ...], ...]) -> int:
    """The length of the longest of `phrases` that the words end with; 0 = none."""
    return max((len(phrase) for phrase in phrases if words[-len(phrase) :] == phrase), default=0)


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
