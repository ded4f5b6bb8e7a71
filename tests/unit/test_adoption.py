"""A call's row out of its journal, as an adopter needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.actors.node.adoption import row_from_journal
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode

Test = Callable[[SqliteJournal], Awaitable[None]]
POLICY = {"name": "test", "agents": {"closer": {"code": "x:Y"}, "booking": {"code": "x:Z"}}}
START = {"unix_ms": 1_000, "policy_version": "v1", "policy": POLICY, "direction": "outbound", "anchor": ["boot", 77]}
CREATED = ev.CallCreated(0, "c1", "outbound", "+1", "+2", "v1")


def run(folder: Path, test: Test) -> None:
    async def limited() -> None:
        journal = SqliteJournal(folder / "j.sqlite", power_safe=False)
        async with asyncio.timeout(60):
            await test(journal)
            await journal.close()

    uvloop.run(limited())


async def store(journal: SqliteJournal, *records: list[Any]) -> None:
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    journal.append(records, done.set_result)
    assert await done is None


def begun(epoch: int = 1) -> list[list[Any]]:
    return [["c1", epoch, 1, 0, "start", START], ["c1", epoch, 2, 0, "event", encode(CREATED)]]


def test_the_row_has_what_the_beginning_and_the_newest_record_tell(tmp_path: Path) -> None:
    async def test(journal: SqliteJournal) -> None:
        await store(journal, *begun(), ["c1", 1, 3, 40, "commands", []])
        await store(journal, ["c1", 2, 4, 9_000, "event", encode(ev.OwnerChanged(9_000, 2))])
        row = await row_from_journal(journal, "c1")
        assert row is not None
        assert (row.call, row.epoch, row.seq, row.at_ms) == ("c1", 2, 4, 9_000)
        assert (row.direction, row.caller, row.callee) == ("outbound", "+1", "+2")
        assert (row.policy_version, sorted(row.agent_tokens)) == ("v1", ["booking", "closer"])
        assert (row.origin_unix_ms, row.anchor) == (1_000, ("boot", 77))
        assert (row.owner, row.pid, row.snapshot_seq, row.primed, row.takeovers) == ("", 0, -1, True, 1)

    run(tmp_path, test)


def test_the_policy_that_led_last_is_the_one_that_leads_on(tmp_path: Path) -> None:
    async def test(journal: SqliteJournal) -> None:
        swapped = {"name": "other", "agents": {"guide": {"code": "x:Y"}}}
        await store(journal, *begun(), ["c1", 1, 3, 40, "policy", {"version": "v2", "policy": swapped}])
        row = await row_from_journal(journal, "c1")
        assert row is not None
        assert (row.policy_version, list(row.agent_tokens)) == ("v2", ["guide"])

    run(tmp_path, test)


def test_nothing_is_adopted_that_has_ended_or_never_began(tmp_path: Path) -> None:
    async def test(journal: SqliteJournal) -> None:
        await store(journal, ["c2", 1, 1, 0, "event", ["LineAnswered", 0]])
        assert await row_from_journal(journal, "c1") is None
        assert await row_from_journal(journal, "c2") is None
        await store(journal, *begun(), ["c1", 1, 3, 40, "end", {"outcome": "caller_hung_up"}])
        assert await row_from_journal(journal, "c1") is None

    run(tmp_path, test)


def test_an_old_journal_without_an_anchor_and_a_call_of_a_strange_version_are_adopted_as_far_as_they_go(
    tmp_path: Path,
) -> None:
    async def test(journal: SqliteJournal) -> None:
        old = {name: value for name, value in START.items() if name != "anchor"}
        await store(journal, ["c1", 1, 1, 0, "start", old], ["c1", 1, 2, 0, "event", ["CallCreated", 0, "what"]])
        row = await row_from_journal(journal, "c1")
        assert row is not None
        assert (row.anchor, row.caller, row.direction) == (("", 0), "", "outbound")

    run(tmp_path, test)
