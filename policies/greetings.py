"""What is said when somebody, or something, picks up: phrases of machines, of call screeners, and of people.

Data only; `answering.py` reads it. Phrases are matched on whole words, in plain lower case, apostrophes kept.
"""

from __future__ import annotations

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

# Questions put to the caller: however long the greeting was, a machine does not wait for an answer.
QUESTIONS: tuple[str, ...] = (
    "who is this",
    "who's this",
    "who is it",
    "who's calling",
    "who is calling",
    "who are you",
    "can i help you",
    "may i help you",
    "how can i help",
    "how may i help",
    "what can i do for you",
    "what's up",
)


def find(phrases: tuple[str, ...], plain: str) -> str:
    """The first of `phrases` that stands in the plain text, or an empty string."""
    padded = f" {plain} "
    return next((phrase for phrase in phrases if f" {phrase} " in padded), "")
