"""What is SQLite's own: a full disk, a lost or damaged file, another process, retention, groups."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.contracts.errors import Fenced, JournalAway, JournalDamaged
from offhook.actors.journals import sqlite_journal
from offhook.actors.journals.journal import Retention, read_intact
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.records import Record

Health = list[tuple[bool, str]]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    uvloop.run(limited())


def record(seq: int, call: str = "c1", epoch: int = 1, kind: str = "event", body: Any = "text") -> Record:
    return Record(call, epoch, seq, seq * 20, kind, body)


async def store(journal: SqliteJournal, records: Sequence[Record]) -> OffhookError | None:
    done: asyncio.Future[OffhookError | None] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    return await done


async def until(what: Callable[[], object]) -> None:
    while not what():  # noqa: ASYNC110 - what is waited for is the product's, it tells no test
        await asyncio.sleep(0.001)


def count(path: Path, table: str = "records") -> int:
    with sqlite3.connect(path) as base:
        return int(base.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_a_full_store_keeps_records_waiting_and_makes_room_by_retention(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def test() -> None:
        health: Health = []
        retention = Retention(bytes_max=2 << 20)
        journal = SqliteJournal(path, lambda *word: health.append(word), retention)
        for number in range(40):  # finished calls of 50 kB each: the store is about full
            fault = await store(
                journal, [record(1, f"old{number}", body=b"x" * 50_000), record(2, f"old{number}", kind="end")]
            )
            assert fault is None
        for number in range(12):
            assert await store(journal, [record(number, "live", body=b"x" * 50_000)]) is None
        assert [up for up, _ in health] == [False, True] * (len(health) // 2) and health
        assert "full" in health[0][1]
        assert len(await journal.read("live")) == 12, "what waited is there"
        calls = [kept.call for kept in await journal.calls(100)]
        assert calls[0] == "live" and "old0" not in calls and "old39" in calls
        await journal.close()

    run(test)


def test_a_full_store_without_anything_to_drop_refuses_at_its_limit_and_recovers(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def test() -> None:
        health: Health = []
        journal = SqliteJournal(
            path, lambda *word: health.append(word), Retention(bytes_max=1 << 20), waiting_bytes_max=400_000
        )
        results: list[OffhookError | None] = []
        for number in range(60):  # of a call that is not over
            journal.append([record(number, body=b"x" * 50_000)], results.append)
            await until(lambda: health or len(results) > number)  # noqa: B023 - run at once
        await until(lambda: len(results) >= 40)
        refused = [fault for fault in results if fault is not None]
        assert refused and all(isinstance(fault, JournalAway) and "400000" in str(fault) for fault in refused)
        assert journal.waiting_bytes <= 400_000 and not journal.up
        # Somebody ends the call by hand, and so makes room.
        with sqlite3.connect(path) as base:
            base.execute("UPDATE calls SET ended = 1")
            base.execute("DELETE FROM records")
        base.close()
        await until(lambda: health[-1][0])
        assert await store(journal, [record(1_000)]) is None
        await journal.close()

    run(test)


def test_a_store_that_cannot_be_opened_is_away_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "later" / "j.db"

    async def test() -> None:
        health: Health = []
        journal = SqliteJournal(path, lambda *word: health.append(word))
        waiting = asyncio.ensure_future(store(journal, [record(1)]))
        await until(lambda: health)
        assert health[0][0] is False and not waiting.done()
        with pytest.raises(JournalAway):
            await journal.read("c1")
        path.parent.mkdir()
        assert await waiting is None
        assert [up for up, _ in health] == [False, True]
        assert await journal.read("c1") == [record(1)]
        await journal.close()

    run(test)


def test_closing_a_journal_whose_store_is_away_refuses_what_waits(tmp_path: Path) -> None:
    async def test() -> None:
        health: Health = []
        journal = SqliteJournal(tmp_path / "nowhere" / "j.db", lambda *word: health.append(word))
        waiting = asyncio.ensure_future(store(journal, [record(1)]))
        await until(lambda: health)
        await journal.close()
        assert isinstance(await waiting, JournalAway)

    run(test)


def test_a_changed_byte_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    async def test() -> None:
        journal = SqliteJournal(path)
        assert await store(journal, [record(seq) for seq in range(10)]) is None
        for change in ("body = x'a474657374'", "at_ms = 7", "kind = 'end'", "epoch = 2", "body = 'text'", "crc = 1"):
            await store(journal, [record(seq, "c2") for seq in range(3)])
            with sqlite3.connect(path) as base:
                base.execute(f"UPDATE records SET {change} WHERE key & 4294967295 = 5")
            base.close()
            with pytest.raises(JournalDamaged, match="record 5 of call c1"):
                await journal.read("c1")
            good, damage = await read_intact(journal, "c1")
            assert good == [record(seq) for seq in range(5)] and "record 5" in str(damage)
            assert await read_intact(journal, "c1", after_seq=5) == ([record(seq) for seq in range(6, 10)], None)
        assert await journal.read("c1", limit=5) == [record(seq) for seq in range(5)]
        await journal.close()

    run(test)


def test_a_file_that_is_no_journal_is_put_aside_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"precious, but not a database" * 1_000)

    async def test() -> None:
        journal = SqliteJournal(path)
        assert await store(journal, [record(1)]) is None
        assert await journal.read("c1") == [record(1)]
        await journal.close()
        (aside,) = tmp_path.glob("j.db.damaged-*")  # noqa: ASYNC240
        assert aside.read_bytes().startswith(b"precious")

    run(test)


def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()

    async def test() -> None:
        health: Health = []
        journal = SqliteJournal(path, lambda *word: health.append(word))
        journal.append([record(1)], lambda _fault: None)
        await until(lambda: health)
        assert "newer offhook" in health[0][1]
        await journal.close()

    run(test)


def test_two_processes_on_one_file_fence_each_other(tmp_path: Path) -> None:
    """A hung supervisor that wakes up beside its successor; the file is all that they share."""

    async def test() -> None:
        old, new = SqliteJournal(tmp_path / "j.db"), SqliteJournal(tmp_path / "j.db")
        assert await store(old, [record(1)]) is None
        assert (await new.fence("c1", 2)).seq == 1
        assert isinstance(await store(old, [record(2)]), Fenced)
        assert await store(new, [record(2, epoch=2)]) is None
        assert isinstance(await store(old, [record(2)]), Fenced)
        both = await asyncio.gather(
            *(store(journal, [record(seq, call)]) for seq in range(50) for journal, call in ((old, "a"), (new, "b")))
        )
        assert both == [None] * 100
        await old.close()
        await new.close()
        assert count(tmp_path / "j.db") == 102

    run(test)


def test_a_writer_that_is_locked_out_waits_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offhook.actors.journals.sqlite_store.BUSY_MS", 20)

    async def test() -> None:
        health: Health = []
        journal = SqliteJournal(tmp_path / "j.db", lambda *word: health.append(word))
        assert await store(journal, [record(0)]) is None
        other = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(store(journal, [record(seq)])) for seq in range(1, 20)]
        await until(lambda: health)
        assert "locked" in health[0][1]
        assert await journal.read("c1") == [record(0)], "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        assert await asyncio.gather(*waiting) == [None] * 19
        assert await journal.read("c1") == [record(seq) for seq in range(20)]
        await journal.close()

    run(test)


def test_retention_drops_the_oldest_ended_calls_and_never_a_live_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_journal, "PRUNE_EVERY_MS", 10)

    async def test() -> None:
        journal = SqliteJournal(tmp_path / "j.db", retention=Retention(calls_max=10))
        for number in range(60):
            ended = number % 10 != 0
            assert await store(journal, [record(0, f"c{number}", kind="end" if ended else "event")]) is None
        await until(lambda: count(tmp_path / "j.db", "calls") <= 10)
        kept = await journal.calls(100)
        assert [call.call for call in kept if not call.ended] == ["c50", "c40", "c30", "c20", "c10", "c0"]
        assert [call.call for call in kept if call.ended] == ["c59", "c58", "c57", "c56"]
        assert await store(journal, [record(1, "c0")]) is None
        await journal.close()

    run(test)


def test_records_of_many_calls_share_their_commits(tmp_path: Path) -> None:
    async def test() -> None:
        journal = SqliteJournal(tmp_path / "j.db")
        groups = 0
        write = journal._book.write

        def counted(group: Sequence[Any]) -> None:
            nonlocal groups
            groups += 1
            write(group)

        journal._book.write = counted  # type: ignore[method-assign]
        done = [store(journal, [record(seq, f"c{call}")]) for seq in range(20) for call in range(100)]
        assert await asyncio.gather(*done) == [None] * 2_000
        assert groups <= 20
        await journal.close()

    run(test)
