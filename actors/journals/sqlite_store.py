"""The SQLite side of the journal: schema, fencing, groups in one transaction, retention. No threads, no loop.

One `Book` is written by one thread and read by one other; each has its own connection, opened on first use and again
after a failure. Every error is left to the caller as `sqlite3.Error`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import OffhookError
from offhook.policies.core.records import SNAPSHOT, End

from ..contracts.errors import Fenced, ProtocolFault
from .journal import COMPACTED_KINDS, SEQ_MAX, Kept, Retention, Stored, Tail, Unit
from .sqlite_compaction import Compaction
from .sqlite_damage import Log, is_damage

TAILS_MAX = 10_000  # calls whose tail is remembered; the others' is read from the table
BUSY_MS = 1_000  # another process (a former supervisor on its way out) holds the write lock
PRUNED_AT_ONCE = 20  # calls in one transaction: a live call's records do not wait for long
WAL_BYTES_MAX = 32 << 20  # to which the write-ahead log is cut back after a burst

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    call TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    begun_unix_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0, -- when, in Unix ms; 0 = it goes on
    compacted INTEGER NOT NULL DEFAULT -1, -- up to which seq (see sqlite_compaction.py)
    dropped INTEGER NOT NULL DEFAULT 0 -- how many records of it compaction has dropped
);
-- key = number << 32 | seq: a call's records lie together and in order in the table's own tree, without an index
CREATE TABLE IF NOT EXISTS records (
    key INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    crc INTEGER NOT NULL
);
"""
_AFTER = f"CREATE INDEX IF NOT EXISTS calls_to_compact ON calls (ended) WHERE ended > 0 AND compacted < {SEQ_MAX}"
_SINCE_1 = (
    "ALTER TABLE calls ADD COLUMN compacted INTEGER NOT NULL DEFAULT -1",
    "ALTER TABLE calls ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0",
)
VERSION = 2  # of this schema, kept in user_version

Row = tuple[int, int, int, str, bytes, int]  # as written: key, epoch, ...; as read: epoch, seq, at_ms, kind, body, crc


class _Line:
    """A call's place in the tables."""

    __slots__ = ("epoch", "number", "seq")

    def __init__(self, number: int, epoch: int, seq: int) -> None:
        self.number = number
        self.epoch = epoch
        self.seq = seq


class Book:
    """The database of one journal."""

    def __init__(
        self, path: Path, retention: Retention, power_safe: bool, damaged: Callable[[str], None] = lambda _what: None
    ) -> None:
        """`damaged` is told, on the writer's thread, what is wrong with the file."""
        self.path = path
        self._retention = retention
        self._power_safe = power_safe
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._lines: dict[str, _Line] = {}
        self._data_version = -1
        self._damaged = damaged
        self._compaction = Compaction(retention.compact_after_ms)

    # --- writing ----------------------------------------------------------------------------------------------------

    def write(self, group: Sequence[Unit]) -> None:
        """Store a group in one transaction. A unit that breaks a rule gets its `fault`, the others are stored.

        Raises:
            sqlite3.Error: nothing of the group is stored.
        """
        base = self._writer()
        # A fence keeps processes apart; a power cut ends them all, so it need not wait for the disk.
        quick = self._power_safe and not any(unit.records for unit in group)
        if quick:
            base.execute("PRAGMA synchronous = NORMAL")
        try:
            self._write(base, group)
        finally:
            if quick:
                base.execute("PRAGMA synchronous = FULL")

    def _write(self, base: sqlite3.Connection, group: Sequence[Unit]) -> None:
        base.execute("BEGIN IMMEDIATE")
        version = base.execute("PRAGMA data_version").fetchone()[0]
        if version != self._data_version:  # another process wrote: what is remembered may be stale
            self._lines.clear()
            self._data_version = version
        try:
            rows: list[Row] = []
            for unit in group:
                unit.fault = None
                self._store(base, unit, rows)
            base.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?)", rows)
            base.execute("COMMIT")
        except BaseException:
            self._lines.clear()
            raise
        if len(self._lines) > TAILS_MAX:
            self._lines.clear()

    def _store(self, base: sqlite3.Connection, unit: Unit, rows: list[Row]) -> None:
        """Add a unit's rows, or its fault. Rows of the group so far are not in the table yet."""
        fresh: list[Row] = []
        before: dict[str, int] = {}
        try:
            if unit.call:
                line = self._line(base, unit.call, unit.epoch)
                unit.tail = Tail(line.epoch, line.seq)
            for record in unit.records:
                line = self._line(base, record.call, record.epoch)
                before.setdefault(record.call, line.seq)
                key = line.number << 32 | record.seq
                if record.seq <= line.seq:
                    if (crc := self._crc(base, key, rows, fresh)) not in (None, record.crc):
                        raise ProtocolFault(f"record {record.seq} of call {record.call} is there, and is another one")
                    if crc is not None or _was_dropped(base, line.number, record):
                        continue
                line.seq = max(line.seq, record.seq)
                fresh.append((key, record.epoch, record.at_ms, record.kind, record.body, record.crc))
                if record.kind == SNAPSHOT:
                    self._compaction.grown(line.number)
                elif record.kind == End.KIND:
                    _end(base, line.number)
        except OffhookError as fault:
            unit.fault = fault
            for call, seq in before.items():
                self._lines[call].seq = seq
            return
        rows += fresh

    def _line(self, base: sqlite3.Connection, call: str, epoch: int) -> _Line:
        """A call's line, after its epoch was compared and raised."""
        line = self._lines.get(call)
        if line is None:
            line = self._lines[call] = self._find(base, call) or self._begin(base, call, epoch)
        if epoch < line.epoch:
            raise Fenced(f"call {call} is owned at epoch {line.epoch}, epoch {epoch} is over")
        if epoch > line.epoch:
            base.execute("UPDATE calls SET epoch = ? WHERE number = ?", (epoch, line.number))
            line.epoch = epoch
        return line

    @staticmethod
    def _begin(base: sqlite3.Connection, call: str, epoch: int) -> _Line:
        begun = time.time_ns() // 1_000_000
        cursor = base.execute("INSERT INTO calls (call, epoch, begun_unix_ms) VALUES (?, ?, ?)", (call, epoch, begun))
        return _Line(int(cursor.lastrowid or 0), epoch, -1)

    @staticmethod
    def _find(base: sqlite3.Connection, call: str) -> _Line | None:
        row = base.execute("SELECT number, epoch FROM calls WHERE call = ?", (call,)).fetchone()
        if row is None:
            return None
        number, epoch = row
        last = base.execute("SELECT max(key) FROM records WHERE key BETWEEN ? AND ?", _keys(number)).fetchone()[0]
        return _Line(number, epoch, last & SEQ_MAX if last is not None else -1)

    @staticmethod
    def _crc(base: sqlite3.Connection, key: int, *unwritten: list[Row]) -> int | None:
        """The checksum of a record that is there already; only asked where a seq comes again."""
        for rows in unwritten:
            for row in rows:
                if row[0] == key:
                    return row[5]
        found = base.execute("SELECT crc FROM records WHERE key = ?", (key,)).fetchone()
        return found[0] if found is not None else None

    def _writer(self) -> sqlite3.Connection:
        if self._writing is None:
            # Autocommit: transactions are opened by hand. Used by one thread, closed perhaps by another.
            written = Log.of(self.path)
            base = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1_000)
            try:
                base.execute("PRAGMA auto_vacuum = INCREMENTAL")
                base.execute("PRAGMA journal_mode = WAL")
                base.execute(f"PRAGMA synchronous = {'FULL' if self._power_safe else 'NORMAL'}")
                base.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_MAX}")
                version = base.execute("PRAGMA user_version").fetchone()[0]
                if version > VERSION:
                    raise sqlite3.NotSupportedError(f"{self.path} was written by a newer offhook (schema {version})")
                base.executescript(_SCHEMA)
                for change in _SINCE_1 if version == 1 else ():
                    base.execute(change)
                base.execute(_AFTER)
                base.execute(f"PRAGMA user_version = {VERSION}")
                page_bytes = base.execute("PRAGMA page_size").fetchone()[0]
                base.execute(f"PRAGMA max_page_count = {self._retention.bytes_max * 11 // 10 // page_bytes}")
            except BaseException:
                base.close()
                raise
            if (lost := written.lost(base)) is not None:
                self._damaged(lost)
            self._writing = base
            self._data_version = -1
        return self._writing

    # --- keeping it small, keeping it alive -------------------------------------------------------------------------

    def prune(self) -> int:
        """Drop some of what is over the limits; returns how many calls. Call it again for more."""
        base = self._writer()
        keep = self._retention
        old_ms = time.time_ns() // 1_000_000 - keep.keep_ms
        doomed: list[int] = [
            number
            for (number,) in base.execute(
                "SELECT number FROM calls WHERE begun_unix_ms < ? ORDER BY number LIMIT ?", (old_ms, PRUNED_AT_ONCE)
            )
        ]
        over = base.execute("SELECT count(*) FROM calls").fetchone()[0] - keep.calls_max
        if self._bytes(base) > keep.bytes_max:
            over = PRUNED_AT_ONCE
        if over > 0 and not doomed:
            query = "SELECT number FROM calls WHERE ended ORDER BY number LIMIT ?"
            doomed = [number for (number,) in base.execute(query, (min(over, PRUNED_AT_ONCE),))]
        if doomed:
            base.execute("BEGIN IMMEDIATE")
            for number in doomed:
                base.execute("DELETE FROM records WHERE key BETWEEN ? AND ?", _keys(number))
                base.execute("DELETE FROM calls WHERE number = ?", (number,))
            base.execute("COMMIT")
            self._lines.clear()
        return len(doomed)

    def compact(self) -> bool:
        """Drop a little of what is superseded, and give pages back. True: there is more. Raises sqlite3.Error."""
        base = self._writer()
        base.execute("PRAGMA synchronous = NORMAL")  # a power cut may undo it, so it need not wait for the disk
        try:
            return self._compaction.step(base, time.time_ns() // 1_000_000)
        finally:
            base.execute(f"PRAGMA synchronous = {'FULL' if self._power_safe else 'NORMAL'}")

    @staticmethod
    def _bytes(base: sqlite3.Connection) -> int:
        pages, free, size = (
            base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def mend(self, error: sqlite3.Error) -> None:
        """After a failure: a fresh connection, room where the store is full, a new file where it is broken."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL and self._writing is not None:
            with suppress(sqlite3.Error):
                if self._writing.in_transaction:
                    self._writing.execute("ROLLBACK")
                self.prune()
        self.close_writing()
        if is_damage(error):
            # Calls that run now need a journal more than calls that are over; nothing is deleted.
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns() // 1_000_000}")
            self._damaged(f"{self.path}: {error}; a new file is begun, the damaged one is {aside.name}")
            with suppress(OSError):
                self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                with suppress(OSError):
                    self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))

    def close_writing(self) -> None:
        """Close the writer's connection; the next write opens another."""
        if self._writing is not None:
            with suppress(sqlite3.Error):
                self._writing.close()
            self._writing = None
        self._lines.clear()
        self._compaction.forget()

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, call: str, after_seq: int, limit: int) -> list[Row]:
        """A call's rows after `after_seq`, in order; no number is too large."""
        after_seq, limit = min(after_seq, SEQ_MAX), min(limit, SEQ_MAX)
        number = self._number(call)
        if number is None:
            return []
        first, last = _keys(number)
        return self._rows("key > ? AND key <= ? ORDER BY key LIMIT ?", max(first - 1, first + after_seq), last, limit)

    def last(self, call: str, kind: str) -> Row | None:
        """A call's newest row, of one kind or of any."""
        number = self._number(call)
        if number is None:
            return None
        where = "key BETWEEN ? AND ? AND (? = '' OR kind = ?) ORDER BY key DESC LIMIT 1"
        rows = self._rows(where, *_keys(number), kind, kind)
        return rows[0] if rows else None

    def calls(self, limit: int) -> list[Kept]:
        """The newest calls."""
        return self._kept("ORDER BY number DESC LIMIT ?", limit)

    def kept(self, call: str) -> Kept | None:
        """One call."""
        found = self._kept("WHERE call = ?", call)
        return found[0] if found else None

    def _kept(self, which: str, value: object) -> list[Kept]:
        query = f"""
            SELECT call, epoch, begun_unix_ms, ended, dropped, compacted,
                   (SELECT max(key) FROM records WHERE key BETWEEN number << 32 AND number << 32 | 4294967295)
            FROM calls {which}"""
        return [
            Kept(call, epoch, last & SEQ_MAX if last is not None else -1, begun, bool(ended), dropped, compacted)
            for call, epoch, begun, ended, dropped, compacted, last in self._query(query, value)
        ]

    def close_reading(self) -> None:
        """Close the reader's connection; the next read opens another."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _number(self, call: str) -> int | None:
        rows = self._query("SELECT number FROM calls WHERE call = ?", call)
        return rows[0][0] if rows else None

    def _rows(self, where: str, *values: object) -> list[Row]:
        query = f"SELECT epoch, key & {SEQ_MAX}, at_ms, kind, body, crc FROM records WHERE {where}"
        return self._query(query, *values)

    def _query(self, query: str, *values: object) -> list[Any]:
        if self._reading is None:
            self._reading = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=BUSY_MS / 1_000
            )
        try:
            return self._reading.execute(query, values).fetchall()
        except sqlite3.Error:
            self.close_reading()
            raise


def _end(base: sqlite3.Connection, number: int) -> None:
    """A call is over; where it had been over before, what has come since is compacted too."""
    again = f"CASE WHEN compacted = {SEQ_MAX} THEN -1 ELSE compacted END"
    query = f"UPDATE calls SET ended = ?, compacted = {again} WHERE number = ?"
    base.execute(query, (time.time_ns() // 1_000_000, number))


def _was_dropped(base: sqlite3.Connection, number: int, record: Stored) -> bool:
    """It was stored, and compacted since. Only asked where a seq comes again."""
    if record.kind not in COMPACTED_KINDS:
        return False
    compacted = base.execute("SELECT compacted FROM calls WHERE number = ?", (number,)).fetchone()[0]
    return bool(record.seq <= compacted)


def _keys(number: int) -> tuple[int, int]:
    return number << 32, number << 32 | SEQ_MAX
