"""What is said when somebody, or something, picks up: phrases of machines, of call screeners and of people, read.

A phrase decides little by itself: "you've reached Acme" is a voicemail's, and a receptionist's who goes on with "how
may I help you". What comes last decides: a question to the one who calls is put by a person, whatever was said before
it; an order to leave a message, or to press a key, is a machine's. `conversation/amd.py` moves by what is read here.
Phrases are matched on whole words, in plain lower case, apostrophes kept.
"""

from __future__ import annotations

from ..port.port import Heard, Voice
from . import questions, recordings
from .questions import word_class

# Said by voicemail and by network announcements. A person says hardly any of these within the first seconds.
MACHINE: tuple[str, ...] = (
    "leave a message",
    "leave me a message",
    "leave us a message",
    "leave your message",
    "leave your name",
    "leave your number",
    "leave a detailed message",
    "leave a brief message",
    "leave a short message",
    "record your message",
    "at the tone",
    "after the tone",
    "after the beep",
    "at the beep",
    "sound of the tone",
    "not available",
    "unavailable",
    "unable to take your call",
    "unable to answer",
    "unable to come to the phone",
    "can't take your call",
    "cannot take your call",
    "can't come to the phone",
    "cannot come to the phone",
    "can't answer",
    "can't get to the phone",
    "missed your call",
    "you've reached",
    "you have reached",
    "voicemail",
    "voice mail",
    "voice mailbox",
    "mailbox",
    "message has been forwarded",
    "automatic voice message system",
    "away from my phone",
    "away from the phone",
    "away from my desk",
    "is on the phone",
    "nobody is available",
    "no one is available",
    "get back to you as soon",
    "call you back as soon",
    "return your call",
    "when you are finished",
    "when you have finished recording",
    "hang up or press",
    "press pound",
    "press one",
    "press 1",
    "press star",
    "press any key",
    "number you have dialed",
    "number you dialed",
    "not in service",
    "has been disconnected",
    "our office is closed",
    "our business hours",
    "office hours are",
)

# Said by a call screener on behalf of a person, who may be reading along.
SCREENING: tuple[str, ...] = (
    "state your name",
    "say your name",
    "tell me your name",
    "record your name",
    "record your name and reason",
    "name and reason for calling",
    "name and why you're calling",
    "name and why you are calling",
    "why you're calling",
    "why you are calling",
    "reason for your call",
    "reason for calling",
    "i'll see if this person is available",
    "see if this person is available",
    "screening service",
    "call screening",
    "using a screening service",
    "screening service from",
    "call assist",
    "calls are being screened",
    "screening this call",
    "what this call is about",
    "who you are and why",
)

# Said by people who answer a telephone. Never enough against a machine's phrase.
HUMAN: tuple[str, ...] = (
    "hello",
    "hi",
    "hey",
    "yes",
    "yeah",
    "yep",
    "good morning",
    "good afternoon",
    "good evening",
    "speaking",
    "this is",
    "it's me",
    "who is this",
    "who's this",
    "who is it",
    "who's calling",
    "who is calling",
    "can i help you",
    "may i help you",
    "how can i help",
    "how may i help",
    "what can i do for you",
    "what's up",
    "who are you",
)

# Questions that no recording asks, wherever they stand.
LIVE_QUESTIONS: tuple[str, ...] = (
    "who is this",
    "who's this",
    "who is it",
    "who's calling",
    "who is calling",
    "who are you",
    "who am i speaking",
)

# Only a machine says these, whatever question stands beside them.
_SURE: tuple[str, ...] = (
    "after the tone",
    "at the tone",
    "after the beep",
    "at the beep",
    "sound of the tone",
    "voicemail of",
    "voice mailbox",
    "automatic voice message system",
    "when you have finished recording",
    "number you have dialed",
    "number you dialed",
)
# ... and only a service that screens calls says these.
_SERVICE: tuple[str, ...] = (
    "screening service",
    "call screening",
    "call assist",
    "calls are being screened",
    "screening this call",
    "this person is available",
    "record your name",
    "virtual assistant",
    "digital assistant",
    "automated assistant",
    "ai assistant",
    "google assistant",
)
_STATED = ("state your", "record your")  # no person asks for a name in these words

# "Can you leave a message" orders what "would you like to leave a message" offers.
_REQUESTS = ("can you", "could you", "will you", "would you", "can't you", "why don't you", "won't you")
_ORDERING = frozenset(("you", "please", "kindly", "just", "maybe"))
_ORDERS = ("leave a", "leave me", "leave us", "leave your", "record your", "press")

# Words of somebody who has just come to the telephone. A talkspurt of nothing else is no part of a recording ...
_LIVE = word_class(
    "hello hi hey yes yeah yep yo speaking sorry pardon i'm im i am here there it's me wait hold on okay ok no just "
    "now picking up with you can hear uh um oh who what anyone anybody somebody one moment second"
)
# ... where one of these is among them.
_CALLING = word_class("hello hi hey yes yeah yep speaking wait here who")
_LIVE_WORDS_MAX = 8
_GREETING_WORDS_MAX = 6  # a short greeting made of human words needs no long silence after it


def read(text: str) -> Heard:
    """Whose words a greeting's words so far are, as the recognizer gave them."""
    words = [word for sentence, _ in questions.sentences(text) for word in sentence]
    plain = " ".join(words)
    sure = find(_SURE, plain) or recordings.keys(words)
    screening, machine = find(SCREENING, plain), find(MACHINE, plain)
    if find(_SERVICE, plain):
        return Heard(Voice.SCREENER, screening or find(_SERVICE, plain))
    question = questions.closing(text)
    if question is not None and not sure and not find(_STATED, plain):
        rest = " ".join(words[question.start :])
        if not _ordered(question.form, rest):
            return Heard(Voice.PERSON, question.form)
    if screening:
        return Heard(Voice.SCREENER, screening)
    asked = find(LIVE_QUESTIONS, plain)
    if asked and not sure and not find(MACHINE, plain.rpartition(asked)[2]):
        return Heard(Voice.PERSON, asked)
    if machine or sure:
        return Heard(Voice.MACHINE, machine or sure, bool(sure))
    human = find(HUMAN, plain)
    return Heard(Voice.GREETING, human) if human and len(words) <= _GREETING_WORDS_MAX else Heard()


def live(text: str) -> str:
    """The word by which somebody answers who has just come to the telephone, where nothing else is said."""
    words = [word for sentence, _ in questions.sentences(text) for word in sentence]
    if len(words) > _LIVE_WORDS_MAX or not all(word in _LIVE for word in words):
        return ""
    return next((word for word in words if word in _CALLING), "")


def _ordered(form: str, rest: str) -> bool:
    """True where the question is an order of a machine: its verb is "leave a message" or the like."""
    if not form.startswith(_REQUESTS):
        return False
    words = rest.split()
    for at in range(1, len(words)):
        if words[at - 1] in _ORDERING and " ".join(words[at : at + 2]).startswith(_ORDERS):
            return True
    return False


def find(phrases: tuple[str, ...], plain: str) -> str:
    """The first of `phrases` that stands in the plain text, or an empty string."""
    padded = f" {plain} "
    return next((phrase for phrase in phrases if f" {phrase} " in padded), "")
