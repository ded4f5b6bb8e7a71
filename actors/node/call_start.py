"""How a call begins on a node: a warm actor and a seat for each agent are found, the call is leased, assigned, primed.

Everything that may have to be waited for is waited for before the lease is granted, within the ring budget; from the
lease to the answer it takes some milliseconds. How a call ends is the supervisor's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from offhook.policies.core.errors import CallerFault
from offhook.policies.core.records import Record

from ..contracts.errors import JournalAway, JournalDamaged, NoSpare
from ..contracts.node_messages import Assign, Attach
from ..contracts.node_operations import CallRequest
from ..contracts.setup import Setup
from ..journals.journal import CALL_CHARS_MAX, Journal
from ..process.clock import anchor_now
from ..process.metric_registry import MetricRegistry
from .agent_pool import AgentPool
from .call_pool import CallPool
from .call_table import CallRow, CallTable
from .catalog import Catalog
from .leases import LeaseBook
from .outcomes import NOT_BEGUN
from .residents import Resident, Residents

log = logging.getLogger(__name__)

ASSIGN_S = 2.0  # from the assignment to the call's word that it is primed; it takes about a millisecond
SEAT_S = 5.0  # for hosts of a version that was published a moment ago
ATTACH_S = 0.5  # for agents to take their seats; a call that would wait longer begins without them


@dataclass(frozen=True, slots=True)
class Parts:
    """What a reception works with; `close(row, outcome)` ends a call that could not begin."""

    catalog: Catalog
    pool: CallPool
    hosts: AgentPool
    residents: Residents
    leases: LeaseBook
    table: CallTable
    journal: Journal
    close: Callable[[CallRow, str], None]
    metrics: MetricRegistry


class CallStart:
    """Begins calls, and seats their agents."""

    def __init__(self, parts: Parts, ring_ms: int) -> None:
        self._parts = parts
        self._ring_ms = ring_ms
        self._assigning: dict[tuple[str, int], asyncio.Future[str]] = {}
        self._attaching: dict[tuple[str, str], asyncio.Future[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, request: CallRequest) -> CallRow:
        """See `Supervisor.reserve`."""
        parts = self._parts
        call = request.call
        if not 0 < len(call) <= CALL_CHARS_MAX or not (call.isascii() and call.isprintable()):
            raise CallerFault(f"a call's id is 1 to {CALL_CHARS_MAX} printable ASCII characters, not {call!r:.40}")
        if call in parts.table:
            raise CallerFault(f"call {call} is live already")
        version = request.policy or parts.catalog.default
        agents = list(parts.catalog.policy(version).agents)
        wait_s = request.wait_s or self._ring_ms / 1_000
        deadline = time.monotonic() + wait_s
        tail = await self._tail(call)
        seats = await self._parts.hosts.seat_all(version, agents, call, min(wait_s, SEAT_S))
        try:
            resident = await self.find_spare(max(0.0, deadline - time.monotonic()))
            if call in parts.table:
                parts.pool.free(resident.name)
                raise CallerFault(f"call {call} began meanwhile")
        except Exception:
            for host in seats.values():
                parts.hosts.leave(host, call)
            raise
        lease = parts.leases.grant(call, resident.name, after_epoch=tail[1] if tail else 0)
        row = _row(request, version, tail[2] if tail else 0)
        row = row.leased(lease, resident.pid, resident.endpoint, agents)
        row.seats = seats
        parts.table.open(row)
        refusal = await self.assign(
            resident,
            row,
            row.setup(parts.catalog.plain(version), parts.catalog.engines_for(version), prices=parts.catalog.prices),
        )
        if refusal:
            parts.close(row, f"{NOT_BEGUN}: {refusal}")
            # It is not known what state that process is in: a fresh one takes its place.
            parts.residents.kill(resident.name, f"refused a call: {refusal}")
            raise NoSpare(f"call {row.call} {NOT_BEGUN}: {refusal}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ATTACH_S):
                await asyncio.gather(*(self._attach(row, agent) for agent in tuple(row.seats)))
        return row

    async def reseat(self, call: str, agent: str) -> None:
        """A call's agent host died: another takes its place; the call talks on meanwhile."""
        parts = self._parts
        row = parts.table.get(call)
        if row is None:
            return
        host = await parts.hosts.seat(row.policy_version, agent, call, self._ring_ms / 1_000)
        if host is None:
            return
        if parts.table.get(call) is not row or row.policy_version != host.version:
            parts.hosts.leave(host.name, call)
            return
        row.seats[agent] = host.name
        await self._attach(row, agent)

    # --- what residents answer --------------------------------------------------------------------------------------

    def assigned(self, call: str, epoch: int, refusal: str) -> None:
        """A call actor has primed the call ("") or refuses it."""
        _settle(self._assigning.get((call, epoch)), refusal)

    def attached(self, call: str, agent: str, refusal: str) -> None:
        """An agent host has its link to the call ("") or could not open it."""
        _settle(self._attaching.get((call, agent)), refusal)

    # --- steps ------------------------------------------------------------------------------------------------------

    async def _tail(self, call: str) -> Record | None:
        """The newest record of a call that was here before; an unreadable journal holds no new call up."""
        try:
            return await self._parts.journal.last(call)
        except (JournalAway, JournalDamaged) as fault:
            log.warning("the journal cannot be read: %s", fault)
            return None

    async def find_spare(self, wait_s: float, urgent: bool = False) -> Resident:
        """A warm call actor, marked busy; `urgent` for a call that is live. Raises: NoSpare."""
        member = await self._parts.pool.take(wait_s, urgent)
        resident = self._parts.residents.get(member.name)
        if resident is None or resident.link is None:
            self._parts.pool.free(member.name)
            raise NoSpare("the spare died at the moment of its lease; ask again")
        return resident

    async def assign(self, resident: Resident, row: CallRow, setup: Setup) -> str:
        """Give a call to a process; why that does not lead it, or "".

        Raises:
            ProtocolFault: the setup is larger than a message may be.
        """
        primed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._assigning[row.call, row.epoch] = primed
        self._parts.residents.watch.live(resident.name)
        try:
            resident.send(*Assign(row.call, row.epoch, setup.as_map()))
            async with asyncio.timeout(ASSIGN_S):
                refusal = await primed
        except TimeoutError:
            refusal = f"{resident.name} has not answered within {ASSIGN_S:g} s"
        finally:
            del self._assigning[row.call, row.epoch]
        row.primed = not refusal
        return refusal

    def seat_anew(self, row: CallRow) -> None:
        """A call has another owner: its agents open their links to that one."""
        loop = asyncio.get_running_loop()
        for agent in row.agent_tokens:
            seated = agent in row.seats and self._parts.residents.get(row.seats[agent]) is not None
            task = loop.create_task(self._attach(row, agent) if seated else self.reseat(row.call, agent))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attach(self, row: CallRow, agent: str) -> None:
        host = self._parts.residents.get(row.seats.get(agent, ""))
        token = row.agent_tokens.get(agent, "")
        attached: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._attaching[row.call, agent] = attached
        try:
            if host is None or not host.send(*Attach(row.call, row.epoch, agent, row.endpoint, token)):
                return
            refusal = await attached
        finally:
            self._attaching.pop((row.call, agent), None)
        if refusal:
            log.warning("agent %s is not at its seat: %s", agent, refusal, extra={"call": row.call})

    def attach(self, row: CallRow, agent: str, host: str, token: str) -> None:
        """Send an agent of a version that does not lead the call yet to its doors; whether it comes, the call sees."""
        resident = self._parts.residents.get(host)
        if resident is not None:
            resident.send(*Attach(row.call, row.epoch, agent, row.endpoint, token))

    def lost(self, row: CallRow) -> None:
        """The process to which a call was just assigned is dead: nobody waits for its answer."""
        self.assigned(row.call, row.epoch, "its process died")


def _row(request: CallRequest, version: str, after_seq: int) -> CallRow:
    """A call that begins now; its journal, if it was here before, goes on after `after_seq`."""
    return CallRow(
        call=request.call,
        epoch=0,
        owner="",
        pid=0,
        policy_version=version,
        direction=request.direction,
        caller=request.caller,
        callee=request.callee,
        origin_unix_ms=time.time_ns() // 1_000_000,
        seq=after_seq,
        anchor=anchor_now(),
        arm=request.arm,
        tenant=request.tenant,
    )


def _settle(answer: asyncio.Future[str] | None, refusal: str) -> None:
    if answer is not None and not answer.done():
        answer.set_result(refusal)
