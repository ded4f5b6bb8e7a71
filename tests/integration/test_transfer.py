"""A caller is handed to another number: the line makes way, the call waits for what becomes of it. Core and runtime.

What the carrier is told meanwhile is in test_webhooks.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from caller import Caller, Exchange
from offhook.actors.contracts.messages import Answer, Invite
from offhook.actors.contracts.node_messages import Told
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import HangUp, InviteAgents, TransferCall
from offhook.policies.core.proposals import Kind, Proposal, Purpose
from offhook.policies.core.state import Line
from offhook.policies.replay.replay import replay
from offhook.serve.contracts.claim import Claim
from scene import Scene, of, policy
from swapped_call import AgentLink, Run, SwappedCall, runner

NUMBER = "+15550123"


# --- the core ---------------------------------------------------------------------------------------------------------


def transferred(**limits: int) -> Scene:
    """A transfer has been ordered, and the line has made way for it."""
    scene = Scene(policy(limits=limits)).answered("booking")
    state = scene.state
    proposal = Proposal("t", "booking", Kind.TRANSFER, state.turn, state.revision, action=NUMBER)
    answer = {"agent": "booking", "turn": state.turn, "basis": state.revision, "proposals": (proposal,)}
    assert of(scene.happens(ev.AgentAnswered, **answer), TransferCall)
    scene.passes(50)
    scene.happens(ev.LineLost, reason="closed by the peer")
    return scene


def test_a_line_that_was_handed_over_is_waited_for_as_long_as_numbers_ring_and_then_it_was_taken() -> None:
    scene = transferred()
    assert not of(scene.passes(44_000), HangUp)
    assert of(scene.passes(2_000), HangUp) == [HangUp("transferred")]
    scene.happens(ev.LineClosed, reason="no line")
    assert scene.state.outcome == "transferred"


def test_a_line_that_is_lost_by_itself_is_waited_for_as_ever() -> None:
    scene = Scene().answered("booking")
    scene.happens(ev.LineLost, reason="cut")
    assert of(scene.passes(11_000), HangUp) == [HangUp("line_lost")]


def test_a_transfer_that_is_only_announced_hands_nobody_over() -> None:
    scene = Scene().answered("booking")
    state = scene.state
    proposal = Proposal("t", "booking", Kind.TRANSFER, state.turn, state.revision, "One moment.", action=NUMBER)
    answer = {"agent": "booking", "turn": state.turn, "basis": state.revision, "proposals": (proposal,)}
    assert not of(scene.happens(ev.AgentAnswered, **answer), TransferCall)
    assert view_of(scene.state, scene.policy)["transfer"] is None
    scene.happens(ev.LineClosed, reason="hung up")
    assert scene.state.outcome == "caller_hung_up"


def test_the_view_tells_whom_the_caller_is_handed_to_until_it_failed() -> None:
    scene = transferred()
    transfer = view_of(scene.state, scene.policy)["transfer"]
    assert transfer["pii_target"] == NUMBER
    scene.happens(ev.ActionFinished, grant=transfer["grant"], ok=False, result="busy")
    assert view_of(scene.state, scene.policy)["transfer"] is None


def test_who_was_not_reached_is_back_and_the_agents_are_asked() -> None:
    scene = transferred()
    grant = view_of(scene.state, scene.policy)["transfer"]["grant"]
    scene.passes(30_000)
    scene.happens(ev.ActionFinished, grant=grant, ok=False, result="no-answer")
    asked = scene.happens(ev.LineResumed) + scene.passes(3_000)
    assert scene.state.line is Line.OPEN and not of(asked, HangUp)
    assert of(asked, InviteAgents)
    (act,) = scene.state.authority.acts
    assert (act.action, act.ok, act.result) == ("transfer", False, "no-answer")
    assert not of(scene.passes(20_000), TransferCall)


def test_the_limit_is_the_policy_s() -> None:
    assert of(transferred(transfer_ms=5_000).passes(5_100), HangUp) == [HangUp("transferred")]


# --- the runtime and the gateway's line -------------------------------------------------------------------------------


class Desk(AgentLink):
    """An agent that hands the caller over once, and says what came of it."""

    def answer(self, invitation: list[Any]) -> None:
        turn, revision, reason = invitation[1:4]
        first = len(self.of(Invite.NAME)) == 1
        if first:
            proposal = Proposal("", "closer", Kind.TRANSFER, turn, revision, "One moment.", action=NUMBER)
        else:
            proposal = Proposal("", "closer", Kind.SAY, turn, revision, f"Back for {reason}.", Purpose.ANSWER)
        self.link.send(Answer.NAME, turn, revision, [encode(proposal)])


async def handed_over(bench: SwappedCall) -> Caller:
    """A call on a gateway's line whose caller was handed to another number."""
    caller = await asked_for(bench)
    await caller.listen_until(lambda: caller.closed)
    return caller


async def asked_for(bench: SwappedCall) -> Caller:
    """A call on a gateway's line whose agent hands the caller over."""
    await bench.begin(Desk(None))
    bench.former.says = ""
    exchange = bench.exchange = Exchange(claim_of(bench))  # type: ignore[attr-defined]
    caller = exchange.dial("c1", "MZ2")
    await bench.until(lambda: bench.call.line.stream == "MZ2")
    bench.former.answer(bench.former.of(Invite.NAME)[0])
    return caller


def claim_of(bench: SwappedCall) -> Callable[[str, int], Awaitable[Claim]]:
    async def claim(_call: str, _lost_epoch: int) -> Claim:
        return Claim(bench.endpoint, "media", 1)

    return claim


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(tmp_path, monkeypatch, 600)


def test_the_line_makes_way_and_the_call_lives_until_the_other_side_has_taken_the_caller(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        caller = await handed_over(bench)
        assert caller.closed == "transferred"
        await bench.until(lambda: bench.call.state.line is Line.LOST)
        assert not bench.over.done() and not bench.events("LineClosed")
        assert await bench.over == "transferred"
        assert replay(bench.records).same

    run(test)


def test_the_carriers_word_that_it_was_taken_ends_the_call_at_once(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await handed_over(bench)
        await bench.until(lambda: bench.call.state.line is Line.LOST)
        lost_ms = bench.call.now()
        assert bench.call.told(Told("c1", encode(ev.LineClosed(0, "the number: completed"))))
        assert await bench.over == "transferred"
        assert bench.call.now() - lost_ms < 1_000

    run(test)


def test_who_was_not_reached_is_back_with_the_agent_on_another_stream(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await handed_over(bench)
        await bench.until(lambda: bench.call.state.line is Line.LOST)
        await asyncio.sleep(30)
        grant = view_of(bench.call.state, bench.call.policy)["transfer"]["grant"]
        assert bench.call.told(Told("c1", encode(ev.ActionFinished(0, grant, False, "busy"))))
        again = bench.exchange.dial("c1", "MZ3")  # type: ignore[attr-defined]
        await bench.until(lambda: bench.events("LineResumed"))
        await again.listen_until(lambda: any("Back for" in text for text in bench.said()))
        await asyncio.sleep(20)
        assert not bench.over.done()
        assert len([c for commands in bench.of("commands") for c in commands if c[0] == "TransferCall"]) == 1
        again.leave()
        assert await bench.over == "caller_hung_up"
        assert replay(bench.records).same

    run(test)


def test_a_carrier_that_offers_no_transfer_is_not_asked_for_one_and_the_agent_goes_on_with_the_reason(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(bench: SwappedCall) -> None:
        monkeypatch.setattr(Caller, "transfers", False)
        caller = await asked_for(bench)
        await caller.listen_until(lambda: any("Back for" in text for text in bench.said()))
        (act,) = bench.call.state.authority.acts
        assert (act.action, act.ok, act.result) == ("transfer", False, "the carrier offers no transfer")
        assert not caller.closed and not bench.events("LineLost")
        caller.leave()
        assert await bench.over == "caller_hung_up"
        assert replay(bench.records).same

    run(test)
