"""Time for tests: stands still until it is told to go on. A `Clock` and an `Alarm` (actors/process/clock.py) in one."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any


class _WakeUp:
    """One thing that is due later."""

    def __init__(self, at_ms: float, order: int, work: Callable[[], Any]) -> None:
        self.at_ms = at_ms
        self.order = order
        self.work: Callable[[], Any] | None = work

    def __lt__(self, other: _WakeUp) -> bool:
        return (self.at_ms, self.order) < (other.at_ms, other.order)

    def cancel(self) -> None:
        self.work = None


class VirtualTime:
    """Runs what is due, in order, when `run_until` or `run_for` says so; counts the wake-ups."""

    def __init__(self) -> None:
        self.ms = 0.0
        self.woken = 0
        self._due: list[_WakeUp] = []
        self._order = count()

    def now_ms(self) -> int:
        return int(self.ms)

    def call_later(self, delay: float, callback: Callable[..., Any], /, *arguments: Any) -> _WakeUp:
        assert delay >= 0, f"{delay} s: a delay cannot be negative"
        wake = _WakeUp(self.ms + delay * 1_000, next(self._order), lambda: callback(*arguments))
        heapq.heappush(self._due, wake)
        return wake

    def at(self, ms: float, work: Callable[[], Any]) -> None:
        """Have something happen at a moment."""
        self.call_later((ms - self.ms) / 1_000, work)

    def run_until(self, ms: float) -> None:
        while self._due and self._due[0].at_ms <= ms:
            wake = heapq.heappop(self._due)
            if wake.work is not None:
                self.ms = max(self.ms, wake.at_ms)
                self.woken += 1
                wake.work()
                assert self.woken < 1_000_000, "something wakes itself without end"
        self.ms = max(self.ms, ms)

    def run_for(self, ms: float) -> None:
        self.run_until(self.ms + ms)

    @property
    def idle(self) -> bool:
        """Nothing is due."""
        return not any(wake.work is not None for wake in self._due)
