"""How complete the words are: what stretches patience and what shortens it."""

from __future__ import annotations

import pytest
from offhook.policies.core.proposals import Asks
from offhook.policies.language.en.completeness import judge


@pytest.mark.parametrize(
    "words",
    [
        "I would like to um",
        "we have ten people and",
        "that is fine but",
        "I want to talk to the",
        "I was thinking that-",
        "well, I guess,",
        "what I need is",
    ],
)
def test_words_that_announce_more_stretch_patience(words: str) -> None:
    assert judge(words, Asks.OPEN).factor >= 1.5


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("yes", Asks.YES_NO),
        ("no thank you", Asks.YES_NO),
        ("Yeah, sure.", Asks.YES_NO),
        ("tuesday at three", Asks.TIME),
        ("10:30", Asks.TIME),
        ("How much does it cost?", Asks.OPEN),
        ("that sounds great", Asks.OPEN),
    ],
)
def test_the_answer_that_was_asked_for_shortens_it(words: str, asks: Asks) -> None:
    assert judge(words, asks).factor < 1.0


@pytest.mark.parametrize(
    ("words", "asks", "stretched"),
    [
        ("five five five", Asks.DIGITS, True),
        ("5 5 5", Asks.DIGITS, True),
        ("my number is 555", Asks.OPEN, True),
        ("we have two", Asks.OPEN, False),  # a quantity, not a dictation
        ("five five five one two three four five six seven", Asks.DIGITS, False),  # a whole number
        ("tuesday the 12", Asks.TIME, False),
    ],
)
def test_dictated_digits_wait_for_the_rest(words: str, asks: Asks, stretched: bool) -> None:
    assert (judge(words, asks).factor > 1.0) is stretched


@pytest.mark.parametrize("words", ["s m i", "it is k i m", "s as in sam m"])
def test_a_name_being_spelled_waits_for_the_next_letter(words: str) -> None:
    assert judge(words, Asks.NAME).factor > 1.5


def test_i_and_a_are_words_and_not_letters() -> None:
    assert "spelling" not in judge("so do i", Asks.OPEN).why


def test_a_yes_that_goes_on_is_no_yes_no_answer() -> None:
    assert judge("yes but", Asks.YES_NO).factor > 1.5
    assert judge("yes I have a question about the", Asks.YES_NO).factor > 1.5


def test_a_question_may_end_with_an_open_word() -> None:
    assert judge("What is it like?", Asks.OPEN).factor < 1.0


def test_nothing_is_neutral_and_the_reason_names_the_word() -> None:
    assert judge("", Asks.OPEN).factor == 1.0 == judge(" ... ", Asks.OPEN).factor
    assert judge("so I said um", Asks.OPEN).why == "filler 'um'"
