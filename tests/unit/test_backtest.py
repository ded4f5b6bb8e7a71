"""Backtest: a recorded call led again; the same policy finds nothing, another one finds exactly what it changes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from dialogue import Dialogue, sales_policy
from journals import renumbered
from offhook.policies.agents import load
from offhook.policies.agents.base import Agent
from offhook.policies.core.codec import encode
from offhook.policies.core.events import AgentAnswered, PolicyChanged
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.proposals import Proposal
from offhook.policies.replay.backtest import Trial, backtest
from offhook.policies.replay.differences import Difference, quantile
from offhook.policies.replay.recording import read
from offhook.policies.replay.replay import JournalFault
from offhook.policies.simulation.drawn import drawn_policy, stock_agents
from recorded_calls import recorded

TO_A_BOOKING = (
    "yes I have a minute",
    "there are three people",
    "about ten a week",
    "yes that sounds good let's do it",
    "tuesday at ten",
    "yes that's right",
    "yes please",
)


@pytest.fixture(scope="module")
def booked() -> Dialogue:
    call = Dialogue().begins()
    call.settles()
    for words in TO_A_BOOKING:
        if not call.performed:
            call.caller_says(words)
    assert [act.action for act in call.performed] == ["book_meeting"], call.said
    return call


def agents(policy: Policy) -> dict[str, Any]:
    return {name: load(spec.code)(name, spec) for name, spec in policy.agents.items()}


def tried(call: Dialogue, policy: Policy, **options: Any) -> Trial:
    return backtest(read(call.journal), policy, options.pop("agents", None) or agents(policy), **options)


def changed(policy: Policy, section: str, **fields: Any) -> Policy:
    return policy.model_copy(update={section: getattr(policy, section).model_copy(update=fields)})


def needing(policy: Policy, action: str, **needs: Any) -> Policy:
    actions = dict(policy.gate.actions)
    actions[action] = actions[action].model_copy(update=needs)
    return changed(policy, "gate", actions=actions)


# --- nothing changed --------------------------------------------------------------------------------------------------


def test_the_same_policy_differs_in_nothing(booked: Dialogue) -> None:
    for who in (agents(booked.policy), None):
        trial = backtest(read(booked.journal), booked.policy, who)
        assert (trial.divergence, trial.differences) == (None, [])
        assert trial.events == sum(record[4] == "event" for record in booked.journal)
        assert trial.state == booked.state and trial.known_until_ms == trial.end_ms
        assert trial.before.times == trial.after.times and trial.before.times["reply"]
        assert trial.verdicts == len(read(booked.journal).verdicts)


@pytest.mark.parametrize("seed", range(1, 25))
def test_simulated_calls_lead_to_where_they_led(seed: int) -> None:
    policy = drawn_policy(random.Random(seed))
    found = read(recorded(seed, policy, fault_share=0.0))
    trial = backtest(found, policy, stock_agents(policy))
    assert (trial.divergence, trial.differences, trial.events) == (None, [], len(found.steps))
    trial = backtest(found, policy)
    assert (trial.differences, trial.unknown) == ([], 0)


def test_a_journal_that_begins_with_a_snapshot_goes_on_from_it(booked: Dialogue) -> None:
    from offhook.policies.replay.replay import replay

    at = [number for number, record in enumerate(booked.journal) if record[4] == "event"][60]
    state = replay(booked.journal[:at]).state
    snapshot = ["c1", 1, 0, state.now_ms, "snapshot", encode(state)]
    trial = backtest(read(renumbered([booked.journal[0], snapshot, *booked.journal[at:]])), booked.policy)
    assert trial.differences == [] and trial.state == booked.state


def test_the_policy_on_trial_leads_throughout_a_call_that_was_swapped_then(booked: Dialogue) -> None:
    at = [number for number, record in enumerate(booked.journal) if record[4] == "event"][-1]
    at_ms = booked.journal[at][3]
    body = encode(PolicyChanged(at_ms, "v2", ("another",)))
    found = read(renumbered([*booked.journal[:at], ["c1", 1, 0, at_ms, "event", body], *booked.journal[at:]]))
    assert found.agents[-1] == "another"
    trial = backtest(found, booked.policy, agents(booked.policy))
    assert set(trial.state.agents) == set(booked.state.agents)


# --- known differences ------------------------------------------------------------------------------------------------


def test_a_readiness_threshold_flips_exactly_one_verdict_and_loses_the_act(booked: Dialogue) -> None:
    trial = tried(booked, needing(booked.policy, "book_meeting", readiness_share=0.99))
    flips = [each for each in trial.differences if each.kind == "act_flipped"]
    assert [(each.what, each.before, each.after, each.rule) for each in flips] == [
        ("book_meeting", "grant", "deny", "readiness")
    ]
    act = next(v for v in read(booked.journal).verdicts if v.what == "book_meeting" and v.answer == "grant")
    assert flips[0].at_ms == act.at_ms
    assert "99" in flips[0].required
    assert [each.what for each in trial.differences if each.kind == "act_lost"] == ["book_meeting"]
    assert {each.kind for each in trial.differences} <= {"act_flipped", "act_lost", "said_lost", "said_otherwise"}


RELUCTANT = {"take_at_share": 0.99, "early_take_at_share": 1.0}  # hardly anything is taken for a barge-in


def interrupted(policy: Policy | None = None) -> Dialogue:
    """A caller says a word over the greeting, within 700 ms, and speaks again later."""
    call = Dialogue(policy).begins()
    call.passes(2_500)
    call.speech_starts()
    call.speech_goes_on(300)
    call.words("that's", final=False)
    call.speech_goes_on(300)
    call.speech_ends()
    call.passes(4_000)
    call.caller_says("yes I have a minute")
    return call


def test_a_stricter_threshold_makes_a_resume_of_what_was_cut() -> None:
    call = interrupted()
    trial = tried(call, changed(call.policy, "barge_in", **RELUCTANT))
    floor = [(each.at_ms, each.before, each.after) for each in trial.differences if each.kind == "floor"]
    assert floor == [(3_000, "cut", "resume")]
    assert trial.divergence is not None and trial.divergence.at_ms == 3_000


def test_and_the_other_way_round() -> None:
    reluctant = changed(sales_policy(), "barge_in", **RELUCTANT)
    call = interrupted(reluctant)
    trial = tried(call, sales_policy())
    assert [(each.before, each.after) for each in trial.differences if each.kind == "floor"] == [("resume", "cut")]


def test_the_same_decision_much_later_is_told_as_such_and_a_little_later_only_as_time() -> None:
    call = interrupted()
    much = tried(call, changed(call.policy, "barge_in", decision_window_ms=1_500))
    assert ("cut", "cut, 1000 ms later") in [(each.before, each.after) for each in much.differences]
    little = tried(call, changed(call.policy, "barge_in", decision_window_ms=700))
    assert (little.divergence, little.differences) == (None, [])
    assert little.after.times["decide"][0] - little.before.times["decide"][0] == 200
    assert tried(call, changed(call.policy, "barge_in", decision_window_ms=700), same_ms=100).divergence is not None


def test_what_the_caller_did_after_the_divergence_is_not_claimed_to_be_known() -> None:
    call = interrupted()
    later_ms = [event.onset_ms for _, event in read(call.journal).given if type(event).__name__ == "SpeechStarted"][1]
    trial = tried(call, changed(call.policy, "barge_in", **RELUCTANT))
    assert trial.known_until_ms == later_ms < trial.end_ms
    assert all(each.at_ms <= later_ms for each in trial.differences)
    assert trial.events < len(read(call.journal).steps) and not trial.whole


# --- agents -----------------------------------------------------------------------------------------------------------


class Forward(Agent):
    """Offers at every opportunity."""

    LINES = {"offer": "It is forty nine dollars. Do you want it?"}  # noqa: RUF012

    def propose(self, view: Any, reason: str) -> list[Proposal]:
        from offhook.policies.core.proposals import Purpose

        return [self.say(view, "offer", Purpose.OFFER, priority=0.99)] if reason == "turn_ended" else []


class Broken(Agent):
    def propose(self, view: Any, reason: str) -> list[Proposal]:
        raise ValueError(reason, view["turn"])


def test_another_agent_says_otherwise_and_nobody_knows_what_the_caller_would_have_answered(booked: Dialogue) -> None:
    policy = booked.policy.model_copy(
        update={"agents": {**booked.policy.agents, "forward": AgentSpec(code="tests:Forward")}}
    )
    forward = Forward("forward", policy.agents["forward"])
    trial = tried(booked, policy, agents={**agents(booked.policy), "forward": forward})
    first = next(each for each in trial.differences if each.kind == "said_otherwise")
    assert first.what == "say:offer" and first.pii_after.startswith("It is forty nine dollars")
    assert trial.divergence is not None and trial.divergence.at_ms == first.at_ms
    assert "act_lost" not in {each.kind for each in trial.differences}, "the booking lies beyond what can be known"


def test_an_agent_that_raises_is_named_once_and_the_call_goes_on(booked: Dialogue) -> None:
    broken = {**agents(booked.policy), "qualification": Broken("qualification", AgentSpec(code="tests:Broken"))}
    trial = tried(booked, booked.policy, agents=broken)
    faults = [each.what for each in trial.differences if each.kind == "fault"]
    assert faults == ["agent qualification raised ValueError"]
    assert trial.divergence is not None


def test_recorded_proposals_are_taken_where_no_agents_are_at_hand(booked: Dialogue) -> None:
    answers = sum(isinstance(decoded, AgentAnswered) for decoded in (step.event for step in read(booked.journal).steps))
    trial = backtest(read(booked.journal), needing(booked.policy, "book_meeting", readiness_share=0.99))
    assert [each.what for each in trial.differences if each.kind == "act_flipped"] == ["book_meeting"]
    assert 0 < trial.reused <= answers


# --- pieces -----------------------------------------------------------------------------------------------------------


def test_what_is_no_journal_is_refused(booked: Dialogue) -> None:
    for records in ([], booked.journal[:1], [booked.journal[5], booked.journal[2]]):
        with pytest.raises(JournalFault):
            read(records)


def test_differences_are_ranked_and_plain() -> None:
    small, great = (Difference(kind, 5, "x", "", "hold") for kind in ("floor", "act_gained"))
    assert great.rank > small.rank
    assert small.plain() == {"kind": "floor", "at_ms": 5, "what": "x", "before": "", "after": "hold"}
    assert (quantile([], 0.5), quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.99)) == (0, 2, 3)
