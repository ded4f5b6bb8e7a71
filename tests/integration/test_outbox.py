"""Each act once: what is asked of tools, of the register, and told to calls, on real registers.

Processes that die around an act are in `tests/fault/test_acts.py`.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from offhook.actors.contracts.errors import JournalAway, ProtocolFault
from offhook.actors.contracts.node_messages import Perform
from offhook.actors.contracts.orders import Order, Outcome
from offhook.actors.journals.sqlite_register import SqliteRegister
from offhook.actors.node.leases import LeaseBook
from offhook.actors.node.outbox import Outbox
from offhook.actors.node.residents import Residents
from offhook.actors.node.tools import HUNG_MAX, RESULT_CHARS_MAX, STOCK, NotKnown, Tool
from offhook.policies.core.errors import CallerFault

ORDER = Order("c1", 1, "g1", "act", {"time": "ten"}, "k1")


class World:
    """The tool's side: what has happened there, and whether it says so."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.asked: list[str] = []
        self.breaks = ""  # "before" or "after" the act
        self.silent = False  # it does not answer whether something happened

    def act(self, order: Order) -> Outcome:
        if self.breaks == "before":
            raise ValueError("secret words of the caller")
        self.happened.append(order.key)
        if self.breaks == "after":
            raise ConnectionError("the answer was lost")
        return Outcome(True, f"done {len(self.happened)}")

    def look_up(self, order: Order) -> Outcome | None:
        self.asked.append(order.key)
        if self.silent:
            raise OSError("no answer")
        return Outcome(True, "it is done") if order.key in self.happened else None


class Away(SqliteRegister):
    """A register that does not answer the first so many times."""

    away = 0
    finishes_away = 0

    async def begin(self, *arguments):  # type: ignore[no-untyped-def]
        if self.away:
            self.away -= 1
            raise JournalAway("gone")
        return await super().begin(*arguments)

    async def finish(self, *arguments):  # type: ignore[no-untyped-def]
        if self.finishes_away:
            self.finishes_away -= 1
            raise JournalAway("gone")
        return await super().finish(*arguments)


def run(
    tmp_path: Path, tools: Mapping[str, Tool], test: Callable[[Outbox, Away], Awaitable[None]], away_ms: int = 5_000
) -> None:
    async def limited() -> None:
        register = Away(tmp_path / "tools.db", "node")
        async with asyncio.timeout(60):
            await test(outbox(register, tools, away_ms), register)
        await register.close()

    asyncio.run(limited())


def outbox(register: SqliteRegister, tools: Mapping[str, Tool], away_ms: int = 5_000) -> Outbox:
    return Outbox(register, tools, LeaseBook(), Residents.__new__(Residents), away_ms=away_ms)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["c1", "1", "g1", "act", [], "k1"],
        ["c1", 1, "g1", "act", {"time": "ten"}, "k1"],
        ["c1", 1, "g1", "act", [["time"]], "k1"],
        ["c1", 1, "g1", "act", [["time", 10]], "k1"],
        ["c1", 1, "g1", "act", ["ab"], "k1"],
    ],
)
def test_an_order_has_its_fields_or_is_none(fields: list[object]) -> None:
    assert Order.of(Perform("c1", 1, "g1", "act", [["time", "ten"]], "k1")) == ORDER
    with pytest.raises(ProtocolFault):
        Order.of(Perform.from_fields(fields))


async def cut_short(register: SqliteRegister, order: Order = ORDER) -> None:
    """A former process began the act, and died."""
    await register.begin(order, "former", 1_000)


def test_a_key_acts_once_also_for_a_second_supervisor(tmp_path: Path) -> None:
    world = World()

    async def test(first: Outbox, register: Away) -> None:
        assert (await first.perform(ORDER)).result == "done 1"
        assert (await first.perform(ORDER)).result == "done 1"
        second = outbox(register, {"act": Tool(world.act)})
        assert (await second.perform(replace(ORDER, epoch=2))).result == "done 1"
        assert (await second.perform(replace(ORDER, epoch=2, key="k2"))).result == "done 2"
        assert world.happened == ["k1", "k2"]
        late = await second.perform(replace(ORDER, key="k3"))
        assert not late.ok and "owner at epoch 2; epoch 1 orders nothing" in late.result
        assert await register.acts("c1") == [("act", "k1", 1), ("act", "k2", 1)]

    run(tmp_path, {"act": Tool(world.act)}, test)


def test_an_act_that_two_owners_order_is_carried_out_once_and_both_are_told(tmp_path: Path) -> None:
    world, begun, done = World(), threading.Event(), threading.Event()

    def slow(order: Order) -> Outcome:
        begun.set()
        done.wait(60)
        return world.act(order)

    async def test(box: Outbox, _register: Away) -> None:
        first = asyncio.create_task(box.perform(ORDER))
        await asyncio.to_thread(begun.wait, 5)
        second = asyncio.create_task(box.perform(replace(ORDER, epoch=2)))
        await asyncio.sleep(0)
        done.set()
        assert (await first) == (await second) == Outcome(True, "done 1")
        assert world.happened == ["k1"]

    run(tmp_path, {"act": Tool(slow)}, test)


@pytest.mark.parametrize("happened", [True, False])
def test_of_an_act_that_was_cut_short_the_tool_is_asked_first(tmp_path: Path, happened: bool) -> None:
    world = World()
    world.happened += ["k1"] * happened

    async def test(box: Outbox, register: Away) -> None:
        await cut_short(register)
        outcome = await box.perform(ORDER)
        assert outcome == Outcome(True, "it is done" if happened else "done 1")
        assert world.asked == world.happened == ["k1"], "one effect, and one question before it"
        assert await register.acts("c1") == [("act", "k1", 2)]

    run(tmp_path, {"act": Tool(world.act, world.look_up)}, test)


def test_an_idempotent_tool_is_told_again_any_other_is_not(tmp_path: Path) -> None:
    world = World()
    tools = {"again": Tool(world.act, idempotent=True), "once": Tool(world.act), "mute": Tool(world.act, world.look_up)}

    async def test(box: Outbox, register: Away) -> None:
        world.silent = True
        for action in tools:
            await cut_short(register, replace(ORDER, action=action, key=action))
        assert (await box.perform(replace(ORDER, action="again", key="again"))).ok
        for action in ("once", "mute"):
            outcome = await box.perform(replace(ORDER, action=action, key=action))
            assert not outcome.ok and not outcome.known
            assert "not known whether this happened" in outcome.result and "a person must confirm" in outcome.result
        assert world.happened == ["again"] and box.unknown == 2
        world.silent = False
        assert not (await box.perform(replace(ORDER, action="mute", key="mute"))).known, "the grant's answer stays"
        later = replace(ORDER, action="mute", key="mute", grant="g2")
        assert (await box.perform(later)).ok, "a further grant asks the tool again, and then acts"
        assert world.happened == ["again", "mute"]

    run(tmp_path, tools, test)


def test_a_tool_that_fails_may_have_acted_so_it_is_asked(tmp_path: Path) -> None:
    world = World()
    tools = {"plain": Tool(world.act), "asked": Tool(world.act, world.look_up)}

    async def test(box: Outbox, _register: Away) -> None:
        world.breaks = "after"
        plain = await box.perform(replace(ORDER, action="plain", key="p"))
        assert not plain.known and "the tool failed: ConnectionError" in plain.result
        assert await box.perform(replace(ORDER, action="asked", key="a")) == Outcome(True, "it is done")
        world.breaks = "before"
        asked = await box.perform(replace(ORDER, action="asked", key="b"))
        assert not asked.known and "ValueError" in asked.result and "secret" not in asked.result
        assert world.happened == ["p", "a"]

    run(tmp_path, tools, test)


def test_a_tool_that_hangs_is_given_up_and_holds_nobody_up(tmp_path: Path) -> None:
    stuck = threading.Event()
    world = World()

    def hangs(order: Order) -> Outcome:
        stuck.wait(30)
        return Outcome(True, "late")

    async def waits(order: Order) -> Outcome:
        await asyncio.Event().wait()
        return Outcome(True, "never")

    tools = {
        "hangs": Tool(hangs, limit_ms=30),
        "waits": Tool(waits, limit_ms=30),
        "act": Tool(world.act),
        "slow_answer": Tool(world.act, lambda order: hangs(order), limit_ms=30),
    }

    async def test(box: Outbox, register: Away) -> None:
        hung = [replace(ORDER, action="hangs", key=f"h{number}") for number in range(HUNG_MAX)]
        waiting = [asyncio.create_task(box.perform(order)) for order in hung]
        assert (await box.perform(ORDER)).ok, "while all of them hang"
        for outcome in await asyncio.gather(*waiting):
            assert not outcome.known and "given up after 30 ms" in outcome.result
        more = await box.perform(replace(ORDER, action="hangs", key="more"))
        assert more == Outcome(False, f"not carried out: {HUNG_MAX} acts of this tool hang")
        assert not (await box.perform(replace(ORDER, action="waits", key="w"))).known
        await cut_short(register, replace(ORDER, action="slow_answer", key="s"))
        assert not (await box.perform(replace(ORDER, action="slow_answer", key="s"))).known
        stuck.set()
        assert not (await box.perform(hung[0])).known, "what comes after the limit is told to nobody"

    run(tmp_path, tools, test)


def test_while_the_register_is_away_only_what_is_harmless_twice_is_done(tmp_path: Path) -> None:
    world = World()
    tools = {"act": Tool(world.act), "again": Tool(world.act, idempotent=True)}

    async def test(box: Outbox, register: Away) -> None:
        register.away = 9
        assert await box.perform(ORDER) == Outcome(False, "not carried out: the register of acts is away")
        assert (await box.perform(replace(ORDER, action="again", key="k2"))).ok
        assert world.happened == ["k2"]
        register.away = 0
        register.finishes_away = 2
        assert (await box.perform(replace(ORDER, key="k3"))).ok, "whoever waits is told at once"
        with closing(sqlite3.connect(tmp_path / "tools.db")) as base:
            while base.execute("SELECT state FROM orders WHERE key = 'k3'").fetchone() != ("ok",):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the store's thread tells no test

    run(tmp_path, tools, test, away_ms=0)


def test_the_register_is_waited_for(tmp_path: Path) -> None:
    world = World()

    async def test(box: Outbox, register: Away) -> None:
        register.away = 1
        assert (await box.perform(ORDER)).ok

    run(tmp_path, {"act": Tool(world.act)}, test)


def test_stock_tools_and_orders_that_no_tool_takes(tmp_path: Path) -> None:
    async def test(box: Outbox, _register: Away) -> None:
        fly = await box.perform(replace(ORDER, action="fly"))
        assert fly == Outcome(False, "no tool carries out 'fly'; known are book_meeting, cancel_meeting, send_details")
        booked = await box.perform(replace(ORDER, action="book_meeting", key="b1"))
        assert booked.ok and "ten" in booked.result
        assert not (await box.perform(replace(ORDER, action="book_meeting", key="b2", arguments={}))).ok
        undone = replace(ORDER, action="cancel_meeting", key="c1")
        assert await box.perform(undone) == await box.perform(undone), "as often as it is told"
        assert (await box.perform(undone)).ok and "ten is cancelled" in (await box.perform(undone)).result
        assert not (await box.perform(replace(undone, key="c2", arguments={}))).ok

    run(tmp_path, STOCK, test)
    with pytest.raises(CallerFault, match="limit_ms"):
        Tool(World().act, limit_ms=0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Outcome(True, "booked\n\x1b[31m for\tten \ud800"), Outcome(True, "booked [31m for ten")),
        (Outcome(True, "x" * 10_000), Outcome(True, "x" * RESULT_CHARS_MAX)),
        (Outcome(False, None), Outcome(False, "the tool's words are no text, but NoneType")),  # type: ignore[arg-type]
        (Outcome(True, b"done"), Outcome(True, "the tool's words are no text, but bytes")),  # type: ignore[arg-type]
        (Outcome(True, "it says so itself", withdrawn=True), Outcome(True, "it says so itself")),
    ],
)
def test_a_tools_words_are_plain_and_bounded_when_they_are_told(tmp_path: Path, answer: Outcome, told: Outcome) -> None:
    async def test(box: Outbox, _register: Away) -> None:
        assert await box.perform(ORDER) == told
        assert await box.perform(ORDER) == told, "so they were written down"

    run(tmp_path, {"act": Tool(lambda _order: answer)}, test)


@pytest.mark.parametrize(
    "answer", ["done", None, Outcome("yes", "done"), Outcome(True, "", None), Outcome(True, "", False)]
)  # type: ignore[arg-type]
def test_an_answer_that_does_not_say_whether_it_was_done_leaves_it_unknown(tmp_path: Path, answer: object) -> None:
    async def test(box: Outbox, _register: Away) -> None:
        outcome = await box.perform(ORDER)
        assert not outcome.ok and not outcome.known

    run(tmp_path, {"act": Tool(lambda _order: answer)}, test)  # type: ignore[arg-type,return-value]


def test_an_answer_that_is_no_outcome_is_none() -> None:
    async def test() -> None:
        wrong = Tool(lambda _order: "done", lambda _order: "no")  # type: ignore[arg-type,return-value]
        for asked in (wrong.carry_out(ORDER), wrong.find_out(ORDER), Tool(World().act).find_out(ORDER)):
            with pytest.raises(NotKnown):
                await asked

    asyncio.run(test())
