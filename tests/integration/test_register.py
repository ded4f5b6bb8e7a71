"""The rules of every register of acts (`actors/journals/register.py`), on real stores, each beside its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop
from offhook.actors.contracts.errors import JournalAway
from offhook.actors.contracts.orders import Order, Outcome
from offhook.actors.journals import redis_register, sqlite_register
from offhook.actors.journals.journal import Journal
from offhook.actors.journals.register import Begun, Register
from offhook.actors.journals.stores import open_journal, open_register


class Cluster:
    """Two nodes' registers and the journal of one of them. With SQLite both are processes of one node, one after the
    other; `node` is whose name they say."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.opened: list[Register] = []

    def register(self, node: str = "a") -> Register:
        register = open_register(self.url, self.folder / "tools.db", node)
        self.opened.append(register)
        return register

    def journal(self) -> Journal:
        return open_journal(self.url)


Test = Callable[[Cluster], Awaitable[None]]


@pytest.fixture
def run(store_url: str, tmp_path: Path) -> Callable[[Test], None]:
    async def limited(test: Test) -> None:
        cluster = Cluster(store_url, tmp_path)
        async with asyncio.timeout(60):
            await test(cluster)
            for register in cluster.opened:
                await register.close()

    return lambda test: uvloop.run(limited(test))


DONE = Outcome(True, "booked for ten")
ORDER = Order("c1", 1, "g1", "book", {"time": "ten"}, "c1/book#0")


def test_what_was_done_is_told_and_not_begun_again(run: Callable[[Test], None]) -> None:
    async def test(cluster: Cluster) -> None:
        first = cluster.register("a")
        assert await first.begin(ORDER, "t1", 1_000) == Begun()
        assert await first.finish(ORDER, "t1", DONE)
        for register in (first, cluster.register("b")):
            told = await register.begin(replace(ORDER, epoch=2), "t2", 1_000)
            assert told.outcome == DONE
            assert await register.acts("c1") == [("book", ORDER.key, 1)]
        assert (await first.begin(replace(ORDER, key="k2"), "t3", 1_000)) == Begun()
        assert [key for _, key, _ in await first.acts("c1")] == [ORDER.key, "k2"]
        assert await first.acts("c2") == []

    run(test)


@pytest.mark.parametrize(
    "outcome",
    [Outcome(False, "taken"), Outcome(False, "who knows", known=False), Outcome(False, "withdrawn", withdrawn=True)],
)
def test_a_failure_is_told_to_its_grant_and_a_further_grant_tries_again(
    run: Callable[[Test], None], outcome: Outcome
) -> None:
    async def test(cluster: Cluster) -> None:
        register = cluster.register()
        await register.begin(ORDER, "t1", 1_000)
        assert await register.finish(ORDER, "t1", outcome)
        assert (await register.begin(ORDER, "t2", 1_000)).outcome == outcome
        again = replace(ORDER, grant="g2")
        assert await register.begin(again, "t3", 1_000) == Begun(in_doubt=not outcome.known, tries=2)
        assert await register.finish(again, "t3", DONE)
        assert (await register.begin(replace(ORDER, grant="g3"), "t4", 1_000)).outcome == DONE

    run(test)


def test_an_order_of_an_older_epoch_is_refused_also_when_only_the_journal_was_fenced(
    run: Callable[[Test], None],
) -> None:
    async def test(cluster: Cluster) -> None:
        register, journal = cluster.register(), cluster.journal()
        await journal.fence("c1", 1)
        assert await register.begin(ORDER, "t1", 1_000) == Begun()
        await register.finish(ORDER, "t1", DONE)
        await journal.fence("c1", 12)
        late = replace(ORDER, key="k2")
        assert await register.begin(late, "t2", 1_000) == Begun(newer_epoch=12)
        assert (await register.begin(ORDER, "t3", 1_000)).outcome == DONE, "what came of an act is told to anybody"
        assert await register.begin(replace(late, epoch=12), "t4", 1_000) == Begun()
        assert await register.begin(replace(late, key="k3", epoch=13), "t5", 1_000) == Begun()
        await journal.close()
        assert await register.begin(replace(late, key="k4", epoch=12), "t6", 1_000) == Begun(newer_epoch=13)
        assert await register.begin(replace(ORDER, call="c2", key="k5"), "t7", 1_000) == Begun(), "another call"

    run(test)


def test_of_many_who_begin_a_key_at_once_one_goes_ahead(run: Callable[[Test], None]) -> None:
    async def test(cluster: Cluster) -> None:
        nodes = [cluster.register(name) for name in "abcd"]
        answers = await asyncio.gather(
            *(node.begin(ORDER, f"{number}/{turn}", 5_000) for turn in range(5) for number, node in enumerate(nodes))
        )
        # Whoever begins again at the same node does so in doubt: one process never does (see outbox.py).
        fresh = [answer for answer in answers if not answer.in_doubt and not answer.wait_ms]
        assert len(fresh) == 1 and fresh[0] == Begun()

    run(test)


def test_an_answer_that_was_lost_on_its_way_is_given_again(run: Callable[[Test], None]) -> None:
    async def test(cluster: Cluster) -> None:
        register = cluster.register()
        assert await register.begin(ORDER, "t1", 1_000) == await register.begin(ORDER, "t1", 1_000) == Begun()
        assert await register.begin(ORDER, "t2", 1_000) == Begun(in_doubt=True, tries=2)
        assert await register.begin(ORDER, "t2", 1_000) == Begun(in_doubt=True, tries=2)

    run(test)


def test_what_another_node_has_begun_is_left_to_it_until_its_time_is_over(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_register, redis_register):
        monkeypatch.setattr(module, "GRACE_MS", 0)

    async def test(cluster: Cluster) -> None:
        lost, heir = cluster.register("a"), cluster.register("b")
        within_ms = 1_500  # long enough for the heir's first question, however busy the machine is
        assert await lost.begin(ORDER, "t1", within_ms) == Begun()
        waits = []
        while (answer := await heir.begin(replace(ORDER, epoch=2), "t2", within_ms)).wait_ms:
            waits.append(answer.wait_ms)
        assert waits == sorted(waits, reverse=True) and 0 < waits[0] <= within_ms
        assert answer == Begun(in_doubt=True, tries=2)
        assert not await lost.finish(ORDER, "t1", DONE), "somebody else has begun it since"
        assert await heir.finish(replace(ORDER, epoch=2), "t2", DONE)

    run(test)


def test_the_outcome_of_an_act_that_was_begun_in_time_counts_after_the_fence(run: Callable[[Test], None]) -> None:
    async def test(cluster: Cluster) -> None:
        lost, heir, journal = cluster.register("a"), cluster.register("b"), cluster.journal()
        assert await lost.begin(ORDER, "t1", 5_000) == Begun()
        await journal.fence("c1", 2)
        assert (await heir.begin(replace(ORDER, epoch=2), "t2", 5_000)).wait_ms > 0
        assert await lost.finish(ORDER, "t1", DONE), "it did happen"
        assert (await heir.begin(replace(ORDER, epoch=2), "t2", 5_000)).outcome == DONE
        await journal.close()

    run(test)


def test_a_closed_register_says_so(run: Callable[[Test], None]) -> None:
    async def test(cluster: Cluster) -> None:
        register = cluster.register()
        await register.begin(ORDER, "t1", 1_000)
        await register.close()
        with pytest.raises(JournalAway):
            await register.begin(ORDER, "t2", 1_000)

    run(test)


def test_acts_that_are_older_than_the_journal_remembers_are_dropped(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_register, redis_register):
        monkeypatch.setattr(module, "KEEP_MS", 30)

    async def test(cluster: Cluster) -> None:
        register = cluster.register()
        await register.begin(ORDER, "t1", 1_000)
        while await register.acts("c1"):
            await register.begin(replace(ORDER, call="c2", key="k2"), "t1", 1_000)

    run(test)
