"""What every journal keeps: a call's records in order, each under the epoch of the owner that wrote it.

The protocol, the record and its checksum, and the rules that any store must hold to
(`tests/integration/test_journal.py` runs them against each). A store's own matter is in its file: `sqlite_journal.py`
for one node, `redis_journal.py` for several; `stores.py` chooses. What is recorded, and when, is `call/recorder.py`'s.

1. A record is acknowledged when it is safe; the records of one `append` are stored all or none.
2. (call, seq) is stored once: the same record again is acknowledged and changes nothing, another one is refused.
3. Once an epoch was seen or `fence`d, records of an older epoch of that call are refused.
4. While the store is away, records wait within a limit; beyond it they are refused with JournalAway. Who wrote them
   keeps them and sends them again.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgpack
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.records import SNAPSHOT, Lost, Place, Record, Rows

from ..contracts.errors import JournalDamaged, ProtocolFault

Done = Callable[[OffhookError | None], None]  # None: the records are safe

CALL_CHARS_MAX = 128
KIND_CHARS_MAX = 32
SEQ_MAX = (1 << 32) - 1
BODY_BYTES_MAX = 1 << 20  # a link's message limit; a snapshot of a very long call stays under 300 kB
NUMBER_MAX = (1 << 63) - 1

COMPACTED_KINDS = (SNAPSHOT, Place.KIND)  # what compaction drops; the events tell all of it
COMPACT_EVERY_MS = 50  # between two steps
COMPACT_IDLE_MS = 1_000  # ... where the last one found nothing to do


@dataclass(frozen=True, slots=True)
class Tail:
    """How far a call's journal has come."""

    epoch: int  # the newest seen
    seq: int  # the newest record's; -1 = none


@dataclass(frozen=True, slots=True)
class Kept:
    """One call of which there are records."""

    call: str
    epoch: int
    seq: int
    begun_unix_ms: int  # when its first record was stored
    ended: bool  # an "end" record was stored
    dropped: int = 0  # records that compaction has dropped
    dropped_upto: int = -1  # none of them is newer than this seq


@dataclass(frozen=True, slots=True)
class Retention:
    """How much is kept. Only calls that are over are dropped, the oldest first, or those older than `keep_ms`."""

    calls_max: int = 100_000
    bytes_max: int = 8 << 30  # in the store; a tenth more, and nothing is stored until something was dropped
    keep_ms: int = 30 * 86_400_000
    compact_after_ms: int = 600_000  # a call must be over for this long; of live ones two snapshots are always kept


class Journal(Protocol):
    """A store of records. Used from one event loop; nothing here blocks it."""

    @property
    def up(self) -> bool:
        """The store takes records, as far as is known."""
        ...

    @property
    def shared(self) -> bool:
        """Other nodes' calls are in this store too."""
        ...

    def append(self, records: Sequence[Rows], done: Done) -> None:
        """Store records. `done` is called on the loop with None once they are safe, or with why they are not:

        Fenced: a newer owner of the call exists. ProtocolFault: not a record, or (call, seq) holds another one.
        JournalAway: the store is away and the waiting records are over the limit, or the journal is closed.
        """
        ...

    async def fence(self, call: str, epoch: int) -> Tail:
        """From here on, refuse records of `call` older than `epoch`. The tail is final for the older epochs.

        Raises:
            Fenced: a newer epoch was seen. JournalAway: closed, or over the limit.
        """
        ...

    async def read(self, call: str, after_seq: int = -1, limit: int = 1_000) -> list[Record]:
        """Records of one call after `after_seq`, in order, at most `limit`; [] where there are none.

        Raises:
            JournalDamaged: a record's checksum does not match. JournalAway: the store cannot be read.
        """
        ...

    async def last(self, call: str, kind: str = "") -> Record | None:
        """The newest record of one call ("" = of any kind). Raises as `read` does."""
        ...

    async def calls(self, limit: int = 100) -> list[Kept]:
        """The calls of which there are records, the newest first. Raises as `read` does."""
        ...

    async def kept(self, call: str) -> Kept | None:
        """One call; None = there are no records of it. Raises as `read` does."""
        ...

    async def close(self) -> None:
        """Store what waits, within a limit of time, and stop."""
        ...


class Stored:
    """A record as it is stored: checked, its body packed, its checksum taken."""

    __slots__ = ("at_ms", "body", "call", "crc", "epoch", "kind", "seq")

    def __init__(self, record: Rows) -> None:
        """Raises:
        ProtocolFault: it is not a record.
        """
        try:
            self.call, self.epoch, self.seq, self.at_ms, self.kind, body = record
            self.body: bytes = _pack(body)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ProtocolFault(f"a record is [call, epoch, seq, at_ms, kind, body]: {error}") from error
        for name, text, chars_max in (("call", self.call, CALL_CHARS_MAX), ("kind", self.kind, KIND_CHARS_MAX)):
            # ASCII without control characters: an id, not prose; and no store can read it otherwise than it was meant.
            if type(text) is not str or not 0 < len(text) <= chars_max or not (text.isascii() and text.isprintable()):
                raise ProtocolFault(f"a record's {name} is 1 to {chars_max} printable ASCII characters")
        numbers = (("epoch", self.epoch, NUMBER_MAX), ("seq", self.seq, SEQ_MAX), ("at_ms", self.at_ms, NUMBER_MAX))
        for name, number, most in numbers:
            if type(number) is not int or not 0 <= number <= most:
                raise ProtocolFault(f"a record's {name} is a whole number from 0 to {most}, not {number!r:.40}")
        if len(self.body) > BODY_BYTES_MAX:
            raise ProtocolFault(f"a record's body of {len(self.body)} bytes; the limit is {BODY_BYTES_MAX}")
        self.crc = checksum(self.call, self.epoch, self.seq, self.at_ms, self.kind, self.body)


class Unit:
    """What one `append` or `fence` wants of a store: all of it or nothing; `fault` says why it was nothing."""

    __slots__ = ("call", "done", "epoch", "fault", "records", "size", "tail")

    def __init__(self, records: Sequence[Stored], done: Done, call: str = "", epoch: int = 0) -> None:
        self.records = records
        self.done = done
        self.call = call  # of a fence; "" = none
        self.epoch = epoch
        self.size = sum(len(record.body) + 100 for record in records)  # bytes; about what it takes to keep it waiting
        self.fault: OffhookError | None = None
        self.tail = Tail(0, -1)  # a fence's answer


def fence_unit(call: str, epoch: int) -> tuple[Unit, asyncio.Future[Tail]]:
    """A fence, and where its tail will be."""
    future: asyncio.Future[Tail] = asyncio.get_running_loop().create_future()

    def done(fault: OffhookError | None) -> None:
        if future.done():
            return  # whoever asked has given up
        if fault is None:
            future.set_result(unit.tail)
        else:
            future.set_exception(fault)

    unit = Unit((), done, call, epoch)
    return unit, future


async def read_intact(
    journal: Journal, call: str, after_seq: int = -1, limit: int = 1_000
) -> tuple[list[Record], JournalDamaged | None]:
    """As `Journal.read`, but of a damaged journal the records before the damage, and the damage.

    Raises:
        JournalAway: the store cannot be read.
    """
    try:
        return await journal.read(call, after_seq, limit), None
    except JournalDamaged as fault:
        damage = fault
    good: list[Record] = []
    short, long = 0, limit  # `short` records can be read, `long` cannot
    while long - short > 1:
        middle = (short + long) // 2
        try:
            good = await journal.read(call, after_seq, middle)
            short = middle
        except JournalDamaged:
            long = middle
    return good, damage


def unexplained(records: Sequence[Record], kept: Kept) -> int:
    """How many records of a call are missing without a reason, given all that were read, in order.

    Compaction has dropped as many as it has noted; a "lost" record says what its writer could not hand over. What is
    missing beyond that is damage. (A call that was here before begins anew after its old records; so it has no gap.)
    """
    missing = 0
    last = records[0].seq - 1 if records else -1
    for record in records:
        lost = record.told(Lost)
        since = lost.since if lost is not None else record.seq
        missing += max(0, min(record.seq, since) - last - 1)
        last = record.seq
    return max(0, missing - kept.dropped) + max(0, kept.seq - last)


def checksum(call: str, epoch: int, seq: int, at_ms: int, kind: str, body: bytes) -> int:
    """CRC-32 of all that a record says."""
    return zlib.crc32(body, zlib.crc32(f"{call}\n{epoch}\n{seq}\n{at_ms}\n{kind}\n".encode()))


def restored(call: str, epoch: int, seq: int, at_ms: int, kind: str, body: bytes, crc: int) -> Record:
    """The record, as it was appended (sequences in its body as lists).

    Raises:
        JournalDamaged: it is not what was stored.
    """
    try:
        if checksum(call, epoch, seq, at_ms, kind, body) == crc:
            return _made(Record, (call, epoch, seq, at_ms, kind, msgpack.unpackb(body, strict_map_key=False)))
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException):
        pass  # damage may change a column's type
    raise JournalDamaged(f"record {seq} of call {call} does not match its checksum; what follows it cannot be trusted")


_pack = msgpack.Packer(autoreset=True).pack
_made = tuple.__new__  # a third of the time of the record's own, and this is done once a record that is read
