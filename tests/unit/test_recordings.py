"""Recordings by their words: announcements to callers on hold, menus; and people who say similar things."""

from __future__ import annotations

import pytest
from offhook.policies.language.en.recordings import keys, piece, read
from offhook.policies.language.port.port import Recording

ANNOUNCEMENTS = """
Your call is important to us, please stay on the line.
All of our agents are currently busy. Please stay on the line and your call will be answered by the next representative.
Thank you for holding, your call is very important to us.
Please hold, we will be with you shortly.
We are experiencing higher than normal call volumes.
You are number three in the queue.
Your estimated wait time is five minutes.
Thank you for calling Riverside Dental, we are helping other patients at the moment.
Please remain on the line.
This call may be recorded for quality and training purposes.
Thank you for your patience, one of our advisors will be with you as soon as possible.
We apologize for the delay, please stay on the line.
Our team is currently assisting other customers.
You are caller number two in line.
Please continue to hold.
Our representatives are all busy right now, please hold.
Your call will be taken in the order it was received.
"""
MENUS = """
For sales press one.
For sales press 1, for support press 2.
Press one for sales or two for support.
To speak to an operator, press zero.
If you'd like to leave a message press one.
Please listen carefully as our menu options have changed.
Thank you for calling Acme, for English press one, para español oprima dos.
Enter your account number followed by the pound key.
To hear these options again press star.
You can say things like billing or support.
If you know your party's extension you may dial it at any time.
For billing, say billing or press 2.
Press any key to continue.
"""
PEOPLE = """
Hello, this is Mark, thanks for holding, how can I help?
One moment please.
Please hold, I'll get him.
Hold on a second.
Stay on the line please.
Thank you for waiting, this is Anna.
Hi, thanks for holding, sorry for the wait.
Can you stay on the line please?
Do I press one?
It says press one for sales.
I pressed one for sales and nothing happened.
You have to press one for the office.
Our office is closed on Friday.
My number is five five five one two three four.
Please call me back as soon as possible.
We have about ten people and two offices.
We get higher call volumes on Monday.
I have been waiting for my call to be answered.
We miss a lot of calls when the lines are busy.
Our people are busy in the morning.
It is my email, sam at example dot com.
No, I am not interested, thank you for calling.
Yes, thank you for your patience.
As soon as possible please.
We open at nine and our business hours are nine to five.
You can press me on that.
I would like to select two of them.
Our receptionist is busy with other patients most of the time.
Sometimes all the lines are busy.
Is this call being recorded?
Hi yes, thank you for calling me back.
Thank you for calling, please send me the details as soon as you can.
"""


def words(text: str) -> list[str]:
    return text.lower().split()


def readings(block: str) -> list[str]:
    written = [line for line in block.strip().splitlines() if line]
    return written + [line.lower().replace(",", "").replace(".", "").replace("?", "") for line in written]


@pytest.mark.parametrize("text", readings(ANNOUNCEMENTS))
def test_announcements(text: str) -> None:
    assert read(text) is Recording.ANNOUNCEMENT


@pytest.mark.parametrize("text", readings(MENUS))
def test_menus(text: str) -> None:
    assert read(text) is Recording.MENU


@pytest.mark.parametrize("text", readings(PEOPLE))
def test_people(text: str) -> None:
    assert read(text) is Recording.NONE


def test_whoever_asks_something_at_the_end_is_no_recording() -> None:
    assert read("Thank you for holding, your call is important to us, how can I help you?") is Recording.NONE
    assert read("All our agents are currently busy, can I take a message") is Recording.NONE


def test_keys_are_ordered_not_told_of() -> None:
    assert keys(words("now press one")) == "press one"
    assert keys(words("press the pound key")) == "press the pound"
    assert keys(words("I press one")) == ""


def test_a_piece_of_what_was_heard_is_known_however_the_pauses_cut_it() -> None:
    heard = ("your call is important to us please stay on the line",)
    assert piece(words("please stay on the line"), heard)
    assert piece(words("your call is imported to us please stay"), heard), "one word misread"
    assert piece(["please"], heard) and piece([], heard)
    assert not piece(words("hello this is anna speaking"), heard)
    assert not piece(words("to us line"), heard)
