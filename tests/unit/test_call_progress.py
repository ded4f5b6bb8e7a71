"""What a list of calls tells of each, from the records that come in; and the commands of an operator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dialogue import Dialogue, sales_policy
from offhook.actors.contracts.operations import plain
from offhook.actors.node.call_progress import CallProgress
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import Principal
from offhook.policies.replay.account import account
from offhook.policies.replay.replay import replay
from offhook.serve.cli import cli_calls
from offhook.serve.views import terminal
from offhook.serve.views.call_summary import CallSummary
from rich.console import Console

CALL = "call-0123"


def waiting() -> Dialogue:
    """A call in which a booking waits for an operator."""
    policy = sales_policy()
    rules = policy.gate.actions["book_meeting"].model_dump() | {"autonomy": "approve"}
    actions = {**policy.gate.model_dump()["actions"], "book_meeting": rules}
    call = Dialogue(sales_policy(gate={**policy.gate.model_dump(), "actions": actions})).begins()
    for words in ("hello", "sure", "about twenty people", "ten a week", "yes", "yes please", "tuesday at ten"):
        call.caller_says(words)
        if call.slots.get("time"):
            break
    call.caller_says("yes that is right")
    assert [each.action for each in call.asked_of_operators] == ["book_meeting"], call.transcript()
    return call


def shown(what: Any) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def progress_of(call: Dialogue) -> CallProgress:
    progress = CallProgress()
    progress.take(call.journal)
    return progress


def test_a_list_tells_the_stage_and_what_waits_for_a_person() -> None:
    call = waiting()
    told = progress_of(call).summary(call.now_ms)
    (asked,) = told.waiting
    assert (told.stage, told.policy, asked.action) == (str(call.state.stage), "sales", "book_meeting")
    row = {"call_id": CALL, "live": True, "created_unix_ms": 1_000, "policy_version": "abc", "progress": plain(told)}
    text = shown(terminal.calls([row], now_s=188.0))
    assert "3:07 min" in text and "sales abc" in text and "book_meeting: a person" in text
    call.operator_decides(True, "book_meeting")
    assert progress_of(call).summary(call.now_ms).waiting == ()
    call.assert_done("book_meeting")


def test_a_question_that_nobody_answered_waits_no_more() -> None:
    call = waiting()
    (asked,) = progress_of(call).summary(call.now_ms).waiting
    assert progress_of(call).summary(asked.until_ms + 1).waiting == ()


def test_agents_that_failed_and_who_ended_a_call_are_told() -> None:
    call = Dialogue().begins()
    call.happens(
        ev.AgentLost, agent="booking", reason="KeyError at agents/b.py:3 in propose", trace=("b",), pii_message="x"
    )
    call.happens(ev.AgentJoined, agent="booking")
    call.happens(ev.HangupRequested, by=Principal.of("person:ann"), reason="a test call")
    call.passes(1_000)
    told = progress_of(call).summary(call.now_ms)
    assert (told.failures, told.failed) == (1, "booking: KeyError at agents/b.py:3 in propose")
    assert told.ended_by == "ann: a test call"
    text = shown(terminal.calls([{"call_id": CALL, "outcome": "requested", "progress": plain(told)}], 0))
    assert "requested (ann: a test call)" in text and "agents failed 1 times, booking: KeyError" in text


# --- an operator's commands -------------------------------------------------------------------------------------------


class Asked:
    """The API of an installation with one call."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self.orders: list[tuple[str, dict[str, Any]]] = []

    def call_id(self, _written: str) -> str:
        return CALL

    def get(self, _path: str) -> dict[str, Any]:
        return self.state

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.orders.append((path, body))
        return body

    def delete(self, path: str, **parameters: Any) -> dict[str, Any]:
        self.orders.append((path, parameters))
        return {}


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Asked]:
    def of(state: dict[str, Any]) -> Asked:
        asked = Asked(state)
        monkeypatch.setattr(cli_calls, "api_of", lambda _state_dir, _api: asked)
        return asked

    return of


def test_what_waits_is_shown_with_its_arguments_and_deadline_and_is_decided_with_a_name(
    installation: Callable[[dict[str, Any]], Asked], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = waiting()
    state = {**view_of(call.state, call.policy), "call_id": CALL, "live": True}
    (asked,) = state["approvals"]
    text = shown(terminal.call(state))
    assert "book_meeting" in text and f"time={call.slots['time']}" in text
    assert (
        f"{(asked['until_ms'] - state['now_ms']) / 1_000:.2f} s" in text and f"offhook approve {CALL} PROPOSAL" in text
    )
    api = installation(state)
    monkeypatch.setenv("LOGNAME", "kim")
    cli_calls.approve("last")
    cli_calls.approve("last", asked["proposal"], no=True, by="ann")
    assert [body for _, body in api.orders] == [
        {"approved": True, "operator": "kim"}, {"approved": False, "operator": "ann"},
    ]  # fmt: skip
    assert "approved, signed kim" in capsys.readouterr().out
    with pytest.raises(CallerFault, match=r"no proposal 'p9' waits in call .* there: .*book_meeting"):
        cli_calls.approve("last", "p9")
    installation({"live": True, "approvals": []})
    with pytest.raises(CallerFault, match="nothing waits for a person in call"):
        cli_calls.approve("last")


def test_a_call_that_had_ended_is_told_with_its_end(
    installation: Callable[[dict[str, Any]], Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    ended = {"outcome": "requested", "ended_unix_ms": 1_000, "progress": {"ended_by": "ann: enough"}}
    api = installation({"live": False, **ended})
    cli_calls.hangup("last", "over")
    assert api.orders == []
    assert "had ended already, at " in (told := capsys.readouterr().out) and "requested by ann: enough" in told
    api = installation({"live": True})
    cli_calls.hangup("last", "over", by="kim")
    assert api.orders == [(f"/v1/calls/{CALL}", {"reason": "over", "by": "kim"})]


def test_explain_and_the_timeline_tell_which_person_approved_and_which_ended_the_call() -> None:
    call = waiting()
    call.operator_decides(True, "book_meeting", by="kim")
    call.happens(ev.HangupRequested, by=Principal.of("person:ann (Ann Lee)"), reason="a test call")
    told = ["book_meeting approved by kim", "ends the call, ann (Ann Lee): a test call"]
    assert [row.words for row in account(call.journal) if row.kind == "person"] == told
    summary = CallSummary("Dana")
    lines = [line for record in call.journal for line in summary.fold(record)]
    assert [line.text for line in lines if line.kind == "person"] == told


def test_a_journal_that_has_a_name_alone_tells_it_and_folds_to_the_same() -> None:
    call = waiting()
    call.operator_decides(True, "book_meeting", by="kim")
    earlier = json.loads(json.dumps(call.journal).replace("person:kim", "kim"))
    assert [row.words for row in account(earlier) if row.kind == "person"] == ["book_meeting approved by kim"]
    assert replay(earlier).same
