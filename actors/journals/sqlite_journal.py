"""The journal of one node in SQLite (WAL). One thread writes, in groups; one reads; the loop waits for neither.

Records of all calls that arrive while a group is being written form the next group: the more traffic, the larger the
groups, and one sync to disk for each. Tables are `sqlite_store.py`'s matter, the rules for records `journal.py`'s.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from offhook.policies.core.records import Record

from ..contracts.errors import JournalAway, JournalDamaged
from .journal import COMPACT_EVERY_MS, COMPACT_IDLE_MS, Kept, Retention, Unit, restored
from .sqlite_damage import is_damage
from .sqlite_store import Book
from .write_queue import CLOSE_MS, PAUSE_MS_FIRST, PAUSE_MS_MAX, PRUNE_EVERY_MS, WAITING_BYTES_MAX, OnHealth, WriteQueue

log = logging.getLogger(__name__)
T = TypeVar("T")

# A group gathers for this long: 60 commits a second at most, however many calls. Nobody waits for one but an
# irreversible action and the end of a call; a takeover's fence does not linger.
LINGER_MS = 15
GROUP_RECORDS_MAX = 5_000  # one group; keeps a commit under about 50 ms


class SqliteJournal(WriteQueue):
    """See `journal.Journal`. Create it on the loop that uses it.

    Args:
        path: the database file; its folder must exist.
        on_health: told on the loop when the store goes away (False, why) and is back (True, "").
        retention: how much is kept.
        power_safe: an acknowledged record outlives a power cut, not only the death of every process. Costs one fsync
            a group.
        on_damage: told on the loop when the file as a whole is found damaged.
        waiting_bytes_max: of records that wait for the store.
    """

    shared = False

    def __init__(
        self,
        path: str | Path,
        on_health: OnHealth | None = None,
        retention: Retention | None = None,
        *,
        power_safe: bool = True,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
        on_damage: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(on_health, waiting_bytes_max)
        self._on_damage = on_damage or (lambda _what: None)
        self._book = Book(Path(path), retention or Retention(), power_safe, self._damaged)
        self._changed = threading.Condition()
        self._hurry = False  # a fence waits: somebody is on the line
        self._writer = threading.Thread(target=self._write, name="journal-writer", daemon=True)
        self._writer.start()
        self._reader = ThreadPoolExecutor(1, "journal-reader")

    # --- the loop's side --------------------------------------------------------------------------------------------

    async def read(self, call: str, after_seq: int = -1, limit: int = 1_000) -> list[Record]:
        """See `Journal`."""
        rows = await self._read(lambda: self._book.read(call, after_seq, limit))
        return [restored(call, *row) for row in rows]

    async def last(self, call: str, kind: str = "") -> Record | None:
        """See `Journal`."""
        row = await self._read(lambda: self._book.last(call, kind))
        return restored(call, *row) if row is not None else None

    async def calls(self, limit: int = 100) -> list[Kept]:
        """See `Journal`."""
        return await self._read(lambda: self._book.calls(limit))

    async def kept(self, call: str) -> Kept | None:
        """See `Journal`."""
        return await self._read(lambda: self._book.kept(call))

    async def close(self) -> None:
        """See `Journal`. What cannot be stored within CLOSE_MS is refused with JournalAway."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        await self._loop.run_in_executor(self._reader, self._writer.join, CLOSE_MS / 1_000)
        await self._loop.run_in_executor(self._reader, self._book.close_reading)
        self._reader.shutdown(wait=False)
        self._refuse_all("the journal is closed")

    def _put(self, unit: Unit) -> None:
        with self._changed:
            reason = self._refusal(unit)
            if not reason:
                self._waiting_bytes += unit.size
                self._waiting.append(unit)
                self._hurry = self._hurry or bool(unit.call)
                if len(self._waiting) == 1 or unit.call:
                    self._changed.notify()
        if reason:
            self._loop.call_soon(unit.done, JournalAway(reason))

    def _refuse_all(self, reason: str) -> None:
        with self._changed:
            units, self._waiting = list(self._waiting), deque()
            self._waiting_bytes = 0
        for unit in units:
            unit.done(JournalAway(reason))

    async def _read(self, work: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._reader, work)
        except sqlite3.Error as error:
            if is_damage(error):
                raise JournalDamaged(f"{self._book.path}: {error}") from error
            raise JournalAway(f"{self._book.path}: {error}") from error
        except RuntimeError as error:  # the executor is shut down
            raise JournalAway("the journal is closed") from error

    def _tell(self, units: Sequence[Unit], health: tuple[bool, str] | None = None) -> None:
        """From the writer's thread to the loop, once a group."""
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(self._told, units, health)

    def _damaged(self, what: str) -> None:
        """From the writer's thread."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._on_damage, what)

    def _told(self, units: Sequence[Unit], health: tuple[bool, str] | None) -> None:
        if health is not None:
            self._say_health(*health)
        self._say_done(units)

    # --- the writer's thread ----------------------------------------------------------------------------------------

    def _write(self) -> None:
        up = True
        pause_ms = PAUSE_MS_FIRST
        prune_at = time.monotonic() + PRUNE_EVERY_MS / 1_000
        compact_at = time.monotonic() + COMPACT_IDLE_MS / 1_000
        while (group := self._next_group(min(prune_at, compact_at))) is not None:
            try:
                if group:
                    self._book.write(group)
                if time.monotonic() >= prune_at:
                    self._book.prune()
                    prune_at = time.monotonic() + PRUNE_EVERY_MS / 1_000
            except sqlite3.Error as error:
                log.warning("the journal's store is away", extra={"path": str(self._book.path), "error": str(error)})
                self._put_back(group)
                if up:
                    up = False
                    self._tell((), (False, str(error)))
                self._book.mend(error)
                if self._pause(pause_ms):
                    break
                pause_ms = min(2 * pause_ms, PAUSE_MS_MAX)
                continue
            with self._changed:
                self._waiting_bytes -= sum(unit.size for unit in group)
            back = None if up else (True, "")
            if group or back:
                self._tell(group, back)
            up, pause_ms = True, PAUSE_MS_FIRST
            if time.monotonic() >= compact_at:  # those who wait for this group have been told
                compact_at = time.monotonic() + self._compact() / 1_000
        self._book.close_writing()

    def _compact(self) -> int:
        """One step; when the next one is due, in ms. A failure is the next write's matter."""
        try:
            return COMPACT_EVERY_MS if self._book.compact() else COMPACT_IDLE_MS
        except sqlite3.Error as error:
            log.warning("a step of compaction failed", extra={"path": str(self._book.path), "error": str(error)})
            self._book.mend(error)
            return COMPACT_IDLE_MS

    def _next_group(self, until: float) -> list[Unit] | None:
        """What waits, after lingering for more; [] = it is time to prune; None = closed, and nothing waits."""
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                if not self._changed.wait(max(0.0, until - time.monotonic())):
                    return []
        group: list[Unit] = []
        count = 0
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._hurry, LINGER_MS / 1_000)
            self._hurry = False
            while self._waiting and count < GROUP_RECORDS_MAX:
                unit = self._waiting.popleft()
                group.append(unit)
                count += len(unit.records)
        return group

    def _put_back(self, group: Sequence[Unit]) -> None:
        with self._changed:
            self._waiting.extendleft(reversed(group))

    def _pause(self, pause_ms: int) -> bool:
        """Wait before the next try; True = the journal is closed, there is none."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing, pause_ms / 1_000)
