"""Is what was said a recording's? Phrases and structure of menus and of announcements to callers on hold. Pure.

A menu orders keys; an announcement speaks of calls, queues and patience for "us", asks nothing, and says the same
again and again. One phrase that only recordings use is enough, of the milder ones it takes two. Whoever asks the
listener something at the end, or speaks of keys that he himself presses, is a person. What follows from it is
`conversation/presence.py`'s matter, who picks up a call `greetings.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ..port.port import Recording
from . import questions
from .questions import word_class

_KEY_VERBS = word_class("press dial push enter select choose oprima marque pulse appuyez")
_KEYS = word_class(
    "zero one two three four five six seven eight nine star pound hash any 0 1 2 3 4 5 6 7 8 9 uno dos tres cero"
)
_KEY_FILLERS = frozenset(("the", "el", "number", "sur", "on", "numero"))
# A person tells of keys so ("I press one", "you have to press one", "it says press one"), a menu never.
_TOLD_BEFORE = word_class("i we you they he she to says said did don't not cannot can't")
_CHOICE = word_class("for to if para pour")  # "for sales press one", "press one to accept"
_CHOICE_WORDS = 12  # how far before a key its choice is named
_KNOWN_SHARE = 0.6  # of the word pairs: recognizers misread a word in eight, and pauses cut at other places each time

_MENU = re.compile(
    r"\b(?:menu (?:options|items|choices)|(?:main|previous|following) menu|options have (?:recently )?changed"
    r"|listen (?:carefully|closely)|(?:the )?following (?:options|choices)|party's extension|know (?:the|your party's) "
    r"extension|followed by (?:the )?(?:pound|hash|star|square)|you can say (?:things like|billing|sales|help)"
    r"|say or press|in a few words|repeat (?:these|this|the) (?:options|menu|choices)|para espa[nñ]ol|pour le fran)"
)
_PEOPLE = (
    r"(?:agents?|representatives?|operators?|advis[eo]rs?|associates?|specialists?|consultants?|colleagues|assistants?|"
    r"attendants?|receptionists?|technicians?|staff|lines|team(?: members?)?|members? of (?:our )?(?:staff|team))"
)
_BUSY = r"(?:busy|assisting|helping|serving|speaking|engaged|occupied|unavailable|on (?:other calls|another call))"
_SURE = re.compile(
    r"\b(?:your call (?:is|remains) (?:very |extremely )?(?:important|valuable|valued)|your business is important"
    r"|your call (?:will|is going to) be (?:answered|taken|handled)|calls (?:are|will be) (?:answered|taken) in"
    r"|in (?:the|which) order (?:it was|they were|received)|order (?:it|they) (?:was|were) received"
    rf"|(?:next|first) (?:available|free) {_PEOPLE}|(?:assisted|helped|connected|served) (?:by|to) the next"
    rf"|all (?:of )?(?:our )?(?:\w+ )?{_PEOPLE} (?:is|are) (?:currently|presently|still|now) (?:\w+ )?{_BUSY}"
    r"|currently (?:assisting|helping|serving|with|speaking (?:to|with)) other"
    r"|you are (?:currently |now )?(?:number|caller|position)(?: number)? \w+ in"
    r"|(?:position|place|number \w+) in (?:the|our|this) (?:queue|line)"
    r"|your (?:estimated|expected|average|approximate|current) (?:wait|hold)|estimated wait(?:ing)? time"
    r"|(?:experiencing|due to) (?:\w+ ){0,3}(?:than (?:normal|usual|expected) )?(?:call )?(?:volumes?|wait times?)"
    r"|calls? (?:may|will|might|could) be (?:\w+ )?(?:recorded|monitored)"
    r"|for (?:quality|training) (?:and|assurance|purposes|or)|continu(?:e|ing) to hold|remain(?:ing)? on the line)\b"
)
# Milder ones, by what they are about: people say each of these too, but hardly two of them in one turn.
_MILD = tuple(
    re.compile(rf"\b(?:{pattern})\b")
    for pattern in (
        r"stay(?:ing)? on the line|please (?:hold|wait|stand by)|do not hang up",
        r"(?:thank you|thanks) for (?:holding|waiting|calling|your (?:patience|call))|appreciate your patience",
        r"(?:apologi[sz]e|sorry) for (?:the|any|this) (?:wait|delay|inconvenience)",
        r"with you (?:shortly|soon|momentarily|as soon|in a (?:moment|minute))|as soon as (?:possible|we can|one)",
        rf"(?:our|all|the) (?:of our )?(?:\w+ )?{_PEOPLE} (?:is|are) (?:\w+ ){{0,2}}{_BUSY}|all lines are busy|"
        r"(?:helping|assisting|serving|with) other (?:callers|customers|patients|clients|guests)",
        r"your call|(?:transferr|connect)ing (?:you|your)",
        r"(?:one|a member) of our|our next available",
        r"visit (?:our website|us (?:at|online))|did you know",
        r"(?:currently|now) closed|(?:business|office|opening) hours are|(?:try|call) (?:your call )?again later",
        r"in the queue|while you (?:wait|hold)",
    )
)
_MILD_MIN = 2
# Recordings speak of "us"; beside these, mild phrases say nothing.
_ONESELF = word_class("i i'm i'll i've i'd my me hi hey")
_NAMED = re.compile(r"\bthis is (?!a |an |the |our )")


# No phrase above is without one of these: most turns of people have none, and need no further look.
_TELLING = word_class(
    "menu options choices changed listen extension followed say words repeat español espanol pour call calls business "
    "order available free next all queue line caller position place estimated expected average approximate current "
    "wait waiting experiencing due recorded monitored quality training continue continuing remain remaining hold "
    "holding stand patience calling apologise apologize sorry shortly soon momentarily moment minute possible busy "
    "assisting helping serving other transferring connecting our visit know closed hours later currently"
)


def read(text: str) -> Recording:
    """Whether these words of one turn, as the recognizer gave them, are a recording's."""
    words = [word for sentence, _ in questions.sentences(text) for word in sentence]
    if _TELLING.isdisjoint(words) and _KEY_VERBS.isdisjoint(words):
        return Recording.NONE
    plain = " ".join(words)
    orders = _orders(words)
    if orders and (len(orders) > 1 or _MENU.search(plain) or _choice(words, orders[0])):
        return Recording.MENU
    sure = _MENU.search(plain) or _SURE.search(plain)
    if not sure and not _mild(words, plain):
        return Recording.NONE
    if questions.closing(text) is not None:
        return Recording.NONE  # a menu may ask "how can I help you"; so does a person
    return Recording.MENU if _MENU.search(plain) else Recording.ANNOUNCEMENT


def _mild(words: Sequence[str], plain: str) -> bool:
    themes = sum(pattern.search(plain) is not None for pattern in _MILD)
    return themes >= _MILD_MIN and _ONESELF.isdisjoint(words) and not _NAMED.search(plain)


def keys(words: Sequence[str]) -> str:
    """The first order to press a key ("press one"), where no person tells of it; empty = none."""
    orders = _orders(words)
    if not orders:
        return ""
    at = orders[0]
    return " ".join(words[at : at + 2 + (words[at + 1] in _KEY_FILLERS)])


def piece(words: Sequence[str], heard: Sequence[str]) -> bool:
    """True where the words, however the pauses cut them, are a piece of what was heard before (plain texts)."""
    known = f" {' | '.join(heard)} "
    if len(words) < 2:
        return not words or f" {words[0]} " in known
    missing_max = int((1.0 - _KNOWN_SHARE) * (len(words) - 1))
    for pair in pairwise(words):
        if f" {pair[0]} {pair[1]} " not in known:
            missing_max -= 1
            if missing_max < 0:
                return False
    return True


def _orders(words: Sequence[str]) -> list[int]:
    """Where keys are ordered."""
    found = []
    for at, word in enumerate(words[:-1]):
        if word not in _KEY_VERBS or (at and words[at - 1] in _TOLD_BEFORE):
            continue
        after = at + 1 + (words[at + 1] in _KEY_FILLERS and at + 2 < len(words))
        if words[after] in _KEYS:
            found.append(at)
    return found


def _choice(words: Sequence[str], at: int) -> bool:
    """True where the key at `at` stands for something: "for sales press one", "press one to accept"."""
    return any(word in _CHOICE for word in words[max(0, at - _CHOICE_WORDS) : at]) or any(
        word in _CHOICE for word in words[at + 2 : at + 4]
    )
