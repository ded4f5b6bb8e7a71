"""The supervisor of one node: keeps warm call actors, leases calls to them, watches, restarts, and keeps the journal.

An async Ray actor, detached, restarted by Ray for ever. Nothing that is live needs it: while it is away calls talk on,
and after its return residents connect again and say what runs in them; table and leases are rebuilt from that and from
the journal. Each part has a file of its own (pool, hosts, residents, intake, leases); here they meet, and here is what
the director asks of a node (through `refs.SupervisorRef`). What is asked about single calls is `enquiries.py`'s, what
residents do, and what follows, `attendance.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import Any

from offhook.policies.errors import CallerFault
from offhook.policies.policy import AgentSpec

from . import wire
from .clock import boot
from .errors import NoSpare
from .journals.stores import open_journal, open_register
from .journals.witness import Damages, Witness
from .live.swap import FORCE
from .node.attendance import Attendance
from .node.call_table import CallTable
from .node.departure import Departure
from .node.enquiries import Enquiries, door
from .node.figures import drift_ms, figures
from .node.hosts import Hosts
from .node.http_tool import offered
from .node.intake import Intake
from .node.leases import LeaseBook
from .node.orphans import Orphans
from .node.outbox import Outbox
from .node.pool import Pool, Standing
from .node.reception import Parts, Reception
from .node.recovery import Recovery
from .node.residents import Residents
from .node.shelf import Shelf
from .node.swaps import Swaps
from .node.takeover import Takeovers
from .node.tally import STARTED
from .options import Options
from .raylet import Raylet
from .refs import ResidentRef
from .shadows.shadow_refs import ShadowRefs

log = logging.getLogger(__name__)

TEND_S = 0.5
LATE_MS = 15.0  # of drift: half of that at which a node takes no more calls; a start would add to it
CALM_MS = 2_000  # a call that fails again and again waits no longer for a pause in which its policy can be swapped
SWITCH_S = 0.0005  # other threads give way to the loop within this; Python's 5 ms, again and again, delay a takeover


class Supervisor(Enquiries):
    """One node's supervisor. Ray starts it; see `refs.SupervisorRef`."""

    async def __init__(self, node: str, options: dict[str, Any]) -> None:  # type: ignore[misc]  # Ray awaits it
        self.node = node
        self.options = Options.from_map(options)
        self._tasks: set[asyncio.Task[Any]] = set()
        sys.setswitchinterval(SWITCH_S)
        self.began = time.time()
        self.places = self.options.places(node)
        self.table = CallTable()
        self.leases = LeaseBook()
        self._attendance = attendance = Attendance(self)
        self.damages = Damages()
        store = open_journal(self.places.journal, self._journal_health, on_damage=self.damages.of_store)
        self._journal = Witness(store, self.damages)
        self.intake = Intake(self._journal, self.table, self.tell, attendance.moved)
        self.residents = Residents(attendance.owner(), self.places.roster, self.options.hung_ms)
        self.departure = Departure(Raylet(), self._journal, self.residents)
        self.pool = Pool(self.options.sizes(), self._start_call_actor, self.residents.end)
        self.pool.late = lambda: drift_ms(self.residents.watch.drifts()) >= LATE_MS
        self.pool.on_start = lambda took_s: self.table.tally.note(STARTED, took_s)
        self.drained_by = ""
        self.hosts = Hosts(self._start_host, self.residents.end)
        self.register = open_register(self.places.journal, self.places.tools, node)
        self.outbox = Outbox(self.register, offered(self.options.tools), self.leases, self.residents)
        self.shelf = Shelf(self.places.memory, node, boot())
        self.shadows = ShadowRefs(node, self.shelf)
        self.shelf.prices = self.options.prices
        parts = Parts(
            self.shelf, self.pool, self.hosts, self.residents, self.leases, self.table, self._journal, attendance.close
        )
        self.reception = Reception(parts, self.options.ring_ms)
        wait_s = self.options.takeover_ms / 1_000
        self.takeovers = Takeovers(parts, self.intake, self.reception, self.tell_gateways, attendance.close, wait_s)
        self.orphans = Orphans(parts, self.takeovers)
        self.recovery = Recovery(parts, self.takeovers, self.intake, self.spawn)
        self.swaps = Swaps(self)
        self.intake.led_by = self.swaps.led_by
        self.takeovers.left = lambda: self.departure.left
        self.takeovers.calm = lambda row: self.spawn(self.swaps.swap(row.calmed, "", [row.call], CALM_MS, FORCE))
        await self._recover()
        self.departure.watch()
        self.spawn(self._tend())

    async def _recover(self) -> None:
        """Find again whom this node's supervisor had started and what it offered, in its former life."""
        found = await asyncio.to_thread(self.residents.recover, ResidentRef.find)
        for resident in found:
            if resident.role == "call":
                self.pool.expect(resident.name)
            elif resident.role == "agents":
                self.hosts.expect(resident.name, **resident.note)
        for version in self.shelf.recall():
            self.hosts.offer(version, self.shelf.policy(version))
        self.recovery.begin(found)
        await self.residents.open(self.places.endpoint)
        self.residents.await_recovered()
        log.info("listening at %s; %d residents were here", self.places.endpoint, len(found))

    # --- API: calls -------------------------------------------------------------------------------------------------

    async def reserve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Lease a warm call actor to a call, and have it primed with its policy and agents.

        Args:
            request: {call, direction?, caller?, callee?, policy?, arm?, wait_s?}; plain strings, `policy` is a
                version, `arm` one of a rollout's.

        Returns:
            {call, epoch, endpoint, token, node}: where the gateway opens the media link.

        Raises:
            NoSpare: none came free within the ring budget. UnknownPolicy. CallerFault: no call id, or one that is live.
            LinkLost: this node is gone.
        """
        self.departure.may_begin()
        row = await self.reception.begin(request)
        if row.arm:
            self.intake.arms.began(row.call, row.arm, seated=not set(row.agent_tokens) - set(row.seats))
        return {**door(row, row.media_token), "call": row.call, "node": self.node}

    # --- API: the node ----------------------------------------------------------------------------------------------

    async def publish_policy(self, version: str, policy: dict[str, Any], bundle: str | bytes = "") -> None:
        """Offer a policy version to new calls; the latest one published is the default. Raises: PolicyError."""
        self.hosts.offer(version, self.shelf.publish(version, policy, bundle))

    async def arms(self) -> dict[str, Any]:
        """What was counted of each arm of a rollout: see `ArmCounts.figures`."""
        return self.intake.arms.figures()

    async def shadow(self, order: dict[str, Any], after_row: int = -1, after_trial: int = -1) -> dict[str, Any]:
        """Have this node's live calls shadowed, and tell what was found: see `ShadowRefs.ask`."""
        return await self.shadows.ask(order, after_row, after_trial)

    async def unshadow(self, rollout: str) -> None:
        """Let a rollout's shadows leave their calls."""
        await asyncio.to_thread(self.shadows.end, rollout)

    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> dict[str, Any]:
        """Have live calls led by another version from their next safe point on; waits until each has answered.

        Args:
            from_version: only calls that it leads; "" = whatever leads them.
            calls: only these; [] = all. Those that are not live here are nobody's matter here.
            deadline_ms: for the safe point. at_deadline: then "force" it, or "keep" the call as it is.

        Returns:
            {asked, seated_ms, swapped, kept, refused: {call: why}}; `seated_ms` = until the version's agents had room
            for these calls, before any was told; `kept` = no moment for it came.

        Raises:
            UnknownPolicy: `to_version` was not published here. CallerFault: a deadline out of its range.
        """
        return await self.swaps.swap(to_version, from_version, calls, deadline_ms, at_deadline)

    async def withdraw_policy(self, version: str) -> None:
        """No new call gets this version; once no live one is led by it, its agent hosts end and it is forgotten."""
        self.swaps.withdraw(version)

    async def engines(self, recognizer: dict[str, Any], synthesizer: dict[str, Any]) -> None:
        """Where calls find their speech engines: new ones, and live ones whose link to one is lost.

        Args:
            recognizer: {kind: "none" | "link", places: [see `engine_places.Place`], endpoints: [[endpoint, token], ...]
                (dialled last)}
            synthesizer: {kind: "none" | "tone" | "clip" | "link", places, endpoints, clips: folder, voice: name}

        Raises:
            CallerFault: an unknown kind. ProtocolFault: a place that is none.
        """
        self.shelf.offer_engines(recognizer, synthesizer)
        for row in self.table.live():
            told = self.shelf.engines_for(row.policy_version)
            self.tell(row, wire.ENGINES, row.call, told.recognizer_endpoints, told.synthesizer_endpoints)

    async def enlist(self, role: str, name: str) -> dict[str, Any]:
        """Let a resident that was started by somebody else (a gateway) connect."""
        if role != "gateway":
            raise CallerFault(f"role {role!r}: only gateways enlist; others are started here")
        resident = self.residents.expect(name, role)
        return {"endpoint": self.places.endpoint, "token": resident.token, "leaves": self.departure.elsewhere}

    async def ready(self, spares: int, within_s: float) -> dict[str, Any]:
        """Waits until so many spares are warm and every offered agent has a host. Raises: NoSpare."""
        deadline = time.monotonic() + within_s
        while True:
            waiting = [row for row in self.hosts.stats() if not row["up"]]
            if self.pool.count(Standing.SPARE) >= spares and not waiting:
                return await self.stats()
            if time.monotonic() > deadline:
                raise NoSpare(f"{self.pool.count(Standing.SPARE)} of {spares} spares after {within_s:g} s; {waiting}")
            await asyncio.sleep(0.02)

    async def stats(self) -> dict[str, Any]:
        """Figures for operators; plain values."""
        return figures(self)

    async def processes(self) -> list[dict[str, Any]]:
        """PSS and CPU time of every call process that answers; asking costs each some milliseconds."""
        names = self.residents.names("call")
        answers = await asyncio.gather(*(self.residents.query(n, "stats") for n in names), return_exceptions=True)
        return [{"name": n, **a} for n, a in zip(names, answers, strict=True) if isinstance(a, dict)]

    async def report(self, life: int = 0, number: int = 0) -> dict[str, Any]:
        """For the director: the figures, and what came and went since it asked last (`Tally.since`). Where it has
        missed something, `live` has every live call: [call, tenant]."""
        told = self.table.tally.since(life, number)
        live = [] if told["whole"] else [[row.call, row.tenant] for row in self.table.live()]
        return {**told, "live": live, "stats": figures(self)}

    async def keep(self, spares: int, slots_max: int = 0) -> None:
        """Keep so many spares warm, and carry at most `slots_max` calls (0 = as it was started)."""
        self.pool.keep(max(0, spares), slots_max if slots_max > 0 else self.options.slots_max)

    async def drain(self, on: bool = True, by: str = "") -> dict[str, Any]:
        """Take no new calls (and let the spares go), or take them again, as `by` says; live calls are not touched."""
        self.drained_by = by if on else ""
        self.pool.drain(on)
        return await self.stats()

    async def stop(self) -> None:
        """End everything that runs here. Calls that are live get a record of it."""
        for row in self.table.live():
            self._attendance.close(row, "the node was stopped")
        for task in self._tasks:
            task.cancel()
        self.shelf.forget()
        await asyncio.to_thread(self.shadows.end_all)
        await self.residents.close()
        await self._journal.close()
        await self.register.close()

    # --- telling residents ------------------------------------------------------------------------------------------

    def tell_gateways(self, *message: Any) -> None:
        """Send to every gateway of the node."""
        for name in self.residents.names("gateway"):
            gateway = self.residents.get(name)
            if gateway is not None:
                gateway.send(*message)

    # --- keeping the node -------------------------------------------------------------------------------------------

    async def _start_call_actor(self, name: str) -> None:
        resident = self.residents.expect(name, "call")
        ref = await asyncio.to_thread(
            ResidentRef.start_call_actor,
            name,
            self.node,
            self.places.endpoint,
            resident.token,
            self.departure.elsewhere,
        )
        self.residents.started(name, ref)

    async def _start_host(self, name: str, version: str, agent: str, spec: AgentSpec) -> None:
        note = {"version": version, "agent": agent, "seats": spec.calls_per_actor}
        resident = self.residents.expect(name, "agents", note)
        bundle = self.shelf.bundle(version)
        plain = spec.model_dump(mode="json")
        start = ResidentRef.start_agent_host
        ref = await asyncio.to_thread(
            start, name, self.node, self.places.endpoint, resident.token, agent, plain, bundle
        )
        self.residents.started(name, ref)

    async def _tend(self) -> None:
        while True:
            try:
                self.pool.tend()
                self.hosts.tend()
                self.swaps.tend()
            except Exception:
                log.exception("tending failed; it is tried again")  # this loop must never stop
            await asyncio.sleep(TEND_S)

    def _journal_health(self, up: bool, reason: str) -> None:
        if not up:
            log.error("the journal is away: %s", reason)
            self.intake.away(reason)

    def spawn(self, work: Any) -> None:
        """Run a coroutine beside all else, until the node is stopped."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
