"""The front desk, tested on virtual time: pytest examples/walkthrough"""

from pathlib import Path

from offhook.testing import dialogue

FRONT_DESK = Path(__file__).with_name("front-desk")


def test_a_call_back_is_booked_on_a_plain_yes() -> None:
    call = dialogue(FRONT_DESK)
    for words in ("I have a question about my bill", "yes please", "tomorrow at ten", "yes, that is right"):
        call.caller_says(words)
    call.assert_done("book_callback", time="tomorrow at 10")
    call.assert_outcome("callback")


def test_a_condition_is_no_yes() -> None:
    call = dialogue(FRONT_DESK)
    for words in ("I have a question about my bill", "yes please", "tomorrow at ten", "yes, if my wife agrees"):
        call.caller_says(words)
    call.assert_not_done("book_callback")
    call.assert_said("yes or no")


def test_a_calendar_that_refuses_is_told_to_the_caller() -> None:
    call = dialogue(FRONT_DESK, tool=lambda _order: (False, "that hour is taken"))
    for words in ("I have a question about my bill", "yes please", "tomorrow at ten", "yes, that is right"):
        call.caller_says(words)
    call.assert_said("could not book tomorrow at 10")
