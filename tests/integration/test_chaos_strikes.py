"""Strikes on processes and sockets that the test has made itself: they hit what they are pointed at, nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.node_operations import AgentHostFigures, NodeFigures
from offhook.actors.node.residents import lives
from offhook.actors.node.watch import stopped
from offhook.actors.process.clock import boot
from offhook.policies.simulation.chaos import FAULTS, Strike
from offhook.serve.chaos.journal_checks import Struck
from offhook.serve.chaos.processes import children, connections, cut, listener
from offhook.serve.chaos.run import Installation
from offhook.serve.chaos.strikes import _STRIKES, HITS_MAX, LiveCall, NothingThereError, Striker

SLEEPS = 'import time; print("up", flush=True); time.sleep(60)'
LISTENS = """
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(sys.argv[1]); server.listen(); print("up", flush=True)
connection, _ = server.accept()
connection.sendall(b"hello")
print(repr(connection.recv(10)), flush=True)
"""


class Workers:
    """Processes that call themselves as Ray's workers do."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def start(self, code: str = SLEEPS, *words: str, name: str = "ray::Test") -> int:
        command = [name, "-c", code, *words]
        process = subprocess.Popen(command, executable=sys.executable, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        assert self.says() == "up"  # its name is not there before
        return process.pid

    def says(self) -> str:
        out = self.started[-1].stdout
        assert out is not None
        return out.readline().strip()


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    for process in workers.started:
        process.kill()
        process.communicate()


class System:
    """An installation that says what the test lets it say."""

    def __init__(self, **node: Any) -> None:
        self.node = NodeFigures(**{"node": "n1", "machine": boot(), "spare": 1, **node})
        self.calls: list[LiveCall] = []
        self.store: list[str] = []

    async def figures(self) -> list[NodeFigures]:
        return [self.node]

    async def live_calls(self) -> list[LiveCall]:
        return self.calls

    async def observe(self, call: str) -> Mapping[str, Any]:
        raise NotImplementedError

    async def pause_redis(self, ms: int) -> str:
        return f"paused for {ms} ms"

    async def kill_store(self) -> Callable[[], None]:
        self.store.append("killed")
        return lambda: self.store.append("started")


def struck(system: System, *strikes: Strike) -> list[Struck]:
    async def run() -> list[Struck]:
        striker = Striker(system, lambda: 5)
        async with asyncio.timeout(60):
            done = [await striker.strike(strike) for strike in strikes]
            await striker.finish()
        return done

    return asyncio.run(run())


def test_every_fault_of_the_table_can_be_carried_out() -> None:
    assert set(_STRIKES) == set(FAULTS)


def test_a_call_s_process_is_killed_and_it_is_told_which(workers: Workers) -> None:
    system, pid = System(), workers.start()
    system.calls = [LiveCall("c1", pid)]
    (done,) = struck(system, Strike(0, "call_kill", 0.5))
    assert workers.started[-1].wait(60) == -signal.SIGKILL
    assert (done.at_ms, done.fault, done.call, done.missed) == (5, "call_kill", "c1", "")
    assert str(pid) in done.target


def test_what_is_stopped_goes_on_later(workers: Workers) -> None:
    pid = workers.start()
    system = System(hosts=(AgentHostFigures("host", "v1", "guide", True, 1, 1, pid),))

    async def run() -> None:
        striker = Striker(system, lambda: 0)
        await striker.strike(Strike(0, "agents_stop", 0.0, lasts_ms=300))
        await asyncio.to_thread(os.waitpid, pid, os.WUNTRACED)  # the kernel's word that it has stopped
        assert stopped(pid)
        await striker.finish()
        await asyncio.to_thread(os.waitpid, pid, os.WCONTINUED)

    asyncio.run(run())
    assert not stopped(pid) and lives(pid)


def test_nothing_is_touched_that_is_none_of_rays_workers_here(workers: Workers) -> None:
    pid = workers.start(name="python")
    system = System(pid=pid)
    (done,) = struck(system, Strike(0, "supervisor_kill", 0.0))
    assert "none of Ray's workers" in done.missed and lives(pid)
    system.node = replace(system.node, pid=workers.start(), machine="another")
    (done,) = struck(system, Strike(0, "supervisor_kill", 0.0))
    assert done.missed == "there is no node" and lives(system.node.pid)


def test_a_node_is_killed_only_where_another_one_can_go_on(workers: Workers) -> None:
    shared = System(pid=workers.start(), journal="")  # its parent is this test, and no raylet
    own = System(pid=workers.start(), journal="/tmp/journal.sqlite")
    for system, fault in product((shared, own), ("node_kill", "raylet_kill")):
        (done,) = struck(system, Strike(0, fault, 0.0))
        assert done.missed.startswith("there is no node that is not the head's")
    assert all(lives(process.pid) for process in workers.started)


def test_a_call_that_was_struck_too_often_is_spared_and_so_is_one_without_a_spare(workers: Workers) -> None:
    system = System()
    many = [Strike(0, "call_stop", 0.0, lasts_ms=1)] * (HITS_MAX + 1)
    system.calls = [LiveCall("c1", workers.start())]
    done = struck(system, *many)
    assert [bool(each.missed) for each in done] == [False] * HITS_MAX + [True]
    system.node = replace(system.node, spare=0)
    assert "no spare is warm" in struck(system, many[0])[0].missed


def test_what_is_away_and_comes_back_is_waited_for_and_struck(workers: Workers) -> None:
    pid = workers.start()
    looks = 0

    class Restarted(System):
        """A supervisor that died: it is not told of, then it is away, then it is back."""

        async def figures(self) -> list[NodeFigures]:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise LinkLost("it does not answer")
            return [self.node] if looks > 2 else []

    async def run() -> Struck:
        striker = Striker(Restarted(pid=pid), lambda: 1_000 * looks)
        async with asyncio.timeout(60):
            return await striker.strike(Strike(0, "supervisor_kill", 0.0), within_ms=10_000)

    done = asyncio.run(run())
    assert (done.missed, looks) == ("", 3)
    assert workers.started[-1].wait(60) == -signal.SIGKILL


def test_what_does_not_come_back_is_told_as_missed_and_what_cannot_come_is_not_waited_for(workers: Workers) -> None:
    looks = 0

    class Elsewhere(System):
        async def figures(self) -> list[NodeFigures]:
            nonlocal looks
            looks += 1
            return await super().figures()

    async def run(fault: str) -> Struck:
        striker = Striker(Elsewhere(machine="another"), lambda: 1_000 * looks)
        async with asyncio.timeout(60):
            return await striker.strike(Strike(0, fault, 0.0), within_ms=3_000)

    assert (asyncio.run(run("supervisor_kill")).missed, looks) == ("there is no node", 3)
    assert (asyncio.run(run("engine_kill")).missed, looks) == ("there is no speech engine", 4)


def test_a_socket_of_another_process_is_cut_at_both_ends(workers: Workers, tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")
    pid = workers.start(LISTENS, path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as ours:
        ours.connect(path)
        assert ours.recv(10) == b"hello"
        assert listener(path) == pid
        ((fd, where),) = connections(pid)
        assert where == path
        try:
            cut(pid, fd)
        except PermissionError as error:
            pytest.skip(f"this machine lets no process reach another's sockets: {error}")
        assert ours.recv(10) == b""
    assert workers.says() == "b''"


def test_the_journal_s_file_is_locked_for_a_while_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("CREATE TABLE records (seq INTEGER)")

    async def run() -> None:
        striker = Striker(System(journal=str(path)), lambda: 0)
        done = await striker.strike(Strike(0, "journal_away", 0.0, lasts_ms=50))
        assert done.target == "j.sqlite"
        with sqlite3.connect(path, timeout=0) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("INSERT INTO records VALUES (1)")
        await striker.finish()
        with sqlite3.connect(path, timeout=0) as other:
            other.execute("INSERT INTO records VALUES (1)")

    asyncio.run(run())
    assert struck(System(journal=""), Strike(0, "journal_away", 0.0, lasts_ms=7))[0].target == "paused for 7 ms"


def test_a_control_store_that_was_killed_is_started_again_and_one_that_is_another_s_is_left_alone() -> None:
    system = System()
    (done,) = struck(system, Strike(0, "store_kill", 0.5, 1))
    assert (done.target, done.missed, system.store) == ("Ray's control store", "", ["killed", "started"])

    async def run() -> None:
        async with httpx.AsyncClient() as api:
            with pytest.raises(NothingThereError, match="this run has not"):
                await Installation(api).kill_store()

    asyncio.run(run())


def test_children_are_found_by_their_parent(workers: Workers) -> None:
    pid = workers.start()
    assert pid in children(os.getpid())
    assert children(pid) == []
