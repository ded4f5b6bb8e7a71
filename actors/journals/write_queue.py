"""What every store of a journal has: records wait, within a limit, for a writer of the store's own.

How they are written, and in which thread, is the store's matter (`sqlite_journal.py`, `redis_journal.py`).
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from offhook.policies.core.errors import OffhookError
from offhook.policies.core.records import Rows

from .journal import Done, Stored, Tail, Unit, fence_unit

log = logging.getLogger(__name__)

WAITING_BYTES_MAX = 64 << 20  # not written yet: about a minute of 200 lively calls
PAUSE_MS_FIRST = 50  # before a store that failed is tried again
PAUSE_MS_MAX = 1_000
PRUNE_EVERY_MS = 10_000
CLOSE_MS = 5_000

OnHealth = Callable[[bool, str], None]


class WriteQueue(ABC):
    """The side of a journal that others write to. Create it on the loop that uses it.

    Args:
        on_health: told on the loop when the store goes away (False, why) and is back (True, "").
        waiting_bytes_max: of records that wait for the store.
    """

    def __init__(self, on_health: OnHealth | None, waiting_bytes_max: int) -> None:
        self.up = True
        self._loop = asyncio.get_running_loop()
        self._on_health = on_health
        self._waiting: deque[Unit] = deque()
        self._waiting_bytes = 0
        self._waiting_bytes_max = waiting_bytes_max
        self._closing = False

    def append(self, records: Sequence[Rows], done: Done) -> None:
        """See `Journal`."""
        try:
            unit = Unit([Stored(record) for record in records], done)
        except OffhookError as fault:
            self._loop.call_soon(done, fault)
            return
        self._put(unit)

    async def fence(self, call: str, epoch: int) -> Tail:
        """See `Journal`."""
        unit, tail = fence_unit(call, epoch)
        self._put(unit)
        return await tail

    @property
    def waiting_bytes(self) -> int:
        """Of records that are not stored yet."""
        return self._waiting_bytes

    @abstractmethod
    def _put(self, unit: Unit) -> None:
        """Have it wait, or refuse it."""

    def _refusal(self, unit: Unit) -> str:
        """Why it cannot wait here; "" = it can."""
        if self._closing:
            return "the journal is closed"
        if self._waiting_bytes + unit.size > self._waiting_bytes_max:
            return f"{self._waiting_bytes} bytes wait for the store, the limit is {self._waiting_bytes_max}"
        return ""

    def _say_health(self, up: bool, reason: str) -> None:
        self.up = up
        if self._on_health is not None:
            self._on_health(up, reason)

    def _say_done(self, units: Iterable[Unit]) -> None:
        """Tell those who wait for these how it went."""
        for unit in units:
            try:
                unit.done(unit.fault)
            except Exception:
                log.exception("whoever was told of stored records failed")
