"""The parts of a node's supervisor that need no Ray: pool, hosts, watch, leases, call table, intake."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.errors import Fenced, NoSpare, NoSuchCall, ProtocolFault
from offhook.actors.contracts.node_messages import Journaled, JournalGone
from offhook.actors.contracts.setup import Engines, agent_tokens
from offhook.actors.journals.sqlite_journal import SqliteJournal
from offhook.actors.node.agent_pool import AgentPool
from offhook.actors.node.call_pool import (
    CALLS_MAX,
    INTENSITY,
    KEPT_FOR_TAKEOVERS,
    QUIET_MS,
    SURPLUS_MS,
    UNHURRIED_MS,
    CallPool,
    Sizes,
    Standing,
)
from offhook.actors.node.call_table import CallRow, CallTable
from offhook.actors.node.intake import Intake
from offhook.actors.node.leases import Lease, LeaseBook
from offhook.actors.node.options import Options
from offhook.actors.node.residents import lives
from offhook.actors.node.watch import TICK_MS, Watch
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.core.records import End


def within(test: Any, *arguments: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test(*arguments)

    asyncio.run(limited())


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# --- the pool -------------------------------------------------------------------------------------------------------


class Yard:
    """Processes that a pool starts and ends, on a clock of its own."""

    def __init__(self, **sizes: int) -> None:
        self.now_ms = 0
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.pool = CallPool(
            Sizes(**sizes), self._start, lambda name, _why: self.ended.append(name), lambda: self.now_ms
        )

    async def _start(self, name: str) -> None:
        self.asked.append(name)

    async def come_up(self) -> None:
        """Everybody who was started connects."""
        await turns()
        for name, member in tuple(self.pool.members.items()):
            if not member.connected:
                self.pool.arrived(name, busy=False)
        await turns()


def test_spares_come_one_at_a_time_while_calls_are_live_and_nobody_waits() -> None:
    async def test() -> None:
        yard = Yard(spares=2, slots_max=10, starting_max=3)
        yard.pool.fill()
        await yard.come_up()
        await yard.pool.take(0.0)
        await yard.pool.take(0.0)
        await turns()
        assert (len(yard.asked), yard.pool.count(Standing.SPARE)) == (3, 0)  # two are missing, one starts
        waiting = asyncio.create_task(yard.pool.take(5.0))
        await turns()
        assert len(yard.asked) == 5  # somebody waits: as many as may
        await yard.come_up()
        await waiting

    within(test)


def test_what_is_taken_is_replaced_unhurriedly_while_half_of_the_spares_are_there() -> None:
    async def test() -> None:
        yard = Yard(spares=10, slots_max=30, starting_max=10)
        yard.pool.fill()
        await yard.come_up()
        yard.now_ms += UNHURRIED_MS
        for _ in range(5):
            await yard.pool.take(0.0)
        await yard.come_up()
        assert len(yard.asked) == 11  # one for five
        await yard.pool.take(0.0)
        await yard.pool.take(0.0)
        await yard.come_up()
        assert (len(yard.asked), yard.pool.count(Standing.SPARE)) == (12, 5)  # fewer than half were left
        yard.now_ms += UNHURRIED_MS
        yard.pool.tend()
        await yard.come_up()
        assert len(yard.asked) == 13

    within(test)


def test_beside_calls_that_react_late_only_the_spares_for_takeovers_are_started() -> None:
    async def test() -> None:
        yard = Yard(spares=10, slots_max=30, starting_max=10)
        yard.pool.fill()
        await yard.come_up()
        yard.pool.late = lambda: True
        for _ in range(8):
            await yard.pool.take(0.0)
        yard.now_ms += 10 * UNHURRIED_MS
        yard.pool.tend()
        await yard.come_up()
        assert len(yard.asked) == 10
        await yard.pool.take(0.0)
        await yard.come_up()
        assert (len(yard.asked), yard.pool.count(Standing.SPARE)) == (11, KEPT_FOR_TAKEOVERS)
        yard.pool.late = lambda: False
        yard.pool.tend()
        await yard.come_up()
        assert len(yard.asked) > 11

    within(test)


def test_the_pool_fills_up_a_few_at_a_time_and_replaces_what_is_taken() -> None:
    async def test() -> None:
        yard = Yard(spares=3, slots_max=10, starting_max=2)
        yard.pool.fill()
        await turns()
        assert len(yard.asked) == 2
        await yard.come_up()
        await yard.come_up()
        assert (len(yard.asked), yard.pool.count(Standing.SPARE)) == (3, 3)
        member = await yard.pool.take(0.0)
        assert member.standing is Standing.BUSY
        yard.now_ms += UNHURRIED_MS
        yard.pool.tend()
        await yard.come_up()
        assert len(yard.asked) == 4
        yard.pool.free(member.name)
        assert yard.pool.count(Standing.SPARE) == 4
        yard.now_ms += SURPLUS_MS + 1
        yard.pool.tend()
        assert len(yard.ended) == 1  # the surplus goes, when the spike is over

    within(test)


def test_whoever_waits_for_a_spare_is_served_in_order_up_to_the_slots() -> None:
    async def test() -> None:
        yard = Yard(spares=0, slots_max=2, starting_max=2)
        waits = [asyncio.create_task(yard.pool.take(5.0)) for _ in range(3)]
        await yard.come_up()
        assert [task.done() for task in waits] == [True, True, False]
        assert len(yard.asked) == 2  # there is no third slot
        yard.pool.free(waits[0].result().name)
        assert (await waits[2]).name == waits[0].result().name

    within(test)


def test_without_a_spare_in_time_the_answer_says_why() -> None:
    async def test() -> None:
        yard = Yard(spares=0, slots_max=1, starting_max=1)
        with pytest.raises(NoSpare, match="0 calls are live, 1 processes are starting, 1 are allowed"):
            await yard.pool.take(0.001)
        yard.pool.drain(True)
        with pytest.raises(NoSpare, match="drains"):
            await yard.pool.take(1.0)

    within(test)


def test_a_takeover_comes_before_those_who_wait_and_is_served_while_the_node_drains() -> None:
    async def test() -> None:
        yard = Yard(spares=0, slots_max=1, starting_max=1)
        patient = asyncio.create_task(yard.pool.take(5.0))
        await turns()
        urgent = asyncio.create_task(yard.pool.take(5.0, urgent=True))
        await turns()
        await yard.come_up()
        assert urgent.done() and not patient.done()
        patient.cancel()
        yard.pool.gone(urgent.result().name, "killed")
        yard.pool.drain(True)
        again = asyncio.create_task(yard.pool.take(5.0, urgent=True))
        await turns()
        await yard.come_up()
        assert again.done()

    within(test)


def test_a_takeover_has_the_core_before_the_spare_that_replaces_its_own() -> None:
    async def test() -> None:
        yard = Yard(spares=1, slots_max=10, starting_max=1)
        yard.pool.fill()
        await yard.come_up()
        await yard.pool.take(0.0, urgent=True)
        await turns()
        assert len(yard.asked) == 1
        yard.now_ms += QUIET_MS
        yard.pool.tend()
        await turns()
        assert len(yard.asked) == 2

    within(test)


def test_a_pool_whose_processes_die_at_birth_rests_instead_of_burning_the_node() -> None:
    async def test() -> None:
        yard = Yard(spares=1, slots_max=10, starting_max=1)
        yard.pool.fill()
        for _ in range(50):
            await turns()
            for name in tuple(yard.pool.members):
                yard.pool.gone(name, "died at birth")
        assert len(yard.asked) == INTENSITY.intensity + 1
        yard.now_ms += 31_000
        yard.pool.tend()
        await turns()
        assert len(yard.asked) == INTENSITY.intensity + 2

    within(test)


def test_a_process_retires_after_many_calls_and_one_that_lost_its_link_gets_none() -> None:
    async def test() -> None:
        yard = Yard(spares=1, slots_max=10, starting_max=1)
        yard.pool.fill()
        await yard.come_up()
        member = await yard.pool.take(0.0)
        member.calls = CALLS_MAX
        yard.pool.free(member.name)
        assert yard.ended == [member.name]
        await yard.come_up()
        spare = next(m for m in yard.pool.members.values() if m.standing is Standing.SPARE)
        yard.pool.away(spare.name)
        with pytest.raises(NoSpare):
            await yard.pool.take(0.0)

    within(test)


# --- agent hosts ----------------------------------------------------------------------------------------------------


def test_the_next_host_is_started_before_the_last_seat_is_taken_and_unneeded_ones_end() -> None:
    async def test() -> None:
        started: list[str] = []
        ended: list[str] = []

        async def start(name: str, version: str, agent: str, spec: AgentSpec) -> None:
            started.append(name)
            hosts.arrived(name, version, agent, spec.calls_per_actor)

        hosts = AgentPool(start, lambda name, _why: ended.append(name))
        policy = Policy(name="p", agents={"closer": AgentSpec(code="x:Y", calls_per_actor=2)})
        hosts.offer("v1", policy)
        await turns()
        assert len(started) == 1
        first = await hosts.seat("v1", "closer", "a", 1.0)
        second = await hosts.seat("v1", "closer", "b", 1.0)
        assert first is second is not None
        await turns()
        assert len(started) == 2
        assert await hosts.seat("v2", "closer", "c", 0.0) is None  # never offered
        gone = hosts.gone(first.name, "killed")
        assert gone is not None and gone.calls == {"a", "b"}
        hosts.withdraw("v1")
        assert ended == [started[1]]

    within(test)


def test_hosts_for_many_calls_are_all_started_before_the_first_sits_down() -> None:
    async def test() -> None:
        started: list[str] = []

        async def start(name: str, _version: str, _agent: str, _spec: AgentSpec) -> None:
            started.append(name)  # it is not there yet

        hosts = AgentPool(start, lambda _name, _why: None)
        hosts.offer("v1", Policy(name="p", agents={"closer": AgentSpec(code="x:Y", calls_per_actor=4)}))
        await turns()
        for calls, hosts_then in ((4, 1), (5, 2), (8, 2), (9, 3), (2, 3)):
            hosts.make_room("v1", calls)
            await turns()
            assert len(started) == hosts_then
        hosts.make_room("v2", 9)  # never offered
        assert len(hosts.stats()) == 3

    within(test)


# --- the watch ------------------------------------------------------------------------------------------------------


class Kernel:
    """How long a process has waited for a core."""

    def __init__(self) -> None:
        self.waited_ms = 0

    def __call__(self, _pid: int) -> int:
        return self.waited_ms


def ticks(watch: Watch, ms: int) -> None:
    for _ in range(ms // TICK_MS):
        watch.tick()


def test_a_live_process_is_accused_once_after_its_limit_and_an_idle_one_much_later() -> None:
    accused: list[str] = []
    watch = Watch(lambda name, _why: accused.append(name), 500, 10_000, Kernel())
    watch.add("live", 1, live=True)
    watch.add("idle", 2, live=False)
    ticks(watch, 450)
    assert accused == []
    watch.beat("live", 1.0, live=True)
    ticks(watch, 450)
    assert accused == []
    ticks(watch, 50)
    assert accused == ["live"]
    ticks(watch, 9_000)
    assert accused == ["live"]
    ticks(watch, 1_000)
    assert accused == ["live", "idle"]


def test_a_beat_says_in_which_rhythm_it_will_go_on() -> None:
    accused: list[str] = []
    watch = Watch(lambda name, _why: accused.append(name), 500, 10_000, Kernel())
    watch.add("host", 1, live=True)
    watch.beat("host", 0.0, live=False)
    ticks(watch, 2_000)
    assert accused == []
    watch.live("host")
    ticks(watch, 500)
    assert accused == ["host"]


def test_a_starved_process_is_late_and_not_hung_up_to_a_limit() -> None:
    accused: list[str] = []
    kernel = Kernel()
    watch = Watch(lambda name, _why: accused.append(name), 500, 10_000, kernel)
    watch.add("starved", 1, live=True)
    for _ in range(2_900 // TICK_MS):
        kernel.waited_ms += TICK_MS
        watch.tick()
    assert accused == []
    for _ in range(100 // TICK_MS):
        kernel.waited_ms += TICK_MS
        watch.tick()
    assert accused == ["starved"]


def test_a_stopped_process_is_found_out_in_half_its_time() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    accused: list[str] = []
    watch = Watch(lambda name, _why: accused.append(name), 500, 10_000, Kernel())
    watch.add("live", child.pid, live=True)
    try:
        ticks(watch, 300)
        assert accused == []
        watch.beat("live", 0.0, live=True)
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        ticks(watch, 200)
        assert accused == []
        ticks(watch, 50)
        assert accused == ["live"]
    finally:
        child.kill()
        child.wait()


def test_a_process_that_is_a_corpse_does_not_live() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert lives(child.pid)
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
        assert not lives(child.pid)
    finally:
        child.wait()
    assert not lives(child.pid)


# --- leases and the table -------------------------------------------------------------------------------------------


def test_epochs_rise_and_the_older_owner_is_fenced() -> None:
    book = LeaseBook()
    first = book.grant("c", "a")
    second = book.grant("c", "b")
    assert (first.epoch, second.epoch) == (1, 2)
    with pytest.raises(Fenced, match="epoch 1 is over, the owner has epoch 2"):
        book.check("c", 1)
    book.check("c", 2)
    assert not book.end("c", 1)
    assert book.end("c", 2)
    assert book.grant("c", "a").epoch == 3
    assert book.grant("d", "a", after_epoch=7).epoch == 8  # the journal remembers what this supervisor does not


def test_a_restarted_supervisor_adopts_leases_but_never_an_older_one() -> None:
    book = LeaseBook()
    assert book.adopt(Lease("c", 3, "a", "t"))
    assert not book.adopt(Lease("c", 2, "b", "t"))
    assert book.of("c") == Lease("c", 3, "a", "t")


def row(call: str, epoch: int = 1, owner: str = "p1") -> CallRow:
    return CallRow(call, epoch, owner, 1, "v1", "inbound", "+1", "+2", 1_000)


def test_only_the_present_owner_ends_a_call_and_its_row_stays_readable() -> None:
    table = CallTable()
    table.open(row("c", epoch=2))
    assert table.end("c", 1, "late", 5) is None
    assert "c" in table
    ended = table.end("c", 2, "done", 5)
    assert ended is not None and ended.outcome == "done"
    assert table.find("c") is ended
    assert table.end("c", 2, "again", 6) is None
    assert [r.live for r in table.listed().calls] == [False]
    with pytest.raises(NoSuchCall):
        table.find("d")
    assert "token" not in str(table.listed())


# --- the journal's intake -------------------------------------------------------------------------------------------


class Desk:
    """An intake over a real journal, and what owners were told."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.moved: list[tuple[str, str]] = []
        self.table = CallTable()
        self.journal = SqliteJournal(path / "j.sqlite", **options)
        self.intake = Intake(self.journal, self.table, self._tell, lambda row, why: self.moved.append((row.call, why)))

    def _tell(self, _row: CallRow, *message: Any) -> bool:
        self.told.append(message)
        return True

    async def have(self, count: int) -> list[tuple[Any, ...]]:
        while len(self.told) < count:  # noqa: ASYNC110  # the journal's thread answers when it has written
            await asyncio.sleep(0)
        return self.told


def records(first: int, last: int, call: str = "c", epoch: int = 1) -> list[Any]:
    return [[call, epoch, seq, seq * 10, "event", ["x", seq]] for seq in range(first, last + 1)]


def test_records_are_acknowledged_when_they_are_stored_and_only_their_owners_are_taken(tmp_path: Path) -> None:
    async def test() -> None:
        desk = Desk(tmp_path)
        desk.table.open(row("c"))
        desk.intake.take("p1", records(1, 3))
        assert await desk.have(1) == [(Journaled.NAME, "c", 1, 3)]
        desk.intake.take("stranger", records(4, 4))
        desk.intake.take("p1", records(4, 4, epoch=9))
        assert desk.intake.refused == 2
        assert [r[2] for r in await desk.journal.read("c")] == [1, 2, 3]
        with pytest.raises(ProtocolFault):
            desk.intake.take("p1", ["nonsense"])
        with pytest.raises(ProtocolFault):
            desk.intake.take("p1", [])
        await desk.journal.close()

    within(test)


def test_what_follows_a_refused_record_is_refused_until_it_is_sent_again(tmp_path: Path) -> None:
    async def test() -> None:
        desk = Desk(tmp_path)
        desk.table.open(row("c"))
        broken = [["c", 1, 2, 20, "event", b"x" * (2 << 20)]]  # over the limit of a record
        desk.intake.take("p1", records(1, 1))
        desk.intake.take("p1", broken)
        told = await desk.have(2)
        assert {message[0] for message in told} == {Journaled.NAME, JournalGone.NAME}
        desk.intake.take("p1", records(3, 4))  # behind the gap: an acknowledgement would say that 2 is safe
        assert desk.intake.refused == 2
        desk.intake.take("p1", records(2, 4))
        assert (await desk.have(3))[-1] == (Journaled.NAME, "c", 1, 4)
        assert [r[2] for r in await desk.journal.read("c")] == [1, 2, 3, 4]
        await desk.journal.close()

    within(test)


def test_the_end_of_a_dead_process_call_is_its_next_record_at_its_own_epoch(tmp_path: Path) -> None:
    async def test() -> None:
        desk = Desk(tmp_path)
        dead = row("c", epoch=3)
        desk.table.open(dead)
        desk.intake.take("p1", records(1, 5, epoch=3))
        desk.intake.close_call(dead, 20, End("call process died"))
        await desk.journal.close()
        journal = SqliteJournal(tmp_path / "j.sqlite")
        last = (await journal.read("c"))[-1]
        assert last[:5] == ("c", 3, 6, 50, "end")  # its clock does not run back either
        await journal.close()

    within(test)


# --- options -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"state_dir": "/tmp/x", "colour": 1}, "colour: known are"),
        ({"state_dir": "/" + "x" * 100}, "too long for the sockets"),
        ({"state_dir": "/tmp/x", "hung_ms": 0}, "hung_ms is 0"),
    ],
)
def test_options_that_cannot_work_say_which_and_why(raw: Any, says: str) -> None:
    with pytest.raises(CallerFault, match=says):
        Options.from_map(raw)


def test_a_call_under_another_lease_is_the_same_call_with_other_tokens() -> None:
    first = replace(row("c1"), seq=7, at_ms=140, anchor=("boot", 5)).leased(
        Lease("c1", 1, "p1", "T1"), 11, "unix:/p1", ("booking", "closing")
    )
    setup = first.setup({"name": "sales"}, Engines(), ([1],))
    assert (setup.after_seq, setup.at_least_ms, setup.anchor, setup.resume) == (7, 140, ("boot", 5), ([1],))
    assert setup.agent_tokens == agent_tokens("T1", first.policy_version, ("booking", "closing"))
    assert CallRow.of_setup(setup, "p1", 11, "unix:/p1") == replace(first, seq=0, at_ms=0)
    second = first.leased(Lease("c1", 2, "p2", "T2"), 12, "unix:/p2", first.agent_tokens)
    assert not set(second.agent_tokens.values()) & set(first.agent_tokens.values())
    assert (second.epoch, second.owner, second.media_token, second.observer_token) == (2, "p2", "T2", "T2.observer")
    assert (second.seq, second.caller, second.origin_unix_ms) == (7, "+1", first.origin_unix_ms)
