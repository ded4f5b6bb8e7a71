"""A call's armed deadlines, carried out on the loop. Which timers exist, and when, the core decides; nothing here does.

A firing is an event like any other: the core compares its deadline with the one armed, so a firing that was already
under way when its timer was disarmed changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from ..process.clock import Alarm, Cancellable, Clock

Fire = Callable[[str, int], None]


class Timers:
    """One wake-up for each armed timer."""

    def __init__(self, clock: Clock, alarm: Alarm, fire: Fire) -> None:
        self._clock = clock
        self._alarm = alarm
        self._fire = fire
        self._handles: dict[str, Cancellable] = {}

    def arm(self, timer: str, deadline_ms: int, not_before_ms: int = 0) -> None:
        """Fire `timer` at `deadline_ms` on the call's clock, at once where that has passed; replaces an armed one.

        One that was taken over and fell due meanwhile fires at `not_before_ms`, with its own deadline.
        """
        armed = self._handles.pop(timer, None)
        if armed is not None:
            armed.cancel()
        wait_ms = max(0, max(deadline_ms, not_before_ms) - self._clock.now_ms())
        self._handles[timer] = self._alarm.call_later(wait_ms / 1_000, self._passed, timer, deadline_ms)

    def disarm(self, timer: str) -> None:
        """Forget `timer`; nothing happens where it is not armed."""
        armed = self._handles.pop(timer, None)
        if armed is not None:
            armed.cancel()

    def clear(self) -> None:
        """Forget all: the call is over or another process owns it."""
        for armed in self._handles.values():
            armed.cancel()
        self._handles.clear()

    def __len__(self) -> int:
        return len(self._handles)

    def _passed(self, timer: str, deadline_ms: int) -> None:
        # The alarm may ring up to its resolution ahead of the call's clock: a deadline never fires before its moment.
        early_ms = deadline_ms - self._clock.now_ms()
        if early_ms > 0:
            self._handles[timer] = self._alarm.call_later(early_ms / 1_000, self._passed, timer, deadline_ms)
            return
        del self._handles[timer]
        self._fire(timer, deadline_ms)
