"""Carries faults out on a running installation: the only part of chaos that touches processes, sockets and files.

Everything it touches, the installation has named itself a moment before: process ids and socket paths come from its
supervisors' figures and its list of calls, and a process that is not one of Ray's workers on this machine is left
alone. What kinds of harm there are is `policies/simulation/chaos.py`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sqlite3
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgpack
from offhook.actors import wire
from offhook.actors.clock import boot
from offhook.actors.live.broadcaster import ALL_TOPICS, EVENTS
from offhook.actors.raylet import head, raylet_of
from offhook.policies.errors import OffhookError
from offhook.policies.simulation.chaos import Strike

from ..running import born
from .journal_checks import Struck

HITS_MAX = 3  # of one call's process within HITS_S: a fourth failure is answered with a goodbye, as it should be
HITS_S = 32.0
WORKER = b"ray::"  # what a worker of Ray calls itself (proc_pid_cmdline(5))
PIDFD_GETFD = 438  # pidfd_getfd(2), the same on every architecture since Linux 5.6
CONNECTED = "03"  # a socket's state in /proc/net/unix (proc_net(5))
LEFT_UNREAD_BYTES = 1  # the smallest receive buffer that the kernel allows


class System(Protocol):
    """What is asked of the installation."""

    async def figures(self) -> list[dict[str, Any]]:
        """Of every node (`actors/node/figures.py`)."""

    async def live_calls(self) -> list[dict[str, Any]]:
        """Rows of the calls that go on: call_id, pid."""

    async def observe(self, call: str) -> Mapping[str, Any]:
        """Where an observer subscribes to a call: endpoint, token."""

    async def pause_redis(self, ms: int) -> str:
        """Have the journal's Redis hold every answer back for a while; what was paused."""

    async def kill_store(self) -> Callable[[], None]:
        """kill -9 of Ray's control store; what starts it again, and returns when it answers."""


class NothingThereError(Exception):
    """There is nothing to strike at this moment."""


class Striker:
    """Carries strikes out. `now_ms` is the run's clock."""

    def __init__(self, system: System, now_ms: Callable[[], int]) -> None:
        self._system = system
        self._now_ms = now_ms
        self._hits: dict[str, deque[float]] = {}
        self._undoing: set[asyncio.Task[None]] = set()
        self._open: list[socket.socket] = []

    async def strike(self, strike: Strike) -> Struck:
        """Carry one out; where there is nothing to strike, the answer says why."""
        try:
            target, call = await _STRIKES[strike.fault](self, strike)
        except (NothingThereError, OffhookError, OSError, sqlite3.Error) as error:
            missed = str(error) or type(error).__name__
            return Struck(self._now_ms(), strike.fault, "", lasts_ms=strike.lasts_ms, missed=missed)
        return Struck(self._now_ms(), strike.fault, target, call, strike.lasts_ms)

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
        os.kill(_worker(node["pid"]), signal.SIGKILL)
        return f"supervisor, process {node['pid']}", ""

    async def _supervisor_stop(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        self._stop_for(_worker(node["pid"]), strike.lasts_ms)
        return f"supervisor, process {node['pid']}", ""

    async def _both_kill(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        supervisor = _worker(node["pid"])
        call, pid = await self._a_call(strike)
        for each in (supervisor, pid):
            os.kill(each, signal.SIGKILL)
        return f"supervisor, process {supervisor}, and process {pid} of {call}", ""

    async def _gateway_kill(self, strike: Strike) -> tuple[str, str]:
        pids = [row["pid"] for node in await self._nodes() for row in node["gateways"] if row["pid"]]
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
        endpoints = {each for node in await self._nodes() for each in node["engines"] if each.startswith("unix:")}
        endpoint = _one_of(sorted(endpoints), strike, "speech engine")
        pid = _worker(listener(endpoint.removeprefix("unix:")))
        os.kill(pid, signal.SIGKILL)
        return f"{Path(endpoint).name}, process {pid}", ""

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
        folders = [str(Path(node["endpoint"].removeprefix("unix:")).parent) for node in await self._nodes()]
        sockets = [fd for fd, path in connections(pid) if str(Path(path).parent) in folders]
        fd = _one_of(sockets, strike, "open link")
        cut(pid, fd)
        return f"a link of {call} (descriptor {fd} of process {pid})", call

    async def _slow_reader(self, strike: Strike) -> tuple[str, str]:
        rows = await self._system.live_calls()
        call = str(_one_of(sorted(row["call_id"] for row in rows), strike, "live call"))
        door = await self._system.observe(call)
        family, where = _address(door["endpoint"])
        held = socket.socket(family, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LEFT_UNREAD_BYTES)
        held.connect(where)
        held.sendall(msgpack.packb([wire.HELLO, door["token"], "chaos", "observer", [ALL_TOPICS, EVENTS]]))
        self._open.append(held)

        async def undo() -> None:
            await asyncio.sleep(strike.lasts_ms / 1_000)
            held.close()

        self._later(undo())
        return f"an observer of {call}", call

    async def _journal_away(self, strike: Strike) -> tuple[str, str]:
        node = await self._a_node(strike)
        if not node["journal"]:
            return await self._system.pause_redis(strike.lasts_ms), ""
        locked = await asyncio.to_thread(_locked, Path(node["journal"]))

        async def undo() -> None:
            try:
                await asyncio.sleep(strike.lasts_ms / 1_000)
            finally:
                locked.execute("ROLLBACK")
                locked.close()

        self._later(undo())
        return Path(node["journal"]).name, ""

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

    async def _nodes(self) -> list[dict[str, Any]]:
        """Those of this machine."""
        return [node for node in await self._system.figures() if node.get("machine") == boot()]

    async def _a_node(self, strike: Strike) -> dict[str, Any]:
        return dict(_one_of(sorted(await self._nodes(), key=lambda node: str(node["node"])), strike, "node"))

    async def _a_node_to_lose(self, strike: Strike) -> tuple[str, int, int]:
        """A node that another one can stand in for: its name, its supervisor, its raylet. Where nodes have calls, one
        of those: an idle one is missed by nobody."""
        found = [(node, raylet_of(node["pid"])) for node in await self._nodes() if not node["journal"]]
        nodes = [(node, parent) for node, parent in found if not head(parent)]
        nodes = [(node, parent) for node, parent in nodes if node["calls"]] or nodes
        node, parent = _one_of(nodes, strike, "node that is not the head's and shares its journal with another")
        return str(node["node"])[:8], _worker(node["pid"]), int(parent)

    async def _an_agent_host(self, strike: Strike) -> int:
        pids = [row["pid"] for node in await self._nodes() for row in node["hosts"] if row["pid"]]
        return _worker(_one_of(sorted(pids), strike, "agent host"))

    async def _a_call(self, strike: Strike, counts: bool = True) -> tuple[str, int]:
        """A live call and its process; with `counts`, one that has not failed too often, and a warm spare."""
        now = time.monotonic()
        if counts and not any(node["spare"] for node in await self._nodes()):
            raise NothingThereError("no spare is warm: a takeover would wait for a new process")
        rows = []
        for row in sorted(await self._system.live_calls(), key=lambda row: str(row["call_id"])):
            recent = [at for at in self._hits.get(row["call_id"], ()) if now - at < HITS_S]
            if row["pid"] and not (counts and len(recent) >= HITS_MAX):
                rows.append(row)
        row = _one_of(rows, strike, "live call that was not struck too often")
        pid = _worker(row["pid"])
        if counts:
            self._hits.setdefault(row["call_id"], deque(maxlen=HITS_MAX)).append(now)
        return str(row["call_id"]), pid


def _one_of(targets: list[Any], strike: Strike, what: str) -> Any:
    if not targets:
        raise NothingThereError(f"there is no {what}")
    return targets[int(strike.draw * len(targets))]


def _worker(pid: int) -> int:
    """The process, if it is a worker of Ray on this machine."""
    try:
        if pid > 1 and Path(f"/proc/{pid}/cmdline").read_bytes().startswith(WORKER):
            return pid
    except OSError:
        pass
    raise NothingThereError(f"process {pid} is none of Ray's workers on this machine")


def children(parent: int) -> list[int]:
    """The processes whose parent this is. Source: proc_pid_stat(5)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


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


def listener(path: str) -> int:
    """The process that listens on a Unix socket. Source: unix(7), SO_PEERCRED. Raises: OSError: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(2)
        asked.connect(path)
        pid, _uid, _gid = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def connections(pid: int) -> list[tuple[int, str]]:
    """A process's connections at Unix sockets that it listens on: (descriptor, path), by descriptor."""
    paths = {}
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[5] == CONNECTED:
            paths[fields[6]] = fields[7]
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inode = str(link.readlink()).removeprefix("socket:[").removesuffix("]")
            if inode in paths:
                found.append((int(link.name), paths[inode]))
    return sorted(found)


def cut(pid: int, fd: int) -> None:
    """Shut another process's socket down, both ways: both ends see it closed. Raises: OSError: it is not allowed."""
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        own = libc.syscall(PIDFD_GETFD, process, fd, 0)
        if own < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"a socket of process {pid} cannot be reached: {os.strerror(number)}")
    finally:
        os.close(process)
    with socket.socket(fileno=own) as reached:
        reached.shutdown(socket.SHUT_RDWR)


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
