"""The rules of every journal, on real stores. A further store is one more line in STORES."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis_server
import uvloop
from offhook.actors.contracts.call_operations import AFTER_SEQ_MAX
from offhook.actors.contracts.errors import Fenced, JournalAway, ProtocolFault
from offhook.actors.journals.journal import SEQ_MAX, Journal, Tail
from offhook.actors.journals.stores import check_url, open_journal
from offhook.policies.core.errors import CallerFault, OffhookError
from offhook.policies.core.records import Record
from redis_server import RedisServer

Open = Callable[[Path], Journal]
Test = Callable[[Open, Path], Awaitable[None]]

STORES = ("sqlite", "redis")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path_factory.mktemp("redis"), "--databases", "1000") as server:
        yield server


@pytest.fixture(params=STORES)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Test], None]:
    """Runs a test on a store of its own: a file, or a database of the one Redis."""
    if request.param == "sqlite":
        url = f"sqlite://{tmp_path / 'journal.db'}"
    else:
        server = request.getfixturevalue("redis")
        url = f"{server.url[:-1]}{next(_databases)}"

    def runner(test: Test) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                await test(lambda _folder: open_journal(url), tmp_path)

        uvloop.run(limited())

    return runner


_databases = iter(range(1000))


def record(seq: int, call: str = "c1", epoch: int = 1, kind: str = "event", body: Any = None) -> Record:
    return Record(call, epoch, seq, seq * 20, kind, ["ev", seq, "text"] if body is None else body)


async def store(journal: Journal, records: Sequence[Record]) -> OffhookError | None:
    """Append, and wait for the word."""
    done: asyncio.Future[OffhookError | None] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    return await done


def test_no_record_is_numbered_higher_than_can_be_asked_for() -> None:
    assert AFTER_SEQ_MAX == SEQ_MAX


def test_records_come_back_as_they_were_in_order_by_call(run: Callable[[Test], None]) -> None:
    body = {"text": "ü", "bytes": b"\x00\xff", "list": [1, -2, 2.5, None, True], "map": {"1": {}, "k": []}}

    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        first = [record(seq, kind="start" if seq == 1 else "event", body=body) for seq in range(1, 400)]
        other = [record(seq, "c2") for seq in range(1, 400)]
        assert (
            await asyncio.gather(*(store(journal, [a, b]) for a, b in zip(first, other, strict=True))) == [None] * 399
        )
        assert await journal.read("c1") == first
        assert await journal.read("c2", after_seq=390) == other[390:]
        assert await journal.read("c1", after_seq=10, limit=3) == first[10:13]
        assert await journal.read("c1", after_seq=399) == await journal.read("nobody") == []
        for beyond in (AFTER_SEQ_MAX, 2**63 - 1, 2**63, 10**30):
            assert await journal.read("c1", after_seq=beyond) == []
            assert await journal.read("c1", after_seq=398, limit=beyond) == first[398:]
        await journal.close()
        again = open_store(folder)
        assert await again.read("c1") == first
        await again.close()

    run(test)


def test_last_and_calls(run: Callable[[Test], None]) -> None:
    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        for number in range(5):
            records = [record(seq, f"c{number}") for seq in range(10)]
            records[4] = records[4]._replace(kind="snapshot")
            if number == 3:
                records[9] = records[9]._replace(kind="end")
            assert await store(journal, records) is None
        assert await journal.last("c0") == record(9, "c0")
        assert await journal.last("c0", "snapshot") == record(4, "c0", kind="snapshot")
        assert await journal.last("c0", "end") is await journal.last("nobody") is None
        kept = await journal.calls(3)
        assert [(call.call, call.seq, call.epoch, call.ended) for call in kept] == [
            ("c4", 9, 1, False),
            ("c3", 9, 1, True),
            ("c2", 9, 1, False),
        ]
        assert all(call.begun_unix_ms > 1_700_000_000_000 for call in kept)
        await journal.close()

    run(test)


def test_the_same_record_again_changes_nothing_another_one_is_refused(run: Callable[[Test], None]) -> None:
    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        records = [record(seq) for seq in range(1, 6)]
        assert await store(journal, records) is None
        assert await store(journal, [*records[2:], record(6)]) is None
        assert isinstance(await store(journal, [record(7), record(3, body="other")]), ProtocolFault)
        both = await asyncio.gather(store(journal, [record(7)]), store(journal, [record(7), record(8)]))
        assert both == [None, None]
        assert [row[2] for row in await journal.read("c1")] == [1, 2, 3, 4, 5, 6, 7, 8]
        assert isinstance(await store(journal, [record(9), record(9, body="twice")]), ProtocolFault)
        assert await store(journal, [record(12)]) is None  # a gap is its writer's matter: lost while the store was away
        assert await store(journal, [record(9)]) is None
        await journal.close()
        journal = open_store(folder)
        assert await store(journal, records) is None
        assert isinstance(await store(journal, [record(2, body="other")]), ProtocolFault)
        assert [row[2] for row in await journal.read("c1")] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 12]
        await journal.close()

    run(test)


def test_an_older_epoch_is_fenced_off(run: Callable[[Test], None]) -> None:
    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        assert await store(journal, [record(1), record(2)]) is None
        # What the former owner sent before the fence counts, what it sends after it does not.
        late, tail, later = await asyncio.gather(
            store(journal, [record(3)]), journal.fence("c1", 2), store(journal, [record(4)])
        )
        assert (late, tail) == (None, Tail(2, 3))
        assert isinstance(later, Fenced)
        assert await store(journal, [record(4, epoch=2, body="new")]) is None
        assert isinstance(await store(journal, [record(9, "c2"), record(5)]), Fenced)
        assert await journal.read("c2") == [], "all or none"
        assert await store(journal, [record(5, epoch=7)]) is None  # a newer epoch fences by itself
        for epoch in (1, 2, 6):
            assert isinstance(await store(journal, [record(6, epoch=epoch)]), Fenced)
            with pytest.raises(Fenced):
                await journal.fence("c1", epoch)
        assert await journal.fence("c1", 7) == Tail(7, 5)
        assert await journal.fence("fresh", 3) == Tail(3, -1)
        await journal.close()
        journal = open_store(folder)
        assert isinstance(await store(journal, [record(6, epoch=6)]), Fenced)
        assert isinstance(await store(journal, [record(0, "fresh", epoch=2)]), Fenced)
        assert [row[1] for row in await journal.read("c1")] == [1, 1, 1, 2, 7]
        await journal.close()

    run(test)


BAD: list[Any] = [
    [],
    ["c1", 1, 1, 0, "event"],
    record(-1),
    record(1 << 32),
    record(1, epoch=-1),
    record(1, call=""),
    record(1, call="x" * 200),
    record(1, call="a\nb"),
    record(1, call="\ud800"),
    record(1, kind=""),
    record(1, body=object()),
    record(1, body="\ud800"),
    record(1, body=1 << 70),
    record(1, body=b"x" * (1 << 20)),
    ["c1", 1, "1", 0, "event", 0],
    ["c1", 1, True, 0, "event", 0],
    [b"c1", 1, 1, 0, "event", 0],
    7,
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_what_is_not_a_record_is_refused_and_blocks_nothing(run: Callable[[Test], None], bad: Any) -> None:
    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        fault, good = await asyncio.gather(store(journal, [record(1), bad]), store(journal, [record(2)]))
        assert isinstance(fault, ProtocolFault) and good is None
        assert [row[2] for row in await journal.read("c1")] == [2]
        await journal.close()

    run(test)


def test_a_closed_journal_says_so(run: Callable[[Test], None]) -> None:
    async def test(open_store: Open, folder: Path) -> None:
        journal = open_store(folder)
        pending = asyncio.ensure_future(store(journal, [record(1)]))
        await asyncio.sleep(0)
        await journal.close()
        assert await pending is None, "what was handed in before is stored"
        assert isinstance(await store(journal, [record(2)]), JournalAway)
        for asked in (journal.fence("c1", 2), journal.read("c1"), journal.last("c1"), journal.calls()):
            with pytest.raises(JournalAway):
                await asked
        await journal.close()

    run(test)


def test_a_url_names_its_store(tmp_path: Path) -> None:
    async def test() -> None:
        for url in (tmp_path / "a.db", f"sqlite://{tmp_path}/b.db"):
            await open_journal(url).close()
        with pytest.raises(CallerFault, match="cannot be used"):
            open_journal("redis://127.0.0.1:port")

    uvloop.run(test())
    for wrong in ("mongodb://x", "redis://", "http://127.0.0.1"):
        with pytest.raises(CallerFault, match="redis://"):
            check_url(wrong)
