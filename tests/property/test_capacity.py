"""Erlang's formula and the plan, at loads that no table prints."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from offhook.policies.fleet.capacity import (
    Goals,
    Lead,
    Traffic,
    erlang_b,
    observe,
    plan,
    poisson_quantile,
    servers_for,
    settle,
    share_out,
)

loads = st.floats(0.001, 5_000.0)
goals = st.sampled_from([0.0001, 0.001, 0.01, 0.05, 0.2])


@given(loads, st.integers(0, 6_000))
def test_blocking_falls_with_servers_and_rises_with_load(load: float, servers: int) -> None:
    here = erlang_b(load, servers)
    assert 0.0 <= here <= 1.0
    assert erlang_b(load, servers + 1) <= here * (1 + 1e-12)
    assert erlang_b(load * 1.01, servers) >= here * (1 - 1e-12)
    assert load * (1.0 - here) <= servers + 1e-6, "more is carried than there are servers"


@given(loads, goals)
def test_the_fewest_servers_are_the_fewest(load: float, goal: float) -> None:
    servers = servers_for(load, goal)
    assert erlang_b(load, servers) <= goal * (1 + 1e-9)
    assert servers == 0 or erlang_b(load, servers - 1) > goal * (1 - 1e-9)


@given(st.floats(0.0, 3_000.0), st.sampled_from([0.5, 0.9, 0.99, 0.999, 0.9999]))
def test_the_poisson_quantile_is_the_smallest_that_reaches_its_share(mean: float, share: float) -> None:
    count = poisson_quantile(mean, share)
    if mean <= 1_000.0:
        assert _poisson_below(mean, count) >= share - 1e-9
        assert count == 0 or _poisson_below(mean, count - 1) < share + 1e-9
    else:
        assert abs(_poisson_below(mean, count) - share) < 0.02


def _poisson_below(mean: float, count: int) -> float:
    if mean == 0.0:
        return 1.0
    return math.fsum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count + 1))


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0.5, 30.0)), max_size=50), st.integers(0, 3_000))
def test_a_plan_holds_what_is_live_within_its_bounds(looks: list[tuple[int, float]], live: int) -> None:
    traffic = Traffic()
    for arrivals, span_s in looks:
        traffic = observe(traffic, arrivals, span_s)
    assert traffic.rate_per_s >= 0.0 and traffic.offered >= 0.0
    wanted = Goals(slots_per_node=50, nodes_min=1, nodes_max=100_000)
    found = plan(traffic, live, Lead(), wanted)
    assert found.slots >= found.warm >= live
    assert found.nodes * 50 >= found.slots
    assert found.spares >= wanted.spares_min


@given(st.lists(st.tuples(st.floats(0.1, 300.0), st.integers(0, 50)), min_size=1, max_size=60))
def test_a_settled_number_is_the_most_of_the_calm_time(steps: list[tuple[float, int]]) -> None:
    now_s, history, seen = 0.0, (), []
    for gap_s, nodes in steps:
        now_s += gap_s
        seen.append((now_s, nodes))
        history, settled = settle(history, now_s, nodes, 600.0)
        assert settled == max(number for at, number in seen if now_s - at < 600.0)


@settings(max_examples=200)
@given(st.integers(0, 200), st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 40), max_size=8))
def test_shares_fit_and_are_even(total: int, room: dict[str, int]) -> None:
    shares = share_out(total, room)
    assert sum(shares.values()) == min(total, sum(room.values()))
    assert all(0 <= shares[node] <= room[node] for node in room)
    unfilled = [shares[node] for node in room if shares[node] < room[node]]
    assert not unfilled or max(unfilled) - min(unfilled) <= 1
    assert not unfilled or all(share <= max(unfilled) + 1 for share in shares.values())
