"""The journal of a cluster in Redis (streams). Several nodes write to one; a call's epoch is compared where it is kept.

One task writes, in groups, with one round trip for each: what arrives while a group is under way forms the next one.
When an answer fails to come, the group is sent again; the store drops what it has already. Keys and scripts are
`redis_store.py`'s matter, the rules for records `journal.py`'s.

An acknowledged record is as safe as that Redis makes it. `appendonly yes` with `appendfsync always` outlives its death
and a power cut. With `everysec` either may cost the last two seconds: while a sync is under way, Redis answers before
it writes (its `flushAppendOnlyFile`), and a kill under load was seen to lose acknowledged records. Less is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from offhook.policies.core.errors import CallerFault
from offhook.policies.core.records import Record
from redis import RedisError

from ..contracts.errors import JournalAway
from .journal import COMPACT_EVERY_MS, COMPACT_IDLE_MS, Kept, Retention, Unit
from .redis_store import Book
from .write_queue import CLOSE_MS, PAUSE_MS_FIRST, PAUSE_MS_MAX, PRUNE_EVERY_MS, WAITING_BYTES_MAX, OnHealth, WriteQueue

log = logging.getLogger(__name__)
T = TypeVar("T")

RETENTION = Retention(bytes_max=2 << 30)  # memory, not disk; a usual event takes 90 bytes
LINGER_MS = 2  # a group gathers for this long: a round trip costs as much CPU as thirty records
GROUP_RECORDS_MAX = 1_000  # one script; Redis serves nobody else meanwhile, up to about 10 ms
GROUP_BYTES_MAX = 8 << 20


class RedisJournal(WriteQueue):
    """See `journal.Journal`. Create it on the loop that uses it.

    Args:
        url: redis://[[user]:password@]host[:port][/db], rediss:// for TLS, unix://path?db=0.
        on_health: told on the loop when the store goes away (False, why) and is back (True, "").
        retention: how much is kept, of all nodes together.
        waiting_bytes_max: of records that wait for the store.

    Raises:
        CallerFault: no URL of a Redis.
    """

    shared = True

    def __init__(
        self,
        url: str,
        on_health: OnHealth | None = None,
        retention: Retention = RETENTION,
        *,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
    ) -> None:
        super().__init__(on_health, waiting_bytes_max)
        try:
            self._book = Book(url, retention)
        except ValueError as error:
            raise CallerFault(f"the journal's URL cannot be used: {error}") from error
        self._changed = asyncio.Event()
        self._closed = False
        self._writer = self._loop.create_task(self._write())

    # --- what others ask --------------------------------------------------------------------------------------------

    async def read(self, call: str, after_seq: int = -1, limit: int = 1_000) -> list[Record]:
        """See `Journal`."""
        return await self._read(self._book.read(call, after_seq, limit))

    async def last(self, call: str, kind: str = "") -> Record | None:
        """See `Journal`."""
        return await self._read(self._book.last(call, kind))

    async def calls(self, limit: int = 100) -> list[Kept]:
        """See `Journal`."""
        return await self._read(self._book.calls(limit))

    async def kept(self, call: str) -> Kept | None:
        """See `Journal`."""
        return await self._read(self._book.kept(call))

    async def close(self) -> None:
        """See `Journal`. What cannot be stored within CLOSE_MS is refused with JournalAway."""
        if self._closing:
            return
        self._closing = True
        self._changed.set()
        await asyncio.wait({self._writer}, timeout=CLOSE_MS / 1_000)
        self._writer.cancel()
        await asyncio.wait({self._writer})
        self._closed = True
        units, self._waiting, self._waiting_bytes = list(self._waiting), deque(), 0
        for unit in units:
            unit.done(JournalAway("the journal is closed"))
        with suppress(RedisError, OSError):
            await self._book.close()

    def _put(self, unit: Unit) -> None:
        if reason := self._refusal(unit):
            self._loop.call_soon(unit.done, JournalAway(reason))
        else:
            self._waiting_bytes += unit.size
            self._waiting.append(unit)
            self._changed.set()

    async def _read(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed or self._closing:
            work.close()
            raise JournalAway("the journal is closed")
        try:
            return await work
        except (RedisError, OSError) as error:
            raise JournalAway(f"Redis: {error}") from error

    # --- the writer -------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        pause_ms = PAUSE_MS_FIRST
        prune_at = self._loop.time()  # at once: so it is known from the start whether the store is there
        compact_at = self._loop.time() + COMPACT_IDLE_MS / 1_000
        while (group := await self._next_group(min(prune_at, compact_at))) is not None:
            done = 0
            try:
                if group:
                    done = await self._book.write(group)
                if done < len(group) or self._loop.time() >= prune_at:
                    dropped = await self._book.prune()
                    prune_at = self._loop.time() + PRUNE_EVERY_MS / 1_000
                    if done < len(group) and not dropped:
                        raise RedisError("the journal is full, and no call is over that could be dropped")
            except Exception as error:  # this loop must never stop
                unknown = not isinstance(error, (RedisError, OSError))
                log.warning("the journal's store is away: %s", error, exc_info=unknown)
                self._settle(group, done)
                self._tell(False, str(error))
                self._book.forget()
                if await self._pause(pause_ms):
                    return
                pause_ms = min(2 * pause_ms, PAUSE_MS_MAX)
                continue
            self._tell(True, "")
            self._settle(group, done)
            pause_ms = PAUSE_MS_FIRST
            if self._loop.time() >= compact_at:  # those who wait for this group have been told
                compact_at = self._loop.time() + await self._compact() / 1_000

    async def _compact(self) -> int:
        """One step; when the next one is due, in ms. That the store is away is the next write's matter."""
        try:
            return COMPACT_EVERY_MS if await self._book.compact() else COMPACT_IDLE_MS
        except (RedisError, OSError) as error:
            log.warning("a step of compaction failed: %s", error)
            self._book.forget()
            return COMPACT_IDLE_MS

    async def _next_group(self, until: float) -> list[Unit] | None:
        """What waits, after lingering for more; [] = it is time to prune; None = closed, and nothing waits."""
        while not self._waiting:
            if self._closing:
                return None
            self._changed.clear()
            try:
                async with asyncio.timeout_at(until):
                    await self._changed.wait()
            except TimeoutError:
                return []
        if not self._closing:
            await asyncio.sleep(LINGER_MS / 1_000)
        group: list[Unit] = []
        records = size = 0
        while self._waiting and records < GROUP_RECORDS_MAX and size < GROUP_BYTES_MAX:
            unit = self._waiting.popleft()
            group.append(unit)
            records += len(unit.records)
            size += unit.size
        return group

    def _settle(self, group: Sequence[Unit], done: int) -> None:
        """Tell the first `done` units how it went; the others wait again."""
        self._waiting.extendleft(reversed(group[done:]))
        self._waiting_bytes -= sum(unit.size for unit in group[:done])
        self._say_done(group[:done])

    def _tell(self, up: bool, reason: str) -> None:
        if up != self.up:
            self._say_health(up, reason)

    async def _pause(self, pause_ms: int) -> bool:
        """Wait before the next try; True = the journal is closed, there is none."""
        until = self._loop.time() + pause_ms / 1_000
        while not self._closing and self._loop.time() < until:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._changed.wait()
        return self._closing
