"""Lists of calls: what a node remembers, what its journal has of calls before, and what nodes that share one tell."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

from offhook.actors.contracts.call_operations import CallList, CallSummary
from offhook.actors.contracts.errors import JournalAway
from offhook.actors.journals.journal import Kept
from offhook.actors.node.call_queries import CallQueries
from offhook.actors.node.call_table import CallRow, CallTable
from offhook.cluster.director import Director


class Journal:
    """Calls that a journal has noted."""

    def __init__(self, *kept: Kept) -> None:
        self.kept = kept
        self.away = False

    async def calls(self, newest: int) -> list[Kept]:
        if self.away:
            raise JournalAway("not now")
        return list(self.kept[:newest])


def node(journal: Journal) -> CallQueries:
    queries = CallQueries()
    queries.table = CallTable()
    queries._journal = cast(Any, journal)
    for call, begun_ms in (("over", 20), ("live", 30)):
        queries.table.open(CallRow(call, 1, f"call-{call}", 7, "v1", "inbound", "", "", begun_ms))
    queries.table.end("over", 1, "done", 25)
    return queries


def names(listed: CallList) -> list[str]:
    return [row.call for row in listed.calls]


def test_after_a_restart_the_journal_s_calls_are_listed_once_and_behind_those_that_are_remembered() -> None:
    journal = Journal(
        Kept("older", 1, 9, 5, ended=True),
        Kept("old", 2, 9, 10, ended=True),
        Kept("over", 1, 9, 20, ended=True),
        Kept("lost", 1, 9, 15, ended=False),
    )
    queries = node(journal)

    async def test() -> None:
        listed = await queries.calls()
        assert names(listed) == ["live", "over", "old", "older"] and listed.total == 4
        assert [row.live for row in listed.calls] == [True, False, False, False]
        assert names(await queries.calls(live=True)) == ["live"]
        few = await queries.calls(live=False, limit=2)
        assert names(few) == ["over", "old"] and few.total == 3
        journal.away = True
        assert names(await queries.calls()) == ["live", "over"]

    asyncio.run(test())


def test_of_nodes_that_tell_of_one_call_the_one_that_leads_it_is_believed() -> None:
    led = CallSummary("c1", 2, "call-1", live=True, created_unix_ms=10)
    kept = replace(led, epoch=1, owner="", live=False)
    before = replace(led, epoch=1, owner="call-0", live=False)
    newer = CallSummary("c2", created_unix_ms=20)

    class Nodes:
        async def everywhere(self, _ask: Any) -> dict[str, CallList]:
            return {"a": CallList((kept,), 1), "b": CallList((led, newer), 2), "c": CallList((before,), 1)}

    director = Director.__new__(Director)
    director._nodes = cast(Any, Nodes())
    listed = asyncio.run(director.calls())
    assert listed == CallList((newer, led), 2)
