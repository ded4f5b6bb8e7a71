"""Tests that are looked at after every call: how often they raise a false alarm, and how soon a true one."""

from __future__ import annotations

import random
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offhook.policies.fleet import sequential

ALPHA = 0.05
STREAMS = 2_000


def alarms(seed: int, share: float, rates: tuple[float, float], calls: int, ratio_max: float = 1.0) -> list[int]:
    """Calls until the alarm of each stream, looked at after every call; 0 = none. The rate drifts over the day."""
    draws = random.Random(seed)
    least = sequential.needed(ALPHA)
    found = []
    for _ in range(STREAMS):
        marked = [0, 0]
        drift = draws.uniform(0.5, 1.5)
        at = 0
        for number in range(1, calls + 1):
            arm = int(draws.random() < share)
            rate = rates[arm] * (drift if number < calls // 2 else 2.0 - drift)
            if draws.random() < rate:
                marked[arm] += 1
                if sequential.ratio([(share, marked[1], marked[0])], ratio_max) >= least:
                    at = number
                    break
        found.append(at)
    return found


@pytest.mark.parametrize(("share", "rate"), [(0.05, 0.2), (0.25, 0.05), (0.5, 0.4)])
def test_a_candidate_that_is_as_good_is_rarely_accused(share: float, rate: float) -> None:
    accused = sum(map(bool, alarms(1, share, (rate, rate), 400)))
    assert accused / STREAMS <= ALPHA, accused


def test_one_that_is_worse_by_no_more_than_is_permitted_is_rarely_accused() -> None:
    accused = sum(map(bool, alarms(2, 0.25, (0.2, 0.3), 300, ratio_max=1.5)))
    assert accused / STREAMS <= ALPHA, accused


def test_one_that_is_better_is_hardly_ever_accused() -> None:
    assert sum(map(bool, alarms(3, 0.25, (0.2, 0.1), 300))) / STREAMS <= ALPHA / 5


def test_a_real_difference_is_found_and_a_great_one_soon() -> None:
    found = alarms(4, 0.25, (0.05, 0.25), 600)
    assert sum(map(bool, found)) / STREAMS > 0.95
    broken = sorted(alarms(5, 0.05, (0.0, 1.0), 400))
    assert broken[0] > 0, "every stream finds it"
    assert broken[STREAMS // 2] <= 80, "about three calls of the candidate, at one in twenty"


@pytest.mark.parametrize("limit", [0.01, 0.2])
def test_a_limit_that_is_kept_raises_no_alarm_and_one_that_is_not_does(limit: float) -> None:
    draws = random.Random(6)
    least = sequential.needed(ALPHA)
    accused = {1.0: 0, 4.0: 0}
    for times in accused:
        for _ in range(500):
            marked = 0
            for calls in range(1, 601):
                marked += draws.random() < limit * times
                if sequential.excess(marked, calls, limit) >= least:
                    accused[times] += 1
                    break
    assert accused[1.0] / 500 <= ALPHA, accused
    assert accused[4.0] / 500 > 0.9, accused


@given(
    spans=st.lists(
        st.tuples(st.floats(0.001, 0.999), st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=20
    )
)
def test_evidence_is_a_number_whatever_was_counted(spans: list[tuple[float, int, int]]) -> None:
    found = sequential.ratio(spans)
    assert found == found
    more = [(spans[0][0], spans[0][1] + 1, spans[0][2]), *spans[1:]]
    assert sequential.ratio(more) >= found, "a marked call of the candidate never speaks for it"


def test_nothing_counted_and_nothing_to_compare_with_is_no_evidence() -> None:
    assert sequential.ratio([]) == pytest.approx(0.0)
    assert sequential.ratio([(1.0, 50, 0)]) == pytest.approx(0.0)
    assert sequential.excess(0, 0, 0.5) == pytest.approx(0.0)


@given(share=st.floats(0.01, 0.9), ratio_max=st.floats(1.0, 10.0), rate=st.floats(0.0, 1.0))
def test_one_more_marked_call_is_a_fair_bet_at_the_edge_of_the_null(
    share: float, ratio_max: float, rate: float
) -> None:
    """The expected e-value of the next marked call is at most what it was: the supermartingale itself."""
    part = ratio_max * share / (ratio_max * share + 1.0 - share) * rate  # the candidate's part, under the null
    e_candidate = exp(sequential.ratio([(share, 1, 0)], ratio_max))
    e_baseline = exp(sequential.ratio([(share, 0, 1)], ratio_max))
    assert part * e_candidate + (1.0 - part) * e_baseline <= 1.0 + 1e-9
