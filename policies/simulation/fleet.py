"""A fleet in virtual time: what a traffic does to nodes, spares and callers, under the rules that the real one follows.

Forecast, plan and scale-in are `capacity`'s, the lag gates are `admission`'s, the money is `cost`'s; only chance and
the passing of time are made here. Calls are an aggregated process (a caller has no name), so a day of 100,000 calls at
once on 1,000 nodes is played in seconds. Traces are handed in; files and drawings are `serve/cli/plan.py`'s matter.

    outcome = play(Fleet(goals=Goals(slots_per_node=100)), trace)
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

from ..core.errors import CallerFault
from ..fleet import capacity
from ..fleet.admission_rules import Admission
from ..fleet.capacity import Goals, Lead, Plan, Traffic
from ..fleet.cost import MINUTE_S, Prices, fleet_cents
from .draws import binomial, poisson
from .racks import LagModel, Racks

SURPLUS_S = 60.0  # spares beyond the wanted number are kept about this long, as the pool does
RESUME_S = 10.0  # a carrier's line that lost its node is held this long (policy: limits.line_lost)


@dataclass(frozen=True, slots=True)
class Interval:
    """So many calls arrive in `span_s` from `at_s` on, evenly spread by chance, each for `holding_s` on average."""

    at_s: float
    span_s: float
    calls: float
    holding_s: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is simulated. `nodes_fixed`: no scaling, so many nodes; `losses`: (moment in s, nodes that fail then)."""

    goals: Goals = field(default_factory=Goals)
    lead: Lead = field(default_factory=Lead)
    admission: Admission = field(default_factory=Admission)
    prices: Prices = field(default_factory=Prices)
    lag: LagModel = field(default_factory=LagModel)
    starts_per_s: float = 1.0  # processes that one node starts a second
    losses: tuple[tuple[float, int], ...] = ()
    lost_per_node_hour: float = 0.0
    nodes_fixed: int = 0
    tick_s: float = 1.0
    sample_s: float = 60.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """One window of the result; counts are of the window, levels of its end."""

    at_s: float
    asked: int
    blocked: int
    rang: int
    live: int
    nodes: int  # that take calls
    draining: int
    starting: int
    spares: int
    lag_ms: float


@dataclass(slots=True)
class Outcome:
    """What came of it. Shares are of the calls that asked; lost lines are those whose node failed."""

    asked: int = 0
    blocked: int = 0
    rang: int = 0  # waited for a slot, whether they got one or not
    rang_s: float = 0.0  # all waiting together
    live_peak: int = 0
    nodes_peak: int = 0
    cut: int = 0  # calls on nodes that failed
    dropped: int = 0  # of those: found no slot within the resume budget
    node_s: float = 0.0
    talk_s: float = 0.0
    spare_s: float = 0.0
    lag_ms_max: float = 0.0
    lasted_s: float = 0.0
    cents: float = 0.0
    samples: list[Sample] = field(default_factory=list)

    @property
    def blocking_share(self) -> float:
        """Of all calls."""
        return self.blocked / self.asked if self.asked else 0.0

    @property
    def blocking_worst(self) -> Sample | None:
        """The window in which the largest share was blocked."""
        return max(self.samples, key=lambda each: each.blocked / each.asked if each.asked else 0.0, default=None)

    @property
    def nodes_mean(self) -> float:
        """Paid for, over the whole time: starting and draining ones too."""
        return self.node_s / self.lasted_s if self.lasted_s else 0.0

    @property
    def cents_per_minute(self) -> float:
        """Of talk."""
        return self.cents / self.talk_s * MINUTE_S if self.talk_s else 0.0


def play(fleet: Fleet, trace: tuple[Interval, ...]) -> Outcome:
    """Play a trace from its first interval to its last one's end.

    Raises:
        CallerFault: an empty trace, or intervals that overlap.
    """
    if not trace:
        raise CallerFault("a trace without intervals cannot be played")
    for before, after in pairwise(trace):
        if after.at_s < before.at_s + before.span_s - 1e-6:
            raise CallerFault(f"the interval at {after.at_s} s begins before the one at {before.at_s} s ends")
    world = _World(fleet, trace)
    end_s = trace[-1].at_s + trace[-1].span_s
    while world.now_s < end_s:
        world.tick()
    return world.closed()


class _World:
    def __init__(self, fleet: Fleet, trace: tuple[Interval, ...]) -> None:
        self.fleet = fleet
        self.trace = trace
        self.starts = [interval.at_s for interval in trace]
        self.now_s = trace[0].at_s
        self.chance = random.Random(fleet.seed)
        first = trace[0]
        # It is the middle of an operation: the rate is known, the fleet stands, and its calls are under way.
        self.traffic = Traffic(
            first.calls / first.span_s, 0.0, first.holding_s, capacity.TREND_S, capacity.HOLDING_CALLS
        )
        live = round(capacity.erlangs(self.traffic.rate_per_s, first.holding_s))
        self.wanted: Plan = capacity.plan(self.traffic, live, fleet.lead, fleet.goals)
        nodes = fleet.nodes_fixed or self.wanted.nodes
        self.racks = Racks(fleet.goals.slots_per_node, nodes, fleet.lag, fleet.admission)
        live = self.racks.place(live)
        self.warm = live + self.wanted.spares  # processes on open nodes, live calls' included
        self.warming: deque[tuple[float, int]] = deque()  # (ready, processes)
        self.starting: deque[tuple[float, int]] = deque()  # (ready, nodes)
        self.ringing: deque[list[float]] = deque()  # [since, callers]
        self.homeless: deque[list[float]] = deque()  # calls whose node failed: [since, calls]
        self.history: capacity.Wanted = ()
        self.losses = deque(sorted(fleet.losses))
        self.outcome = Outcome()
        self.window = [0, 0, 0]  # asked, blocked, rang
        self.seen = 0  # arrivals since the last look
        self.over = 0  # calls that ended since the last look
        self.look_s = self.now_s + fleet.lead.look_s
        self.sample_s = self.now_s + fleet.sample_s

    # --- one tick -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        fleet, racks = self.fleet, self.racks
        tick_s = fleet.tick_s
        self.now_s += tick_s
        interval = self.trace[max(0, bisect_right(self.starts, self.now_s - tick_s / 2) - 1)]
        self._join()
        ended = racks.end_calls(self.chance, -math.expm1(-tick_s / interval.holding_s))
        self.over += ended
        self._lose_nodes()
        arrived = poisson(self.chance, interval.calls / interval.span_s * tick_s)
        self.seen += arrived
        self.window[0] += arrived
        if arrived:
            self.ringing.append([self.now_s, arrived])
        self._seat()
        if self.now_s >= self.look_s:
            self._look(interval.holding_s)
            self.look_s += fleet.lead.look_s
        self._account(tick_s)
        if self.now_s >= self.sample_s:
            self._sample()
            self.sample_s += fleet.sample_s

    def _join(self) -> None:
        while self.starting and self.starting[0][0] <= self.now_s:
            self.racks.add(self.starting.popleft()[1])
        while self.warming and self.warming[0][0] <= self.now_s:
            self.warm += self.warming.popleft()[1]

    def _lose_nodes(self) -> None:
        fleet, racks = self.fleet, self.racks
        nodes = racks.nodes + len(racks.draining)
        lost = binomial(self.chance, nodes, min(0.5, fleet.lost_per_node_hour * fleet.tick_s / 3_600.0))
        while self.losses and self.losses[0][0] <= self.now_s:
            lost += self.losses.popleft()[1]
        for _ in range(min(lost, nodes)):
            self.warm -= round(self.warm / max(1, racks.nodes))
            cut = racks.lose(self.chance)
            self.outcome.cut += cut
            if cut:
                self.homeless.append([self.now_s, cut])
        self.warm = max(self.warm, racks.live)

    def _seat(self) -> None:
        """Give what is free to lines that lost their node, then to callers in the order in which they rang."""
        ring_s = self.fleet.admission.ring_ms / 1_000.0
        free = min(self.warm - self.racks.live, self.racks.room())
        free = self._give(self.homeless, free)
        while self.homeless and self.now_s - self.homeless[0][0] >= RESUME_S:
            self.outcome.dropped += int(self.homeless.popleft()[1])
        self._give(self.ringing, free)
        while self.ringing and self.now_s - self.ringing[0][0] >= ring_s:
            since_s, callers = self.ringing.popleft()
            self.window[1] += int(callers)
            self._rang(int(callers), self.now_s - since_s)

    def _give(self, line: deque[list[float]], free: int) -> int:
        while line and free > 0:
            since_s, callers = line[0]
            placed = self.racks.place(min(free, int(callers)))
            if line is self.ringing:
                self._rang(placed, self.now_s - since_s)
            free -= placed
            line[0][1] -= placed
            if line[0][1] > 0:
                break
            line.popleft()
        return free

    def _rang(self, callers: int, waited_s: float) -> None:
        if waited_s > 0.0:
            self.window[2] += callers
            self.outcome.rang_s += callers * waited_s

    # --- the director -------------------------------------------------------------------------------------------------

    def _look(self, holding_s: float) -> None:
        self.traffic = capacity.observe(self.traffic, self.seen, self.fleet.lead.look_s)
        if self.over:
            mean_s = self.chance.gammavariate(self.over, holding_s / self.over)  # of so many exponential calls
            self.traffic = capacity.ended(self.traffic, mean_s, self.over)
        self.seen = self.over = 0
        self.racks.look(self.now_s)
        fleet, racks = self.fleet, self.racks
        waiting = int(sum(count for line in (self.ringing, self.homeless) for _, count in line))
        self.wanted = capacity.plan(self.traffic, racks.live + waiting, fleet.lead, fleet.goals)
        if not fleet.nodes_fixed:
            self._scale()
        self._warm_up()

    def _scale(self) -> None:
        fleet, racks = self.fleet, self.racks
        calm_s = fleet.goals.calm_ms / 1_000.0
        self.history, nodes = capacity.settle(self.history, self.now_s, self.wanted.nodes, calm_s)
        coming = sum(count for _, count in self.starting)
        missing = nodes - racks.nodes - coming
        if missing > 0:
            missing -= racks.undrain(missing)
            if missing:
                self.starting.append((self.now_s + fleet.lead.node_s, missing))
        elif missing < 0 and not coming:
            before = racks.live
            racks.drain(self.chance, min(-missing, racks.nodes - 1))
            self.warm -= before - racks.live

    def _warm_up(self) -> None:
        """Start the spares that are missing, as fast as the nodes can; let go of those beyond what is wanted."""
        racks, look_s = self.racks, self.fleet.lead.look_s
        aim = min(racks.live + self.wanted.spares, racks.nodes * racks.slots)
        coming = sum(count for _, count in self.warming)
        missing = aim - self.warm - coming
        if missing > 0:
            start = min(missing, math.ceil(racks.nodes * self.fleet.starts_per_s * look_s))
            self.warming.append((self.now_s + self.fleet.lead.spare_s, start))
        elif self.warm > aim:
            self.warm -= math.ceil((self.warm - aim) * look_s / SURPLUS_S)

    # --- sums ---------------------------------------------------------------------------------------------------------

    def _account(self, tick_s: float) -> None:
        outcome, racks = self.outcome, self.racks
        live = racks.live + sum(racks.draining)
        nodes = racks.nodes + len(racks.draining) + sum(count for _, count in self.starting)
        outcome.node_s += nodes * tick_s
        outcome.talk_s += live * tick_s
        outcome.spare_s += max(0, self.warm - racks.live) * tick_s
        outcome.live_peak = max(outcome.live_peak, live)
        outcome.nodes_peak = max(outcome.nodes_peak, nodes)
        outcome.lag_ms_max = max(outcome.lag_ms_max, racks.lag_ms())
        outcome.lasted_s += tick_s

    def _sample(self) -> None:
        racks, outcome = self.racks, self.outcome
        asked, blocked, rang = self.window
        outcome.asked += asked
        outcome.blocked += blocked
        outcome.rang += rang
        outcome.samples.append(
            Sample(
                at_s=self.now_s,
                asked=asked,
                blocked=blocked,
                rang=rang,
                live=racks.live + sum(racks.draining),
                nodes=racks.nodes,
                draining=len(racks.draining),
                starting=sum(count for _, count in self.starting),
                spares=max(0, self.warm - racks.live),
                lag_ms=racks.lag_ms(),
            )
        )
        self.window = [0, 0, 0]

    def closed(self) -> Outcome:
        """The result; callers who ring at the very end have not been refused."""
        if any(self.window):
            self._sample()
        outcome = self.outcome
        outcome.cents = fleet_cents(outcome.node_s, outcome.talk_s, outcome.asked - outcome.blocked, self.fleet.prices)
        return outcome
