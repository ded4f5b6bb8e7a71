"""Capacity: how many call slots a traffic needs now, and by the moment at which more of them can be there.

Belongs here: the traffic theory (offered load, Erlang's loss formula and its inverses, the load that lies ahead, what
chance may add to it) and the plan that follows from it in nodes and spares. Not here: who counts the arrivals, who
starts nodes (`cluster/scaling.py`), who lets a call in (`admission.py`). Times are seconds, loads are erlangs.

Sources: A. K. Erlang, 1917 (the loss formula); D. L. Jagerman, "Some Properties of the Erlang Loss Function", BSTJ
53(3), 1974 (the sum by which it is evaluated for large systems); W. A. Massey and W. Whitt, "An Analysis of the
Modified Offered-Load Approximation for the Nonstationary Erlang Loss Model", Ann. Appl. Probab. 4(4), 1994 (a load
that moves).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from ..core.errors import CallerFault
from ..core.units import Section

SERVERS_MAX = 10_000_000  # beyond every fleet; an inverse that passes it was asked for the impossible
TERMS_END = 1e-17  # of the largest sum so far: smaller terms no longer change a double
NORMAL_FROM = 1_000.0  # a Poisson mean from which its normal approximation is right to a call in a thousand


# --- Erlang's loss formula ------------------------------------------------------------------------------------------


def erlang_b(erlangs: float, servers: int) -> float:
    """The share of calls that find all `servers` busy, 0 to 1; lost calls are cleared, holding times are of any law.

    For small systems the recursion B(n) = a B(n-1) / (n + a B(n-1)); for large ones Jagerman's sum
    1/B = 1 + n/a + n(n-1)/a^2 + ..., which needs some ten times sqrt(n) terms instead of n. Both add positive numbers
    only, so nothing cancels and nothing overflows.

    Raises:
        CallerFault: a negative or infinite load, or a negative number of servers.
    """
    if not 0.0 <= erlangs < math.inf or servers < 0:
        raise CallerFault(f"a load of {erlangs} erlangs on {servers} servers cannot be; both are 0 or more")
    if erlangs == 0.0:
        return 0.0 if servers else 1.0
    if servers > 1_000 and servers < 2 * erlangs:
        return _by_sum(erlangs, servers)
    blocking = 1.0
    for number in range(1, servers + 1):
        blocking = erlangs * blocking / (number + erlangs * blocking)
    return blocking


def _by_sum(erlangs: float, servers: int) -> float:
    term = total = 1.0
    for left in range(servers, 0, -1):
        term *= left / erlangs
        total += term
        if term < total * TERMS_END or total == math.inf:
            break
    return 1.0 / total


def servers_for(erlangs: float, blocking_share: float) -> int:
    """The fewest servers that lose at most `blocking_share` of the calls. Inverse of `erlang_b`.

    n servers cannot carry more than n erlangs, so B >= 1 - n/a: the search starts at a(1 - goal), which is close.

    Raises:
        CallerFault: a load or a goal that cannot be; the goal lies between 0 and 1, both excluded.
    """
    _check_goal(blocking_share)
    if erlangs == 0.0:
        return 0
    servers = max(0, math.floor(erlangs * (1.0 - blocking_share)) - 1)
    blocking = erlang_b(erlangs, servers)
    while blocking > blocking_share:
        servers += 1
        if servers > SERVERS_MAX:
            raise CallerFault(f"{erlangs} erlangs need more than {SERVERS_MAX} servers")
        blocking = erlangs * blocking / (servers + erlangs * blocking)
    return servers


def _check_goal(blocking_share: float) -> None:
    if not 0.0 < blocking_share < 1.0:
        raise CallerFault(f"a blocking goal of {blocking_share} cannot be met; it lies between 0 and 1, both excluded")


def poisson_quantile(mean: float, share: float) -> int:
    """The smallest count that a Poisson number of this mean does not pass, with probability `share`.

    Exact up to a mean of 1,000; beyond it the Cornish-Fisher expansion (normal, with the Poisson law's skew).

    Raises:
        CallerFault: a negative mean, or a share outside 0 (included) to 1 (excluded).
    """
    if not 0.0 <= mean < math.inf or not 0.0 <= share < 1.0:
        raise CallerFault(f"no quantile {share} of a Poisson number with mean {mean}")
    if mean > NORMAL_FROM:
        z = _normal_quantile(share)
        return max(0, math.ceil(mean + z * math.sqrt(mean) + (z * z - 1.0) / 6.0 - 0.5))
    # The sum starts where probabilities are too small to count (below 1e-30) and still large enough to be a double.
    count = max(0, math.floor(mean - 12.0 * math.sqrt(mean) - 20.0))
    term = math.exp(count * math.log(mean) - mean - math.lgamma(count + 1)) if mean > 0.0 else 1.0
    below = term
    while below < share and (term > 0.0 or count < mean):
        count += 1
        term *= mean / count
        below += term
    return count


def _normal_quantile(share: float) -> float:
    """Bisection on the error function: 60 halvings of 20 standard deviations reach a double's end."""
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if 0.5 * math.erfc(-middle / math.sqrt(2.0)) < share else (low, middle)
    return high


# --- the traffic, as it is measured and as it will be ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known of the arrivals: calls a second, its slope (calls a second, a second), the mean holding time.

    `offered`: the erlangs that endless servers would carry now. Where calls are refused, the live ones say too little:
    a fleet that is planned by what it could carry stays too small.
    """

    rate_per_s: float = 0.0
    slope_per_s2: float = 0.0
    holding_s: float = 180.0
    offered: float = 0.0
    seen_s: float = 0.0  # how long it has been looked at; a young estimate follows faster
    ended: int = 0  # calls in the mean holding time


LEVEL_S = 60.0  # memory of the rate: longer is calmer, shorter is faster
TREND_S = 180.0  # memory of its slope: a slope is a difference, and noisier
HOLDING_CALLS = 500  # calls in the mean holding time; the one that was assumed counts as HOLDING_PRIOR of them
HOLDING_PRIOR = 20
HOLDING_S_MIN = 1e-3  # calls that end at once must not divide by zero
CHANCE_SHARE = 0.9999  # a count beyond this quantile of what was expected is no chance: it is a new level


def observe(traffic: Traffic, arrivals: int, span_s: float) -> Traffic:
    """The estimate after `arrivals` calls in the last `span_s`: Holt's linear smoothing, and a jump when it spikes.

    A spike is a count that the old rate would bring less than once in 10,000 looks. It is believed at once, because an
    average that takes a minute to notice costs more than some spares that were not needed.

    Raises:
        CallerFault: a negative count, or a span that is not positive.
    """
    if arrivals < 0 or not span_s > 0.0:
        raise CallerFault(f"{arrivals} arrivals in {span_s} s cannot be observed")
    now_per_s = arrivals / span_s
    offered = _moved(traffic.offered, now_per_s, 0.0, max(traffic.holding_s, HOLDING_S_MIN), span_s)
    seen_s = traffic.seen_s + span_s
    expected_per_s = max(0.0, traffic.rate_per_s + traffic.slope_per_s2 * span_s)
    if traffic.seen_s > 0.0 and arrivals > poisson_quantile(expected_per_s * span_s, CHANCE_SHARE):
        # All of it is level: what looks like a slope within one look says nothing about the next.
        return replace(traffic, rate_per_s=now_per_s, slope_per_s2=0.0, offered=offered, seen_s=seen_s)
    level = max(span_s / seen_s, 1.0 - math.exp(-span_s / LEVEL_S))
    trend = 1.0 - math.exp(-span_s / TREND_S)
    rate_per_s = expected_per_s + level * (now_per_s - expected_per_s)
    moved = (rate_per_s - traffic.rate_per_s) / span_s
    slope = traffic.slope_per_s2 + trend * (moved - traffic.slope_per_s2) if traffic.seen_s > LEVEL_S else 0.0
    return replace(traffic, rate_per_s=rate_per_s, slope_per_s2=slope, offered=offered, seen_s=seen_s)


def ended(traffic: Traffic, holding_s: float, calls: int = 1) -> Traffic:
    """The estimate after `calls` of `holding_s` on average have ended: the mean over some hundreds of calls."""
    known = min(HOLDING_CALLS, traffic.ended + calls + HOLDING_PRIOR)
    weight = min(1.0, calls / known)
    mean_s = traffic.holding_s + weight * (max(0.0, holding_s) - traffic.holding_s)
    return replace(traffic, holding_s=mean_s, ended=traffic.ended + calls)


def erlangs(rate_per_s: float, holding_s: float) -> float:
    """The load that arrivals offer: calls a second times seconds a call."""
    return rate_per_s * holding_s


def load_ahead(traffic: Traffic, live: float, ahead_s: float) -> float:
    """The load, in erlangs, `ahead_s` from now: what is left of the live calls, and what will have come.

    The mean of a system with endless servers (M/M/infinity) that starts with `live` calls and whose arrival rate moves
    in a straight line: m' = rate(t) - m/h. The rate stays at nothing once it has fallen that far. A call that lives
    long is remembered that long, so the load follows the rate by about a holding time; that is what is saved in nodes.
    """
    hold_s = max(traffic.holding_s, HOLDING_S_MIN)
    rate, slope, left_s = traffic.rate_per_s, traffic.slope_per_s2, max(0.0, ahead_s)
    load = live
    if slope < 0.0 and rate + slope * left_s < 0.0:
        until_s = rate / -slope
        load = _moved(load, rate, slope, hold_s, until_s)
        rate, slope, left_s = 0.0, 0.0, left_s - until_s
    return _moved(load, rate, slope, hold_s, left_s)


def _moved(load: float, rate: float, slope: float, hold_s: float, ahead_s: float) -> float:
    gone = -math.expm1(-ahead_s / hold_s)
    return load * (1.0 - gone) + rate * hold_s * gone + slope * hold_s * (ahead_s - hold_s * gone)


# --- the plan -------------------------------------------------------------------------------------------------------


class Goals(Section):
    """What capacity is kept for. Set by operators."""

    blocking_share: float = Field(0.001, gt=0, lt=1)  # of calls that may find no slot
    burst_share: float = Field(0.999, ge=0, lt=1)  # of lead times whose arrivals the reserve holds
    slots_per_node: int = Field(100, ge=1, le=100_000)
    nodes_min: int = Field(1, ge=0, le=100_000)
    nodes_max: int = Field(1_000, ge=1, le=100_000)
    nodes_lost: int = Field(1, ge=0, le=1_000)  # that may fail together without a call being refused
    spares_min: int = Field(2, ge=0, le=100_000)
    node_spares_min: int = Field(0, ge=0, le=1_000)  # on each node, whatever the traffic
    node_spares_max: int = Field(1_000, ge=0, le=1_000)
    holding_s: float = Field(180.0, gt=0, le=86_400)  # how long a call lasts, until enough of them have been seen
    calm_ms: int = Field(600_000, ge=0, le=86_400_000)  # how long less must have been enough before a node is let go


@dataclass(frozen=True, slots=True)
class Lead:
    """How long it takes to have more: a warm process on a node, and a node with its first spares. Measured.

    `look_s`: between two looks; what is not ordered now is ordered that much later.
    """

    spare_s: float = 2.0
    node_s: float = 90.0
    look_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is wanted. `spares` and `nodes` are for the whole fleet; `why` has the compared numbers."""

    warm: int  # slots with a process, live calls included, wanted one spare's lead time from now
    slots: int  # slots wanted one node's lead time from now
    nodes: int
    spares: int
    load: float  # erlangs expected then
    why: str


def slots_wanted(traffic: Traffic, live: int, ahead_s: float, goals: Goals) -> int:
    """Slots so that, until `ahead_s` from now, the blocking goal holds and a burst finds room.

    Starts from the live calls, or from those that would be live had none been refused. Three bounds, the largest
    counts: the loss formula at the load that lies ahead, the load ahead plus what chance may bring within the lead time
    over what it brings on average, and what is live already.
    """
    now = max(float(live), traffic.offered)
    ahead = max(now, load_ahead(traffic, now, ahead_s))
    steady = servers_for(ahead, goals.blocking_share)
    expected = max(0.0, traffic.rate_per_s + max(0.0, traffic.slope_per_s2) * ahead_s / 2) * ahead_s
    burst = poisson_quantile(expected, goals.burst_share) - expected
    return max(live, steady, math.ceil(ahead + burst))


def plan(traffic: Traffic, live: int, lead: Lead, goals: Goals) -> Plan:
    """Slots, nodes and spares for this traffic, with `live` calls now."""
    warm = slots_wanted(traffic, live, lead.spare_s + lead.look_s, goals)
    slots = max(warm, slots_wanted(traffic, live, lead.node_s + lead.look_s, goals))
    bare = math.ceil(slots / goals.slots_per_node)
    nodes = min(goals.nodes_max, max(goals.nodes_min, bare + (goals.nodes_lost if slots else 0)))
    spares = max(goals.spares_min, min(warm - live, nodes * goals.slots_per_node - live))
    load = load_ahead(traffic, max(float(live), traffic.offered), lead.node_s)
    why = (
        f"{traffic.rate_per_s:.3g} calls/s, {traffic.slope_per_s2 * 60:+.2g} a minute, {traffic.holding_s:.0f} s each: "
        f"{load:.1f} erlangs in {lead.node_s:.0f} s; {slots} slots for {goals.blocking_share:.3%} blocking, "
        f"{goals.slots_per_node} a node and {goals.nodes_lost} to lose: {nodes} nodes; {warm} warm, {live} live"
    )
    return Plan(warm, slots, nodes, spares, load, why)


Wanted = tuple[tuple[float, int], ...]  # (moment in s, nodes wanted then), oldest first


def settle(history: Wanted, now_s: float, nodes: int, calm_s: float) -> tuple[Wanted, int]:
    """The number to go to: up at once, down only to the most that was wanted within `calm_s`.

    The history that comes back holds only what can still matter: numbers that no later one has passed.
    """
    kept = [entry for entry in history if now_s - entry[0] < calm_s and entry[1] > nodes]
    kept.append((now_s, nodes))
    return tuple(kept), max(number for _, number in kept)


def share_out(total: int, room: Mapping[str, int]) -> dict[str, int]:
    """`total` spread over the nodes as evenly as their `room` allows; what fits nowhere is left out.

    Even, because a node that fails then takes the fewest spares with it, and processes start on all nodes at once.
    """
    shares = dict.fromkeys(room, 0)
    left = max(0, total)
    open_nodes = sorted((node for node in room if room[node] > 0), key=lambda node: (room[node], node))
    for number, node in enumerate(open_nodes):  # the tightest first: what it cannot take, the others share
        share = min(room[node], math.ceil(left / (len(open_nodes) - number)))
        shares[node] = share
        left -= share
    return shares
