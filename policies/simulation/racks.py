"""Nodes of a simulated fleet, in racks: nodes that carry equally many calls are one entry, however many they are.

The director gives each call to the node with the most free slots, which keeps nodes equal; so 1,000 nodes are a
handful of racks, and a day of them takes seconds. Nodes that drain are kept one by one: each leaves when its own last
call ends.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from ..fleet.admission_rules import Admission, Gauge
from .draws import binomial, in_whole

LN_100 = math.log(100.0)


@dataclass(frozen=True, slots=True)
class LagModel:
    """A node's reaction lag by the calls it carries: the 99th percentile of an M/M/1 queue's response time.

    Its mean is job / (1 - busy share) and its law exponential, so p99 = job x ln(100) / (1 - busy share). Fit `job_ms`
    and `cpu_ms_per_call_s` to what a benchmark of your node measured.
    """

    cpu_ms_per_call_s: float = 7.0
    cores: float = 2.0
    job_ms: float = 1.0
    ceiling_ms: float = 10_000.0  # what a node that is over its limit shows

    def lag_ms(self, calls: float) -> float:
        """With so many calls on one node."""
        idle = 1.0 - calls * self.cpu_ms_per_call_s / 1_000.0 / self.cores
        return min(self.ceiling_ms, self.job_ms * LN_100 / idle) if idle > 0.0 else self.ceiling_ms


@dataclass(slots=True)
class Rack:
    """Nodes with equally many calls."""

    nodes: int
    live: int = 0
    gauge: Gauge = field(default_factory=Gauge)

    @property
    def level(self) -> float:
        """Calls on each node."""
        return self.live / self.nodes


class Racks:
    """The nodes that take calls, and those that drain. `slots`: of one node."""

    def __init__(self, slots: int, nodes: int, lag: LagModel, rules: Admission) -> None:
        self.slots = slots
        self.open: list[Rack] = [Rack(nodes)] if nodes else []
        self.draining: list[int] = []  # calls on each
        self._lag = lag
        self._rules = rules

    @property
    def nodes(self) -> int:
        """That take calls, or would if they reacted in time."""
        return sum(rack.nodes for rack in self.open)

    @property
    def live(self) -> int:
        """Calls on nodes that take calls."""
        return sum(rack.live for rack in self.open)

    def room(self) -> int:
        """Free slots on nodes that take calls now."""
        return sum(rack.nodes * self.slots - rack.live for rack in self.open if rack.gauge.open)

    def lag_ms(self) -> float:
        """Of the node that reacts slowest."""
        return max((self._lag.lag_ms(rack.level) for rack in self.open), default=0.0)

    def look(self, now_s: float) -> None:
        """Read every node's lag; those that react too late stop taking calls."""
        for rack in self.open:
            rack.gauge = rack.gauge.read(self._lag.lag_ms(rack.level), int(now_s * 1_000), self._rules)

    def add(self, nodes: int, live: int = 0) -> None:
        """Nodes join."""
        if nodes:
            self.open.append(Rack(nodes, live))

    def place(self, calls: int) -> int:
        """Put calls where the most slots are free, as many as fit; how many were put."""
        takers = sorted((rack for rack in self.open if rack.gauge.open), key=lambda rack: rack.level)
        left = min(calls, self.room())
        placed = left
        low: list[Rack] = []  # racks that are equal by now
        for number, rack in enumerate(takers):
            low.append(rack)
            if not left:
                break
            top = takers[number + 1].level if number + 1 < len(takers) else float(self.slots)
            left -= self._raise(low, min(top, float(self.slots)), left)
        self._merge()
        return placed - left

    def _raise(self, racks: list[Rack], level: float, calls: int) -> int:
        """Raise racks of one level to another, as far as `calls` go; how many went."""
        wanted = [max(0, math.floor(rack.nodes * level) - rack.live) for rack in racks]
        total = sum(wanted)
        gone = 0
        for rack, want in zip(racks, wanted, strict=True):
            share = want if total <= calls else calls * want // total
            rack.live += share
            gone += share
        for rack in racks:  # what rounding has left
            more = min(calls - gone, rack.nodes * self.slots - rack.live) if total > calls else 0
            rack.live += more
            gone += more
        return gone

    def _merge(self) -> None:
        merged: list[Rack] = []
        for rack in sorted(self.open, key=lambda rack: (rack.gauge.open, rack.level)):
            last = merged[-1] if merged else None
            if last is not None and last.gauge.open is rack.gauge.open and rack.level - last.level < 1.0:
                last.nodes += rack.nodes
                last.live += rack.live
            else:
                merged.append(rack)
        self.open = merged

    def end_calls(self, chance: random.Random, share: float) -> int:
        """Each call ends with probability `share`; how many did. Drained nodes whose last call ended leave."""
        ended = 0
        for rack in self.open:
            gone = binomial(chance, rack.live, share)
            rack.live -= gone
            ended += gone
        if self.draining:
            still = []
            for live in self.draining:
                gone = binomial(chance, live, share)
                ended += gone
                if live > gone:
                    still.append(live - gone)
            self.draining = still
        return ended

    def drain(self, chance: random.Random, nodes: int) -> None:
        """Cordon nodes, those with the fewest calls first."""
        for rack in sorted(self.open, key=lambda rack: rack.level):
            for _ in range(min(nodes, rack.nodes)):
                live = self._take_node(chance, rack)
                nodes -= 1
                if live:
                    self.draining.append(live)
        self.open = [rack for rack in self.open if rack.nodes]

    def undrain(self, nodes: int) -> int:
        """Let cordoned nodes take calls again, the fullest first (the empty ones are nearly gone); how many did."""
        self.draining.sort()
        back = [self.draining.pop() for _ in range(min(nodes, len(self.draining)))]
        for live in back:
            self.add(1, live)
        return len(back)

    def lose(self, chance: random.Random) -> int:
        """A node fails, any one; the calls that were on it."""
        number = chance.randrange(self.nodes + len(self.draining))
        if number >= self.nodes:
            return self.draining.pop(number - self.nodes)
        for rack in self.open:
            if number < rack.nodes:
                live = self._take_node(chance, rack)
                break
            number -= rack.nodes
        self.open = [rack for rack in self.open if rack.nodes]
        return live

    def _take_node(self, chance: random.Random, rack: Rack) -> int:
        live = rack.live if rack.nodes == 1 else min(rack.live, self.slots, in_whole(chance, rack.level))
        rack.nodes -= 1
        rack.live -= live
        over = rack.live - rack.nodes * self.slots  # rounding must not leave more calls than slots
        if over > 0:
            rack.live -= over
            live += over
        return live
