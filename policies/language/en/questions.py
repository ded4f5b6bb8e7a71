"""Does what was said end in a question to the one who listens? Pure: text in, the question's form out.

Recognizers often give no punctuation, so a question is seen by its words: an auxiliary before its subject ("may I",
"is he", "do you"), with or without a question word before it ("how can I"), a question word as the subject ("who is
calling"), or what is left of one ("and you are", "your name please"). It is a question to the listener only as the last
clause: "how are you I'm not at home" asks nothing. Who asks it, and what follows from that, is the reader's matter
(`greetings.py`, `recordings.py`). The word classes are closed classes of English.
"""

from __future__ import annotations

import re

from ...core.parts import part


@part
class Question:
    """A question that nothing follows. `form` = its first function words, which say nothing about anybody."""

    start: int  # its first word, counted over the whole text
    form: str


def word_class(text: str) -> frozenset[str]:
    """The words of a closed class, written one after the other."""
    return frozenset(text.split())


_TOKENS = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[.?!…]+")
_PRONOUNS = word_class("i we you he she they")
_POINTERS = word_class("it this that there these those")
_WH = word_class("who whom whose what which where when why how who's what's where's when's why's how's whos whats")
_WH_IS = word_class("who's what's where's when's how's why's whos whats")

# Which auxiliary goes with which subject; "can" and its like go with any.
_MODALS = word_class("can could may might shall should will would must can't couldn't won't wouldn't shouldn't")
_AGREES: dict[str, frozenset[str]] = {
    "am": word_class("i"),
    **dict.fromkeys(("is", "was", "isn't", "wasn't"), word_class("he she it this that there i")),
    **dict.fromkeys(("are", "were", "aren't", "weren't"), word_class("you we they there these those")),
    **dict.fromkeys(("does", "doesn't", "has", "hasn't"), word_class("he she it this that")),
    **dict.fromkeys(("do", "don't", "have", "haven't"), word_class("i we you they these those")),
    **dict.fromkeys(("did", "didn't"), _PRONOUNS | _POINTERS),
    **dict.fromkeys(_MODALS, _PRONOUNS | _POINTERS | word_class("somebody someone anybody anyone")),
}
_AUXILIARIES = frozenset(_AGREES)
# Not inverted after these: "as soon as I can you ...", "what you can do you ...", "the thing is that".
_BEFORE = (
    _PRONOUNS | _AUXILIARIES | word_class("to not if it all only neither nor so as the a an thing point problem name")
)
# "Should you wish", "had you called" are conditions; "did you know" sells something.
_NO_QUESTION = frozenset({("should", "you"), ("had", "you"), ("did", "you", "know")})
_SPEAKER_BEFORE = word_class("know knows is is's that's here's see tell of about which and")  # "that's what is new"

# What is left of a question where the rest is understood. Only as the very last words.
_ELLIPTIC: tuple[tuple[str, ...], ...] = tuple(
    tuple(phrase.split())
    for phrase in (
        "and you are",
        "and your name is",
        "and your name",
        "your name please",
        "your name sir",
        "your name again",
        "name please",
        "from where",
        "from what company",
        "from which company",
        "regarding what",
        "about what",
        "say again",
        "come again",
        "say that again",
        "pardon",
        "pardon me",
        "sorry what",
        "sorry who",
        "any message",
    )
)

_ALONE = word_class("who what")  # ask by themselves, or after a word of greeting; "guess who" does not
_NOUN_ASKED = word_class("what which whose")  # "what company", "which room please"
_NO_NOUN = _PRONOUNS | _POINTERS | _AUXILIARIES | word_class("a an the to not else so ever time's")

# Words that may still follow a question, or stand in a sentence of their own behind it.
_TAIL = word_class(
    "please thanks thank you sir madam ma'am miss mister today then hello hi hey yes yeah okay ok bye sorry now again "
    "uh um hm good morning afternoon evening"
)
_TAIL_MAX = 3  # words; more is a sentence
_CLAUSE_MAX = 16  # words of a question; a longer stretch without punctuation holds more than one clause

# A statement begins: the question before it was not the last clause ...
_STATEMENT = word_class(
    "i'm i've i'll i'd we're we've we'll we'd you're you've you'll he's she's they're they've they'll it's that's "
    "there's here's im ive"
)
# A subject and its auxiliary behind one of these begin a clause anew; behind a noun they mostly tell of it ("is there
# anything I can do", "a number we can call").
_ENDS = _PRONOUNS | word_class(
    "up doing going it here there now today please me us him her them that this hello hi sorry"
)
_NEGATED = frozenset(word for word in _AUXILIARIES if word.endswith("n't"))
# Nothing begins anew behind these: "may I ask what you are", "can I tell him that you have called".
_EMBEDS = _WH | word_class(
    "if whether that because while until before after since think know say said like because whom"
)
# Orders with their object, said without a subject: "what's up text me"; but not behind these: "can you call".
_ORDERS = word_class("call text leave send try email")
_ORDERED = word_class("me us a an your it")
_NO_ORDER_AFTER = _PRONOUNS | word_class("to please and or him her them me us not just")


def sentences(text: str) -> list[tuple[list[str], bool]]:
    """Text as the recognizer gave it -> (words in lower case, ends with a question mark) for each sentence."""
    found: list[tuple[list[str], bool]] = []
    words: list[str] = []
    for token in _TOKENS.findall(text.lower().replace("’", "'")):
        if token[0] in ".?!…":
            if words:
                found.append((words, "?" in token))
            words = []
        else:
            words.append(token)
    return [*found, (words, False)] if words else found


def closing(text: str) -> Question | None:
    """The question that the text ends with; None where it asks the listener nothing."""
    parts = sentences(text)
    while len(parts) > 1 and len(parts[-1][0]) <= _TAIL_MAX and all(word in _TAIL for word in parts[-1][0]):
        parts.pop()
    if not parts:
        return None
    words, marked = parts[-1]
    before = sum(len(part) for part, _ in parts[:-1])
    start = _start(words)
    if start is not None:
        return Question(before + start, " ".join(word for word in words[start : start + 3] if word in _FUNCTION))
    if marked and not all(word in _TAIL for word in words):
        return Question(before, "?")  # by its tone: "A message?"
    return None


_FUNCTION = _WH | _AUXILIARIES | _PRONOUNS | _POINTERS


def _start(words: list[str]) -> int | None:
    """Where the last clause begins, if it is a question by its form."""
    end = len(words)
    while end > 1 and words[end - 1] in _TAIL and words[end - 1] not in ("again", "you"):
        end -= 1
    for stop in (end, len(words)):
        for phrase in _ELLIPTIC:
            if tuple(words[max(0, stop - len(phrase)) : stop]) == phrase:
                return stop - len(phrase)
    if words[end - 1] in _ALONE and (end == 1 or words[end - 2] in _TAIL):
        return end - 1
    if end > 1 and words[end - 2] in _NOUN_ASKED and words[end - 1] not in _NO_NOUN:
        return end - 2 if end == 2 or words[end - 3] not in _SPEAKER_BEFORE else None
    for at in range(max(0, len(words) - _CLAUSE_MAX), len(words)):
        start = _inverted(words, at)
        if start is not None and not _goes_on(words, at + 2):
            return start
    return None


def _inverted(words: list[str], at: int) -> int | None:
    """The start of a question whose auxiliary, or question word as subject, stands at `at`."""
    word, following = words[at], words[at + 1] if at + 1 < len(words) else ""
    previous = words[at - 1] if at else ""
    if word in _WH_IS and following and previous not in _SPEAKER_BEFORE:
        return at
    if word in ("who", "what") and following in ("is", "are", "was", "did", "told", "gave", "do", "happened"):
        return at if previous not in _SPEAKER_BEFORE and _asked_of_it(words, at) else None
    if word in ("when", "what", "who", "which") and following in _MODALS and words[at + 2 : at + 3] == ["be"]:
        return at if previous not in _SPEAKER_BEFORE else None  # "when would be a good time"
    if following not in _AGREES.get(word, ()) or (previous in _BEFORE and previous not in _WH):
        return None
    if (word, following) in _NO_QUESTION or tuple(words[at : at + 3]) in _NO_QUESTION:
        return None
    if at + 2 < len(words) and words[at + 2] in _MODALS:
        return None  # "the lines are you can hold"
    for back in range(1, 4):  # "how may I", "which department would you", "what time did you"
        if at - back >= 0 and words[at - back] in _WH:
            return at - back
    return at


def _asked_of_it(words: list[str], at: int) -> bool:
    """ "Who is calling", "what is this about"; but not "what is more" or "what do" alone."""
    return len(words) - at > 2 or words[at + 1] == "happened"


def _goes_on(words: list[str], at: int) -> bool:
    """True where another clause begins at or behind `at`."""
    for place in range(at, len(words)):
        word, previous = words[place], words[place - 1]
        following = words[place + 1] if place + 1 < len(words) else ""
        if word in _STATEMENT and previous not in _EMBEDS:
            return True
        anew = following in _NEGATED or previous in _ENDS
        if word in _PRONOUNS and following in _AUXILIARIES and anew and previous not in _EMBEDS:
            return True
        if word in _ORDERS and following in _ORDERED and previous not in _NO_ORDER_AFTER:
            return True
    return False
