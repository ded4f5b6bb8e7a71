"""The tally: what is new since a number, and what happens when something was missed."""

from __future__ import annotations

from offhook.actors.node.figures import DRIFTS_MIN, drift_ms
from offhook.actors.node.tally import BEGAN, NOTES_MAX, STARTED, Tally


def test_what_is_new_is_told_once_and_again_where_the_answer_was_lost() -> None:
    tally = Tally()
    tally.note(BEGAN, "a", "acme")
    tally.note(STARTED, 2.5)
    told = tally.since(tally.life, 0)
    assert (told["notes"], told["number"], told["whole"]) == ([[BEGAN, "a", "acme"], [STARTED, 2.5]], 2, True)
    assert tally.since(tally.life, 1)["notes"] == [[STARTED, 2.5]]
    assert tally.since(tally.life, 2)["notes"] == []


def test_who_knows_nothing_is_told_everything() -> None:
    tally = Tally()
    tally.note(BEGAN, "a", "acme")
    told = tally.since(0, 0)
    assert (told["notes"], told["whole"], told["all"]) == ([[BEGAN, "a", "acme"]], False, True)


def test_another_life_and_a_gap_are_said() -> None:
    tally = Tally()
    assert not tally.since(tally.life - 1, 0)["whole"]
    assert not tally.since(tally.life, 3)["whole"]
    for _ in range(NOTES_MAX + 1):
        tally.note(STARTED, 1.0)
    assert not tally.since(tally.life, 0)["whole"]
    missed = tally.since(0, 0)
    assert (missed["whole"], missed["all"], len(missed["notes"])) == (False, False, NOTES_MAX)
    assert len(tally.since(tally.life, 1)["notes"]) == NOTES_MAX


def test_a_node_s_lag_is_what_nine_in_ten_of_its_calls_stay_below() -> None:
    assert drift_ms([90.0] * (DRIFTS_MIN - 1)) == 0.0
    assert drift_ms([1.0, 2.0, 3.0, 4.0, 90.0]) == 90.0
    assert drift_ms([*range(1, 20), 500.0]) == 18.0  # two of twenty may be late by themselves
