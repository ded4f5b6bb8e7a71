"""Waiting for an operator is no silence: the caller is told once, the ladder rests, and the wait has its own ending."""

from __future__ import annotations

from typing import Any

import pytest
from booking_call import at_the_read_back, booked
from dialogue import Dialogue, sales_policy
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Publish
from offhook.policies.core.policy import Policy
from offhook.policies.core.principal import Principal
from scene import of

ANN = Principal.of("person:ann")

ASKED = "One moment, please. I have to ask a colleague about that."
NO_YES = "I am sorry, I could not get that confirmed just now."


def approved_by_people(**gate: Any) -> Policy:
    """The sales policy, where an operator has to say yes to a booking."""
    rules = sales_policy().gate.model_dump()
    rules["actions"]["book_meeting"] |= {"autonomy": "approve"}
    return sales_policy(gate={**rules, **gate})


def waiting(**gate: Any) -> Dialogue:
    """The caller has agreed to a booking for which an operator has to say yes."""
    call = at_the_read_back(Dialogue(approved_by_people(**gate)))
    call.caller_says("Yes, that's right.")
    assert [p.action for p in call.state.authority.approvals] == ["book_meeting"]
    return call


def decided(call: Dialogue, approved: bool) -> None:
    (proposal,) = call.state.authority.approvals
    call.happens(ev.OperatorDecided, proposal=proposal.id, approved=approved, operator=ANN)


@pytest.mark.parametrize("after_s", [1, 15, 30])
def test_the_caller_is_told_once_the_ladder_rests_and_the_yes_is_acted_on(after_s: int) -> None:
    call = waiting()
    before = len(call.said)
    assert call.said[-1] == ASKED
    call.passes(after_s * 1_000)
    assert call.said[before:] == [] and not call.hung_up
    decided(call, True)
    call.settles()
    assert booked(call) == ["tuesday at 10"]
    assert "You are booked for tuesday at 10" in call.said[-1]


def test_a_caller_who_waits_as_long_as_an_operator_may_take_is_told_that_nobody_came() -> None:
    call = waiting()
    before = len(call.said)
    call.passes(call.state.authority.approvals[0].expires_ms - call.now_ms)
    assert call.said[before:] == [] and not call.hung_up
    call.passes(4_000)
    assert call.said[before:][:1] == [NO_YES]
    assert not call.hung_up and not call.state.authority.approvals and booked(call) == []


def test_the_limit_of_the_wait_is_the_policys() -> None:
    call = waiting(approval_ms=5_000)
    call.passes(8_000)
    assert NO_YES in call.said


def test_a_yes_lasts_to_the_end_of_the_act_that_it_has_begun() -> None:
    call = at_the_read_back(Dialogue(approved_by_people(approval_ms=4_000)))
    call.caller_speaks("Yes, that's right.")
    while not call.state.authority.approvals:
        call.passes(20)
    decided(call, True)  # what is being said, and then the announcement, take longer than 4 s
    call.settles()
    assert booked(call) == ["tuesday at 10"]


def test_an_operators_no_is_told_too() -> None:
    call = waiting()
    call.passes(3_000)
    decided(call, False)
    call.settles()
    assert NO_YES in call.said and booked(call) == []


def test_a_no_of_the_caller_while_an_operator_is_asked_ends_the_matter() -> None:
    call = waiting()
    call.passes(3_000)
    call.caller_says("No, wait, do not book it.")
    if call.state.authority.approvals:
        decided(call, True)
    call.settles()
    assert booked(call) == []


def test_a_yes_that_comes_after_the_consent_has_aged_makes_the_agent_ask_again() -> None:
    call = waiting()
    call.passes(50_000)
    decided(call, True)
    call.settles()
    assert booked(call) == [] and "tuesday at 10" in call.said[-1], "the evidence is older than the policy allows"


def test_what_is_asked_of_operators_says_what_and_until_when() -> None:
    call = waiting()
    (asked,) = [n.body for n in of(call.commands, Publish) if n.topic == "approval" and n.body["what"] == "asked"]
    assert asked["action"] == "book_meeting" and asked["until_ms"] == call.state.authority.approvals[0].expires_ms
