"""The residents of one node as their supervisor knows them: who they are, their links, and whether they live.

A resident is started with a name and a lasting token, both written to the roster before it starts, so a restarted
supervisor knows whom to expect. Its death is told by the kernel (a pidfd), or seen by its outstanding `run()`; a hang
by the watch. What it had sent before its death is read to the end before anybody is told of it. What a death means, the
pool, the hosts and the supervisor say.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..contracts.errors import LinkLost, ProtocolFault
from ..contracts.message import Message, read
from ..contracts.node_messages import TO_SUPERVISOR, Beat, Query, Reply, ResidentHello, Retire
from ..link.link import Array, Link, LinkServer
from ..process.metric_registry import MetricRegistry
from .watch import TICK_MS, Watch

log = logging.getLogger(__name__)

LOOK_MS = 5  # between two looks at whether a process whose link closed still exists
READ_OUT_MS = 100  # for the rest of a dead process's messages; they are in a socket of this machine
RETURN_MS = 1_000  # for one that lives to connect again; then it is of no use
ANSWER_MS = 2_000  # to a query
RECOVER_MS = 5_000  # after a restart: who has not connected by then is gone


class Ref(Protocol):
    """What can end a process and tell when it has ended; `refs.ResidentRef` is one."""

    async def ended(self) -> str: ...

    def kill(self) -> None: ...


@dataclass(slots=True, eq=False)
class Resident:
    """One process. `note` is the starter's own; it is kept in the roster."""

    name: str
    role: str
    token: str
    note: dict[str, Any] = field(default_factory=dict)
    ref: Ref | None = None
    link: Link | None = None
    pid: int = 0
    endpoint: str = ""
    hung: str = ""  # why the watch had it killed
    dead: str = ""  # why its process is gone, while its last messages are read
    pidfd: int = -1

    def send(self, *message: Any) -> bool:
        """Queue a message for it; False while its link is away."""
        return self.link is not None and self.link.send(*message)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who is told."""

    arrived: Callable[[Resident, Any], None]  # it has connected; what runs in it
    away: Callable[[Resident], None]  # its link has closed; it may be dead
    said: Callable[[Resident, Message], None]
    gone: Callable[[Resident, str], None]  # its process is dead, and why


class Residents:
    """All residents of one node. What they have measured is added to `metrics`."""

    _owner: Owner  # from `open` on; nobody connects before

    def __init__(self, roster: Path, hung_ms: int, metrics: MetricRegistry | None = None) -> None:
        self._roster = roster
        self._known: dict[str, Resident] = {}
        self._queries: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.server = LinkServer(self._hello)
        self.watch = Watch(self._hung, hung_ms)
        self.metrics = metrics or MetricRegistry()
        self.hung = 0

    async def open(self, endpoint: str, owner: Owner) -> None:
        """Listen, and begin to watch; `owner` is told of everybody from here on."""
        self._owner = owner
        await self.server.start(endpoint)
        self._spawn(self._tick())

    def get(self, name: str) -> Resident | None:
        return self._known.get(name)

    def tell(self, name: str, *message: Any) -> bool:
        """Send to one of them; False while it is away, or where nobody has this name."""
        resident = self._known.get(name)
        return resident is not None and resident.send(*message)

    def names(self, role: str) -> list[str]:
        """The names of all residents of one role."""
        return [resident.name for resident in self._known.values() if resident.role == role]

    def linked(self, role: str) -> bool:
        """Whether the link of any resident of one role is open."""
        return any(resident.link is not None for resident in self._known.values() if resident.role == role)

    # --- starting and ending ----------------------------------------------------------------------------------------

    def expect(self, name: str, role: str, note: dict[str, Any] | None = None, token: str = "") -> Resident:
        """Let a resident connect under a lasting token; it is on the roster from here on."""
        known = self._known.get(name)
        if known is not None:
            return known
        resident = Resident(name, role, token or secrets.token_urlsafe(18), note or {})
        self._known[name] = resident
        self.server.admit(name, resident.token, lasting=True)
        self._write_roster()
        return resident

    def started(self, name: str, ref: Ref) -> None:
        """Ray has it: wait for its end from here on."""
        resident = self._known.get(name)
        if resident is None:
            ref.kill()
            return
        resident.ref = ref
        self._spawn(self._await_end(resident, ref))

    def end(self, name: str, why: str) -> None:
        """Ask a resident to end itself; its process is killed if it cannot be asked."""
        resident = self._known.get(name)
        if resident is not None and not resident.send(*Retire(why)):
            self.kill(name, why)

    def kill(self, name: str, why: str) -> None:
        """End a process at once."""
        resident = self._known.get(name)
        if resident is None:
            return
        if resident.pidfd >= 0:  # at once; Ray's way takes some milliseconds
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(resident.pidfd, signal.SIGKILL)
        if resident.ref is not None:
            resident.ref.kill()
        self._died(resident, why)

    async def query(self, name: str, what: str, *arguments: Any) -> Any:
        """Ask a resident.

        Raises:
            LinkLost: it is away, or does not answer within ANSWER_MS.
        """
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queries[number] = answer
        resident = self._known.get(name)
        try:
            if resident is None or not resident.send(*Query(number, what, list(arguments))):
                raise LinkLost(f"{name} is not connected")
            async with asyncio.timeout(ANSWER_MS / 1_000):
                return await answer
        except TimeoutError as error:
            raise LinkLost(f"{name} has not answered within {ANSWER_MS} ms") from error
        finally:
            del self._queries[number]

    async def close(self) -> None:
        """End everybody, in the reverse of the order in which they started."""
        for task in self._tasks:
            task.cancel()
        for resident in reversed(tuple(self._known.values())):
            if resident.ref is not None:
                resident.ref.kill()
        self._known.clear()
        await self.server.stop()
        self._roster.unlink(missing_ok=True)

    # --- the roster -------------------------------------------------------------------------------------------------

    def recover(self, find: Callable[[str], Ref | None]) -> list[Resident]:
        """Expect everybody who is on the roster and whose actor still exists. Blocks."""
        try:
            rows = json.loads(self._roster.read_text())
        except (OSError, ValueError):
            return []
        for row in rows:
            ref = find(row["name"]) if row["role"] != "gateway" else None
            if ref is None and row["role"] != "gateway":
                continue
            resident = Resident(row["name"], row["role"], row["token"], row["note"], ref)
            self._known[resident.name] = resident
            self.server.admit(resident.name, resident.token, lasting=True)
        return list(self._known.values())

    def await_recovered(self) -> None:
        """Wait for the ends of those who were found, and give them RECOVER_MS to connect."""
        for resident in tuple(self._known.values()):
            if resident.ref is not None:
                self._spawn(self._await_end(resident, resident.ref))
                self._spawn(self._await_return(resident, RECOVER_MS))

    def _write_roster(self) -> None:
        rows = [{"name": r.name, "role": r.role, "token": r.token, "note": r.note} for r in self._known.values()]
        fresh = self._roster.with_suffix(".new")
        fresh.touch(mode=0o600)  # tokens open links
        fresh.write_text(json.dumps(rows))
        fresh.replace(self._roster)

    # --- links ------------------------------------------------------------------------------------------------------

    def _hello(self, link: Link, name: Any, rest: Array) -> None:
        resident = self._known.get(name)
        hello = ResidentHello.from_fields(rest)
        if resident is None or hello.resident != name or hello.role != resident.role:
            raise ProtocolFault(f"{hello.role!r} {hello.resident!r} says hello under the token of another")
        link.protocol = hello.protocol
        if resident.link is not None:
            resident.link.on_close = None
            resident.link.close("it has connected again")
        resident.link, resident.pid, resident.endpoint = link, hello.pid, hello.endpoint
        self._watch_over(resident)
        link.on_message = lambda link, message: self._message(resident, link, message)
        link.on_close = lambda closed, _reason: self._closed(resident, closed)
        self.watch.add(name, hello.pid, bool(hello.running))
        self._owner.arrived(resident, hello.running)

    def _message(self, resident: Resident, link: Link, array: Array) -> None:
        match message := read(array, TO_SUPERVISOR, link.newer):
            case Beat(lag_ms, live, changes):
                self.watch.beat(resident.name, lag_ms, live)
                if changes:
                    self.metrics.add(changes)
            case Reply(number, body):
                answer = self._queries.get(number)
                if answer is not None and not answer.done():
                    answer.set_result(body)
            case Message():
                self._owner.said(resident, message)

    def _closed(self, resident: Resident, link: Link) -> None:
        if resident.link is not link:
            return
        resident.link = None
        self.watch.remove(resident.name)
        if resident.dead:
            self._gone(resident, resident.dead)
            return
        self._owner.away(resident)
        if resident.role != "gateway":
            self._spawn(self._await_return(resident, RETURN_MS))

    async def _await_return(self, resident: Resident, within_ms: int) -> None:
        """Its link is closed: it is dead, or it comes back, or it is of no use."""
        for _ in range(within_ms // LOOK_MS):
            if resident.link is not None or self._known.get(resident.name) is not resident:
                return
            if resident.pid and not lives(resident.pid):
                self._died(resident, "its process died")
                return
            await asyncio.sleep(LOOK_MS / 1_000)
        self.kill(resident.name, f"it has not connected within {within_ms} ms")

    # --- deaths and hangs -------------------------------------------------------------------------------------------

    async def _await_end(self, resident: Resident, ref: Ref) -> None:
        why = await ref.ended()
        self._died(resident, why)

    def _watch_over(self, resident: Resident) -> None:
        """Have the kernel tell of the process's end."""
        self._look_away(resident)
        try:
            resident.pidfd = os.pidfd_open(resident.pid)
        except OSError:  # it is gone already, or of another machine; others tell
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(resident.pidfd, self._died, resident, "its process died")

    def _look_away(self, resident: Resident) -> None:
        if resident.pidfd >= 0:
            asyncio.get_running_loop().remove_reader(resident.pidfd)
            os.close(resident.pidfd)
            resident.pidfd = -1

    def _died(self, resident: Resident, why: str) -> None:
        """Its process is gone, or is being killed: it is told when the last of its messages is read."""
        if self._known.get(resident.name) is not resident or resident.dead:
            return
        self._look_away(resident)
        resident.dead = resident.hung or why
        if resident.link is None:
            self._gone(resident, resident.dead)
        else:
            asyncio.get_running_loop().call_later(READ_OUT_MS / 1_000, self._gone, resident, resident.dead)

    def _gone(self, resident: Resident, why: str) -> None:
        if self._known.get(resident.name) is not resident:
            return
        del self._known[resident.name]
        self._look_away(resident)
        self.server.revoke(resident.token)
        self.watch.remove(resident.name)
        if resident.link is not None:
            resident.link.on_close = None
            resident.link.abort(why)
            resident.link = None
        self._write_roster()
        self._owner.gone(resident, why)

    def _hung(self, name: str, why: str) -> None:
        """Kill it, and read what it had sent: whoever takes its place fences it."""
        resident = self._known.get(name)
        if resident is None or resident.role == "gateway" or resident.dead:
            return
        self.hung += 1
        resident.hung = f"hung: {why}"
        log.error("%s hangs and is killed: %s", name, why)
        self.kill(name, resident.hung)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_MS / 1_000)
            self.watch.tick()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def lives(pid: int) -> bool:
    """Whether a process of this machine exists and is not a corpse that waits for its parent."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
