"""Carries faults out on a running installation: the only part of chaos that touches processes, sockets and files.

Everything it touches, the installation has named itself a moment before: process ids and socket paths come from its
supervisors' figures and its list of calls, and a process that is not one of Ray's workers on this machine is left
alone. What kinds of harm there are is `policies/simulation/chaos.py`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgpack
from offhook.actors.call.broadcaster import ALL_TOPICS, EVENTS
from offhook.actors.contracts.call_operations import CallAddress
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.messages import HELLO, SubscriberHello
from offhook.actors.contracts.node_operations import NodeFigures
from offhook.actors.process.clock import boot
from offhook.actors.process.raylet import head, raylet_of
from offhook.policies.core.errors import OffhookError
from offhook.policies.simulation.chaos import Strike

from ..client.running import born
from .journal_checks import Struck
from .processes import children, connections, cut, listener

Target = TypeVar("Target")

HITS_MAX = 3  # of one call's process within HITS_S: a fourth failure is answered with a goodbye, as it should be
HITS_S = 32.0
AGAIN_S = 0.1  # between two looks for what is to be struck
WORKER = b"ray::"  # what a worker of Ray calls itself (proc_pid_cmdline(5))
_SHARED = "node that is not the head's and shares its journal with another"
LEFT_UNREAD_BYTES = 1  # the smallest receive buffer that the kernel allows


@dataclass(frozen=True, slots=True)
class LiveCall:
    """What of a call in the API's list is looked at."""

    call_id: str
    pid: int = 0


class System(Protocol):
    """What is asked of the installation."""

    async def figures(self) -> list[NodeFigures]:
        """Of every node."""

    async def live_calls(self) -> list[LiveCall]:
        """The calls that go on."""

    async def observe(self, call: str) -> CallAddress:
        """Where an observer subscribes to a call: endpoint, token."""

    async def pause_redis(self, ms: int) -> str:
        """Have the journal's Redis hold every answer back for a while; what was paused."""

    async def kill_store(self) -> Callable[[], None]:
        """kill -9 of Ray's control store; what starts it again, and returns when it answers."""


class NothingThereError(Exception):
    """There is nothing to strike at this moment."""


class NotYetError(NothingThereError):
    """It belongs to every installation: it is away, and comes back."""


class Striker:
    """Carries strikes out. `now_ms` is the run's clock."""

    def __init__(self, system: System, now_ms: Callable[[], int]) -> None:
        self._system = system
        self._now_ms = now_ms
        self._hits: dict[str, deque[float]] = {}
        self._undoing: set[asyncio.Task[None]] = set()
        self._open: list[socket.socket] = []

    async def strike(self, strike: Strike, within_ms: int = 0) -> Struck:
        """Carry one out; where there is nothing to strike, the answer says why. `within_ms`: what is away is waited for
        so long."""
        until_ms = self._now_ms() + within_ms
        while True:
            try:
                target, call = await _STRIKES[strike.fault](self, strike)
                return Struck(self._now_ms(), strike.fault, target, call, strike.lasts_ms)
            except (NothingThereError, OffhookError, OSError, sqlite3.Error) as error:
                if not isinstance(error, NotYetError | LinkLost) or self._now_ms() >= until_ms:
                    missed = str(error) or type(error).__name__
                    return Struck(self._now_ms(), strike.fault, "", lasts_ms=strike.lasts_ms, missed=missed)
            await asyncio.sleep(AGAIN_S)

    async def finish(self) -> None:
        """Wait until all that is undone later is undone."""
        while self._undoing:
            await asyncio.wait(self._undoing)
        for held in self._open:
            held.close()

    # --- processes --------------------------------------------------------------------------------------------------

    async def _call_kill(self, strike: Strike) -> tuple[str, str]:
        call, pid = await self._a_call(strike)
        os.kill(pid, signal.SIGKILL)
        return f"process {pid} of {call}", call

    async def _call_stop(self, strike: Strike) -> tuple[str, str]:
        call, pid = await self._a_call(strike)
        self._stop_for(pid, strike.lasts_ms)
        return f"process {pid} of {call}", call

    async def _call_pause(self, strike: Strike) -> tuple[str, str]:
        call, pid = await self._a_call(strike, counts=False)
        self._stop_for(pid, strike.lasts_ms)
        return f"process {pid} of {call}", call

    async def _agents_kill(self, strike: Strike) -> tuple[str, str]:
        pid = await self._an_agent_host(strike)
        os.kill(pid, signal.SIGKILL)
        return f"agent host, process {pid}", ""

    async def _agents_stop(self, strike: Strike) -> tuple[str, str]:
        pid = await self._an_agent_host(strike)
        self._stop_for(pid, strike.lasts_ms)
        return f"agent host, process {pid}", ""

    async def _supervisor_kill(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        os.kill(_worker(node.pid), signal.SIGKILL)
        return f"supervisor, process {node.pid}", ""

    async def _supervisor_stop(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        self._stop_for(_worker(node.pid), strike.lasts_ms)
        return f"supervisor, process {node.pid}", ""

    async def _both_kill(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        supervisor = _worker(node.pid)
        call, pid = await self._a_call(strike)
        for each in (supervisor, pid):
            os.kill(each, signal.SIGKILL)
        return f"supervisor, process {supervisor}, and process {pid} of {call}", ""

    async def _gateway_kill(self, strike: Strike) -> tuple[str, str]:
        pids = [row.pid for node in await self._nodes() for row in node.gateways if row.pid]
        pid = _worker(_one_of(sorted(pids), strike, "gateway"))
        os.kill(pid, signal.SIGKILL)
        return f"gateway, process {pid}", ""

    async def _node_kill(self, strike: Strike) -> tuple[str, str]:
        """As when the power goes: the raylet and all that it has started. The head's stays, its store would go with it.

        The supervisor goes before the calls: it must not see them die.
        """
        name, supervisor, parent = await self._a_node_to_lose(strike)
        for each in (parent, supervisor, *(pid for pid in children(parent) if pid != supervisor)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        return f"node {name}, raylet {parent} and its processes", ""

    async def _raylet_kill(self, strike: Strike) -> tuple[str, str]:
        """The raylet alone: what it has started is left to itself."""
        name, _supervisor, parent = await self._a_node_to_lose(strike)
        os.kill(parent, signal.SIGKILL)
        return f"node {name}, raylet {parent}", ""

    async def _engine_kill(self, strike: Strike) -> tuple[str, str]:
        engines = {}
        for each in (each for node in await self._nodes() for each in node.engines if each.startswith("unix:")):
            with contextlib.suppress(OSError):  # it has died just now, and its node has not heard of it
                path = Path(each.removeprefix("unix:"))
                engines[path.name, listener(str(path))] = path
        name, listening = _one_of(sorted(engines), strike, "speech engine", comes=False)
        pid = _worker(listening)
        os.kill(pid, signal.SIGKILL)
        return f"{name}, process {pid}", ""

    def _stop_for(self, pid: int, ms: int) -> None:
        """SIGSTOP now, SIGCONT later, where that is the same process still."""
        birth = born(pid)
        os.kill(pid, signal.SIGSTOP)

        async def undo() -> None:
            try:
                await asyncio.sleep(ms / 1_000)
            finally:
                if born(pid) == birth != 0:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

        self._later(undo())

    # --- sockets and stores -----------------------------------------------------------------------------------------

    async def _link_cut(self, strike: Strike) -> tuple[str, str]:
        call, pid = await self._a_call(strike, counts=False)
        folders = [str(Path(node.endpoint.removeprefix("unix:")).parent) for node in await self._nodes()]
        sockets = [fd for fd, path in connections(pid) if str(Path(path).parent) in folders]
        fd = _one_of(sockets, strike, "open link")
        cut(pid, fd)
        return f"a link of {call} (descriptor {fd} of process {pid})", call

    async def _slow_reader(self, strike: Strike) -> tuple[str, str]:
        rows = await self._system.live_calls()
        call = str(_one_of(sorted(row.call_id for row in rows), strike, "live call"))
        door = await self._system.observe(call)
        family, where = _address(door.endpoint)
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LEFT_UNREAD_BYTES)
        held.connect(where)
        hello = SubscriberHello("chaos", "observer", [ALL_TOPICS, EVENTS])
        held.sendall(msgpack.packb([HELLO, door.token, *hello.fields]))
        self._open.append(held)

        async def undo() -> None:
            await asyncio.sleep(strike.lasts_ms / 1_000)
            held.close()

        self._later(undo())
        return f"an observer of {call}", call

    async def _journal_away(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        if not node.journal:
            return await self._system.pause_redis(strike.lasts_ms), ""
        locked = await asyncio.to_thread(_locked, Path(node.journal))

        async def undo() -> None:
            try:
                await asyncio.sleep(strike.lasts_ms / 1_000)
            finally:
                locked.execute("ROLLBACK")
                locked.close()

        self._later(undo())
        return Path(node.journal).name, ""

    async def _store_kill(self, strike: Strike) -> tuple[str, str]:
        start = await self._system.kill_store()

        async def undo() -> None:
            try:
                await asyncio.sleep(strike.lasts_ms / 1_000)
            finally:
                await asyncio.to_thread(start)

        self._later(undo())
        return "Ray's control store", ""

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    # --- targets ----------------------------------------------------------------------------------------------------

    async def _nodes(self) -> list[NodeFigures]:
        """Those of this machine."""
        return [node for node in await self._system.figures() if node.machine == boot()]

    async def _a_node(self, strike: Strike) -> NodeFigures:
        return _one_of(sorted(await self._nodes(), key=lambda node: node.node), strike, "node")

    async def _a_node_to_lose(self, strike: Strike) -> tuple[str, int, int]:
        """A node that another one can stand in for: its name, its supervisor, its raylet. Where nodes have calls, one
        of those: an idle one is missed by nobody."""
        found = [(node, raylet_of(node.pid)) for node in await self._nodes() if not node.journal]
        nodes = [(node, parent) for node, parent in found if not head(parent)]
        nodes = [(node, parent) for node, parent in nodes if node.calls] or nodes
        node, parent = _one_of(nodes, strike, _SHARED, comes=False)
        return node.node[:8], _worker(node.pid), int(parent)

    async def _an_agent_host(self, strike: Strike) -> int:
        pids = [row.pid for node in await self._nodes() for row in node.hosts if row.pid]
        return _worker(_one_of(sorted(pids), strike, "agent host"))

    async def _a_call(self, strike: Strike, counts: bool = True) -> tuple[str, int]:
        """A live call and its process; with `counts`, one that has not failed too often, and a warm spare."""
        now = time.monotonic()
        if counts and not any(node.spare for node in await self._nodes()):
            raise NotYetError("no spare is warm: a takeover would wait for a new process")
        rows = sorted(await self._system.live_calls(), key=lambda row: row.call_id)
        rows = [row for row in rows if row.pid]
        hits = [sum(now - at < HITS_S for at in self._hits.get(row.call_id, ())) for row in rows]
        fit = [row for row, count in zip(rows, hits, strict=True) if not counts or count < HITS_MAX]
        row = _one_of(fit, strike, "live call that was not struck too often", comes=not rows)
        pid = _worker(row.pid)
        if counts:
            self._hits.setdefault(row.call_id, deque(maxlen=HITS_MAX)).append(now)
        return row.call_id, pid


def _one_of(targets: list[Target], strike: Strike, what: str, comes: bool = True) -> Target:
    """`comes`: where there is none, one is to be expected."""
    if not targets:
        raise (NotYetError if comes else NothingThereError)(f"there is no {what}")
    return targets[int(strike.draw * len(targets))]


def _worker(pid: int) -> int:
    """The process, if it is a worker of Ray on this machine."""
    try:
        if pid > 1 and Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER):
            return pid
    except OSError as error:
        raise NotYetError(f"process {pid} is gone") from error
    raise NothingThereError(f"process {pid} is none of Ray's workers on this machine")


def _locked(file: Path) -> sqlite3.Connection:
    """A connection in whose hands the journal's write lock is: nobody else can write, and nothing is changed."""
    uri = f"{file.absolute().as_uri()}?mode=rw"
    locked = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5, check_same_thread=False)
    locked.execute("BEGIN IMMEDIATE")
    return locked


def _address(endpoint: str) -> tuple[int, Any]:
    kind, _, rest = endpoint.partition(":")
    if kind == "unix":
        return socket.AF_UNIX, rest
    host, _, port = rest.rpartition(":")
    return socket.AF_INET, (host, int(port))


_STRIKES: dict[str, Callable[[Striker, Strike], Awaitable[tuple[str, str]]]] = {
    "call_kill": Striker._call_kill,
    "call_stop": Striker._call_stop,
    "call_pause": Striker._call_pause,
    "link_cut": Striker._link_cut,
    "slow_reader": Striker._slow_reader,
    "agents_kill": Striker._agents_kill,
    "agents_stop": Striker._agents_stop,
    "journal_away": Striker._journal_away,
    "engine_kill": Striker._engine_kill,
    "supervisor_kill": Striker._supervisor_kill,
    "supervisor_stop": Striker._supervisor_stop,
    "both_kill": Striker._both_kill,
    "gateway_kill": Striker._gateway_kill,
    "node_kill": Striker._node_kill,
    "raylet_kill": Striker._raylet_kill,
    "store_kill": Striker._store_kill,
}
