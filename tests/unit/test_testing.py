"""`offhook.testing`: what users test their agents with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from offhook.policies.agents.base import Agent, View
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.proposals import Asks, Proposal, Purpose
from offhook.testing import agent_dialogue, dialogue

FRONT_DESK = Path(__file__).parents[2] / "examples" / "walkthrough" / "front-desk"
BOOKS = ("I have a question about my bill", "yes please", "tomorrow at ten", "yes, that is right")


class Greeter(Agent):
    """Greets, and sends the details when it is asked to; raises when it is asked about the weather."""

    topics = ()

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if "weather" in view["pii_words"]:
            raise KeyError("weather")
        if reason == "answered":
            return [self.say(view, "greeting", Purpose.GREETING, Asks.OPEN)]
        return [self.act(view, "send_details", {"to": "post"}, priority=0.9, reason="asked for")]


class Waits(Greeter):
    """Awaits something before it answers."""

    async def propose(self, view: View, reason: str) -> AsyncIterator[Proposal]:  # type: ignore[override]
        if reason == "answered":
            yield self.say(view, "greeting", Purpose.GREETING, Asks.OPEN)
            return
        await asyncio.sleep(0)
        yield self.say(view, "found", Purpose.ANSWER)


def test_what_was_said_and_done_comes_out() -> None:
    call = dialogue(FRONT_DESK)
    for words in BOOKS:
        call.caller_says(words)
    call.assert_said("call you back")
    call.assert_not_said("could not book")
    call.assert_done("book_callback", time="tomorrow at 10")
    call.assert_outcome("callback")
    assert [(done.action, done.arguments) for done in call.done] == [("book_callback", {"time": "tomorrow at 10"})]
    assert call.slots == {"time": "tomorrow at 10"} and not call.denied


def test_an_assertion_that_fails_prints_the_dialogue_with_the_rules() -> None:
    call = dialogue(FRONT_DESK, gate={"actions": {"book_callback": {"readiness": "99 %"}}})
    for words in BOOKS:
        call.caller_says(words)
    call.assert_denied("book_callback", by="readiness")
    with pytest.raises(AssertionError) as failed:
        call.assert_done("book_callback", time="noon")
    told = str(failed.value)
    assert told.startswith("book_callback(time=noon) was not done; there is: nothing")
    assert (
        "caller      tomorrow at ten" in told and "readiness: needs at least 79%" in told
    )  # the bar of who is ready already
    for wrong in (
        lambda: call.assert_said("pizza"),
        lambda: call.assert_not_said("call you back"),
        lambda: call.assert_denied("book_callback", by="floor"),
        lambda: call.assert_outcome("pizza"),
        lambda: call.operator_decides(True),
    ):
        with pytest.raises(AssertionError, match="the dialogue:"):
            wrong()


def test_an_agent_alone_with_a_tool_and_an_operator() -> None:
    rules = {"actions": {"send_details": {"autonomy": "approve"}}}
    call = agent_dialogue(Greeter, lines={"greeting": "Hello."}, gate=rules, tool=lambda order: (True, order.action))
    call.caller_says("send me the details please")
    call.assert_not_done("send_details")
    call.operator_decides(True, "send_details", by="kim")
    call.assert_done("send_details", to="post")


def test_an_agent_that_raises_fails_its_test_with_the_dialogue_beside_the_error() -> None:
    call = agent_dialogue(Greeter, lines={"greeting": "Hello."})
    with pytest.raises(KeyError) as failed:
        call.caller_says("what will the weather be")
    (note,) = failed.value.__notes__
    assert note.startswith("agent agent was asked because: ") and "Hello." in note


def test_an_asynchronous_agent_is_led_to_the_end_of_what_it_yields() -> None:
    call = agent_dialogue(Waits, lines={"greeting": "Hello.", "found": "It is on its way."})
    call.caller_says("where is my parcel")
    call.assert_said("on its way")


def test_what_is_yielded_is_said_one_after_another() -> None:
    folder = FRONT_DESK.parents[1] / "agents" / "slow_lookup"
    agents = yaml.safe_load((folder / "policy.yaml").read_text())["agents"]
    agents["lookup"]["options"]["lookup_ms"] = 0
    call = dialogue(folder, agents=agents)
    call.caller_says("four seven one one")
    moment, found = (
        next(n for n, said in enumerate(call.said) if words in said) for words in ("One moment", "It is on")
    )
    assert moment < found


def test_what_is_no_proposal_is_refused_as_in_a_call() -> None:
    class Odd(Greeter):
        def propose(self, view: View, reason: str) -> list[Proposal]:
            if reason == "answered":
                return super().propose(view, reason)
            return [self.say(view, "greeting", "confirmatoin", priority=7)]  # type: ignore[arg-type]

    call = agent_dialogue(Odd, lines={"greeting": "Hello."})
    call.caller_says("hello there")
    assert [(denied.rules, denied.why) for denied in call.denied][:1] == [
        (("well_formed",), ("well_formed: needs purpose: one of Purpose, is str",))
    ]


def test_a_bundle_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"no policy\.yaml there"):
        dialogue(tmp_path)
