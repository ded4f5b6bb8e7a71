"""The fleet in virtual time: it agrees with Erlang where Erlang applies, and does what operators need where not."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

import pytest
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.admission_rules import Admission
from offhook.policies.fleet.capacity import Goals, Lead, erlang_b
from offhook.policies.simulation.draws import binomial, in_whole, poisson
from offhook.policies.simulation.fleet import Fleet, Interval, Outcome, play
from offhook.policies.simulation.racks import LagModel, Racks

Rate = Callable[[int], float]  # minute -> calls a second


def minutes(count: int, rate: Rate, holding_s: float = 180.0) -> tuple[Interval, ...]:
    return tuple(Interval(n * 60.0, 60.0, 60.0 * rate(n), holding_s) for n in range(count))


def spike(low: float, high: float, begins: int = 20, ends: int = 50) -> Rate:
    return lambda minute: high if begins <= minute < ends else low


@pytest.mark.parametrize(("load", "servers"), [(9.0, 10), (40.0, 50)])
def test_a_loss_system_blocks_as_erlang_says(load: float, servers: int) -> None:
    fleet = Fleet(
        goals=Goals(slots_per_node=servers, spares_min=servers, nodes_lost=0),
        admission=Admission(ring_ms=0, late_ms=9_999),
        lag=LagModel(cpu_ms_per_call_s=0.0),
        nodes_fixed=1,
        tick_s=0.2,
    )
    found = play(fleet, (Interval(0.0, 20_000.0, load / 20.0 * 20_000.0, 20.0),))
    # The standard error over 1,000 holding times is a few per cent of the share; ticks add about one more.
    assert found.blocking_share == pytest.approx(erlang_b(load, servers), rel=0.2)
    assert found.live_peak <= servers


def test_a_day_curve_of_a_large_fleet_refuses_nobody_and_follows_the_load() -> None:
    began = time.process_time()
    trace = minutes(240, lambda n: 555.0 * (0.55 - 0.45 * math.cos(2 * math.pi * n / 240)))
    found = play(Fleet(goals=Goals(slots_per_node=100, nodes_max=2_000)), trace)
    assert found.live_peak > 95_000
    assert found.blocking_share < 0.001
    assert found.nodes_mean < 0.8 * found.nodes_peak, "at night nodes leave"
    assert time.process_time() - began < 20.0, "four hours of 1,000 nodes"


def test_a_spike_is_blocked_for_the_lead_time_of_a_node_and_no_longer() -> None:
    lead = Lead(node_s=90.0)
    found = play(Fleet(goals=Goals(slots_per_node=100), lead=lead), minutes(60, spike(10, 60)))
    late = [each for each in found.samples if each.blocked and not 20 * 60 <= each.at_s <= 20 * 60 + lead.node_s + 60]
    assert found.blocked > 0, "no fleet can have foreseen it"
    assert not late


def test_a_reserve_for_the_spike_takes_it() -> None:
    reserve = play(Fleet(goals=Goals(slots_per_node=100, spares_min=9_000, nodes_min=120)), minutes(60, spike(10, 60)))
    assert reserve.blocked == 0


def test_a_gentle_rise_is_foreseen() -> None:
    found = play(Fleet(goals=Goals(slots_per_node=100)), minutes(120, lambda n: 10.0 + n / 2))
    assert found.blocked == 0


def test_scale_in_cuts_no_call_and_lets_nodes_go() -> None:
    found = play(Fleet(goals=Goals(slots_per_node=100)), minutes(150, spike(10, 60)))
    assert found.cut == 0
    assert found.samples[-1].nodes + found.samples[-1].draining < 0.4 * found.nodes_peak
    assert any(each.draining for each in found.samples)


def test_lines_of_a_lost_node_find_another_where_there_is_one_to_lose() -> None:
    trace = minutes(60, lambda _: 5.0)
    losses = ((1_200.0, 1),)
    found = play(Fleet(goals=Goals(slots_per_node=100, nodes_lost=2, spares_min=150), losses=losses), trace)
    assert found.cut > 50
    assert found.dropped == 0
    tight = play(Fleet(goals=Goals(slots_per_node=100), nodes_fixed=10, losses=((1_200.0, 3),)), trace)
    assert tight.dropped > 0


def test_nodes_that_react_too_late_are_not_filled_up() -> None:
    lag = LagModel(cpu_ms_per_call_s=20.0, cores=2.0, job_ms=1.0)  # 30 ms are passed at about 85 calls
    found = play(Fleet(goals=Goals(slots_per_node=100, nodes_max=3), lag=lag), minutes(60, spike(0.5, 3)))
    assert found.blocked > 0
    assert found.lag_ms_max < 60.0, "hysteresis closes them before live calls feel it"


def test_the_same_seed_gives_the_same_outcome() -> None:
    trace = minutes(20, lambda _: 5.0)
    assert play(Fleet(seed=7), trace) == play(Fleet(seed=7), trace)
    assert play(Fleet(seed=7), trace) != play(Fleet(seed=8), trace)


def test_the_sums_agree() -> None:
    found: Outcome = play(Fleet(), minutes(30, lambda _: 5.0))
    assert sum(each.asked for each in found.samples) == found.asked
    assert sum(each.blocked for each in found.samples) == found.blocked
    assert found.talk_s == pytest.approx(5.0 * 180 * 1_800, rel=0.1)
    assert found.cents_per_minute > 0.85, "the carrier alone costs that"


def test_a_trace_that_cannot_be_played_is_refused() -> None:
    with pytest.raises(CallerFault, match="without intervals"):
        play(Fleet(), ())
    with pytest.raises(CallerFault, match="begins before"):
        play(Fleet(), (Interval(0, 60, 1, 1), Interval(30, 60, 1, 1)))


@pytest.mark.parametrize("mean", [0.3, 5.0, 49.0, 51.0, 5_000.0])
def test_draws_have_their_mean_and_variance(mean: float) -> None:
    chance = random.Random(3)
    counts = [poisson(chance, mean) for _ in range(20_000)]
    found = sum(counts) / len(counts)
    assert found == pytest.approx(mean, rel=0.03)
    assert sum((each - found) ** 2 for each in counts) / len(counts) == pytest.approx(mean, rel=0.06)
    trials = math.ceil(mean * 10)
    ended = [binomial(chance, trials, mean / trials) for _ in range(20_000)]
    assert sum(ended) / len(ended) == pytest.approx(mean, rel=0.03)
    assert max(ended) <= trials
    assert sum(in_whole(chance, mean) for _ in range(20_000)) / 20_000 == pytest.approx(mean, rel=0.03)


def test_racks_stay_equal_and_hold_no_more_than_their_slots() -> None:
    chance = random.Random(5)
    racks = Racks(10, 4, LagModel(0.0), Admission())
    live = 0
    for _ in range(3_000):
        match chance.randrange(6):
            case 0 | 1:
                wanted = chance.randrange(30)
                room = racks.room()
                placed = racks.place(wanted)
                assert placed == min(wanted, room)
                live += placed
            case 2:
                live -= racks.end_calls(chance, 0.2)
            case 3:
                racks.add(chance.randrange(3))
            case 4:
                racks.drain(chance, chance.randrange(3) if racks.nodes > 3 else 0)
            case _ if racks.nodes > 3:
                live -= racks.lose(chance)
                racks.undrain(1)
            case _:
                pass
        assert racks.live + sum(racks.draining) == live
        assert all(0 <= rack.live <= rack.nodes * 10 for rack in racks.open)
        assert all(0 < each <= 10 for each in racks.draining)
