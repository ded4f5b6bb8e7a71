"""The checkers can fail: each promise is broken on purpose, and each breach is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from offhook.policies.conversation import limits, machine, presence, silence
from offhook.policies.core.commands import Perform
from offhook.policies.core.draft import Draft
from offhook.policies.core.proposals import Grant
from offhook.policies.gate import acts, rules
from offhook.policies.simulation import checkers, run
from offhook.policies.simulation.run import simulate
from offhook.policies.simulation.world import Record, World
from offhook.policies.speech import speaking

CALLS = 120
SEED = 500
Break = Callable[[pytest.MonkeyPatch], None]


def _always(*_: Any) -> tuple[str, str, bool]:
    return "anything", "anything", True


def _never(*_: Any, **__: Any) -> None:
    return None


def stale_proposals_pass(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(rules.RULES, "fresh", _always)
    patch.setitem(rules.RULES, "unanswered", _always)
    patch.setitem(rules.RULES, "lifetime", _always)


def nobody_waits_for_the_floor(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(rules.RULES, "floor", _always)


def the_caller_is_talked_over(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(speaking, "hold", _never)


def grants_live_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(speaking, "release", _never)


def acts_are_carried_out_twice(patch: pytest.MonkeyPatch) -> None:
    leave = acts._leave

    def twice(draft: Draft, grant: Grant) -> None:
        before = len(draft.commands)
        leave(draft, grant)
        draft.commands.extend([command for command in draft.commands[before:] if isinstance(command, Perform)])

    patch.setattr(acts, "_leave", twice)


def fired_timers_stay_armed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_forget_timer", _never)


def nobody_hangs_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "_hang_up", _never)


def recordings_are_talked_to_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("offhook.policies.simulation.absent.SHARE", 0.5)
    patch.setattr(presence, "_enter", _never)
    patch.setattr(silence, "_climb", _never)


def a_transfer_is_waited_for_in_vain(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("offhook.policies.simulation.faults.TRANSFER_UNANSWERED", 1.0)
    patch.setattr(acts, "TRANSFER_TIMER", "limits.warning")


def nobody_minds_a_silence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(silence, "begin", _never)
    patch.setattr(silence, "resume", _never)


def a_swap_fences_nothing(patch: pytest.MonkeyPatch) -> None:
    """And old answers count as fresh: the former version's agents are heard under the latter."""
    patch.setattr("offhook.policies.simulation.faults.POLICY_SWAP", 1.0)
    patch.setattr("offhook.policies.simulation.faults.AGENT_SLOW", 0.5)
    stale_proposals_pass(patch)


@pytest.mark.parametrize(
    ("broken", "checker"),
    [
        (stale_proposals_pass, "no act on stale evidence"),
        (a_swap_fences_nothing, "never two versions act"),
        (nobody_waits_for_the_floor, "one floor holder"),
        (the_caller_is_talked_over, "one floor holder"),
        (acts_are_carried_out_twice, "no double act"),
        (grants_live_for_ever, "no speech without a live grant"),
        (fired_timers_stay_armed, "every deadline fires once"),
        (nobody_hangs_up, "a call always ends"),
        (recordings_are_talked_to_for_ever, "no wait without an end"),
    ],
)
def test_a_broken_promise_is_found(broken: Break, checker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    report = simulate(calls=CALLS, seed=SEED)
    found = {violation.checker for played in report.failures for violation in played.violations}
    assert checker in found, f"not found; instead: {found}"
    assert "offhook simulate --calls 1 --seed " in report.lines()[0]


def test_a_transfer_without_an_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    a_transfer_is_waited_for_in_vain(monkeypatch)
    report = simulate(calls=6 * CALLS, seed=SEED)
    assert any("a transfer is not answered" in line for line in report.lines())


def test_dead_air_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_minds_a_silence(monkeypatch)
    report = simulate(calls=3 * CALLS, seed=SEED)
    assert any("nothing was heard" in line for line in report.lines())


def test_a_replay_that_differs_is_found() -> None:
    world, _ = run.assembled(7)
    world.run(run.HORIZON_MS)
    assert checkers.replayed("sim-7", world.records) is None
    number = next(at for at, record in enumerate(world.records) if record.commands)
    record = world.records[number]
    world.records[number] = Record(record.event, record.policy, record.commands[1:], record.state)
    found = checkers.replayed("sim-7", world.records)
    assert found is not None and found.checker == "replay gives the same commands"


def test_an_exception_is_a_violation_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_world: World) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(run, "_take_over", fails)
    monkeypatch.setattr("offhook.policies.simulation.faults.TAKEOVER", 1.0)
    report = simulate(calls=5, seed=1)
    assert any("RuntimeError: broken on purpose" in line and "--seed" in line for line in report.lines())
