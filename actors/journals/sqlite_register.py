"""The register of acts of one node, in an SQLite file. Rules: `register.py`.

Where the journal is an SQLite file too, a call's newest epoch is read from it inside of the step that begins an act:
whoever fences the journal and then orders, finds here what was begun before the fence, and nothing begins after it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from ..contracts.errors import JournalAway
from ..contracts.orders import Order, Outcome
from .register import GRACE_MS, KEEP_MS, Begun, outcome_of, state_of

T = TypeVar("T")

SWITCH_PAUSE_S = 0.005  # between two tries to switch a new file to a write-ahead log
BUSY_S = 5.0  # a former supervisor on its way out holds the lock
DROPPED_AT_ONCE = 100  # acts older than KEEP_MS, with each act that begins: more than come in

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    key TEXT PRIMARY KEY, call TEXT NOT NULL, action TEXT NOT NULL, grant_id TEXT NOT NULL, epoch INTEGER NOT NULL,
    token TEXT NOT NULL, holder TEXT NOT NULL, tries INTEGER NOT NULL, doubt INTEGER NOT NULL,
    begun_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
    state TEXT NOT NULL, result TEXT NOT NULL -- state: begun, ok, failed, withdrawn, unknown
);
CREATE INDEX IF NOT EXISTS orders_of_call ON orders (call, begun_ms);
CREATE INDEX IF NOT EXISTS orders_by_age ON orders (begun_ms);
"""


class SqliteRegister:
    """See `register.Register`.

    Args:
        path: the register's file; its folder must exist.
        journal: the journal's file; None = it is elsewhere, and epochs are those of the acts alone.
        holder: this node's name.
    """

    def __init__(self, path: Path | str, holder: str, journal: Path | None = None) -> None:
        self._path = path
        self._journal = journal
        self._holder = holder
        self._base: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, "register")

    async def begin(self, order: Order, token: str, time_ms: int) -> Begun:
        """See `Register`."""
        return await self._run(lambda base: self._begin(base, order, token, time_ms))

    async def finish(self, order: Order, token: str, outcome: Outcome) -> bool:
        """See `Register`."""
        return await self._run(lambda base: _finish(base, order, token, outcome))

    async def acts(self, call: str) -> list[tuple[str, str, int]]:
        """See `Register`."""
        query = "SELECT action, key, tries FROM orders WHERE call = ? ORDER BY begun_ms, rowid"
        return await self._run(lambda base: base.execute(query, (call,)).fetchall())

    async def close(self) -> None:
        """See `Register`."""
        with suppress(RuntimeError):  # closed already
            await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def guarded() -> T:
            try:
                return work(self._open())
            except sqlite3.Error:
                self._drop()
                raise

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, guarded)
        except sqlite3.Error as error:
            raise JournalAway(f"the register of acts, {self._path}: {error}") from error
        except RuntimeError as error:
            raise JournalAway("the register of acts is closed") from error

    def _open(self) -> sqlite3.Connection:
        if self._base is None:
            base = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=BUSY_S)
            _write_ahead(base)
            base.execute("PRAGMA synchronous = FULL")  # what was begun must be known after a power cut
            base.executescript(_SCHEMA)
            self._base = base
        return self._base

    def _drop(self) -> None:
        if self._base is not None:
            with suppress(sqlite3.Error):
                self._base.close()
            self._base = None

    def _begin(self, base: sqlite3.Connection, order: Order, token: str, time_ms: int) -> Begun:
        now_ms = time.time_ns() // 1_000_000
        base.execute("BEGIN IMMEDIATE")
        old = f"SELECT rowid FROM orders WHERE begun_ms < ? LIMIT {DROPPED_AT_ONCE}"
        base.execute(f"DELETE FROM orders WHERE rowid IN ({old})", (now_ms - KEEP_MS,))
        row = base.execute(
            "SELECT grant_id, token, holder, tries, doubt, until_ms, state, result FROM orders WHERE key = ?",
            (order.key,),
        ).fetchone()
        begun = self._decide(base, order, token, row, now_ms)
        if begun.outcome is None and not begun.newer_epoch and not begun.wait_ms:
            base.execute(
                "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'begun', '')",
                (
                    *(order.key, order.call, order.action, order.grant, order.epoch, token, self._holder),
                    *(begun.tries, begun.in_doubt, now_ms, now_ms + time_ms + GRACE_MS),
                ),
            )
        base.execute("COMMIT")
        return begun

    def _decide(
        self, base: sqlite3.Connection, order: Order, token: str, row: tuple[str, ...] | None, now_ms: int
    ) -> Begun:
        """As the script in `redis_register.py` does, line by line."""
        if row is not None and row[6] != "begun" and (row[6] == "ok" or row[0] == order.grant):
            return Begun(outcome=outcome_of(row[6], row[7]))
        newest = self._newest(base, order.call)
        if order.epoch < newest:
            return Begun(newer_epoch=newest)
        if row is None:
            return Begun()
        _grant, last_token, holder, tries, doubt, until_ms, state, _result = row
        if state == "begun" and last_token == token:
            return Begun(in_doubt=bool(doubt), tries=int(tries))
        if state == "begun" and holder != self._holder and now_ms < int(until_ms):
            return Begun(wait_ms=int(until_ms) - now_ms)
        return Begun(in_doubt=state not in ("failed", "withdrawn"), tries=int(tries) + 1)

    def _newest(self, base: sqlite3.Connection, call: str) -> int:
        """The call's newest epoch, by its acts and by the journal."""
        newest = int(base.execute("SELECT coalesce(max(epoch), 0) FROM orders WHERE call = ?", (call,)).fetchone()[0])
        if self._journal is not None and self._journal.exists():
            # Opened anew each time: after damage the journal goes on in another file of this name.
            uri = f"{self._journal.absolute().as_uri()}?mode=ro"
            with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S)) as journal:
                found = journal.execute("SELECT epoch FROM calls WHERE call = ?", (call,)).fetchone()
                newest = max(newest, int(found[0]) if found is not None else 0)
        return newest


def _write_ahead(base: sqlite3.Connection) -> None:
    """Use a write-ahead log. Two that switch to it at once do not wait for each other as all else does: one is refused
    at once (SQLite, "Write-Ahead Logging", section 3.1)."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            base.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(SWITCH_PAUSE_S)


def _finish(base: sqlite3.Connection, order: Order, token: str, outcome: Outcome) -> bool:
    cursor = base.execute(
        "UPDATE orders SET state = ?, result = ? WHERE key = ? AND token = ? AND state = 'begun'",
        (state_of(outcome), outcome.result, order.key, token),
    )
    return cursor.rowcount == 1
