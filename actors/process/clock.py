"""The call's clock: one protocol, and the one place that reads the machine's clocks for a call. No timers here."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Clock(Protocol):
    """Milliseconds since the call was created. Never runs backwards."""

    def now_ms(self) -> int:
        """The present moment on the call's clock."""
        ...


class Cancellable(Protocol):
    """A wake-up that may be taken back."""

    def cancel(self) -> None:
        """Do not call."""
        ...


class Alarm(Protocol):
    """Wakes its owner later; every asyncio loop is one, and so is the virtual time of the tests."""

    def call_later(self, delay: float, callback: Callable[..., Any], /, *arguments: Any) -> Cancellable:
        """Call `callback(*arguments)` after `delay` seconds."""
        ...


class MonotonicClock:
    """The clock of a live call.

    The wall clock is read once, to find the call's origin on the monotonic clock: a wall clock that is set during a
    call moves nothing.
    """

    __slots__ = ("_origin_ns", "origin_unix_ms")

    def __init__(
        self, origin_unix_ms: int | None = None, at_least_ms: int = 0, anchor: tuple[str, int] = ("", 0)
    ) -> None:
        """A new call's clock, or (with the origin of a running call) that of its next owner.

        Args:
            origin_unix_ms: when the call was created, in Unix time; None = now.
            at_least_ms: what the former owner's clock had reached: machines' wall clocks differ, and a call's clock
                never runs back.
            anchor: the same moment as `anchor_now` gave it. On the machine that gave it all owners of a call have one
                clock by it, to the nanosecond, whatever the wall clock does meanwhile.
        """
        unix_ms = time.time_ns() // 1_000_000
        monotonic_ns = time.monotonic_ns()
        self.origin_unix_ms = unix_ms if origin_unix_ms is None else origin_unix_ms
        if anchor[0] and anchor[0] == boot():
            self._origin_ns = min(anchor[1], monotonic_ns - at_least_ms * 1_000_000)
        else:
            elapsed_ms = max(unix_ms - self.origin_unix_ms, at_least_ms)
            self._origin_ns = monotonic_ns - elapsed_ms * 1_000_000

    def now_ms(self) -> int:
        """The present moment on the call's clock."""
        return (time.monotonic_ns() - self._origin_ns) // 1_000_000


@functools.cache
def boot() -> str:
    """Names this start of this machine: two processes with the same one share the monotonic clock. "" = not known.

    Source: Linux, Documentation/admin-guide/sysctl/kernel.rst, random/boot_id.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def anchor_now() -> tuple[str, int]:
    """The present moment for a `MonotonicClock` of any process of this machine: (boot, monotonic ns)."""
    return boot(), time.monotonic_ns()
