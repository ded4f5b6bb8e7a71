"""A supervisor's return: whose call is taken over, when, and what is closed. Real journal and table, no processes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.actors.node import recovery as recovering
from offhook.actors.node.call_start import Parts
from offhook.actors.node.call_table import CallRow, CallTable
from offhook.actors.node.intake import Intake
from offhook.actors.node.recovery import Recovery
from offhook.actors.node.residents import Resident
from offhook.actors.process.metric_registry import MetricRegistry

START = {"unix_ms": 1_000, "policy_version": "v1", "policy": {"name": "test", "agents": {}}, "direction": "inbound"}


@dataclass
class Begun:
    """Where takeovers are begun; none is carried out."""

    rows: list[CallRow] = field(default_factory=list)

    def begin(self, row: CallRow, why: str) -> None:
        assert why == recovering.DIED_TOGETHER
        self.rows.append(row)


class Return:
    """A supervisor that is back, as far as its recovery goes."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.journal = journal
        self.table = CallTable()
        self.begun = Begun()
        self.tasks: set[asyncio.Task[None]] = set()
        intake = Intake(journal, self.table, lambda *_: True, lambda *_: None)
        parts = cast(Parts, _Parts(self.table, journal))
        self.lines_given_up = asyncio.Event()
        self.recovery = Recovery(parts, cast(Any, self.begun), intake, self._spawn, self._until_lines_are_given_up)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _until_lines_are_given_up(self, seconds: float) -> None:
        assert seconds == recovering.LINES_S
        await self.lines_given_up.wait()

    @property
    def taken(self) -> list[str]:
        return [row.call for row in self.begun.rows]

    async def last(self, call: str) -> Any:
        record = await self.journal.last(call)
        assert record is not None
        return record[4]


@dataclass
class _Parts:
    table: CallTable
    journal: SqliteJournal
    metrics: MetricRegistry = field(default_factory=MetricRegistry)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Return], Awaitable[None]]], None]:
    def runner(test: Callable[[Return], Awaitable[None]]) -> None:
        async def limited() -> None:
            journal = SqliteJournal(tmp_path / "j.sqlite", power_safe=False)
            async with asyncio.timeout(60):
                for call, *more in (("open",), ("over", ["over", 1, 2, 5, "end", {"outcome": "x"}]), ("other",)):
                    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                    journal.append([[call, 1, 1, 0, "start", START], *more], done.set_result)
                    assert await done is None
                await test(Return(journal))
                await journal.close()

        uvloop.run(limited())

    return runner


def resident(name: str, role: str = "call") -> Resident:
    return Resident(name, role, "token")


def test_a_call_without_a_process_is_taken_over_for_its_line_once_everybody_is_here(run: Any) -> None:
    async def test(back: Return) -> None:
        back.recovery.begin([resident("call-1"), resident("agents-1", "agents")])
        back.recovery.lines(["open", "over"])
        asked = asyncio.ensure_future(back.recovery.revive("open", 1))
        await asyncio.sleep(0)
        assert not back.taken  # call-1 may be the one that leads it
        back.recovery.accounted("call-1")
        assert await asked
        assert back.taken == ["open"]  # once, though it was asked for twice
        assert "open" in back.table
        assert not await back.recovery.revive("over")
        assert not await back.recovery.revive("never-was")

    run(test)


def test_a_call_that_its_own_process_brings_along_is_not_taken_over(run: Any) -> None:
    async def test(back: Return) -> None:
        back.recovery.begin([resident("call-1")])
        asked = asyncio.ensure_future(back.recovery.revive("open", 1))
        back.table.open(CallRow("open", 1, "call-1", 7, "v1", "inbound", "", "", 1_000))
        back.recovery.accounted("call-1")
        assert await asked
        assert not back.taken

    run(test)


def test_what_nobody_asks_for_is_closed_with_a_record_and_nothing_is_revived_after_that(run: Any) -> None:
    async def test(back: Return) -> None:
        back.recovery.begin([resident("gateway:1", "gateway")])
        assert await back.recovery.revive("open", 1)
        assert await back.last("other") == "start"  # its gateway may still ask
        back.lines_given_up.set()
        while await back.last("other") != "end":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await back.last("open") == "start"  # it is led again
        assert not await back.recovery.revive("other", 1)

    run(test)


def test_a_supervisor_without_a_former_life_closes_what_is_open_at_once(run: Any) -> None:
    async def test(back: Return) -> None:
        back.recovery.begin([])
        assert not await back.recovery.revive("open", 1)
        while await back.last("open") != "end":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not back.taken

    run(test)


def test_in_a_journal_that_nodes_share_only_who_has_lost_the_newest_owner_gets_the_call(run: Any) -> None:
    async def test(back: Return) -> None:
        back.journal.shared = True  # type: ignore[misc]
        back.recovery.begin([resident("gateway:1", "gateway")])
        back.recovery.lines(["open"])
        assert not await back.recovery.revive("open")
        assert not back.taken
        assert await back.recovery.revive("open", 1)
        assert back.taken == ["open"]

    run(test)
