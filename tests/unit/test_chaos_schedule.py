"""A schedule of faults: the same seed, the same strikes; nothing that the system could not recover from in between."""

from __future__ import annotations

import itertools

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.simulation.chaos import FAULTS, FIRST_MS, LAST_MS, UNNAMED, schedule


def test_the_same_seed_gives_the_same_strikes_and_another_one_others() -> None:
    assert schedule(7, 60_000) == schedule(7, 60_000)
    assert schedule(7, 60_000) != schedule(8, 60_000)


def test_strikes_leave_the_calls_time_to_begin_to_recover_and_to_show_it() -> None:
    for seed in range(50):
        strikes = schedule(seed, 120_000, per_minute=60)
        assert strikes
        for strike in strikes:
            low, high = FAULTS[strike.fault].lasts_ms
            assert low <= strike.lasts_ms <= high
            assert strike.at_ms > FIRST_MS and strike.at_ms + strike.lasts_ms <= 120_000 - LAST_MS
            assert 0 <= strike.draw < 1
        for one, two in itertools.pairwise(strikes):
            assert two.at_ms - one.at_ms >= one.lasts_ms + FAULTS[one.fault].rest_ms


def test_every_fault_of_the_table_comes_up() -> None:
    assert {strike.fault for seed in range(30) for strike in schedule(seed, 120_000)} == set(UNNAMED)
    assert {strike.fault for strike in schedule(1, 60_000, ["store_kill"])} == {"store_kill"}
    assert set(FAULTS) - set(UNNAMED) == {"store_kill"}
    assert {strike.fault for strike in schedule(1, 60_000, ["call_kill"])} == {"call_kill"}


def test_what_cannot_be_scheduled_is_said() -> None:
    with pytest.raises(CallerFault, match="no such fault: flood; known are call_kill"):
        schedule(1, 60_000, ["flood"])
    with pytest.raises(CallerFault, match="a pace"):
        schedule(1, 60_000, per_minute=0)


def test_the_report_lists_faults_counts_and_what_was_not_held_with_the_command_that_repeats_it() -> None:
    from offhook.serve.chaos.run import Run
    from offhook.serve.cli.cli_chaos import text

    run = Run(seed=7, seconds=30, calls=2, faults=("call_kill",))
    struck = {"at_ms": 4_000, "fault": "call_kill", "target": "process 7 of c1", "missed": ""}
    missed = {"at_ms": 9_000, "fault": "call_kill", "target": "", "missed": "there is no live call"}
    report = {"seed": 7, "calls": 3, "struck": [struck, missed], "counts": {"records": 1_234}, "repeat": run.command()}
    assert "everything is accounted for" in text({**report, "violations": []})
    violation = {"call": "c1", "checker": "one live epoch", "at_ms": 5_000, "message": "seq 3 at epoch 1 after epoch 2"}
    told = text({**report, "violations": [violation]})
    assert "process 7 of c1" in told and "not done: there is no live call" in told and "1,234  records" in told
    assert "NOT HELD  one live epoch: seq 3 at epoch 1 after epoch 2 (c1 at 5000 ms)" in told
    assert told.endswith(
        "1 violations; again: offhook chaos --seed=7 --seconds=30 --calls=2 --per-minute=12 --gap-ms-max=200"
        " --fault=call_kill"
    )
    with pytest.raises(CallerFault, match="10 to 86400 seconds"):
        Run(seconds=1)
