"""Supervision in OTP's semantics: who is restarted, how often, and when it is given up."""

from __future__ import annotations

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.supervision import Act, ChildSpec, Restart, decide


@pytest.mark.parametrize(
    ("restart", "reason", "act"),
    [
        (Restart.PERMANENT, "normal", Act.RESTART),
        (Restart.PERMANENT, "killed", Act.RESTART),
        (Restart.TRANSIENT, "normal", Act.STOP),
        (Restart.TRANSIENT, "shutdown", Act.STOP),
        (Restart.TRANSIENT, "killed", Act.RESTART),
        (Restart.TEMPORARY, "killed", Act.STOP),
        (Restart.TEMPORARY, "normal", Act.STOP),
    ],
)
def test_the_restart_type_decides_what_an_end_means(restart: Restart, reason: str, act: Act) -> None:
    assert decide((), 0, ChildSpec(restart), reason).act is act


def test_more_restarts_than_the_intensity_within_the_period_give_up() -> None:
    spec = ChildSpec(intensity=2, period_ms=1_000)
    history: tuple[int, ...] = ()
    acts = []
    for now_ms in (0, 400, 800):
        decision = decide(history, now_ms, spec, "crash")
        history = decision.history
        acts.append(decision.act)
    assert acts == [Act.RESTART, Act.RESTART, Act.GIVE_UP]
    assert "3 restarts within 1000 ms, 2 allowed" in decision.why


def test_restarts_older_than_the_period_are_forgotten() -> None:
    spec = ChildSpec(intensity=1, period_ms=1_000)
    decision = decide((0,), 1_001, spec, "crash")
    assert decision.act is Act.RESTART and decision.history == (1_001,)
    assert decide((0,), 1_000, spec, "crash").act is Act.GIVE_UP, "exactly the period ago still counts"


def test_an_intensity_of_zero_never_restarts() -> None:
    assert decide((), 0, ChildSpec(intensity=0), "crash").act is Act.GIVE_UP


def test_an_end_that_is_not_restarted_leaves_the_history_alone() -> None:
    assert decide((5, 3), 10, ChildSpec(Restart.TEMPORARY), "crash").history == (5, 3)


def test_a_window_that_cannot_be_counted_is_refused() -> None:
    with pytest.raises(CallerFault, match="period_ms is 1 or more"):
        ChildSpec(period_ms=0)
    with pytest.raises(CallerFault, match="intensity is 0 or more"):
        ChildSpec(intensity=-1)
