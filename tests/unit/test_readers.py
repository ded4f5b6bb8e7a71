"""Other readers of the answer: an irreversible act needs no contrary word of any, and waits so long for one."""

from __future__ import annotations

from typing import Any

import pytest
from booking_call import at_the_read_back, booked
from dialogue import Dialogue, sales_policy
from offhook.policies.core import events as ev
from offhook.policies.core.commands import InviteAgents
from offhook.policies.core.proposals import Polarity, Reading
from scene import of


def agreed(**gate: Any) -> Dialogue:
    """A clean yes was said and the agents are being asked; `closing` is a reader that has not answered yet."""
    rules = {**sales_policy().gate.model_dump(), "readers": ("closing",), **gate}
    call = at_the_read_back(Dialogue(sales_policy(gate=rules)))
    call.caller_speaks("Yes, that's right.")
    return call


def reads(call: Dialogue, says: Polarity, turn: int | None = None) -> None:
    """The reader's word about the answer of the present turn."""
    call.happens(
        ev.AgentAnswered,
        agent="closing",
        turn=call.state.turn if turn is None else turn,
        basis=call.state.revision,
        proposals=(),
        reading=Reading(says, "as I read it"),
    )


def to_the_judgement(call: Dialogue) -> None:
    rounds = len(of(call.commands, InviteAgents))
    while len(of(call.commands, InviteAgents)) == rounds:
        call.passes(10)
    call.passes(20)


@pytest.mark.parametrize("reader", ["if_present", "required"])
def test_a_readers_yes_in_time_lets_the_act_go_on(reader: str) -> None:
    call = agreed(reader=reader)
    to_the_judgement(call)
    assert "One moment, I am booking" not in call.said[-1], "the reader's word is waited for"
    reads(call, Polarity.YES)
    call.settles()
    assert booked(call) == ["tuesday at 10"]


@pytest.mark.parametrize("says", [Polarity.NO, Polarity.UNCLEAR])
@pytest.mark.parametrize("reader", ["if_present", "required"])
def test_a_contrary_reading_refuses_it(reader: str, says: Polarity) -> None:
    call = agreed(reader=reader)
    to_the_judgement(call)
    reads(call, says)
    call.settles()
    assert booked(call) == []


def test_a_contrary_reading_that_comes_over_the_announcement_still_counts() -> None:
    call = agreed(reading_ms=0)
    to_the_judgement(call)
    assert "One moment, I am booking" in call.said[-1]
    reads(call, Polarity.NO)
    call.settles()
    assert booked(call) == []


def test_a_reader_that_says_nothing_is_waited_for_so_long_and_then_missed_only_where_it_is_required() -> None:
    without = agreed(reader="if_present", reading_ms=500)
    without.settles()
    assert booked(without) == ["tuesday at 10"]
    required = agreed(reader="required", reading_ms=500)
    required.settles()
    assert booked(required) == []


def test_a_reader_that_is_not_there_is_not_waited_for() -> None:
    absent = agreed(readers=("nobody",), reader="if_present", reading_ms=5_000)
    absent.settles()
    assert booked(absent) == ["tuesday at 10"]
    required = agreed(readers=("nobody",), reader="required", reading_ms=500)
    required.settles()
    assert booked(required) == []


def test_a_readers_yes_makes_no_yes_of_what_the_core_could_not_read() -> None:
    rules = {**sales_policy().gate.model_dump(), "readers": ("closing",), "reader": "required"}
    call = at_the_read_back(Dialogue(sales_policy(gate=rules)))
    call.caller_speaks("yes the blue one")
    to_the_judgement(call)
    reads(call, Polarity.YES)
    call.settles()
    assert booked(call) == []


def test_a_reading_of_another_turn_is_of_no_account() -> None:
    call = agreed(reader="required", reading_ms=500)
    to_the_judgement(call)
    reads(call, Polarity.YES, turn=1)
    call.settles()
    assert booked(call) == []
