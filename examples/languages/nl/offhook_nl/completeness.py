"""How complete a caller's Dutch words are. The factors follow English ones; nobody has measured them."""

from __future__ import annotations

from offhook.policies.language.port.port import Asks, Completeness

from . import values
from .words import COURTEOUS, FILLING, NUMBERS, words_in, words_of

_FILLERS = words_of("uh eh ehm uhm euh hm nou tja")
_CONJUNCTIONS = words_of("en maar of omdat want als dat tenzij hoewel terwijl dus")
_OPEN = words_of("de het een mijn uw jouw zijn haar ons onze van voor met bij om op naar over ik wij we te aan")
_ANSWERS = words_of("ja nee jawel jazeker zeker prima goed akkoord klopt oke graag")
_COURTESY = frozenset(word for phrase in COURTEOUS for word in phrase)
_CLOSING = words_of("alstublieft alsjeblieft bedankt hoor doei dag toch graag precies")
_DIGITS_MIN = 3  # fewer are a quantity
_DIGITS_FULL = 10  # of a Dutch telephone number


def judge(text: str, asks: Asks) -> Completeness:
    """How complete these words are as an answer to what was asked."""
    words = words_in(text)
    if not words:
        return Completeness(1.0, "no words")
    last, ends = words[-1], text.rstrip()
    if last in NUMBERS or last.isdigit():
        count = len(values.digits_in(words))
        if asks is Asks.DIGITS or (count >= _DIGITS_MIN and asks not in (Asks.TIME, Asks.YES_NO)):
            return Completeness(0.9 if count >= _DIGITS_FULL else 1.9, f"{count} digits so far")
    if not ends.endswith("?") and (last in _FILLERS or last in _CONJUNCTIONS or ends.endswith(("...", "…", ",", "-"))):
        return Completeness(2.6, "more is coming")
    if not ends.endswith("?") and last in _OPEN:
        return Completeness(2.4, f"open phrase '{last}'")
    if asks is Asks.YES_NO and words[0] in _ANSWERS and set(words) <= _ANSWERS | _COURTESY | FILLING:
        return Completeness(0.6, "yes/no answer")
    if asks is Asks.TIME and any(values.moment_in(words, True)):
        return Completeness(0.8, "time answer")
    if ends.endswith("?"):
        return Completeness(0.7, "question")
    if last in _CLOSING:
        return Completeness(0.65, f"closing word '{last}'")
    return Completeness(0.85, "sentence") if ends.endswith((".", "!")) else Completeness(1.0, "words")
