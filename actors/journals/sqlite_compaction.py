"""Compaction of an SQLite journal: what nobody needs any more is dropped, and its pages are given back.

Superseded snapshots, and "place" records before the snapshot that is kept, say nothing that the events do not. They go
as soon as two newer snapshots are stored (the second one in case the newest is damaged), and once a call is over, all
before its last. How many were dropped of a call, and up to where, is noted with it: see `journal.unexplained`.

In steps of some milliseconds, by the thread that writes, between two groups. A step that is lost is done again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from .journal import COMPACTED_KINDS, SEQ_MAX

SCAN_ROWS = 500  # seqs looked at in one step: some tenths of a millisecond
DROPPED_AT_ONCE = 100  # rows in one step
DROPPED_BYTES = 128 << 10  # ... or so many of their bytes: what is freed has to be read and noted page by page
HORIZON_ROWS = 4_000  # back from the end of a call; a snapshot comes every 256 events, of two or three records each
FREE_PAGES = 256  # stay in the file, for what is written next
VACUUM_PAGES = 16  # given back in one step
GROWN_MAX = 10_000  # live calls that wait for their turn; beyond it they wait for their end

_KINDS = ", ".join(f"'{kind}'" for kind in COMPACTED_KINDS)


@dataclass(slots=True)
class _Job:
    number: int  # of the call
    key: int  # where to go on
    horizon: int  # the key of the snapshot that is kept
    over: bool  # the call is


class Compaction:
    """One writer's; `after_ms`: how long a call must have been over."""

    def __init__(self, after_ms: int) -> None:
        self._after_ms = after_ms
        self._grown: dict[int, None] = {}  # live calls with a further snapshot, the longest waiting first
        self._job: _Job | None = None

    def grown(self, number: int) -> None:
        """A call has a further snapshot."""
        if len(self._grown) < GROWN_MAX:
            self._grown[number] = None

    def forget(self) -> None:
        """After a failure: what was under way begins again."""
        self._job = None

    def step(self, base: sqlite3.Connection, now_ms: int) -> bool:
        """Do a little. True: there is more. Raises sqlite3.Error; nothing of the step is stored then."""
        job = self._job = self._job or self._next(base, now_ms)
        if job is not None:
            self._drop(base, job)
        return self._give_back(base) or job is not None

    def _next(self, base: sqlite3.Connection, now_ms: int) -> _Job | None:
        if self._grown:
            number = next(iter(self._grown))
            del self._grown[number]
            found = base.execute("SELECT compacted FROM calls WHERE number = ?", (number,)).fetchone()
            return _job(base, number, found[0], over=False) if found is not None else None
        found = base.execute(
            f"SELECT number, compacted FROM calls WHERE ended > 0 AND ended <= ? AND compacted < {SEQ_MAX} LIMIT 1",
            (now_ms - self._after_ms,),
        ).fetchone()
        return _job(base, found[0], found[1], over=True) if found is not None else None

    def _drop(self, base: sqlite3.Connection, job: _Job) -> None:
        upto = min(job.horizon, job.key + SCAN_ROWS)
        doomed: list[tuple[int]] = []
        size = 0
        query = f"SELECT key, length(body) FROM records WHERE key >= ? AND key < ? AND kind IN ({_KINDS}) ORDER BY key"
        for key, body_bytes in base.execute(query, (job.key, upto)).fetchall():
            doomed.append((key,))
            size += body_bytes
            if size > DROPPED_BYTES or len(doomed) == DROPPED_AT_ONCE:
                upto = key + 1
                break
        done = upto >= job.horizon
        if doomed or done:
            compacted = SEQ_MAX if done and job.over else upto - 1 - (job.number << 32)
            base.execute("BEGIN IMMEDIATE")
            base.executemany("DELETE FROM records WHERE key = ?", doomed)
            base.execute(
                "UPDATE calls SET compacted = max(compacted, ?), dropped = dropped + ? WHERE number = ?",
                (compacted, len(doomed), job.number),
            )
            base.execute("COMMIT")
        job.key = upto
        if done:
            self._job = None

    @staticmethod
    def _give_back(base: sqlite3.Connection) -> bool:
        """Cut free pages off the file's end. True: there are more than may stay."""
        free = base.execute("PRAGMA freelist_count").fetchone()[0] - FREE_PAGES
        if free <= 0:
            return False
        # Not `execute`: it would take one step of the statement, and a step is a page.
        base.executescript(f"PRAGMA incremental_vacuum({min(free, VACUUM_PAGES)})")
        return bool(free > VACUUM_PAGES)


def _job(base: sqlite3.Connection, number: int, compacted: int, over: bool) -> _Job:
    first = number << 32
    last = base.execute("SELECT max(key) FROM records WHERE key BETWEEN ? AND ?", (first, first | SEQ_MAX)).fetchone()[
        0
    ]
    start = first + compacted + 1
    if last is None:
        return _Job(number, start, start, over)
    kept = base.execute(
        "SELECT key FROM records WHERE key BETWEEN ? AND ? AND kind = 'snapshot' ORDER BY key DESC LIMIT 1 OFFSET ?",
        (max(first, last - HORIZON_ROWS), last, 0 if over else 1),
    ).fetchone()
    return _Job(number, start, kept[0] if kept is not None else start, over)
