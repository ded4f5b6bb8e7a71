"""Damage to an SQLite file that SQLite itself passes over in silence, and what counts as damage among its errors.

After a crash SQLite takes from the write-ahead log what is whole, from its beginning, and drops the rest without a
word. The rest may be the torn end of a transaction that nobody was told of, which is no loss; or, behind a flipped bit
or a gap, transactions that were acknowledged. The log is looked at before it is opened: commits in it that SQLite does
not take are a loss. Cut off at a frame's end it looks as if it had never been longer; nobody can see that.

Format: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MAGIC = (0x377F0682, 0x377F0683)


def is_damage(error: sqlite3.Error) -> bool:
    """The file is broken, rather than out of reach."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@dataclass(frozen=True, slots=True)
class Log:
    """The write-ahead log as it lies there: how many frames up to its last commit."""

    path: Path
    committed: int = 0
    broken: bool = False  # it is no log at all

    @classmethod
    def of(cls, base: Path) -> Log:
        """Of the database at `base`; there may be none."""
        path = base.with_name(f"{base.name}-wal")
        with suppress(OSError), path.open("rb") as file:
            return cls._read(path, file.read(HEADER_BYTES), path.stat().st_size)
        return cls(path)

    @classmethod
    def _read(cls, path: Path, header: bytes, size: int) -> Log:
        if not header:
            return cls(path)
        if len(header) < HEADER_BYTES or struct.unpack_from(">I", header)[0] not in MAGIC:
            return cls(path, broken=True)
        (page_bytes,) = struct.unpack_from(">I", header, 8)
        salts = header[16:24]
        frame_bytes = FRAME_HEADER_BYTES + page_bytes
        frames = (size - HEADER_BYTES) // frame_bytes
        committed = 0
        with path.open("rb") as file:
            for number in range(1, frames + 1):
                file.seek(HEADER_BYTES + (number - 1) * frame_bytes)
                frame = file.read(FRAME_HEADER_BYTES)
                if frame[8:16] != salts:
                    continue  # of an earlier round of the log; or damaged
                if struct.unpack_from(">I", frame, 4)[0]:  # the database's size after a commit
                    committed = number
        return cls(path, committed)

    def lost(self, base: sqlite3.Connection) -> str | None:
        """What was lost of it, now that `base` is open on it; None = nothing that shows. Raises sqlite3.Error."""
        if self.broken:
            return f"{self.path}: it is no write-ahead log; what was in it is lost"
        if not self.committed:
            return None
        _busy, taken, _moved = base.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        again = Log.of(self.path.with_name(self.path.name.removesuffix("-wal")))
        if not 0 <= taken < self.committed or again.committed < self.committed:
            return None  # all of it was taken, or another process has begun the log anew since
        missing = self.committed - taken
        return f"{self.path}: {missing} of {self.committed} pages of commits do not match their checksums and are lost"
