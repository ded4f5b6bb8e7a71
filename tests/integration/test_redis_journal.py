"""What is Redis's own: two nodes on one store, damaged and missing entries, a full store, retention, groups.

What befalls the server itself is in `tests/fault/test_redis_restart.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest
import redis_server
import uvloop
from offhook.actors.contracts.errors import Fenced, JournalAway, JournalDamaged
from offhook.actors.journals import redis_journal
from offhook.actors.journals.journal import Retention, read_intact
from offhook.actors.journals.redis_journal import RedisJournal
from offhook.actors.node.call_table import CallTable
from offhook.actors.node.intake import Intake
from offhook.policies.core.errors import OffhookError
from offhook.policies.core.records import Record
from redis.asyncio import Redis
from redis_server import RedisServer

Health = list[tuple[bool, str]]
Test = Callable[[str, "Redis"], Awaitable[None]]

RECORDS, LATE, CALL = (f"{{offhook}}:{name}:c1" for name in ("records", "late", "call"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path_factory.mktemp("redis"), append_only=False) as server:
        yield server


@pytest.fixture
def run(server: RedisServer) -> Callable[[Test], None]:
    """Runs a test with the URL of an empty Redis, and a client that can do to it what anybody can."""

    async def limited(test: Test) -> None:
        async with asyncio.timeout(60), Redis.from_url(server.url) as anybody:
            await anybody.flushall()
            try:
                await test(server.url, anybody)
            finally:
                await anybody.config_set("maxmemory", 0)

    return lambda test: uvloop.run(limited(test))


def record(seq: int, call: str = "c1", epoch: int = 1, kind: str = "event", body: Any = "text") -> Record:
    return Record(call, epoch, seq, seq * 20, kind, body)


async def store(journal: RedisJournal, records: Sequence[Record]) -> OffhookError | None:
    done: asyncio.Future[OffhookError | None] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    return await done


async def until(what: Callable[[], object]) -> None:
    while not what():  # noqa: ASYNC110 - what is waited for is the product's, it tells no test
        await asyncio.sleep(0.001)


def test_of_two_owners_who_write_at_once_only_the_newest_is_heard(run: Callable[[Test], None]) -> None:
    """A former owner that does not know it yet writes on from another node, at full speed, while a new one fences."""

    async def test(url: str, _anybody: Redis) -> None:
        nodes = [RedisJournal(url), RedisJournal(url)]
        answers: dict[tuple[int, int], OffhookError | None] = {}
        fenced_at: dict[int, int] = {}

        async def write_on(epoch: int, seq: int) -> None:
            while (fault := await store(nodes[epoch % 2], [record(seq, epoch=epoch)])) is None:
                answers[epoch, seq] = None
                seq += 1
            answers[epoch, seq] = fault

        owners = [asyncio.ensure_future(write_on(1, 0))]
        for epoch in range(2, 21):
            await until(lambda epoch=epoch: len([1 for known, _ in answers if known == epoch - 1]) >= 3)
            tail = await nodes[epoch % 2].fence("c1", epoch)
            fenced_at[epoch] = tail.seq
            owners.append(asyncio.ensure_future(write_on(epoch, tail.seq + 1)))
        await asyncio.gather(*owners[:-1])
        await nodes[0].fence("c1", 21)
        await owners[-1]
        assert sum(isinstance(fault, Fenced) for fault in answers.values()) == 20
        kept = await nodes[1].read("c1", limit=100_000)
        assert {(row[1], row[2]) for row in kept} == {key for key, fault in answers.items() if fault is None}
        assert [row[2] for row in kept] == list(range(len(kept))), "one history, without a gap"
        for epoch, seq in fenced_at.items():
            assert [row[1] for row in kept if row[2] <= seq][-1] == epoch - 1
            assert all(row[1] >= epoch for row in kept if row[2] > seq), "the tail was final"
        for node in nodes:
            await node.close()

    run(test)


def test_a_changed_entry_is_seen_and_what_stands_before_it_is_used(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url)
        assert await store(journal, [record(seq) for seq in range(11) if seq != 5]) is None
        assert await store(journal, [record(5)]) is None, "late: beside the stream, where a test can change it"
        blob = await anybody.hget(LATE, "5")
        assert await journal.read("c1") == [record(seq) for seq in range(11)]
        for change in (
            b"",
            b"\xc1",
            blob[:-1],
            blob.replace(b"text", b"test"),
            b"\x93\x01\x02\x03",
            b"\x95" + b"\x01" * 5,
        ):
            await anybody.hset(LATE, "5", change)
            with pytest.raises(JournalDamaged, match="record 5 of call c1"):
                await journal.read("c1")
            good, damage = await read_intact(journal, "c1")
            assert good == [record(seq) for seq in range(5)] and "record 5" in str(damage)
            assert await journal.read("c1", after_seq=5) == [record(seq) for seq in range(6, 11)]
        await journal.close()

    run(test)


def test_a_torn_tail_is_seen_and_the_rest_is_used(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url)
        assert await store(journal, [record(seq) for seq in range(10)]) is None
        await anybody.xdel(RECORDS, "8-1", "9-1")
        with pytest.raises(JournalDamaged, match="call c1 has no records 8 to 9"):
            await journal.read("c1")
        with pytest.raises(JournalDamaged):
            await journal.last("c1")
        good, damage = await read_intact(journal, "c1")
        assert good == [record(seq) for seq in range(8)] and damage is not None
        # The call goes on.
        assert await store(journal, [record(10)]) is None
        assert (await journal.read("c1"))[-1] == record(10)
        await journal.close()

    run(test)


def test_one_call_whose_keys_are_spoilt_holds_up_no_other(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url)
        assert await store(journal, [record(0)]) is None
        for key, spoil in ((RECORDS, "set"), (CALL, "set"), (RECORDS, "xadd")):
            await anybody.delete(RECORDS, CALL)
            if spoil == "set":
                await anybody.set(key, "not a journal's")
            else:
                await anybody.xadd(key, {"x": "y"}, "4000000000-0")
            spoilt, good = await asyncio.gather(store(journal, [record(1)]), store(journal, [record(1, "c2")]))
            assert isinstance(spoilt, JournalDamaged) and good is None
        assert journal.up
        await journal.close()

    run(test)


def test_a_full_redis_keeps_records_waiting_until_there_is_room(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        health: Health = []
        journal = RedisJournal(url, lambda *word: health.append(word), waiting_bytes_max=400_000)
        assert await store(journal, [record(0)]) is None
        await anybody.config_set("maxmemory", 1)
        waiting = [asyncio.ensure_future(store(journal, [record(seq, body=b"x" * 50_000)])) for seq in range(1, 8)]
        await until(lambda: health)
        assert "maxmemory" in health[0][1] and not journal.up
        refused = await store(journal, [record(9, body=b"x" * 50_000)])
        assert isinstance(refused, JournalAway) and "400000" in str(refused)
        assert await journal.read("c1") == [record(0)], "reading goes on"
        await anybody.config_set("maxmemory", 0)
        assert await asyncio.gather(*waiting) == [None] * 7
        assert [up for up, _ in health] == [False, True] and journal.waiting_bytes == 0
        assert [row[2] for row in await journal.read("c1")] == list(range(8))
        await journal.close()

    run(test)


def test_a_full_journal_drops_calls_that_are_over_and_never_a_live_one(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        health: Health = []
        journal = RedisJournal(url, lambda *word: health.append(word), Retention(bytes_max=2_000_000))
        for number in range(40):
            big, end = record(1, f"old{number}", body=b"x" * 50_000), record(2, f"old{number}", kind="end")
            assert await store(journal, [big, end]) is None
        done = [store(journal, [record(seq, "live", body=b"x" * 50_000)]) for seq in range(20)]
        assert await asyncio.gather(*done) == [None] * 20, "room was made"
        assert not health
        calls = [kept.call for kept in await journal.calls(100)]
        assert calls[0] == "live" and "old0" not in calls and "old39" in calls
        # When nothing is left that could be dropped, records wait.
        done = [
            asyncio.ensure_future(store(journal, [record(seq, "live", body=b"x" * 50_000)])) for seq in range(20, 60)
        ]
        await until(lambda: health)
        assert "full" in health[0][1] and not all(each.done() for each in done)
        assert [kept.call for kept in await journal.calls(100)] == ["live"]
        await anybody.decrby("{offhook}:bytes", 2_000_000)  # room is made by hand
        assert await asyncio.gather(*done) == [None] * 40
        assert [up for up, _ in health] == [False, True] and len(await journal.read("live")) == 60
        await journal.close()

    run(test)


def test_retention_by_count_and_by_age(run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_journal, "PRUNE_EVERY_MS", 10)

    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url, retention=Retention(calls_max=10))
        for number in range(60):
            ended = number % 10 != 0
            assert await store(journal, [record(0, f"c{number}", kind="end" if ended else "event")]) is None
        while await anybody.zcard("{offhook}:calls") > 10:  # noqa: ASYNC110 - it happens in Redis
            await asyncio.sleep(0.001)
        kept = await journal.calls(100)
        assert [call.call for call in kept if not call.ended] == ["c50", "c40", "c30", "c20", "c10", "c0"]
        assert [call.call for call in kept if call.ended] == ["c59", "c58", "c57", "c56"]
        assert await store(journal, [record(1, "c0")]) is None
        await journal.close()
        journal = RedisJournal(url, retention=Retention(keep_ms=-1_000))
        while await anybody.zcard("{offhook}:calls"):  # noqa: ASYNC110 - it happens in Redis
            await asyncio.sleep(0.001)
        assert int(await anybody.get("{offhook}:bytes")) == 0, "what was counted in is counted out"
        assert sorted(await anybody.keys()) == [b"{offhook}:bytes", b"{offhook}:number", b"{offhook}:version"]
        await journal.close()

    run(test)


def test_a_supervisor_closes_no_call_of_another_node(run: Callable[[Test], None]) -> None:
    async def test(url: str, _anybody: Redis) -> None:
        here, there = RedisJournal(url), RedisJournal(url)
        assert await store(there, [record(0)]) is None
        intake = Intake(here, CallTable(), lambda *_: True, lambda *_: None)
        await intake.close_unclaimed("died", "nobody claims it here")
        assert await store(there, [record(1)]) is None
        assert [kept.ended for kept in await here.calls()] == [False]
        await here.close()
        await there.close()

    run(test)


def test_a_newer_layout_is_not_touched(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        await anybody.set("{offhook}:version", 99)
        health: Health = []
        journal = RedisJournal(url, lambda *word: health.append(word))
        journal.append([record(1)], lambda _fault: None)
        await until(lambda: health)
        assert "newer offhook" in health[0][1]
        await journal.close()
        assert await anybody.keys() == [b"{offhook}:version"]

    run(test)


def test_scripts_that_were_flushed_are_loaded_again(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url)
        assert await store(journal, [record(0)]) is None
        await anybody.script_flush()
        assert await store(journal, [record(1)]) is None
        await journal.close()

    run(test)


def test_records_of_many_calls_share_their_round_trips(run: Callable[[Test], None]) -> None:
    async def test(url: str, anybody: Redis) -> None:
        journal = RedisJournal(url)
        before = (await anybody.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
        done = [store(journal, [record(seq, f"c{call}")]) for seq in range(20) for call in range(100)]
        assert await asyncio.gather(*done) == [None] * 2_000
        assert (await anybody.info("commandstats"))["cmdstat_evalsha"]["calls"] - before <= 10
        assert len(await journal.read("c7")) == 20
        await journal.close()

    run(test)


def test_numbers_at_their_limits_stay_whole(run: Callable[[Test], None]) -> None:
    async def test(url: str, _anybody: Redis) -> None:
        journal = RedisJournal(url)
        most = (1 << 63) - 1
        records = [Record("c1", most - 1, 0, most, "event", 1), Record("c1", most, (1 << 32) - 1, most, "event", 2)]
        assert await store(journal, records) is None
        assert await journal.read("c1") == records
        assert isinstance(await store(journal, [record(5, epoch=most - 1)]), Fenced)
        assert await journal.last("c1") == records[1]
        await journal.close()

    run(test)


def test_a_long_journal_is_read_in_order_across_pages(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offhook.actors.journals.redis_store.PAGE", 7)

    async def test(url: str, _anybody: Redis) -> None:
        journal = RedisJournal(url)
        missing = {0, 6, 7, 13, 14, 20, 48}
        assert await store(journal, [record(seq) for seq in range(50) if seq not in missing]) is None
        assert await store(journal, [record(seq) for seq in missing]) is None
        for after in range(-1, 50):
            for limit in (1, 7, 20, 100):
                expected = [record(seq) for seq in range(after + 1, 50)][:limit]
                assert await journal.read("c1", after, limit) == expected
        await journal.close()

    run(test)
