"""Calls that no process leads, in a journal that nodes share: fenced before anything else, adopted or closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from offhook.actors.contracts.errors import Fenced, NoSpare, NoSuchCall, OwnJournal
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.actors.node.call_table import CallRow, CallTable
from offhook.actors.node.orphans import Orphans
from offhook.actors.node.outcomes import LOST
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode

START = {"unix_ms": 1_000, "policy_version": "v1", "policy": {"agents": {"closer": {"code": "x:Y"}}}}
CREATED = encode(ev.CallCreated(0, "lost", "inbound", "+1", "+2", "v1"))


class Node:
    """The parts of a node that adopt: a journal that others write to as well, a table, and what was taken over."""

    def __init__(self, folder: Path) -> None:
        self.journal = SqliteJournal(folder / "j.sqlite", power_safe=False)
        self.journal.shared = True  # as one in Redis is; what is kept is the same
        self.table = CallTable()
        self.pool = SimpleNamespace(draining=False)
        self.begun: list[tuple[str, int]] = []
        parts: Any = SimpleNamespace(journal=self.journal, table=self.table, pool=self.pool)
        self.orphans = Orphans(parts, self)  # type: ignore[arg-type]

    def begin(self, row: CallRow, _why: str) -> None:
        self.begun.append((row.call, row.epoch))

    async def owner(self, call: str) -> CallRow:
        row = self.table.get(call)
        assert row is not None
        return row

    async def write(self, *records: list[Any]) -> Exception | None:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.journal.append(records, done.set_result)
        return await done


def run(folder: Path, test: Callable[[Node], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            node = Node(folder)
            assert await node.write(["lost", 1, 1, 0, "start", START], ["lost", 1, 2, 0, "event", CREATED]) is None
            await test(node)
            await node.journal.close()

    uvloop.run(limited())


def test_an_adopted_call_is_fenced_and_then_taken_over(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        await node.orphans.adopt("lost")
        assert node.begun == [("lost", 2)]  # the takeover grants the next epoch, at which it is fenced by now
        assert isinstance(await node.write(["lost", 1, 3, 9, "event", ["late"]]), Fenced)
        await node.orphans.adopt("lost")  # asked again: it is led here
        assert len(node.begun) == 1

    run(tmp_path, test)


def test_epochs_that_left_no_record_are_passed_over(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        for epoch in (2, 3):
            await node.journal.fence("lost", epoch)  # takeovers that failed before they wrote
        await node.orphans.adopt("lost")
        assert node.begun == [("lost", 3)]  # the takeover is at 4

    run(tmp_path, test)


def test_only_open_calls_of_a_shared_journal_are_adopted_and_not_while_the_node_drains(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        node.pool.draining = True
        with pytest.raises(NoSpare):
            await node.orphans.adopt("lost")
        node.pool.draining = False
        node.journal.shared = False
        with pytest.raises(OwnJournal, match="that node's own"):
            await node.orphans.adopt("lost")
        assert await node.orphans.unled() == []
        node.journal.shared = True
        assert await node.orphans.unled() == ["lost"]
        await node.write(["lost", 1, 3, 9, "end", {"outcome": "caller_hung_up"}])
        for work in (node.orphans.adopt("lost"), node.orphans.close("lost", "nobody came")):
            with pytest.raises(NoSuchCall):
                await work
        assert await node.orphans.unled() == [] and not node.begun

    run(tmp_path, test)


def test_a_call_whose_carrier_does_not_come_back_ends_with_a_record_behind_a_fence(tmp_path: Path) -> None:
    async def test(node: Node) -> None:
        await node.orphans.close("lost", "nobody came")
        records = await node.journal.read("lost")
        assert [(record.epoch, record.seq) for record in records] == [(1, 1), (1, 2), (3, 3)]
        assert records[-1][4] == "end"
        assert records[-1][5] == {"outcome": LOST, "why": "nobody came", "by": "supervisor"}
        assert isinstance(await node.write(["lost", 1, 3, 9, "event", ["late"]]), Fenced)
        assert await node.orphans.unled() == []

    run(tmp_path, test)
