"""Capacity: Erlang's published tables, the load that lies ahead, and plans that follow from both."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.capacity import (
    Goals,
    Lead,
    Traffic,
    ended,
    erlang_b,
    load_ahead,
    observe,
    plan,
    poisson_quantile,
    servers_for,
    settle,
    share_out,
)

# Traffic in erlangs by servers and blocking, as the Erlang B tables print it (e.g. R. L. Freeman, "Telecommunication
# System Engineering"; the "Full Availability" tables of T. Frankel): three significant digits.
TABLE = {
    0.001: {1: 0.001, 2: 0.0458, 5: 0.762, 10: 3.09, 20: 9.41, 50: 32.5, 100: 75.2},
    0.01: {1: 0.0101, 2: 0.153, 3: 0.455, 5: 1.36, 10: 4.46, 15: 8.11, 20: 12.0, 30: 20.3, 50: 37.9, 100: 84.1},
    0.02: {1: 0.0204, 5: 1.66, 10: 5.08, 20: 13.2, 30: 21.9, 50: 40.3, 100: 88.0},
    0.05: {1: 0.0526, 10: 6.22, 20: 15.2, 100: 95.2},
}
ROWS = [(goal, servers, load) for goal, column in TABLE.items() for servers, load in column.items()]


@pytest.mark.parametrize(("goal", "servers", "load"), ROWS)
def test_erlang_b_agrees_with_the_tables(goal: float, servers: int, load: float) -> None:
    """The tables give three digits: the load at which one server more is needed lies within them."""
    assert servers_for(load * 0.994, goal) <= servers < servers_for(load * 1.006, goal)


@pytest.mark.parametrize(
    ("load", "servers"), [(1_400.0, 1_450), (9_000.0, 9_100), (50_000.0, 49_000), (50_000, 50_300)]
)
def test_the_sum_for_large_systems_is_the_recursion(load: float, servers: int) -> None:
    blocking = 1.0
    for number in range(1, servers + 1):
        blocking = load * blocking / (number + load * blocking)
    assert erlang_b(load, servers) == pytest.approx(blocking, rel=1e-10)


def test_what_cannot_be_is_refused() -> None:
    for call in (
        lambda: erlang_b(-1, 2),
        lambda: erlang_b(math.inf, 2),
        lambda: erlang_b(1, -2),
        lambda: servers_for(1, 0),
        lambda: servers_for(1, 1),
        lambda: poisson_quantile(-1, 0.5),
        lambda: poisson_quantile(1, 1),
        lambda: observe(Traffic(), -1, 1),
        lambda: observe(Traffic(), 1, 0),
    ):
        with pytest.raises(CallerFault):
            call()


@pytest.mark.parametrize(
    ("mean", "share", "count"), [(0, 0.999, 0), (1, 0.95, 3), (5, 0.95, 9), (10, 0.99, 18), (20, 0.999, 35)]
)
def test_poisson_quantiles_agree_with_the_tables(mean: float, share: float, count: int) -> None:
    assert poisson_quantile(mean, share) == count


def test_the_quantile_is_continuous_where_its_method_changes() -> None:
    assert poisson_quantile(1_000.0, 0.999) <= poisson_quantile(1_000.001, 0.999) + 1
    assert abs(poisson_quantile(1_000.0, 0.999) - poisson_quantile(1_000.001, 0.999)) <= 1


def test_a_steady_load_stays_and_a_started_one_rises_by_its_holding_time() -> None:
    steady = Traffic(rate_per_s=1.0, holding_s=180.0)
    assert load_ahead(steady, 180, 90) == pytest.approx(180)
    assert load_ahead(steady, 0, 180) == pytest.approx(180 * (1 - math.exp(-1)))
    assert load_ahead(replace(steady, rate_per_s=0.0), 100, 180) == pytest.approx(100 * math.exp(-1))


def test_a_falling_rate_does_not_become_negative() -> None:
    falling = Traffic(rate_per_s=1.0, slope_per_s2=-0.1, holding_s=60.0)
    assert load_ahead(falling, 60, 10_000) == pytest.approx(0.0, abs=1e-6)
    assert load_ahead(falling, 60, 12) > 0


def test_the_load_ahead_is_the_differential_equation_solved() -> None:
    traffic = Traffic(rate_per_s=2.0, slope_per_s2=0.01, holding_s=120.0)
    load, step = 100.0, 0.01
    for number in range(9_000):
        load += step * (traffic.rate_per_s + traffic.slope_per_s2 * number * step - load / traffic.holding_s)
    assert load_ahead(traffic, 100, 90) == pytest.approx(load, rel=1e-3)


def test_a_spike_is_believed_at_once_and_noise_is_not() -> None:
    traffic = Traffic()
    for _ in range(60):
        traffic = observe(traffic, 10, 5.0)
    assert traffic.rate_per_s == pytest.approx(2.0, rel=0.05)
    assert observe(traffic, 16, 5.0).rate_per_s < 2.2, "16 for 10 happens"
    assert observe(traffic, 100, 5.0).rate_per_s == 20.0


def test_refused_callers_count_in_the_load() -> None:
    traffic = Traffic(holding_s=100.0)
    for _ in range(200):
        traffic = observe(traffic, 50, 5.0)
    assert traffic.offered == pytest.approx(1_000, rel=0.01)
    assert plan(traffic, 20, Lead(), Goals()).slots > 1_000, "20 live calls are what was let in, not what was asked for"


def test_the_holding_time_follows_what_is_measured() -> None:
    one_by_one = Traffic(holding_s=180.0)
    for _ in range(2_000):
        one_by_one = ended(one_by_one, 60.0)
    assert one_by_one.holding_s == pytest.approx(60.0, rel=0.05)
    assert ended(Traffic(holding_s=180.0), 60.0, calls=2_000).holding_s == pytest.approx(60.0)


def test_a_plan_keeps_a_node_to_lose_and_stays_within_its_bounds() -> None:
    traffic = Traffic(rate_per_s=1.0, holding_s=180.0, offered=180.0)
    goals = Goals(slots_per_node=100, nodes_lost=1)
    found = plan(traffic, 180, Lead(), goals)
    assert found.nodes == math.ceil(found.slots / 100) + 1
    assert found.slots >= servers_for(180.0, goals.blocking_share)
    assert found.spares == found.warm - 180
    assert plan(traffic, 180, Lead(), Goals(nodes_max=2)).nodes == 2
    assert plan(Traffic(), 0, Lead(), Goals(nodes_min=3)).nodes == 3
    assert "180.0 erlangs" in found.why


def test_scale_in_waits_and_scale_out_does_not() -> None:
    history, nodes = settle((), 0, 5, 600)
    history, nodes = settle(history, 10, 9, 600)
    assert nodes == 9
    history, nodes = settle(history, 300, 3, 600)
    assert nodes == 9
    history, nodes = settle(history, 609, 3, 600)
    assert nodes == 9
    history, nodes = settle(history, 610, 3, 600)
    assert nodes == 3
    assert len(history) == 1


def test_spares_are_spread_evenly() -> None:
    assert share_out(7, {"a": 1, "b": 5, "c": 5}) == {"a": 1, "b": 3, "c": 3}
    assert share_out(5, {}) == {}
    assert sum(share_out(100, {"a": 3, "b": 0}).values()) == 3
