"""Explain: what a verdict says, and what would have been needed at any moment."""

from __future__ import annotations

import json

import pytest
from dialogue import Dialogue, sales_policy
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.parts import replace
from offhook.policies.core.state import CallState
from offhook.policies.replay.explain import explain, lines, needed, tally
from offhook.policies.replay.replay import replay

WORDS = ("Yes.", "Three people.", "About five.", "Okay, sign me up.", "Tuesday at ten, but it is too expensive.")


@pytest.fixture(scope="module")
def call() -> Dialogue:
    found = Dialogue().begins()
    found.settles()
    for words in WORDS:
        found.caller_says(words)
    return found


def test_a_denial_says_what_failed_first_and_what_held(call: Dialogue) -> None:
    (denied,) = [v for v in replay(call.journal).verdicts if v.what == "book_meeting"]
    told = explain(denied)
    assert told["because"] == "concerns: needs no open concern, is price open"
    assert [rule["rule"] for rule in told["failed"]][:1] == ["concerns"]
    assert len(told["failed"]) + len(told["held"]) == len(denied.rules)
    assert json.loads(json.dumps(told)) == told
    head, *rest = lines(told)
    assert "booking book_meeting: deny (proposed, turn " in head
    assert rest[0].startswith("    no   concerns") and len(rest) == len(denied.rules)


def test_what_would_have_been_needed_at_a_moment_at_which_nobody_proposed_it(call: Dialogue) -> None:
    first_word = next(record[2] for record in call.journal if record[4] == "event" and record[5][0] == "WordsHeard")
    state = replay(call.journal, until_seq=first_word).state
    told = needed(state, call.policy, "book_meeting")
    missing = {rule["rule"]: rule for rule in told["failed"]}
    assert told["would"] == "deny" and {"readiness", "confirmed_slots", "consent", "final_words"} <= set(missing)
    assert missing["readiness"]["required"] == "at least 45%" and missing["readiness"]["actual"].endswith("%")
    assert lines(told)[0].endswith("book_meeting: deny")


def test_the_slots_are_taken_for_arguments_that_are_not_given(call: Dialogue) -> None:
    told = needed(call.state, call.policy, "book_meeting")
    assert any(rule["rule"] == "confirmed_slots" and "not confirmed" in rule["actual"] for rule in told["failed"])
    told = needed(call.state, call.policy, "book_meeting", {"time": "sunday at 6"})
    assert any(rule["rule"] == "confirmed_slots" for rule in told["failed"])


def test_every_kind_of_action_can_be_asked_for(call: Dialogue) -> None:
    for action in ("say:offer", "transfer", "hangup", "handoff", "timer", "some_tool"):
        told = needed(call.state, call.policy, action)
        assert told["action"] == action and told["held"]
    with pytest.raises(CallerFault, match="say:<purpose>"):
        needed(call.state, call.policy, "say:nonsense")


def test_the_tally_counts_grants_and_denials_by_reason(call: Dialogue) -> None:
    counts = tally(replay(call.journal).verdicts)
    assert counts["book_meeting"] == {"deny:concerns": 1}
    assert counts["say:greeting"] == {"grant": 1}


@pytest.mark.parametrize(
    ("share", "readiness", "said"),
    [
        (0.8, 0.7974, "needs at least 80.0%, is 79.7%"),
        (0.8, 0.79996, "needs at least 80.000%, is 79.996%"),
        (0.8, 0.5, "needs at least 80%, is 50%"),
        (0.8, 0.79999999999, "needs at least 80.000000%, is 80.000000%"),
    ],
)
def test_a_denial_shows_the_digits_that_make_the_difference(share: float, readiness: float, said: str) -> None:
    actions = {"book": {"readiness_share": share}}
    policy = sales_policy(gate={"actions": actions})
    state = CallState(now_ms=1)
    state = replace(state, ledger=replace(state.ledger, readiness=readiness))
    (rule,) = [rule for rule in needed(state, policy, "book")["failed"] if rule["rule"] == "readiness"]
    assert f"needs {rule['required']}, is {rule['actual']}" == said
