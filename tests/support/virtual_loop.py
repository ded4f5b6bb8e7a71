"""An asyncio loop on virtual time for tests that use real Unix sockets: a busy machine cannot make it late.

Sockets are real, with both ends in this process: what is written to a Unix socket can be read at once. Whenever there
is nothing to read or to run, the clock jumps to the next timer. What the parts read from `time` is the same clock, so
a call of ten seconds takes as long as its work. Wait by `until`: `sleep(0)` in a loop lets no time pass. With TCP give
the kernel `settle_s` to carry over what was written. Not for threads and other processes.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

POLL_S = 0.001  # virtual; what waits for a condition looks this often


class _Clock:
    """Nanoseconds; begins at the machine's own, so that a difference to a true reading is small and never negative."""

    def __init__(self) -> None:
        self.monotonic_ns = time.monotonic_ns()
        self.ahead_ns = time.time_ns() - self.monotonic_ns  # of the wall clock


class _Selector(selectors.DefaultSelector):
    """Never waits while a timer is due later: lets the time until then pass instead."""

    def __init__(self, clock: _Clock, settle_s: float) -> None:
        super().__init__()
        self._clock = clock
        self._settle_s = settle_s

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else self._settle_s if timeout > 0 else 0)
        if timeout is not None and timeout > 0 and not ready:
            self._clock.monotonic_ns += math.ceil(timeout * 1e9)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`settle_s` are real seconds, waited before each jump. Parts that read `time` need `run_virtually`."""

    def __init__(self, settle_s: float = 0.0) -> None:
        self.clock = _Clock()
        super().__init__(_Selector(self.clock, settle_s))

    def time(self) -> float:
        return self.clock.monotonic_ns / 1e9


def run_virtually(monkeypatch: pytest.MonkeyPatch, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end on such a loop, with every clock of this process on its time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, monkeypatch.context() as clocks:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        clock = loop.clock
        clocks.setattr("time.monotonic_ns", lambda: clock.monotonic_ns)
        clocks.setattr("time.time_ns", lambda: clock.monotonic_ns + clock.ahead_ns)
        clocks.setattr("time.monotonic", loop.time)
        clocks.setattr("time.perf_counter", loop.time)
        runner.run(test())


async def until(true: Callable[[], Any]) -> None:
    """Let virtual time pass until something has happened."""
    while not true():  # noqa: ASYNC110 - the parts have no event for every test's wish
        await asyncio.sleep(POLL_S)
