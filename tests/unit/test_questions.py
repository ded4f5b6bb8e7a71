"""Questions to the listener, seen by their words, with and without punctuation; and only as the last clause."""

from __future__ import annotations

import pytest
from offhook.policies.language.en.questions import closing, sentences

ASKED = """
You've reached Acme, how may I help you?
He's not available, may I take a message?
Yes hello, can you say your name again?
Thank you for calling Acme how can I direct your call
Doctor Lee's office can you hold please
She is away from her desk would you like her voicemail
He's on the phone shall I have him call you back
Sorry what was your name
I can't talk right now who is this
We are closed is it urgent
You've reached the Millers what do you want
He can't come to the phone can I tell him who called
Who am I speaking to
May I ask who's calling
And what is this regarding
What company are you with
Which department would you like
Is he expecting your call
Is there something I can help you with
He is unavailable is there anything I can do for you
Do you want to leave a message
Hello? Who is it?
How may I help you? Hello?
This is Mary and you are
Your name please
Could you tell me what this is about
When would be a good time for him to call you
Hello are you there
Does he have your number
You've reached the front desk what room please
Not here. A message?
"""
NOT_ASKED = """
Please leave a message
Please state your name and why you're calling
If you'd like to leave a message press one
Hi you've reached Bob. What's up? I'm probably out surfing. Call me later.
Hey what's up I'm out surfing call me later
How are you I'm not here right now
You know what to do
I will get back to you as soon as I can you can also text me
Should you need help call my office
Hello
Hello?
Good morning this is Anna Miller
The thing is that we are closed
The lines are busy you can hold or call back later
Did you know you can find us online
Tell me who you are and what you want
Guess who
This is the mailbox of Tom and that's what it is
What's up text me
"""


def lines(block: str) -> list[str]:
    return [line for line in block.strip().splitlines() if line]


@pytest.mark.parametrize("text", lines(ASKED))
def test_a_question_is_seen_by_its_words(text: str) -> None:
    assert closing(text) is not None
    bare = text.lower().replace("?", "").replace(".", "").replace(",", "")
    assert closing(bare) is not None or text.endswith("message?"), "without punctuation"


@pytest.mark.parametrize("text", lines(NOT_ASKED))
def test_what_asks_the_listener_nothing_is_no_question(text: str) -> None:
    assert closing(text) is None
    assert closing(text.lower().replace(".", "").replace("?", "")) is None


def test_it_is_the_last_clause_that_asks() -> None:
    found = closing("Hello, thank you for calling. How may I help you today, please?")
    assert found is not None and (found.start, found.form) == (5, "how may i")
    assert closing("How may I help you? We are open until nine.") is None


def test_the_form_says_nothing_about_anybody() -> None:
    found = closing("Is Barbara Miller's brother there who would you like to speak to")
    assert found is not None and found.form == "who would you"


def test_sentences_keep_apostrophes_of_every_kind() -> None:
    assert sentences("It’s me. Who's THERE?") == [(["it's", "me"], False), (["who's", "there"], True)]
    assert closing("") is None and closing("...") is None
