"""Times, numbers and names out of words, in one form."""

from __future__ import annotations

import pytest
from offhook.policies.core.proposals import Asks
from offhook.policies.language.en import values
from offhook.policies.language.en.phrases import clauses


def said(text: str, asks: Asks = Asks.NOTHING, slot: str = "") -> list[tuple[str, str]]:
    return [value for clause in clauses(text) for value in values.found(clause.spoken, asks, slot)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tuesday at ten", "tuesday at 10"),
        ("Tuesday at 10:00", "tuesday at 10"),
        ("next friday at 3:30 pm", "next friday at 3:30 pm"),
        ("tomorrow at half past two", "tomorrow at 2:30"),
        ("monday morning at nine", "monday morning at 9"),
        ("at 10 a.m. on thursday", "thursday at 10 am"),
        ("two thirty on wednesday", "wednesday at 2:30"),
        ("the 5th of may at noon", "may 5 at noon"),
        ("may the fifth at four o'clock in the afternoon", "may 5 at 4 pm"),
        ("saturday", "saturday"),
        ("next week", "next week"),
    ],
)
def test_times(text: str, value: str) -> None:
    assert said(text) == [("time", value)]
    assert str(values.parse(value)) == value


def test_a_bare_hour_is_a_time_only_where_one_was_asked_for() -> None:
    assert said("ten", Asks.TIME, "meeting") == [("meeting", "10")]
    assert said("we have ten people") == []


def test_a_time_said_in_pieces() -> None:
    assert values.merged("tuesday", "10") == "tuesday at 10"
    assert values.merged("tuesday at 10", "11") == "tuesday at 11"
    assert values.merged("tuesday at 10", "friday") == "friday at 10"


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("five five five oh one two three", "5550123"),
        ("555-0123", "5550123"),
        ("it's double five 5, zero", "5550"),
        ("my number is 5 5 5 oh one two three", "5550123"),
    ],
)
def test_digits(text: str, digits: str) -> None:
    assert ("phone", digits) in [
        *said(text.split(",")[0] + text.partition(",")[2], Asks.DIGITS, "phone"),
    ]


def test_a_short_number_that_nobody_asked_for_is_none() -> None:
    assert said("we have four five people") == []


@pytest.mark.parametrize(
    ("text", "asks", "name"),
    [
        ("my name is mary jones", Asks.NOTHING, "Mary Jones"),
        ("it's Bob", Asks.NAME, "Bob"),
        ("José", Asks.NAME, "José"),
        ("b o b", Asks.NAME, "Bob"),
        ("this is anna from accounting", Asks.NAME, "Anna"),
    ],
)
def test_names(text: str, asks: Asks, name: str) -> None:
    assert [value for _, value in said(text, asks)] == [name]


def test_no_name_where_there_is_none() -> None:
    assert said("i am busy", Asks.NAME) == []
