"""An order that is taken back wins as long as its tool was not called, and for good; on real registers of each kind.

Two nodes share a Redis register; with SQLite they are two supervisors of one node, one after the other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from offhook.actors.contracts.errors import JournalAway, ProtocolFault
from offhook.actors.contracts.node_messages import Begun as BegunMessage
from offhook.actors.contracts.node_messages import Perform, Performed, Withdraw
from offhook.actors.contracts.orders import Order, Outcome
from offhook.actors.journals.register import Begun, Register
from offhook.actors.journals.stores import open_register
from offhook.actors.node import outbox
from offhook.actors.node.leases import LeaseBook
from offhook.actors.node.outbox import WITHDRAWN, Outbox
from offhook.actors.node.tools import Tool
from offhook.actors.node.worker_events import WorkerEvents

OTHERS = ("intake", "call_start", "endings", "takeovers", "recovery", "swaps", "spawn")  # not asked about acts
ORDER = Order("c1", 1, "g1", "act", {"time": "ten"}, "c1/act")
DONE = Outcome(True, "done")


class PublicAddresses:
    """A register that lets nobody in while it is away, or while it is shut."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self.away = False
        self.asked = asyncio.Event()
        self.finished = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def begin(self, order: Order, token: str, time_ms: int) -> Begun:
        self.asked.set()
        await self.open.wait()
        if self.away:
            raise JournalAway("gone")
        return await self._register.begin(order, token, time_ms)

    async def finish(self, order: Order, token: str, outcome: Outcome) -> bool:
        if self.away:
            raise JournalAway("gone")
        found = await self._register.finish(order, token, outcome)
        self.finished.set()
        return found

    async def acts(self, call: str) -> list[tuple[str, str, int]]:
        return await self._register.acts(call)

    async def close(self) -> None:
        await self._register.close()


class Doomed:
    """Residents that are killed."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def kill(self, name: str, _why: str) -> None:
        self.killed.append(name)


class Owner:
    """A call's process, as the outbox sees it."""

    def __init__(self, name: str = "call-1") -> None:
        self.name = name
        self.told: list[tuple[Any, ...]] = []
        self._heard = asyncio.Event()

    def send(self, *message: Any) -> bool:
        self.told.append(message)
        self._heard.set()
        return True

    async def hears(self, count: int) -> None:
        while len(self.told) < count:
            self._heard.clear()
            await self._heard.wait()


class Node:
    """One supervisor's outbox."""

    def __init__(self, url: str, folder: Path, name: str, tool: Tool, away_ms: int) -> None:
        self.register = PublicAddresses(open_register(url, folder / "tools.db", name))
        self.leases = LeaseBook()
        self.residents = Doomed()
        self.box = Outbox(self.register, {"act": tool}, self.leases, self.residents, away_ms=away_ms)  # type: ignore[arg-type]

    def soon(self, work: Any) -> asyncio.Task[Outcome]:
        return asyncio.get_running_loop().create_task(work)


class World:
    """The tool's side."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.called = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def act(self, order: Order) -> Outcome:
        self.called.set()
        await self.may_go_on.wait()
        self.happened.append(order.grant)
        return DONE

    async def look_up(self, _order: Order) -> Outcome | None:
        self.asked.set()
        await self.may_answer.wait()
        return DONE if self.happened else None

    @property
    def asked_tool(self) -> Tool:
        return Tool(self.act, self.look_up)


class Stage:
    """Nodes over one register."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.world = World()
        self.nodes: list[Node] = []

    @property
    def shared(self) -> bool:
        return self.url.startswith("redis")

    def node(self, name: str = "a", tool: Tool | None = None, away_ms: int = 5_000) -> Node:
        node = Node(self.url, self.folder, name, tool or self.world.asked_tool, away_ms)
        self.nodes.append(node)
        return node

    async def cut_short(self, order: Order = ORDER) -> None:
        """A process began the act and died."""
        register = open_register(self.url, self.folder / "tools.db", "a")
        await register.begin(order, "former", 1_000)
        await register.close()

    async def nothing_follows(self) -> None:
        """No copy of the order is carried out: not here, not elsewhere, not for the next owner."""
        before = list(self.world.happened)
        for name, epoch in (("a", 1), ("a", 2), ("b", 3)):
            assert await self.node(name).box.perform(replace(ORDER, epoch=epoch)) == WITHDRAWN
        assert self.world.happened == before
        assert await self.node().box.perform(replace(ORDER, epoch=3, grant="g2")) == DONE, "meant anew, done"


Test = Callable[[Stage], Awaitable[None]]


@pytest.fixture
def run(store_url: str, tmp_path: Path) -> Callable[[Test], None]:
    async def limited(test: Test) -> None:
        stage = Stage(store_url, tmp_path)
        async with asyncio.timeout(60):
            await test(stage)
            for node in stage.nodes:
                await node.register.close()

    return lambda test: uvloop.run(limited(test))


def test_an_order_that_waits_for_the_register_is_taken_back(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node()
        node.register.away = True
        ordered = node.soon(node.box.perform(ORDER))
        await node.register.asked.wait()
        withdrawn = node.soon(node.box.withdraw(ORDER))
        node.register.away = False
        assert await ordered == await withdrawn == WITHDRAWN
        await stage.nothing_follows()
        assert stage.world.happened == ["g2"]

    run(test)


def test_an_order_that_comes_after_its_withdrawal_is_not_carried_out(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node()
        node.register.open.clear()
        withdrawn = node.soon(node.box.withdraw(ORDER))
        await node.register.asked.wait()
        late = node.soon(node.box.perform(ORDER))
        node.register.open.set()
        assert await withdrawn == await late == WITHDRAWN
        await stage.nothing_follows()

    run(test)


def test_what_the_tool_has_is_not_taken_back_and_its_end_is_told(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node, begun = stage.node(), []
        stage.world.may_go_on.clear()
        ordered = node.soon(node.box.perform(ORDER, lambda: begun.append("order")))
        await stage.world.called.wait()
        withdrawn = node.soon(node.box.withdraw(ORDER, lambda: begun.append("withdrawal")))
        await asyncio.sleep(0)
        assert begun == ["order", "withdrawal"], "both know that it has left"
        stage.world.may_go_on.set()
        assert await ordered == await withdrawn == DONE
        assert await stage.node().box.withdraw(ORDER) == DONE, "done is done"
        assert stage.world.happened == ["g1"]

    run(test)


@pytest.mark.parametrize("happened", [True, False])
def test_of_what_a_dead_process_had_begun_the_tool_is_asked(run: Callable[[Test], None], happened: bool) -> None:
    async def test(stage: Stage) -> None:
        await stage.cut_short()
        stage.world.happened += ["g1"] * happened
        assert await stage.node().box.withdraw(ORDER) == (DONE if happened else WITHDRAWN)
        assert not stage.world.called.is_set()
        if not happened:
            await stage.nothing_follows()

    run(test)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_tool_that_cannot_be_asked_leaves_it_unknown_and_is_not_told_again(
    run: Callable[[Test], None], idempotent: bool
) -> None:
    async def test(stage: Stage) -> None:
        await stage.cut_short()
        node = stage.node(tool=Tool(stage.world.act, idempotent=idempotent))
        outcome = await node.box.withdraw(ORDER)
        assert not outcome.known and not outcome.withdrawn and "a person must confirm" in outcome.result
        assert await node.box.withdraw(ORDER) == await node.box.perform(ORDER) == outcome
        assert stage.world.happened == [] and node.box.unknown == 1

    run(test)


def test_while_the_tool_is_only_asked_a_withdrawal_still_wins(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        await stage.cut_short()
        node = stage.node()
        stage.world.may_answer.clear()
        ordered = node.soon(node.box.perform(ORDER))
        await stage.world.asked.wait()
        withdrawn = node.soon(node.box.withdraw(ORDER))
        await asyncio.sleep(0)
        stage.world.may_answer.set()
        assert await ordered == await withdrawn == WITHDRAWN
        await stage.nothing_follows()

    run(test)


def test_what_another_node_is_at_is_waited_for_and_told(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        if not stage.shared:
            pytest.skip("nodes share nothing where the journal is a file")
        first, heir = stage.node("a"), stage.node("b")
        stage.world.may_go_on.clear()
        ordered = first.soon(first.box.perform(ORDER))
        await stage.world.called.wait()
        withdrawn = heir.soon(heir.box.withdraw(replace(ORDER, epoch=2)))
        await heir.register.asked.wait()
        stage.world.may_go_on.set()
        assert await ordered == await withdrawn == DONE
        assert stage.world.happened == ["g1"]

    run(test)


def test_a_failure_under_a_former_grant_is_no_end_of_this_one(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        register = open_register(stage.url, stage.folder / "tools.db", "a")
        former = replace(ORDER, grant="g0")
        await register.begin(former, "t", 1_000)
        await register.finish(former, "t", Outcome(False, "taken"))
        await register.close()
        assert await stage.node().box.withdraw(ORDER) == WITHDRAWN
        await stage.nothing_follows()

    run(test)


def test_a_register_that_stays_away_cannot_save_an_order_that_is_here(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        # To do it twice is harmless, so this tool is told while the register is away; not once it was taken back.
        node = stage.node(tool=Tool(stage.world.act, idempotent=True), away_ms=0)
        node.register.away = True
        node.register.open.clear()
        ordered = node.soon(node.box.perform(ORDER))
        await node.register.asked.wait()
        withdrawn = node.soon(node.box.withdraw(ORDER))
        await asyncio.sleep(0)
        node.register.open.set()
        assert await ordered == await withdrawn == WITHDRAWN
        assert await node.box.perform(ORDER) == WITHDRAWN, "the register has not got it, this node has"
        node.register.away = False
        await node.register.finished.wait()
        await stage.nothing_follows()

    run(test)


async def _taken_back_unwritten(node: Node, order: Order) -> None:
    """Ordered and taken back while the register is away: this node alone knows of it."""
    node.register.away = True
    node.register.asked.clear()
    node.register.open.clear()
    ordered = node.soon(node.box.perform(order))
    await node.register.asked.wait()
    withdrawn = node.soon(node.box.withdraw(order))
    await asyncio.sleep(0)
    node.register.open.set()
    assert await ordered == await withdrawn == WITHDRAWN


def test_two_grants_of_one_key_that_were_taken_back_do_not_shadow_each_other(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node(tool=Tool(stage.world.act, idempotent=True), away_ms=0)
        for grant in ("g1", "g2"):
            await _taken_back_unwritten(node, replace(ORDER, grant=grant))
        for grant in ("g1", "g2"):
            assert await node.box.perform(replace(ORDER, grant=grant)) == WITHDRAWN
        assert not stage.world.happened

    run(test)


def test_a_withdrawal_that_is_written_late_leaves_a_later_grant_of_the_key_alone(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(stage: Stage) -> None:
        monkeypatch.setattr(outbox, "PAUSE_MS", 1)
        tool = Tool(stage.world.act)  # it cannot be asked whether it happened: the register alone knows
        node, anew = stage.node(tool=tool, away_ms=0), replace(ORDER, grant="g2")
        await _taken_back_unwritten(node, ORDER)
        stage.world.may_go_on.clear()
        node.register.away = False
        ordered = node.soon(node.box.perform(anew))
        await stage.world.called.wait()
        await asyncio.sleep(0.05)  # many tries to write the withdrawal
        stage.world.may_go_on.set()
        assert await ordered == DONE
        assert await stage.node(tool=tool).box.perform(anew) == DONE
        assert stage.world.happened == ["g2"]

    run(test)


def test_what_is_not_here_is_unknown_while_the_register_is_away(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node(away_ms=0)
        node.register.away = True
        outcome = await node.box.withdraw(ORDER)
        assert not outcome.known and not outcome.withdrawn and "the register of acts is away" in outcome.result

    run(test)


def test_a_further_grant_of_the_key_waits_until_the_former_one_is_settled(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node()
        node.register.open.clear()
        withdrawn = node.soon(node.box.withdraw(ORDER))
        await node.register.asked.wait()
        anew = node.soon(node.box.perform(replace(ORDER, grant="g2")))
        await asyncio.sleep(0)
        node.register.open.set()
        assert (await withdrawn, await anew) == (WITHDRAWN, DONE)
        assert stage.world.happened == ["g2"]

    run(test)


def test_an_action_that_no_tool_of_this_node_takes_is_withdrawn_for_those_that_have_one(
    run: Callable[[Test], None],
) -> None:
    async def test(stage: Stage) -> None:
        node = stage.node()
        node.box = Outbox(node.register, {}, LeaseBook(), node.residents)  # type: ignore[arg-type]
        assert "no tool carries out 'act'" in (await node.box.perform(replace(ORDER, key="k2"))).result
        assert await node.box.withdraw(ORDER) == WITHDRAWN
        await stage.nothing_follows()

    run(test)


# --- what calls are told --------------------------------------------------------------------------------------------


def test_a_call_is_told_when_its_act_leaves_and_what_came_of_it_under_its_grant(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node, owner = stage.node(), Owner()
        node.box.order(owner, ORDER)  # type: ignore[arg-type]
        await owner.hears(2)
        assert owner.told == [
            (BegunMessage.NAME, ORDER.key, "g1"),
            (Performed.NAME, ORDER.key, True, "done", False, "g1"),
        ]
        other = replace(ORDER, key="k2", grant="g2")
        node.box.take_back(owner, other)  # type: ignore[arg-type]
        await owner.hears(3)
        assert owner.told[2] == (Performed.NAME, "k2", False, "withdrawn", True, "g2")

    run(test)


def test_a_calls_words_about_its_acts_reach_the_outbox(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node, owner, nobody = stage.node(), Owner(), cast(Any, None)
        desk = WorkerEvents(nobody, outbox=node.box, **dict.fromkeys(OTHERS, nobody))
        fields = ("c1", 1, "g1", "act", [["time", "ten"]], ORDER.key)
        desk.said(owner, Withdraw(*fields))  # type: ignore[arg-type]
        await owner.hears(1)
        desk.said(owner, Perform(*fields))  # type: ignore[arg-type]
        await owner.hears(2)
        assert owner.told == [(Performed.NAME, ORDER.key, False, "withdrawn", True, "g1")] * 2
        with pytest.raises(ProtocolFault):
            desk.said(owner, Perform(*fields[:4], [["time"]], ORDER.key))  # type: ignore[arg-type]

    run(test)


def test_a_former_owner_takes_nothing_back(run: Callable[[Test], None]) -> None:
    async def test(stage: Stage) -> None:
        node, owner = stage.node(), Owner("former")
        node.leases.grant("c1", "latter", after_epoch=1)
        node.box.take_back(owner, ORDER)  # type: ignore[arg-type]
        assert node.residents.killed == ["former"] and owner.told == []
        assert await node.box.perform(replace(ORDER, epoch=2)) == DONE

    run(test)


def test_an_order_that_breaks_is_answered_all_the_same(
    run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(stage: Stage) -> None:
        node, owner = stage.node(), Owner()

        async def broken(*_arguments: Any) -> Begun:
            raise ZeroDivisionError

        monkeypatch.setattr(node.register, "begin", broken)
        node.box.order(owner, ORDER)  # type: ignore[arg-type]
        await owner.hears(1)
        ((name, key, ok, result, withdrawn, grant),) = owner.told
        assert (name, key, ok, withdrawn, grant) == (Performed.NAME, ORDER.key, False, False, "g1")
        assert "ZeroDivisionError" in result and "a person must confirm" in result

    run(test)
