"""What counts as told, by what was heard of it; and what an answer leaves over."""

from __future__ import annotations

from typing import Any

import pytest
from offhook.policies.core.draft import Draft
from offhook.policies.core.proposals import Asks, Kind, Polarity, Proposal, Purpose
from offhook.policies.core.state import CallState, Playing, Slot, Utterance
from offhook.policies.evidence import heard
from offhook.policies.language.en import assent, values
from scene import policy

STATE = CallState(slots=(Slot("time", "tuesday at 10", False, 0), Slot("name", "Mary Jones", False, 0)))
OFFER = "The trial is free for a month. After that it is forty nine dollars a month, and you can cancel. Shall we?"
READ_BACK = "So that is Tuesday at 10. Is that right?"


def proposal(text: str, purpose: Purpose, **fields: Any) -> Proposal:
    return Proposal("p", "a", Kind.SAY, 1, 1, text, purpose, **fields)


def utterance(text: str, purpose: Purpose, heard_words: int, **fields: Any) -> Utterance:
    terms = heard.terms_of(Draft(STATE, policy()), proposal(text, purpose, **fields))
    total = len(text.split())
    return Utterance(
        "u1", text, purpose, Asks.YES_NO, True, "a", "g", playing=Playing.CUT, started_ms=1, terms=terms,
        words=heard_words, heard_ms=heard_words * 300, total_ms=total * 300,
    )  # fmt: skip


@pytest.mark.parametrize(("words", "told"), [(0, False), (3, False), (5, False), (6, True), (8, True)])
def test_a_read_back_is_told_once_its_value_was_heard_to_its_end(words: int, told: bool) -> None:
    assert heard.whole(utterance(READ_BACK, Purpose.CONFIRMATION, words, slot="time")) is told


@pytest.mark.parametrize(("words", "told"), [(5, False), (7, False), (13, False), (14, True), (21, True)])
def test_an_offer_is_told_once_its_last_amount_was_heard(words: int, told: bool) -> None:
    assert heard.whole(utterance(OFFER, Purpose.OFFER, words)) is told


@pytest.mark.parametrize("price", ["$49", "49 dollars", "€49.90", "20 percent", "49 bucks", "free"])
def test_amounts_are_found_however_they_are_written(price: str) -> None:
    text = f"We can do that for {price} if you like. Would you like that very much then?"
    (term,) = heard.terms_of(Draft(STATE, policy()), proposal(text, Purpose.OFFER))
    assert term.ends == 5 + len(price.split()) - (1 if "dollars" not in price else 0) or term.ends >= 6


@pytest.mark.parametrize(("words", "told"), [(6, False), (8, True)])
def test_where_no_words_matter_by_themselves_a_share_does(words: int, told: bool) -> None:
    text = "One two three four five six seven eight nine ten."
    assert heard.whole(utterance(text, Purpose.GREETING, words)) is told


def test_what_the_words_do_not_say_is_not_told_by_them() -> None:
    assert heard.terms_of(Draft(STATE, policy()), proposal("Is that right?", Purpose.CONFIRMATION, slot="time")) == ()
    named = proposal("Is that right?", Purpose.CONFIRMATION, terms=(("time", "tuesday at 10"),))
    assert heard.terms_of(Draft(STATE, policy()), named) == ()


def test_the_last_mention_counts() -> None:
    text = "Tuesday at 10, so that is Tuesday at 10. Right?"
    (term,) = heard.terms_of(Draft(STATE, policy()), proposal(text, Purpose.CONFIRMATION, slot="time"))
    assert term.ends == 9


@pytest.mark.parametrize(
    ("text", "heard_text", "count"),
    [
        ("So that is tuesday.", "So that is", 3),
        ("So that is tuesday.", "So that is tues", 3),
        ("So that is tuesday.", "So that is tuesday", 4),
        ("So that is tuesday.", "So that is tuesday.", 4),
        ("So that is tuesday.", "", 0),
        ("So that is tuesday.", "S", 0),
    ],
)
def test_a_word_that_breaks_off_was_not_heard(text: str, heard_text: str, count: int) -> None:
    assert heard.count_of(text, heard_text) == count


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("tuesday at 10", "Tuesday at ten o'clock", True),
        ("tuesday at 10", "tuesday at 11", False),
        ("tuesday at 10", "wednesday at 10", False),
        ("5550123", "five five five, oh one two three", True),
        ("5550123", "five five five, oh one two four", False),
        ("Mary Jones", "mary jones", True),
        ("Mary Jones", "Mary Johns", False),
        ("2", "two", True),
        ("2", "three", False),
        ("", "tuesday", False),
    ],
)
def test_two_ways_to_say_one_value_are_the_same(one: str, other: str, same: bool) -> None:
    assert values.same(one, other) is same


# --- answers ----------------------------------------------------------------------------------------------------------

TERMS = (("time", "tuesday at 10"), ("number", "5550123"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("Yes.", Polarity.YES),
        ("yes yes yes", Polarity.YES),
        ("Yes, five five five oh one two three.", Polarity.YES),
        ("Yes, five five five oh one two four.", Polarity.UNCLEAR),
        ("Yes, on Tuesday.", Polarity.YES),
        ("Yes, on Thursday.", Polarity.UNCLEAR),
        ("yes at 10 pm", Polarity.UNCLEAR),  # the half of the day was not read back
        ("No.", Polarity.NO),
        ("no no that is wrong", Polarity.NO),
        ("Well, no, thank you.", Polarity.NO),
        ("Yes but no.", Polarity.UNCLEAR),
        ("Blue.", Polarity.UNCLEAR),
        ("", Polarity.NONE),
        ("...", Polarity.NONE),
        ("Yes. Who will call me?", Polarity.YES),
        ("Yes, can you make it three instead?", Polarity.UNCLEAR),
        ("Yes. What if I cannot come?", Polarity.UNCLEAR),
        ("uh-huh", Polarity.UNCLEAR),
    ],
)
def test_an_answer_is_a_yes_only_when_nothing_is_left_over(words: str, says: Polarity) -> None:
    assert assent.read(words, TERMS).says is says


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("yes if it rains", "a condition"),
        ("yes, I guess", "doubt"),
        ("yes, make it four", "a change"),
        ("yes, the purple one", "words beyond a plain yes"),
        ("yes, on friday", "another value than was read back"),
        ("yes and no", "a refusal"),
    ],
)
def test_what_keeps_it_from_being_one_is_named_and_never_quoted(words: str, why: str) -> None:
    assert assent.read(words, TERMS).why == why


@pytest.mark.parametrize("words", ["okay", "mm-hm", "Right, I see.", "uh-huh yes", "great, thanks"])
def test_a_listeners_words(words: str) -> None:
    assert assent.listening(words)


@pytest.mark.parametrize(
    "words", ["no", "okay but", "wait", "yes if", "the blue one", "what", "okay then call me again"]
)
def test_words_that_are_more_than_a_listeners(words: str) -> None:
    assert not assent.listening(words)
