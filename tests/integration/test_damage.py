"""Damage on disk and in Redis: seen, told to whoever keeps the node, and the rest is used."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis_server
import uvloop
from offhook.actors.contracts.errors import JournalAway, JournalDamaged
from offhook.actors.journals import queries
from offhook.actors.journals.damage_monitor import CALLS_MAX, DamageMonitor, Damages
from offhook.actors.journals.journal import Journal, read_intact
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.actors.journals.stores import open_journal
from offhook.policies.core.codec import encode
from offhook.policies.core.records import Place, Record
from offhook.policies.core.state import CallState
from offhook.policies.core.version import CORE
from redis.asyncio import Redis
from redis_server import RedisServer

# A process that writes records of 2 kB, each a commit of its own, into the log, and is killed: nothing is moved from
# the log into the file.
WRITER = """
import asyncio, os, signal, sys
from offhook.actors.journals.sqlite_journal import SqliteJournal

async def main():
    journal = SqliteJournal(sys.argv[1])
    for seq in range(1, 61):
        done = asyncio.get_running_loop().create_future()
        journal.append([["c1", 1, seq, seq * 20, "event", "x" * 2_000]], done.set_result)
        assert await done is None
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    uvloop.run(limited())


def record(seq: int, kind: str = "event", body: Any = "text") -> Record:
    return Record("c1", 1, seq, seq * 20, kind, body)


async def store(journal: Journal, records: Sequence[Record]) -> None:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    assert await done is None


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A journal whose process was killed with sixty commits in its write-ahead log."""
    path = tmp_path / "j.db"
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], timeout=60, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return path.with_name("j.db-wal")


async def opened(path: Path) -> tuple[SqliteJournal, list[str]]:
    """The journal, written to once, and what it told of damage."""
    told: list[str] = []
    journal = SqliteJournal(path, on_damage=told.append)
    await journal.fence("other", 1)
    await asyncio.sleep(0)
    return journal, told


def test_a_log_that_is_whole_or_ends_in_a_torn_write_is_no_damage(log: Path) -> None:
    path = log.with_name("j.db")
    with log.open("ab") as file:
        file.write(log.read_bytes()[32:1_000])  # a frame that was being written when the process died

    async def test() -> None:
        journal, told = await opened(path)
        assert told == [] and len(await journal.read("c1")) == 60
        await journal.close()
        journal, told = await opened(path)
        assert told == [], "nor is a log that was begun anew"
        await journal.close()

    run(test)


def test_a_flipped_byte_in_the_log_is_told_and_what_stands_before_it_is_used(log: Path) -> None:
    body = bytearray(log.read_bytes())
    body[len(body) // 2] ^= 0x40
    log.write_bytes(body)

    async def test() -> None:
        journal, told = await opened(log.with_name("j.db"))
        assert len(told) == 1 and "pages of commits do not match their checksums" in told[0]
        kept = await journal.read("c1")
        assert 0 < len(kept) < 60 and [row[2] for row in kept] == list(range(1, len(kept) + 1))
        await store(journal, [record(100)])
        await journal.close()

    run(test)


def test_a_log_cut_off_in_the_middle_keeps_what_is_whole(log: Path) -> None:
    os.truncate(log, log.stat().st_size // 2)

    async def test() -> None:
        journal, _told = await opened(log.with_name("j.db"))
        kept = await journal.read("c1")
        assert 0 < len(kept) < 60 and [row[2] for row in kept] == list(range(1, len(kept) + 1))
        await journal.close()

    run(test)


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_in_the_file_never_yield_a_record_that_was_not_written(tmp_path: Path, seed: int) -> None:
    """Whatever is hit: what is read is what was written, or it is said that something is wrong."""
    path = tmp_path / "j.db"
    written = [record(seq, body=f"{seq}" * 60) for seq in range(1, 401)]
    chance = random.Random(seed)

    async def write() -> None:
        journal = SqliteJournal(path)
        await store(journal, written)
        await journal.close()

    async def test() -> None:
        damages = Damages()
        journal = DamageMonitor(SqliteJournal(path, on_damage=lambda what: damages.note("", what)), damages)
        good, damage = [], None
        try:
            good, damage = await read_intact(journal, "c1", limit=1_000)
        except JournalAway as fault:  # the schema's page is hit: the file is no database
            damage = fault  # type: ignore[assignment]
        assert good == written[: len(good)]
        if len(good) < 400 and damage is None:
            kept = await journal.kept("c1")
            assert kept is None, "the list of calls is hit: the call is not known, rather than known wrongly"
        if isinstance(damage, JournalDamaged):
            assert damages.found["c1"] and damages.count == 1
        await journal.close()

    run(write)
    body = bytearray(path.read_bytes())
    for _ in range(3):
        body[chance.randrange(100, len(body))] ^= 1 << chance.randrange(8)
    path.write_bytes(body)
    run(test)


def test_a_broken_page_is_told_and_the_records_before_it_are_used(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def test() -> None:
        journal = SqliteJournal(path)
        await store(journal, [record(seq, body="x" * 300) for seq in range(1, 1_001)])
        await journal.close()
        with closing(sqlite3.connect(path)) as base:
            page_bytes = base.execute("PRAGMA page_size").fetchone()[0]
            pages = base.execute("PRAGMA page_count").fetchone()[0]
        with path.open("r+b") as file:
            file.seek((pages * 3 // 4) * page_bytes)
            file.write(b"\xa5" * page_bytes)
        damages = Damages()
        damage_monitor = DamageMonitor(SqliteJournal(path), damages)
        good, damage = await read_intact(damage_monitor, "c1")
        assert isinstance(damage, JournalDamaged) and "malformed" in str(damage)
        assert 100 < len(good) < 1_000 and [row[2] for row in good] == list(range(1, len(good) + 1))
        assert damages.of("c1") == {"damaged": str(damage)} and damages.of("c2") == {} and damages.count == 1
        told = (
            await queries.last_state(damage_monitor, "c1")
            if await _newest_is_broken(damage_monitor)
            else {"seq": good[-1][2]}
        )
        assert told["seq"] == good[-1][2]
        await damage_monitor.close()

    run(test)


async def _newest_is_broken(journal: Journal) -> bool:
    try:
        await journal.last("c1", "snapshot")
    except JournalDamaged:
        return True
    return False


def test_a_file_that_is_put_aside_is_told(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"no database" * 1_000)

    async def test() -> None:
        told: list[str] = []
        journal = SqliteJournal(path, on_damage=told.append)
        await store(journal, [record(1)])
        assert len(told) == 1 and "a new file is begun, the damaged one is j.db.damaged-" in told[0]
        await journal.close()

    run(test)


def test_a_damaged_snapshot_is_made_up_for_by_the_events_before_it(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    kinds = {10: "snapshot", 11: "place", 20: "snapshot", 21: "place"}
    records = [record(seq, kinds.get(seq, "event")) for seq in range(1, 31)]

    async def test() -> None:
        journal = SqliteJournal(path)
        await store(journal, records)
        for known in (20, -1):
            assert await queries.since_snapshot(journal, "c1", known) == (records[19:], None)
        assert await queries.since_snapshot(journal, "c1", 0) == (records, None)
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("UPDATE records SET crc = crc + 1 WHERE key & 4294967295 = 20")
        for known in (20, -1):
            found, damage = await queries.since_snapshot(journal, "c1", known)
            assert found == records[:19] + records[20:] and "record 20" in str(damage)
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("UPDATE records SET crc = crc + 1 WHERE key & 4294967295 = 5")
        found, damage = await queries.since_snapshot(journal, "c1", 20)
        assert found == records[:4] and damage is not None, "behind an event that is lost nothing can be folded"
        await journal.close()

    run(test)


def test_a_snapshot_of_another_core_is_made_up_for_by_the_one_before_it(tmp_path: Path) -> None:
    state = encode(CallState(call="c1"))
    strange = [each if each != "opening" else "hypnotized" for each in state]
    place = Place("MZ1", core=CORE + 1).plain()
    records = [record(seq) for seq in range(1, 31)]
    for seq, snapshot in ((10, state), (20, strange)):
        records[seq - 1] = Record("c1", 1, seq, seq, "snapshot", snapshot)
        records[seq] = Record("c1", 1, seq + 1, seq, "place", place)

    async def test() -> None:
        journal = SqliteJournal(tmp_path / "j.db")
        await store(journal, records)
        for known in (20, -1):
            found = await queries.since_snapshot(journal, "c1", known)
            assert found == (records[9:19] + records[20:], None)
        await journal.close()

    run(test)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def test_of_a_damaged_stream_what_stands_before_the_damage_is_used_and_told(redis: RedisServer) -> None:
    async def test() -> None:
        damages = Damages()
        journal = DamageMonitor(open_journal(redis.url), damages)
        await store(journal, [record(seq) for seq in range(1, 101) if seq != 60])
        await store(journal, [record(60)])  # beside the stream, where a test can change it
        async with Redis.from_url(redis.url) as anybody:
            await anybody.hset("{offhook}:late:c1", "60", b"\x95torn")
            good, damage = await read_intact(journal, "c1")
            assert good == [record(seq) for seq in range(1, 60)] and isinstance(damage, JournalDamaged)
            await anybody.hset("{offhook}:call:c1", "seq", "120")  # newer ones were stored, and are gone
            good, damage = await read_intact(journal, "c1", 60)
            assert good == [record(seq) for seq in range(61, 101)] and "101 to 120" in str(damage)
        assert "60" in damages.of("c1")["damaged"] and damages.count == 1, "the first word on a call is kept"
        await journal.close()

    run(test)


def test_the_end_of_redis_log_that_was_torn_costs_no_more_than_itself(tmp_path: Path) -> None:
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path / "redis") as server:

        async def write() -> None:
            journal = open_journal(server.url)
            for seq in range(1, 31):
                await store(journal, [record(seq)])
            await journal.close()

        async def test() -> None:
            journal = open_journal(server.url)
            kept = await journal.read("c1")
            assert 20 < len(kept) < 30 and kept == [record(seq) for seq in range(1, len(kept) + 1)]
            assert (await journal.fence("c1", 2)).seq == len(kept), "the tail is where the whole records end"
            await journal.close()

        run(write)
        server.kill()
        (last,) = (server.folder / "appendonlydir").glob("*.incr.aof")
        os.truncate(last, last.stat().st_size - 400)
        server.start()
        run(test)


def test_the_words_on_damage_are_bounded() -> None:
    damages = Damages()
    for number in range(CALLS_MAX + 10):
        damages.note(f"c{number}", "broken")
        damages.note(f"c{number}", "again")
    assert len(damages.found) == CALLS_MAX and damages.count == CALLS_MAX + 10
