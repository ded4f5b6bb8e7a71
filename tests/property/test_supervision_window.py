"""The restart window: whatever happens, no more than the intensity within any period."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from offhook.policies.fleet.supervision import Act, ChildSpec, decide


@given(
    st.lists(st.integers(min_value=0, max_value=3_000), max_size=60),
    st.integers(min_value=0, max_value=6),
    st.integers(min_value=1, max_value=10_000),
)
def test_no_period_holds_more_restarts_than_the_intensity(gaps: list[int], intensity: int, period_ms: int) -> None:
    spec = ChildSpec(intensity=intensity, period_ms=period_ms)
    history: tuple[int, ...] = ()
    restarts: list[int] = []
    now_ms = 0
    for gap in gaps:
        now_ms += gap
        decision = decide(history, now_ms, spec, "crash")
        if decision.act is Act.RESTART:
            history = decision.history
            restarts.append(now_ms)
        else:
            assert sum(now_ms - at <= period_ms for at in restarts) >= intensity
    for at in restarts:
        assert sum(at <= other <= at + period_ms for other in restarts) <= intensity


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_the_history_does_not_matter(history: list[int], chance: object) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    spec = ChildSpec(intensity=3, period_ms=2_000)
    assert decide(tuple(history), 10_000, spec, "x") == decide(tuple(shuffled), 10_000, spec, "x")
