"""A rollout without a cluster: its moves, its arms, its guards."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offhook.policies.core.errors import IllegalMove
from offhook.policies.fleet import rollout as rules
from offhook.policies.fleet.rollout import MOVES, UNDER_WAY, WORDS, Guard, Plan, Rollout, Stage
from pydantic import ValidationError


def rollout(**plan: Any) -> Rollout:
    plan.setdefault("steps", ({"share": 0.05}, {"share": 0.25}))
    plan.setdefault("calls_min", 10)
    plan.setdefault("step_ms", 1_000)
    return Rollout(policy="sales", number=3, baseline="v1", candidate="v2", plan=Plan.model_validate(plan))


def begun(**plan: Any) -> Rollout:
    return rules.begun(rollout(**plan), 1_000)


def counted(found: Rollout, arm: int, calls: int, **marks: int) -> Rollout:
    return rules.counted(found, found.step, arm, calls, calls, marks)


def test_it_goes_from_shadow_over_the_steps_to_live_when_each_has_seen_enough() -> None:
    found = begun(shadow=True, shadow_calls_min=5, promote=True)
    stages = [found.stage]
    assert rules.ticked(found, 9_000) is found
    found = rules.ticked(rules.shadowed(found, 5, {"diverged": 1}), 10_000)
    for _ in found.plan.steps:
        stages.append(found.stage)
        assert found.tallies[-1].share == found.plan.steps[found.step].share
        assert rules.ticked(found, 99_000) is found, "no calls yet"
        found = counted(counted(found, 0, 100), 1, 10)
        assert rules.ticked(found, found.since_unix_ms + 999) is found, "not for long enough"
        found = rules.ticked(found, found.since_unix_ms + 1_000)
    assert [*stages, found.stage] == [Stage.SHADOW, Stage.CANARY, Stage.CANARY, Stage.LIVE]
    assert [note.why for note in found.history][:2] == ["started", "5 calls shadowed, 1 diverged"]
    assert found.history[2].why == "10 calls at 0.05 of all, no guard objects"
    assert not found.under_way


def test_without_promote_the_last_step_waits_for_an_operator() -> None:
    found = counted(begun(steps=({"share": 0.5},)), 1, 100)
    assert rules.ticked(found, 1 << 50) is found
    assert rules.moved(found, "promote", 2_000, "promote by ann").stage is Stage.LIVE


def test_a_paused_rollout_gives_no_call_to_the_candidate_and_goes_on_where_it_was() -> None:
    found = begun()
    paused = rules.moved(found, "pause", 2_000, "pause by ann")
    assert rules.arm_of(paused, "any", "inbound", "+1") is None
    assert rules.moved(paused, "resume", 3_000, "resume by ann").stage is Stage.CANARY
    shadow = rules.moved(begun(shadow=True), "pause", 2_000, "x")
    assert rules.moved(shadow, "resume", 3_000, "x").stage is Stage.SHADOW
    worse = counted(paused, 1, 40, failed=40)
    assert rules.ticked(worse, 4_000).stage is Stage.ROLLED_BACK, "its calls go on, and so do the guards"


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("word", [*WORDS, "alarm", "widen", "shadow"])
def test_what_is_no_row_of_the_table_changes_nothing_and_says_what_can_be_done(stage: Stage, word: str) -> None:
    found = rollout().model_copy(update={"stage": stage, "step": 0})
    if (stage, word) in MOVES:
        assert rules.moved(found, word, 1, "x").history
    else:
        with pytest.raises(IllegalMove, match=f"sales-3 is {stage}: it cannot {word}"):
            rules.moved(found, word, 1, "x")


def test_every_stage_that_is_under_way_can_be_left_by_an_alarm_or_an_order() -> None:
    for stage in UNDER_WAY - {Stage.PUBLISHED}:
        assert (stage, "abort") in MOVES and (stage, "alarm") in MOVES


# --- arms -------------------------------------------------------------------------------------------------------------


@given(call=st.text(min_size=1, max_size=30), shares=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=6))
def test_a_call_that_is_in_stays_in_as_the_share_grows(call: str, shares: list[float]) -> None:
    steps = tuple({"share": share} for share in sorted(set(shares)))
    found = begun(steps=steps)
    arms = []
    for _ in steps:
        arm = rules.arm_of(found, call, "inbound", "")
        assert arm == rules.arm_of(found, call, "inbound", "")
        arms.append(arm)
        if found.step + 1 < len(steps):
            found = rules.moved(found, "widen", 1, "x")
    assert arms == sorted(arms)  # type: ignore[type-var]


def test_the_share_is_what_was_asked_for_and_another_rollout_draws_other_calls() -> None:
    found = begun(steps=({"share": 0.25},))
    other = found.model_copy(update={"number": 4})
    calls = [f"call-{number}" for number in range(20_000)]
    mine = {call for call in calls if rules.arm_of(found, call, "inbound", "")}
    others = {call for call in calls if rules.arm_of(other, call, "inbound", "")}
    assert abs(len(mine) / len(calls) - 0.25) < 0.01
    assert abs(len(mine & others) / len(mine) - 0.25) < 0.03


def test_only_calls_of_the_direction_and_the_numbers_are_in_it() -> None:
    found = begun(direction="inbound", numbers="+49*", steps=({"share": 0.999},))
    arms = [
        rules.arm_of(found, "c", *call) for call in (("inbound", "+4930"), ("outbound", "+4930"), ("inbound", "+1"))
    ]
    assert arms == [1, None, None]


# --- guards -----------------------------------------------------------------------------------------------------------


def test_a_candidate_that_always_fails_is_rolled_back_after_a_few_calls_with_the_numbers() -> None:
    found = counted(begun(), 0, 200, hung_up=30)
    calls = 0
    while found.stage is Stage.CANARY and calls < 50:
        found = counted(found, 1, 1, failed=1)
        found = rules.ticked(found, 1_000)
        calls += 1
    assert found.stage is Stage.ROLLED_BACK
    assert calls <= 5
    assert found.reason.startswith(f"failed: {calls} of {calls} calls of the candidate, 0 of 200 of the baseline")
    assert "an agent raised" in found.reason


def test_a_limit_and_the_shadows_faults_roll_back_too() -> None:
    found = begun(shadow=True, guards=({"mark": "faulted", "limit_share": 0.01}, {"mark": "diverged", "limit": "50 %"}))
    assert rules.ticked(rules.shadowed(found, 4, {"diverged": 2}), 2_000).stage is Stage.SHADOW
    back = rules.ticked(rules.shadowed(found, 4, {"diverged": 2, "faulted": 4}), 2_000)
    assert (back.stage, back.reason.partition(";")[0]) == (
        Stage.ROLLED_BACK, "faulted: 4 of 4 calls, at most 0.01 of them allowed (the candidate raised, in shadow)",
    )  # fmt: skip
    limited = counted(begun(guards=({"mark": "denied", "limit_share": 0.1},)), 1, 20, denied=20)
    assert "at most 0.1 of them allowed" in rules.alarm(limited)


def test_counts_belong_to_the_step_in_which_the_call_was_drawn() -> None:
    found = counted(begun(), 1, 10, late=2)
    found = rules.moved(found, "widen", 2_000, "x")
    found = rules.counted(found, 0, 1, 0, 1, {"late": 1})
    found = rules.counted(found, 7, 1, 9, 9, {"late": 9})
    assert [counters.marks.get("late") for counters in found.tallies] == [(0, 3), None]
    assert found.tallies[0].ended == (0, 11)


def test_a_plan_says_what_is_wrong_with_it() -> None:
    for wrong, words in (
        ({"steps": [{"share": 0.2}, {"share": 0.1}]}, "do not grow"),
        ({"steps": [{"share": 1.0}]}, "less than 1"),
        ({"guards": [{"mark": "loud"}]}, "allowed: failed|allowed: "),
        ({"guards": [{"mark": "diverged"}]}, "give it a limit"),
        ({"step": 5}, "units"),
        ({"autonomy": "free"}, "observe"),
    ):
        with pytest.raises(ValidationError, match=words):
            Plan.model_validate(wrong)
    assert Plan.model_validate({"step": "5 min"}).step_ms == 300_000
    assert Guard.model_validate({"mark": "denied", "limit": "20 %"}).limit_share == pytest.approx(0.2)


def test_a_rollout_is_the_same_after_a_way_through_json() -> None:
    found = counted(begun(shadow=False, live={"deadline": "5 s"}), 1, 3, failed=1)
    assert Rollout.model_validate_json(found.model_dump_json()) == found


def test_steps_with_less_autonomy_are_versions_of_their_own() -> None:
    found = begun(steps=({"share": 0.1, "autonomy": "suggest"}, {"share": 0.5, "autonomy": "approve"}))
    assert found.versions() == ("v2+suggest", "v2+approve", "v2")
    assert found.version_of(0) == "v2+suggest"
