"""Thousands of whole calls on virtual time, with faults, under every checker.

A failure prints the seed's own command: `offhook simulate --calls 1 --seed S`. More calls, by the same code:
`offhook simulate --calls 100000`.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from offhook.policies.conversation.swap import unsafe
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.gate import case, rules
from offhook.policies.simulation import absent, faults, run, swaps
from offhook.policies.simulation.meaning import Meant
from offhook.policies.simulation.run import Played, simulate

CALLS = 5_000
SLICES = 10  # so that a slow machine reports progress, and a failure comes early
EVENTS_A_CALL_MAX = 200  # what keeps 5,000 calls, each folded twice and watched, within 120 s of one core


@pytest.mark.parametrize("part", range(SLICES))
def test_no_call_breaks_a_promise(part: int) -> None:
    calls = CALLS // SLICES
    report = simulate(calls=calls, seed=1 + part * calls)
    assert not report.failures, "\n".join(report.lines()[:20])
    assert report.calls == calls
    assert 50 < report.events / calls < EVENTS_A_CALL_MAX


def test_a_flawless_world_has_no_failure_either() -> None:
    report = simulate(calls=200, seed=90_001, fault_share=0.0)
    assert not report.failures, "\n".join(report.lines()[:20])
    assert report.outcomes["line_lost"] == 0


def test_three_times_the_bad_luck_breaks_nothing() -> None:
    report = simulate(calls=300, seed=70_001, fault_share=3.0)
    assert not report.failures, "\n".join(report.lines()[:20])


@pytest.mark.parametrize("forced", [0.0, 1.0])
def test_a_thousand_swaps_at_safe_points_and_as_many_forced_ones_break_nothing(
    forced: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "POLICY_SWAP", 1.0)
    monkeypatch.setattr(faults, "SWAP_FORCED", forced)
    monkeypatch.setattr(swaps, "DEADLINE_MS", (0, 0))
    at: Counter[str] = Counter()
    done = undone = 0
    for seed in range(200_001, 201_101):
        world, found = run.assembled(seed)
        world.run(run.HORIZON_MS)
        found.at_the_end(world)
        assert not found.violations, f"seed {seed}: {found.violations[0]}"
        before = world.records[0].state
        for record in world.records:
            if isinstance(record.event, ev.PolicyChanged):
                done += 1
                undone += record.event.reason != ""
                at[unsafe(before) if not record.event.reason else "undone"] += 1
            before = record.state
        assert run.replayed(f"sim-{seed}", world.records) is None
    assert done > 1_000
    assert undone > 100
    if not forced:
        assert set(at) == {"", "undone"}, at
    else:
        assert {"an utterance is under way", "a round of proposals is open"} <= set(at), at


def test_the_same_seed_is_the_same_call() -> None:
    calls: list[Played] = []
    simulate(calls=3, seed=42, progress=calls.append)
    again = [run.play(seed) for seed in (42, 43, 44)]
    assert calls == again
    assert calls[1].repeat == "offhook simulate --calls 1 --seed 43"


WANTED = 4_000  # calls within which everything must have happened; most of it does in a few hundred
ENDINGS = (
    *("caller_hung_up", "call_limit", "line_lost", "no_answer", "silence", "requested", "transferred"),
    *("booked", "goodbye", "stopped", "declined", "details_sent", "callback"),
)
OPERATORS = ("asked", "approved", "refused", "expired")
FATES = ("done", "failed", "withdrawn", "regretted")  # of what cannot be undone


def test_the_calls_go_where_calls_go() -> None:
    """Coverage: every event, every command, every rule's refusal, every way to end and every fate of an act."""
    missing: dict[str, set[object]] = {
        "event": {kind for kind in vars(ev).values() if isinstance(kind, type) and issubclass(kind, ev.Event)},
        "command": {kind for kind in vars(cmd).values() if isinstance(kind, type) and issubclass(kind, cmd.Command)},
        "refusal by rule": set(rules.RULES),
        "ending": set(ENDINGS),
        "operator": set(OPERATORS),
        "fate": set(FATES),
        "meaning": set(Meant),
    }
    missing["event"].discard(ev.Event)
    missing["command"].discard(cmd.Command)
    for seed in range(1, 1 + WANTED):
        world = run.assembled(seed)[0]
        world.run(run.HORIZON_MS)
        missing["ending"].discard(world.state.outcome)
        missing["meaning"].difference_update(uttered.meant for uttered in world.uttered)
        for act in world.state.authority.acts:
            missing["fate"].discard("regretted" if act.regretted else case.outcome_of(act))
        for record in world.records:
            missing["event"].discard(type(record.event))
            _cross_off(missing, record.commands)
        if not any(missing.values()):
            return
    raise AssertionError(f"not in {WANTED} calls: { {what: left for what, left in missing.items() if left} }")


def _cross_off(missing: dict[str, set[object]], commands: tuple[cmd.Command, ...]) -> None:
    for command in commands:
        missing["command"].discard(type(command))
        if isinstance(command, cmd.RecordVerdict):
            refused = (result.rule for result in command.verdict.rules if not result.ok)
            missing["refusal by rule"].difference_update(refused)
        elif isinstance(command, cmd.Publish) and command.topic == "approval":
            missing["operator"].discard(command.body["what"])


@pytest.mark.parametrize("kind", sorted(absent.KINDS))
def test_a_line_on_which_nobody_is_ends_within_the_limits_of_the_policy(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is to be heard on it, and however long the call itself may be."""
    monkeypatch.setattr(absent, "SHARE", 1.0)
    monkeypatch.setattr(absent, "COMES", 0.0)
    monkeypatch.setattr(absent, "KINDS", {kind: absent.KINDS[kind]})
    outcomes: Counter[str] = Counter()
    for seed in range(300_001, 300_041):
        drawn = run.drawn_policy(random.Random(seed))
        lasting = drawn.model_copy(update={"limits": drawn.limits.model_copy(update={"call_ms": 3_600_000})})
        world, found = run.assembled(seed, policy=lasting)
        world.run(run.HORIZON_MS)
        assert not found.violations, f"seed {seed}: {found.violations[0]}"
        assert world.over, f"seed {seed}: after {run.HORIZON_MS} ms the call goes on"
        outcomes[world.state.outcome] += 1
    told = {"menu": "menu", "silent": "silence", "television": "nobody_there"}
    assert outcomes.most_common(1)[0][0] == told.get(kind, "on_hold"), outcomes


def test_a_person_who_comes_late_is_served() -> None:
    """Of the lines on which nobody was at first, some end as calls with people do."""
    outcomes: Counter[str] = Counter()
    for seed in range(1, 1_201):
        world = run.assembled(seed)[0]
        world.run(run.HORIZON_MS)
        came = any(isinstance(getattr(look, "__self__", None), absent.Absent) for look in world.watch)
        if came and world.nobody_since_ms < 0:
            outcomes[world.state.outcome] += 1
    assert set(outcomes) & {"caller_hung_up", "booked", "stopped", "goodbye", "transferred"}, outcomes
