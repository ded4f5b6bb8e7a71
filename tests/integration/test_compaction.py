"""Compaction, on each store: what goes, what stays, what a reader can still do, and how damage is told from it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.call.resume import fold
from offhook.actors.journals import queries, redis_journal, sqlite_journal
from offhook.actors.journals.journal import Journal, Retention, unexplained
from offhook.actors.journals.stores import open_journal
from offhook.policies.conversation.machine import step
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import Record
from offhook.policies.core.state import CallState
from offhook.policies.replay.recording import read
from offhook.policies.replay.replay import replay
from offhook.policies.simulation.journal import recorded
from redis import Redis

NOW = Retention(compact_after_ms=0)
A_LONG_CALL = 2  # seed of a simulated one


class Place:
    """One store, and a hand that reaches into it past the journal."""

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, retention: Retention = NOW) -> Journal:
        return open_journal(self.url, retention=retention)

    def take_away(self, call: str, seq: int) -> None:
        """A record is gone, by no fault of the journal's."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.partition("://")[2])) as base, base:
                base.execute("DELETE FROM records WHERE key & 4294967295 = ?", (seq,))
        else:
            with Redis.from_url(self.url) as redis:
                redis.xdel(f"{{offhook}}:records:{call}", f"{seq}-1")

    def size(self) -> int:
        """Bytes that the records take."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.partition("://")[2])) as base:
                pages, page_bytes = (
                    base.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
                )
            return int(pages * page_bytes)
        with Redis.from_url(self.url) as redis:
            return sum(int(redis.memory_usage(key) or 0) for key in redis.keys("{offhook}:records:*"))


Test = Callable[[Place], Awaitable[None]]


@pytest.fixture
def run(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Test], None]:
    for module in (sqlite_journal, redis_journal):
        monkeypatch.setattr(module, "COMPACT_EVERY_MS", 1)
        monkeypatch.setattr(module, "COMPACT_IDLE_MS", 1)

    async def limited(test: Test) -> None:
        async with asyncio.timeout(60):
            await test(Place(store_url))

    return lambda test: uvloop.run(limited(test))


def call_of(count: int, call: str = "c1", snapshot_bytes: int = 6_000, ended: bool = True) -> list[Record]:
    """Records 1 to `count`: a snapshot and a place every hundred, some places between."""
    records = []
    for seq in range(1, count + 1):
        kind = "snapshot" if seq % 100 == 0 else "place" if seq % 100 == 1 or seq % 7 == 0 else "event"
        body = b"s" * snapshot_bytes if kind == "snapshot" else ["b", seq]
        records.append(Record(call, 1, seq, seq * 20, kind, body))
    records[0] = records[0]._replace(kind="start")
    if ended:
        records[-1] = records[-1]._replace(kind="end")
    return records


def superseded(records: Sequence[Record], horizon: int) -> int:
    """How many compaction drops, given the snapshot that it keeps."""
    return len([row for row in records if row[4] in ("snapshot", "place") and row[2] < horizon])


async def store(journal: Journal, records: Sequence[Record]) -> None:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    assert await done is None


async def whole(journal: Journal, call: str = "c1") -> list[Record]:
    return await journal.read(call, limit=1_000_000)


async def compacted(journal: Journal, dropped: int, call: str = "c1") -> None:
    while (kept := await journal.kept(call)) is None or kept.dropped < dropped:  # noqa: ASYNC110
        await asyncio.sleep(0.002)  # the store tells nobody
    assert kept.dropped == dropped


def test_of_a_call_that_is_over_the_last_snapshot_and_what_follows_it_stay(run: Callable[[Test], None]) -> None:
    async def test(place: Place) -> None:
        journal = place.open()
        records = call_of(2_050)
        expected = [row for row in records if row[4] not in ("snapshot", "place") or row[2] >= 2_000]
        for start in range(0, len(records), 200):
            await store(journal, records[start : start + 200])
        await compacted(journal, len(records) - len(expected))
        assert await whole(journal) == expected
        kept = await journal.kept("c1")
        assert kept is not None and kept.ended and (await journal.calls())[0] == kept
        assert unexplained(expected, kept) == 0
        assert await journal.last("c1", "snapshot") == records[1_999]
        assert await journal.last("c1", "place") == records[2_050 - 1 - 2_050 % 7]
        assert await journal.last("c1") == records[-1]
        await store(journal, records[:300])  # the acknowledgement was lost, long ago
        assert await whole(journal) == expected, "what was dropped does not come back"
        assert await journal.kept("c1") == kept
        place.take_away("c1", 1_234)
        assert unexplained(await whole(journal), kept) == 1, "a hole that compaction did not make"
        await journal.close()

    run(test)


def test_of_a_live_call_two_snapshots_stay_so_its_journal_grows_by_its_events_alone(
    run: Callable[[Test], None],
) -> None:
    async def test(place: Place) -> None:
        journal = place.open()
        records = call_of(3_000, ended=False)
        sizes = []
        for start in range(0, 3_000, 100):
            await store(journal, records[start : start + 100])
            if start >= 200:
                await compacted(journal, superseded(records, start))
                sizes.append(len([row for row in await whole(journal) if row[4] == "snapshot"]))
        assert set(sizes) == {2}
        assert [row[2] for row in await whole(journal) if row[4] == "snapshot"] == [2_900, 3_000]
        assert await journal.last("c1", "snapshot") == records[2_999]
        await journal.close()

    run(test)


def test_a_call_is_left_alone_until_it_has_been_over_for_long_enough(run: Callable[[Test], None]) -> None:
    async def test(place: Place) -> None:
        journal = place.open(Retention(compact_after_ms=3_600_000))
        records = call_of(150)  # of a live call one snapshot may stay; of one that is over, nothing before it
        await store(journal, records)
        for start in range(0, 350, 100):
            await store(journal, call_of(350, "c2", ended=False)[start : start + 100])
        await compacted(journal, superseded(call_of(350), 200), "c2")
        assert await whole(journal) == records
        await journal.close()
        later = place.open()
        await compacted(later, superseded(records, 100))
        await later.close()

    run(test)


def test_the_store_gives_back_what_compaction_freed(run: Callable[[Test], None]) -> None:
    async def test(place: Place) -> None:
        journal = place.open()
        for number in range(10):
            records = call_of(1_000, f"c{number}", snapshot_bytes=60_000)
            for start in range(0, 1_000, 100):
                await store(journal, records[start : start + 100])
        for number in range(10):
            await compacted(journal, superseded(call_of(1_000), 900), f"c{number}")
        written = 10 * 9 * 60_000
        while place.size() > written / 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await journal.close()

    run(test)


def test_replay_backtest_and_the_last_state_of_a_compacted_call_are_as_before(run: Callable[[Test], None]) -> None:
    records = with_snapshots(recorded(A_LONG_CALL, call_policy(), unix_ms=1), 5)
    assert len([row for row in records if row[4] == "snapshot"]) > 3
    call = records[0][0]

    async def test(place: Place) -> None:
        journal = place.open(Retention(compact_after_ms=3_600_000))
        await store(journal, records)
        before = await queries.last_state(journal, call), await queries.verdicts(journal, call)
        await journal.close()
        journal = place.open()
        doomed = len([row for row in records if row[4] in ("snapshot", "place")]) - 1
        while (kept := await journal.kept(call)) is None or kept.dropped < doomed:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        found = await whole(journal, call)
        assert [row for row in found if row[4] == "snapshot"] == [records[-2]]
        assert (await queries.last_state(journal, call), await queries.verdicts(journal, call)) == before
        first, again = replay(records), replay(found)
        assert again.same and first.same and (again.events, again.state) == (first.events, first.state)
        assert [s.event for s in read(found).steps] == [s.event for s in read(records).steps]
        assert fold(found, call_policy()).state == fold(records, call_policy()).state
        await journal.close()

    run(test)


# --- the real thing -------------------------------------------------------------------------------------------------


def call_policy() -> Policy:
    return Policy.model_validate({"name": "p", "agents": {"a": {"code": "offhook.policies.agents.closing:Closing"}}})


def with_snapshots(records: list[Record], every: int) -> list[Record]:
    """The same journal with a snapshot and a place after so many events, as a call writes them."""
    written: list[Record] = []
    policy, state, events = Policy.model_validate(records[0][5]["policy"]), CallState(epoch=1), 0

    def write(row: Record, kind: str, body: Any) -> None:
        written.append(Record(row.call, row.epoch, len(written) + 1, row.at_ms, kind, body))

    for row in records:
        write(row, row[4], row[5])
        if row[4] == "event":
            state = step(state, decode(row[5]), policy).state
            events += 1
        elif row[4] == "commands" and events % every == 0:
            write(row, "snapshot", encode(state))
            write(row, "place", ["", -1, 0, 0, 0, 0, -1])
    return written


def test_a_file_of_the_former_schema_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_journal, "COMPACT_IDLE_MS", 1)
    path = tmp_path / "j.db"

    async def test() -> None:
        journal = open_journal(path, retention=Retention(compact_after_ms=3_600_000))
        await store(journal, call_of(150))
        await journal.close()
        with closing(sqlite3.connect(path)) as base, base:
            base.execute("DROP INDEX calls_to_compact")
            base.execute(
                "CREATE TABLE former (number INTEGER PRIMARY KEY AUTOINCREMENT, call TEXT NOT NULL UNIQUE,"
                " epoch INTEGER NOT NULL, begun_unix_ms INTEGER NOT NULL, ended INTEGER NOT NULL DEFAULT 0)"
            )
            base.execute("INSERT INTO former SELECT number, call, epoch, begun_unix_ms, 1 FROM calls")
            base.execute("DROP TABLE calls")
            base.execute("ALTER TABLE former RENAME TO calls")
            base.execute("PRAGMA user_version = 1")
        journal = open_journal(path)
        await store(journal, [["c2", 1, 1, 0, "event", 0]])
        await compacted(journal, superseded(call_of(150), 100))
        await journal.close()

    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    uvloop.run(limited())
