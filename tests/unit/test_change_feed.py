"""The change feed: what is new since a number, and what happens when something was missed."""

from __future__ import annotations

from offhook.actors.contracts.node_operations import Change, NodeFigures, NodeReport
from offhook.actors.node.change_feed import BEGAN, NOTES_MAX, STARTED, ChangeFeed
from offhook.actors.node.figures import DRIFTS_MIN, drift_ms


def since(change_feed: ChangeFeed, life: int, number: int) -> NodeReport:
    return change_feed.since(life, number, NodeFigures())


def test_what_is_new_is_told_once_and_again_where_the_answer_was_lost() -> None:
    change_feed = ChangeFeed()
    change_feed.note(Change(BEGAN, "a", "acme"))
    change_feed.note(Change(STARTED, took_s=2.5))
    told = since(change_feed, change_feed.life, 0)
    assert (told.changes, told.number, told.whole) == (
        (Change(BEGAN, "a", "acme"), Change(STARTED, took_s=2.5)),
        2,
        True,
    )
    assert since(change_feed, change_feed.life, 1).changes == (Change(STARTED, took_s=2.5),)
    assert since(change_feed, change_feed.life, 2).changes == ()


def test_who_knows_nothing_is_told_everything() -> None:
    change_feed = ChangeFeed()
    change_feed.note(Change(BEGAN, "a", "acme"))
    told = since(change_feed, 0, 0)
    assert (told.changes, told.whole, told.all) == ((Change(BEGAN, "a", "acme"),), False, True)


def test_another_life_and_a_gap_are_said() -> None:
    change_feed = ChangeFeed()
    assert not since(change_feed, change_feed.life - 1, 0).whole
    assert not since(change_feed, change_feed.life, 3).whole
    for _ in range(NOTES_MAX + 1):
        change_feed.note(Change(STARTED, took_s=1.0))
    assert not since(change_feed, change_feed.life, 0).whole
    missed = since(change_feed, 0, 0)
    assert (missed.whole, missed.all, len(missed.changes)) == (False, False, NOTES_MAX)
    assert len(since(change_feed, change_feed.life, 1).changes) == NOTES_MAX


def test_a_node_s_lag_is_what_nine_in_ten_of_its_calls_stay_below() -> None:
    assert drift_ms([90.0] * (DRIFTS_MIN - 1)) == 0.0
    assert drift_ms([1.0, 2.0, 3.0, 4.0, 90.0]) == 90.0
    assert drift_ms([*range(1, 20), 500.0]) == 18.0  # two of twenty may be late by themselves
