"""Redis dies, hangs and comes back under live appends: what was acknowledged is there, what waited is stored."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis_server
import uvloop
from offhook.actors.call.recorder import Recorder
from offhook.actors.contracts.errors import JournalAway
from offhook.actors.contracts.node_messages import Journaled
from offhook.actors.journals.redis_journal import RedisJournal
from offhook.actors.node.call_table import CallRow, CallTable
from offhook.actors.node.intake import Intake
from offhook.policies.core.errors import OffhookError
from redis_server import RedisServer

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not redis_server.PROGRAM, reason=redis_server.ABSENT),
]

Health = list[tuple[bool, str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(200):
            await test()

    uvloop.run(limited())


async def until(what: Callable[[], object], within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not what():  # noqa: ASYNC110 - what is waited for is the product's, it tells no test
            await asyncio.sleep(0.002)


def record(seq: int, call: str = "c1", body: Any = "text") -> list[Any]:
    return [call, 1, seq, seq * 20, "event", body]


class Talker:
    """Appends one call's records as a live call does, only faster; notes what was acknowledged."""

    def __init__(self, journal: RedisJournal, call: str) -> None:
        self.safe: set[int] = set()
        self.refused: list[OffhookError] = []
        self.seq = 0
        self._journal = journal
        self._call = call
        self._task = asyncio.ensure_future(self._talk())

    async def _talk(self) -> None:
        while True:
            for _ in range(5):
                self.seq += 1
                seq = self.seq
                self._journal.append([record(seq, self._call)], lambda fault, seq=seq: self._done(seq, fault))
            await asyncio.sleep(0.005)

    def _done(self, seq: int, fault: OffhookError | None) -> None:
        if fault is None:
            self.safe.add(seq)
        else:
            self.refused.append(fault)

    async def hush(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


def test_nothing_acknowledged_is_lost_when_redis_is_killed_under_live_appends(server: RedisServer) -> None:
    async def test() -> None:
        health: Health = []
        journal = RedisJournal(server.url, lambda *word: health.append(word))
        talkers = [Talker(journal, f"c{number}") for number in range(8)]
        for life in range(3):
            count = len(talkers[0].safe)
            await until(lambda count=count: len(talkers[0].safe) > count + 100)
            await asyncio.to_thread(server.kill)
            await until(lambda life=life: len(health) == 2 * life + 1)
            safe = [set(talker.safe) for talker in talkers]
            await asyncio.to_thread(server.start)
            await until(lambda life=life: len(health) == 2 * life + 2)
            for number, talker in enumerate(talkers):
                kept = {row[2] for row in await journal.read(f"c{number}", limit=1_000_000)}
                assert safe[number] <= kept, "an acknowledged record is gone"
                count = len(safe[number])
                await until(lambda talker=talker, count=count: len(talker.safe) > count)
        for talker in talkers:
            await talker.hush()
        await until(lambda: not journal.waiting_bytes)
        for number, talker in enumerate(talkers):
            rows = await journal.read(f"c{number}", limit=1_000_000)
            assert rows == [record(seq, f"c{number}") for seq in range(1, talker.seq + 1)], "all of it, once, in order"
            assert not talker.refused
        assert [up for up, _ in health] == [False, True] * 3
        await journal.close()

    run(test)


def test_while_redis_is_away_records_wait_within_a_limit_and_the_call_sends_the_rest_again(server: RedisServer) -> None:
    """The whole way of a record: the call's recorder, the supervisor's intake, the bounded queue, the store."""

    async def test() -> None:
        health: Health = []
        journal = RedisJournal(server.url, lambda *word: health.append(word), waiting_bytes_max=40_000)
        up: list[bool] = []

        def tell(_row: CallRow, name: str, *words: Any) -> bool:
            if name == Journaled.NAME:
                recorder.journaled(words[-1])
            else:
                refused.append(words[0])
                recorder.away()
            return True

        def send(_name: str, records: list[Any]) -> bool:
            intake.take("owner", records)
            return True

        refused: list[str] = []
        table = CallTable()
        table.open(CallRow("c1", 1, "owner", 0, "", "", "", "", 0))
        intake = Intake(journal, table, tell, lambda *_: None)
        recorder = Recorder("c1", 1, send, up.append)
        for number in range(50):
            recorder.write(number, "event", "text")
        recorder.flush()
        await until(lambda: recorder.safe_seq == 50)
        await asyncio.to_thread(server.kill)
        seq = recorder.write(50, "event", "an order")
        irreversible: list[bool] = []
        recorder.when_safe(seq, lambda: irreversible.append(True))
        await until(lambda: health)
        for number in range(600):
            recorder.write(number, "event", "text")
            recorder.flush()
        await until(lambda: up == [False])
        assert refused and "the limit is 40000" in refused[0] and journal.waiting_bytes <= 40_000
        assert not irreversible
        with pytest.raises(JournalAway):
            await journal.read("c1")
        await asyncio.to_thread(server.start)
        await until(lambda: recorder.safe_seq == recorder.seq)
        assert irreversible == [True] and up == [False, True] and [word for word, _ in health] == [False, True]
        assert [row[2] for row in await journal.read("c1")] == list(range(1, 652))
        await journal.close()

    run(test)


def test_a_redis_that_hangs_is_away_and_late_answers_confuse_nobody(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "offhook.actors.journals.redis_store.ANSWER_S", 1.0
    )  # more than a busy machine holds a healthy answer back

    async def test() -> None:
        health: Health = []
        journal = RedisJournal(server.url, lambda *word: health.append(word))
        talker = Talker(journal, "c1")
        await until(lambda: len(talker.safe) > 20)
        for stop in range(3):
            server.signal(signal.SIGSTOP)
            await until(lambda stop=stop: len(health) == 2 * stop + 1)
            fence = asyncio.ensure_future(journal.fence("other", stop + 1))
            await asyncio.sleep(0.5)
            assert not fence.done()  # nobody can have answered it
            server.signal(signal.SIGCONT)
            assert (await fence).epoch == stop + 1
        await talker.hush()
        await until(lambda: not journal.waiting_bytes)
        assert await journal.read("c1", limit=100_000) == [record(seq) for seq in range(1, talker.seq + 1)]
        assert [up for up, _ in health] == [False, True] * 3
        await journal.close()

    run(test)


def test_a_journal_whose_redis_never_was_says_so_and_closes_in_time(server: RedisServer) -> None:
    server.close()

    async def test() -> None:
        health: Health = []
        journal = RedisJournal(server.url, lambda *word: health.append(word))
        await until(lambda: health)  # before anything is written
        refused: list[OffhookError | None] = []
        journal.append([record(1)], refused.append)
        fence = asyncio.ensure_future(journal.fence("c1", 2))
        await asyncio.sleep(0)
        async with asyncio.timeout(30):  # it does not wait for a Redis that never comes
            await journal.close()
        assert isinstance(refused[0], JournalAway)
        with pytest.raises(JournalAway):
            await fence

    run(test)


def test_a_torn_end_of_redis_own_log_costs_whole_units_only(server: RedisServer) -> None:
    """A power cut tears Redis' append-only file: it drops what is incomplete, and a unit is stored all or none."""

    async def test() -> None:
        journal = RedisJournal(server.url)
        for unit in range(50):
            done: asyncio.Future[OffhookError | None] = asyncio.get_running_loop().create_future()
            journal.append([record(3 * unit + step) for step in range(3)], done.set_result)
            assert await done is None
        await journal.close()
        await asyncio.to_thread(server.kill)
        (log,) = (server.folder / "appendonlydir").glob("*.incr.aof")
        log.write_bytes(log.read_bytes()[:-150])
        await asyncio.to_thread(server.start)
        journal = RedisJournal(server.url)
        rows = await journal.read("c1")
        assert rows == [record(seq) for seq in range(len(rows))] and len(rows) % 3 == 0 and 140 < len(rows) < 150
        assert (await journal.last("c1")) == rows[-1]
        assert (await journal.fence("c1", 2)).seq == rows[-1][2]
        await journal.close()

    run(test)
