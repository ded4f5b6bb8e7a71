"""How complete a caller's words are: what the patience at a pause is multiplied by, and why.

Belongs here: reading the words of an unfinished turn for signs that more will follow (a filler, a conjunction, an open
phrase, digits or a name being dictated) or that nothing more is needed (the answer that was asked for, a question, a
finished sentence). Does not belong here: what the words mean (`evidence/cues.py`), how long is waited
(`conversation/endpointing.py`).

The word classes are closed classes of English. Their factors follow the odds, in the ICSI MRDA development part, that
a pause of at least 200 ms after such a word lies inside a turn and not behind it
(`tests/benchmarks/end_of_turn.py --odds` prints them). Digits and spelled names do not occur there; their factors are
judgement, and the benchmark's generated dictations test them.
"""

from __future__ import annotations

from ...core.proposals import Asks
from ..port.port import Completeness


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FILLERS = _words("um uh er erm uhm umm uhh hmm mm eh well like")
_CONJUNCTIONS = _words("and but or because if although unless until plus whether")
# A phrase cannot end with these: something must follow.
_OPEN = _words(
    "a an the my your his our their its of for with to at by into than as between every each some just gonna wanna "
    "i we they he she i'm we're they're you're it's that's there's i'd i'll i've we'll we've he's she's don't have"
)
# A phrase can end with these, but seldom does.
_LEANING = _words(
    "so then when while since is was are were am be been has had would could should can will might may does did "
    "not about from these which who where what think say mean actually very quite before oh "
    "want wants wanted need needs trying let"
)
_AUXILIARIES = _words("can could would will do did are should may might shall have")
_SUBJECTS = _words("you he she it they we i")
# More often than others the last word of a turn.
_CLOSING = _words(
    "too here now again anyway us them thanks please bye goodbye fine great cool true nice sure exactly agree "
    "yes no yep nope course"
)
_AFFIRMATIVE = _words("yes yeah yep yup sure ok okay right correct absolutely exactly definitely mhm")
_NEGATIVE = _words("no nope nah never")
_COURTESY = _words("please thanks thank you that's that is it fine good great i do don't am not of course")
_NUMBERS = _words(
    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred double triple"
)
_TIMES = _words(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight morning afternoon evening noon "
    "midnight o'clock am pm week weekend half quarter"
)
_SPELLING = _words("as for like dash hyphen underscore dot at apostrophe")
_LETTERS_AT_LEAST = 2  # "I" and "a" are words; two single letters in a row are spelling
_DIGITS_AT_LEAST = 3  # fewer are a quantity
_DIGITS_SHORT = 7  # a telephone number without its area code; fewer digits are a beginning
_DIGITS_FULL = 10  # a telephone number; waiting longer is rarely rewarded

NOTHING_SAID = Completeness(1.0, "no words")
_PLAIN = Completeness(1.0, "words")


def judge(words: str, asks: Asks) -> Completeness:
    """How complete `words` (a turn so far, as the recognizer reads it) are as an answer to what was asked."""
    text = words.strip()
    if not text:
        return NOTHING_SAID
    tokens = [token for token in (_plain(word) for word in text.lower().split()) if token]
    if not tokens:
        return NOTHING_SAID
    found = _dictation(tokens, asks) or _trailing(tokens, text) or _answer(tokens, asks)
    return found or _sentence(tokens, text) or _PLAIN


def digits_in(tokens: list[str]) -> int:
    """How many digits the tokens dictate ("555", "five five", "double seven")."""
    count = 0
    for token in tokens:
        if token.isdigit():
            count += len(token)
        elif token in _NUMBERS:
            count += 1
    return count


def _plain(word: str) -> str:
    return word.strip('.,;:!?"()[]…<>').replace("_", "")


def _is_number(token: str) -> bool:
    return token.isdigit() or token in _NUMBERS


def _is_time(token: str) -> bool:
    return token in _TIMES or _is_number(token) or token.replace(":", "").rstrip("apm.").isdigit()


def _dictation(tokens: list[str], asks: Asks) -> Completeness | None:
    """Digits or letters one by one: pauses between groups are part of dictating."""
    last = tokens[-1]
    if _is_number(last) and asks not in (Asks.TIME, Asks.YES_NO):
        count = digits_in(tokens)
        if count >= _DIGITS_FULL:
            return Completeness(0.9, f"{count} digits")
        if asks is Asks.DIGITS or count >= _DIGITS_AT_LEAST:
            return Completeness(1.5 if count >= _DIGITS_SHORT else 1.9, f"{count} digits so far")
    letters = 0
    for token in reversed(tokens):
        if len(token) == 1 and token.isalpha():
            letters += 1
        else:
            break
    if letters >= _LETTERS_AT_LEAST or (asks is Asks.NAME and (letters or last in _SPELLING)):
        return Completeness(1.7, f"spelling, {letters} letters so far")
    return None


def _trailing(tokens: list[str], text: str) -> Completeness | None:
    """The last word announces another."""
    last = tokens[-1]
    if text.endswith("?"):
        return None  # "What is it like?" ends with an open word and is over
    if last in _FILLERS:
        return Completeness(2.6, f"filler '{last}'")
    if text.endswith(("...", "…", "-", ",")):
        return Completeness(2.6, "trails off")
    if last in _CONJUNCTIONS:
        return Completeness(2.6, f"conjunction '{last}'")
    if len(tokens) > 1 and last in _SUBJECTS and tokens[-2] in _AUXILIARIES:
        return Completeness(2.4, f"open phrase '{tokens[-2]} {last}'")
    if last in _OPEN:
        return Completeness(2.4, f"open phrase '{last}'")
    if last in _LEANING:
        return Completeness(2.0, f"leaning word '{last}'")
    return None


def _answer(tokens: list[str], asks: Asks) -> Completeness | None:
    """What was asked for is there."""
    if asks is Asks.YES_NO and (tokens[0] in _AFFIRMATIVE or tokens[0] in _NEGATIVE):
        known = _AFFIRMATIVE | _NEGATIVE | _COURTESY
        if all(token in known for token in tokens):
            return Completeness(0.6, "yes/no answer")
    if asks is Asks.TIME and any(_is_time(token) for token in tokens):
        return Completeness(0.8, "time answer")
    return None


def _sentence(tokens: list[str], text: str) -> Completeness | None:
    """Punctuation by the recognizer (a question wants its answer now), or a word that turns like to end with."""
    if text.endswith("?"):
        return Completeness(0.7, "question")
    if tokens[-1] in _CLOSING:
        return Completeness(0.65, f"closing word '{tokens[-1]}'")
    if text.endswith((".", "!")):
        return Completeness(0.85, "sentence")
    return None
