"""The Redis side of the journal: keys, writing, retention, reading. Queue and retries are `redis_journal.py`'s.

Every failure of the store is left to the caller as it comes from the client (`redis.RedisError`, `OSError`). What is
written is written by scripts (`redis_scripts.py`, `redis_compaction.py`).

Keys; the braces make all of them one slot, so that a script may touch several calls:

    {offhook}:records:CALL  stream    id SEQ-1 (0-0 is no id), one field "r": the packed record
    {offhook}:late:CALL     hash      SEQ -> packed record, where it came after a newer one (a stream only grows)
    {offhook}:call:CALL     hash      epoch, seq, number, begun, bytes, ended, k:KIND = the newest seq of a kind;
                                      compacted, dropped, before = the newest snapshot but one (redis_compaction.py)
    {offhook}:calls, ended  sorted    call by number: the order in which calls began
    {offhook}:grown, over   sorted    call by the time of its newest snapshot, of its end: what is to be compacted
    {offhook}:number, bytes, version  of the last call, of all records, of this layout
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgpack
from offhook.policies.core.records import Record
from redis import RedisError
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from ..contracts.errors import Fenced, JournalDamaged, ProtocolFault
from .journal import SEQ_MAX, Kept, Retention, Stored, Tail, Unit, restored
from .redis_compaction import COMPACT
from .redis_scripts import APPEND, PRUNE

log = logging.getLogger(__name__)

VERSION = 1  # of the layout above
ANSWER_S = 2.0  # Redis answers in under a millisecond; a stalled fsync of its log file takes up to a second
CONNECT_S = 1.0
READERS_MAX = 8  # connections; takeovers of many calls read at the same time
READER_WAIT_S = 10.0  # for one of them
PAGE = 2_000  # records in one reading command: Redis serves nobody else meanwhile, 1 to 5 ms
PRUNED_AT_ONCE = 20  # calls in one script

_PREFIX = "{offhook}:"


class Book:
    """The journal's keys in one Redis: one connection that writes, some that read."""

    def __init__(self, url: str, retention: Retention) -> None:
        """Raises:
        ValueError: no URL of a Redis.
        """
        self._retention = retention
        self._writing = Redis(connection_pool=connections(url, 1, tries=1))
        self._reading = Redis(connection_pool=connections(url, READERS_MAX, tries=2))
        self._append = self._prune = self._compact = ""  # the scripts' names in this Redis; "" = not loaded there

    # --- writing ----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """See that this Redis can be written, and load the scripts into it."""
        pipe = self._writing.pipeline(transaction=False)
        pipe.set(f"{_PREFIX}version", VERSION, nx=True)
        pipe.get(f"{_PREFIX}version")
        pipe.script_load(APPEND)
        pipe.script_load(PRUNE)
        pipe.script_load(COMPACT)
        pipe.info()
        pipe.config_get("appendfsync")
        _, version, self._append, self._prune, self._compact, *about = await pipe.execute(raise_on_error=False)
        for answer in (version, self._append, self._prune, self._compact):
            if isinstance(answer, Exception):
                self.forget()
                raise answer
        if int(version or 0) > VERSION:
            self.forget()
            raise RedisError(f"its journal was written by a newer offhook (layout {int(version)})")
        _warn({name: value for known in about if isinstance(known, dict) for name, value in known.items()})

    def forget(self) -> None:
        """After a failure: whether the scripts are still there is not known."""
        self._append = self._prune = self._compact = ""

    async def write(self, group: Sequence[Unit]) -> int:
        """Store a group. A unit that breaks a rule gets its `fault`, the others are stored.

        Returns:
            How many units of the group are done; what follows them does not fit before something was dropped.
        """
        if not self._append:
            await self.open()
        units = [[unit.call, _epoch(unit.epoch), [_packed(record) for record in unit.records]] for unit in group]
        bytes_max = self._retention.bytes_max * 11 // 10
        answers = await self._writing.evalsha(self._append, 1, f"{_PREFIX}calls", _pack(units), str(bytes_max))
        for done, (unit, answer) in enumerate(zip(group, answers, strict=True)):
            if answer[0] == b"full":
                return done
            _settle(unit, answer)
        return len(group)

    async def prune(self) -> int:
        """Drop some of what is over the limits; returns how many calls. Call it again for more."""
        if not self._prune:
            await self.open()
        keep = self._retention
        limits = [str(limit) for limit in (keep.keep_ms, keep.calls_max, keep.bytes_max, PRUNED_AT_ONCE)]
        return int(await self._writing.evalsha(self._prune, 1, f"{_PREFIX}calls", *limits))

    async def compact(self) -> bool:
        """Drop a little of what is superseded. True: there is more."""
        if not self._compact:
            await self.open()
        after_ms = str(self._retention.compact_after_ms)
        return bool(await self._writing.evalsha(self._compact, 1, f"{_PREFIX}calls", after_ms))

    async def close(self) -> None:
        """Close every connection."""
        await self._writing.aclose()
        await self._writing.connection_pool.disconnect()
        await self._reading.aclose()
        await self._reading.connection_pool.disconnect()

    # --- reading ----------------------------------------------------------------------------------------------------

    async def read(self, call: str, after_seq: int, limit: int) -> list[Record]:
        """A call's records after `after_seq`, in order.

        Raises:
            JournalDamaged: one is not what was stored, or newer ones were stored than are there.
        """
        records: list[Record] = []
        after_seq = min(after_seq, SEQ_MAX)  # no number is too large
        while (room := min(PAGE, limit - len(records))) > 0:
            pipe = self._reading.pipeline(transaction=False)  # a full Redis refuses transactions, even to read
            pipe.hget(f"{_PREFIX}call:{call}", "seq")  # first: what is stored meanwhile is no damage
            pipe.xrange(f"{_PREFIX}records:{call}", f"{max(after_seq, -1) + 1}-0", "+", room)
            pipe.hgetall(f"{_PREFIX}late:{call}")
            newest, entries, late = await pipe.execute()
            found = [(int(entry[0].partition(b"-")[0]), entry[1].get(b"r", b"")) for entry in entries]
            upto = found[-1][0] if len(found) == room else None
            for seq, blob in ((int(seq), blob) for seq, blob in late.items()):
                if seq > after_seq and (upto is None or seq < upto):
                    found.append((seq, blob))
            found = sorted(found)[:room]
            records += [_record(call, seq, blob) for seq, blob in found]
            after_seq = found[-1][0] if found else after_seq
            if len(found) < room:
                if newest is not None and int(newest) > after_seq and await self._known(call):
                    raise JournalDamaged(
                        f"call {call} has no records {after_seq + 1} to {int(newest)}: they were stored"
                    )
                break
        return records

    async def last(self, call: str, kind: str) -> Record | None:
        """A call's newest record, of one kind or of any. Raises as `read` does."""
        seq = await self._reading.hget(f"{_PREFIX}call:{call}", f"k:{kind}" if kind else "seq")
        if seq is None or int(seq) < 0:
            return None
        pipe = self._reading.pipeline(transaction=False)
        pipe.xrange(f"{_PREFIX}records:{call}", f"{int(seq)}-1", f"{int(seq)}-1")
        pipe.hget(f"{_PREFIX}late:{call}", seq)
        entries, late = await pipe.execute()
        if not entries and late is None:
            compacted = await self._reading.hget(f"{_PREFIX}call:{call}", "compacted")
            if int(seq) <= int(compacted or -1) or not await self._known(call):
                return None
        return _record(call, int(seq), entries[0][1].get(b"r", b"") if entries else late or b"")

    async def _known(self, call: str) -> bool:
        """False: it was dropped while somebody read it."""
        return bool(await self._reading.exists(f"{_PREFIX}call:{call}"))

    async def calls(self, limit: int) -> list[Kept]:
        """The newest calls."""
        names: list[Any] = []  # of bytes; the client's type says more than it gives
        if limit > 0:
            names += await self._reading.zrevrange(f"{_PREFIX}calls", 0, limit - 1)
        return await self._kept([name.decode() for name in names])

    async def kept(self, call: str) -> Kept | None:
        """One call."""
        found = await self._kept([call])
        return found[0] if found else None

    async def _kept(self, calls: Sequence[str]) -> list[Kept]:
        pipe = self._reading.pipeline(transaction=False)
        for call in calls:
            pipe.hmget(f"{_PREFIX}call:{call}", "epoch", "seq", "begun", "ended", "dropped", "compacted")
        rows = await pipe.execute()
        return [
            Kept(call, int(epoch), int(seq), int(begun), ended is not None, int(dropped or 0), int(compacted or -1))
            for call, (epoch, seq, begun, ended, dropped, compacted) in zip(calls, rows, strict=True)
            if begun is not None  # dropped meanwhile
        ]


def connections(url: str, connections_max: int, tries: int) -> BlockingConnectionPool:
    """A pool of connections; `tries` of each command."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections_max,
        timeout=READER_WAIT_S,
        socket_timeout=ANSWER_S,
        socket_connect_timeout=CONNECT_S,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), tries - 1),
        protocol=2,  # nothing here needs more, and every Redis and its kin speak it
    )


def _epoch(epoch: int) -> str:
    """Compared as text: Lua's numbers are exact to 2 ** 53 only."""
    return f"{epoch:019d}"


def _packed(record: Stored) -> list[Any]:
    blob = _pack([record.epoch, record.at_ms, record.kind, record.body, record.crc])
    return [record.call, _epoch(record.epoch), record.seq, record.kind, blob]


def _record(call: str, seq: int, blob: bytes) -> Record:
    try:
        epoch, at_ms, kind, body, crc = msgpack.unpackb(blob, raw=True)
        return restored(call, epoch, seq, at_ms, kind.decode(), body, crc)
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException):
        return restored(call, 0, seq, 0, "", b"", -1)  # raises: no checksum is negative


def _settle(unit: Unit, answer: list[Any]) -> None:
    match answer:
        case [b"ok"]:
            unit.fault = None
        case [b"ok", epoch, seq]:
            unit.fault, unit.tail = None, Tail(int(epoch), int(seq))
        case [b"fenced", call, epoch]:
            unit.fault = Fenced(f"call {call.decode()} is owned at epoch {int(epoch)}, an older epoch is over")
        case [b"other", call, seq]:
            unit.fault = ProtocolFault(f"record {int(seq)} of call {call.decode()} is there, and is another one")
        case _:
            unit.fault = JournalDamaged(f"the store's keys are not the journal's: {answer[-1]!r}")


def _warn(about: dict[Any, Any]) -> None:
    """What this Redis may lose although it has acknowledged it; some hosts do not tell all of it."""
    if not about.get("aof_enabled", 1):
        log.warning("this Redis keeps no append-only file: its restart loses records (set appendonly yes)")
    elif (sync := about.get("appendfsync", about.get(b"appendfsync", b"always"))) not in (b"always", "always"):
        log.warning("this Redis may lose its last two seconds when it dies (appendfsync %s): set always", sync)
    if (policy := about.get("maxmemory_policy", "noeviction")) != "noeviction" and about.get("maxmemory"):
        log.warning("this Redis drops keys when it is full (maxmemory-policy %s): set noeviction", policy)


# Without msgpack's bin type, which the scripts' unpacker does not know: text and bytes are the same to it.
_pack = msgpack.Packer(use_bin_type=False, autoreset=True).pack
