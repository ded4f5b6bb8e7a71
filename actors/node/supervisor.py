"""The supervisor of one node: keeps warm call actors, leases calls to them, watches, restarts, and keeps the journal.

An async Ray actor, detached, restarted by Ray for ever. Nothing that is live needs it: while it is away calls talk on,
and after its return residents connect again and say what runs in them; table and leases are rebuilt from that and from
the journal. Each part has a file of its own (pool, hosts, residents, intake, leases); here they meet, and here is what
the director asks of a node (declared in `contracts/node_operations.py`, where every operation is described). What is
asked about single calls is `call_queries.py`'s, what residents do, and what follows, `worker_events.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from dataclasses import replace
from typing import Any

from offhook.policies.core.errors import CallerFault, OffhookError
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.principal import NOBODY, Principal

from ..call.swap import FORCE
from ..contracts.errors import NoSpare
from ..contracts.metrics import MetricRow
from ..contracts.node_messages import EnginesMoved
from ..contracts.node_operations import (
    ArmReport,
    Bundle,
    CallProcess,
    CallRequest,
    Change,
    EngineChoice,
    Enlisted,
    NodeFigures,
    NodeOperations,
    NodeReport,
    PlainPolicy,
    Reservation,
    ShadowOrder,
    ShadowReport,
    SwapOutcome,
)
from ..contracts.operations import Answering, read
from ..journals.damage_monitor import DamageMonitor, Damages
from ..journals.stores import open_journal, open_register
from ..process.clock import boot
from ..process.exporter import Exporter
from ..process.raylet import Raylet
from ..refs.handles import ResidentRef
from .agent_pool import AgentPool
from .call_endings import CallEndings
from .call_followers import CallFollowers
from .call_pool import CallPool, Standing
from .call_queries import CallQueries
from .call_start import CallStart, Parts
from .call_table import CallRow, CallTable, Doubts
from .catalog import Catalog
from .change_feed import STARTED
from .figures import Figures, drift_ms
from .http_tool import offered
from .intake import Intake
from .leases import LeaseBook
from .node_loss import NodeLoss
from .node_metrics import NodeMetrics
from .options import Options
from .orphans import Orphans
from .outbox import Outbox
from .outcomes import STOPPED
from .recovery import Recovery
from .residents import Residents
from .shadow_refs import ShadowRefs
from .swaps import Swaps
from .takeover import Takeovers
from .worker_events import WorkerEvents
from .workers import start_agent_host, start_call_actor

log = logging.getLogger(__name__)

TEND_S = 0.5
LATE_MS = 15.0  # of drift: half of that at which a node takes no more calls; a start would add to it
CALM_MS = 2_000  # a call that fails again and again waits no longer for a pause in which its policy can be swapped
SWITCH_S = 0.0005  # other threads give way to the loop within this; Python's 5 ms, again and again, delay a takeover


class Supervisor(CallQueries, NodeOperations, Answering):
    """One node's supervisor. Ray starts it; see `refs.SupervisorRef`."""

    async def __init__(self, node: str, options: dict[str, Any]) -> None:  # type: ignore[misc]  # Ray awaits it
        self.node = node
        self.options = Options.from_map(options)
        self._tasks: set[asyncio.Task[Any]] = set()
        sys.setswitchinterval(SWITCH_S)
        self.places = self.options.places(node)
        self.table = CallTable()
        self.leases = LeaseBook()
        self.damages = Damages()
        store = open_journal(self.places.journal, self._journal_health, on_damage=self.damages.of_store)
        self._journal = DamageMonitor(store, self.damages)
        self.catalog = Catalog(self.places.memory, node, boot())
        self.metrics = NodeMetrics(node, self.catalog, lambda: self._figures.told())
        self.exporter = Exporter(self.metrics.text)
        registry = self.metrics.registry
        self.intake = Intake(self._journal, self.table, self.tell, self._moved, registry)
        self.residents = Residents(self.places.roster, self.options.hung_ms, registry)
        self.node_loss = NodeLoss(Raylet(), self._journal, self.residents)
        self.pool = CallPool(self.options.sizes(), self._start_call_actor, self.residents.end)
        self.pool.late = lambda: drift_ms(self.residents.watch.drifts()) >= LATE_MS
        self.pool.on_start = lambda took_s: self.table.change_feed.note(Change(STARTED, took_s=took_s))
        self.hosts = AgentPool(self._start_host, self.residents.end)
        self.register = open_register(self.places.journal, self.places.tools, node)
        self.outbox = Outbox(self.register, offered(self.options.tools), self.leases, self.residents)
        self.shadows = ShadowRefs(node, self.catalog)
        self.catalog.prices = self.options.prices
        self._compose()
        await self._recover()
        await self.exporter.start(self.options.metrics_host, self.options.metrics_port)
        self.node_loss.watch()
        self.spawn(self._tend())

    def _compose(self) -> None:
        """The parts that work together on calls, each with those that it uses."""
        doubts = Doubts()
        self._endings = endings = CallEndings(
            self.table, doubts, self.leases, self.intake, self.hosts, self.residents, self.node_loss, self.metrics
        )
        parts = Parts(
            self.catalog,
            self.pool,
            self.hosts,
            self.residents,
            self.leases,
            self.table,
            self._journal,
            endings.close,
            self.metrics.registry,
        )
        self.call_start = call_start = CallStart(parts, self.options.ring_ms)
        wait_s = self.options.takeover_ms / 1_000
        self.takeovers = takeovers = Takeovers(
            parts, self.intake, call_start, self.tell_gateways, endings.close, doubts, wait_s
        )
        self.orphans = Orphans(parts, takeovers)
        self.recovery = Recovery(parts, takeovers, self.intake, self.spawn)
        self.followers = CallFollowers(self.recovery.owner)
        self.swaps = Swaps(parts, call_start, takeovers)
        self.intake.led_by = self.swaps.led_by
        takeovers.left = lambda: self.node_loss.left
        takeovers.calm = lambda row: self.spawn(self.swaps.swap(row.calmed, "", [row.call], CALM_MS, FORCE))
        self._figures = Figures(
            self.node, self.places, parts, self.intake, takeovers, self.swaps, self.outbox, self.damages, self.exporter
        )
        self._worker_events = WorkerEvents(
            parts,
            intake=self.intake,
            outbox=self.outbox,
            call_start=call_start,
            endings=endings,
            takeovers=takeovers,
            recovery=self.recovery,
            swaps=self.swaps,
            spawn=self.spawn,
        )

    def _moved(self, row: CallRow, why: str) -> None:
        self._endings.moved(row, why)

    async def _recover(self) -> None:
        """Find again whom this node's supervisor had started and what it offered, in its former life."""
        found = await asyncio.to_thread(self.residents.recover, ResidentRef.find)
        for resident in found:
            if resident.role == "call":
                self.pool.expect(resident.name)
            elif resident.role == "agents":
                self.hosts.expect(resident.name, **resident.note)
        for version in self.catalog.recall():
            self.hosts.offer(version, self.catalog.policy(version))
        self.recovery.begin(found)
        await self.residents.open(self.places.endpoint, self._worker_events.owner())
        self.residents.await_recovered()
        log.info("listening at %s; %d residents were here", self.places.endpoint, len(found))

    # --- API: calls -------------------------------------------------------------------------------------------------

    async def reserve(self, request: CallRequest) -> Reservation:
        """Lease a call actor."""
        try:
            self.node_loss.may_begin()
            row = await self.call_start.begin(request)
        except OffhookError as fault:
            self.metrics.refused(fault, self.pool.draining)
            raise
        if row.arm:
            self.intake.arms.began(row.call, row.arm, seated=not set(row.agent_tokens) - set(row.seats))
        return Reservation(row.call, self.node, row.epoch, row.endpoint, row.media_token)

    # --- API: the node ----------------------------------------------------------------------------------------------

    async def publish_policy(self, version: str, policy: PlainPolicy, bundle: Bundle = "") -> None:
        """Offer a version."""
        self.hosts.offer(version, self.catalog.publish(version, policy, bundle))

    async def arms(self) -> ArmReport:
        """Counts of rollouts."""
        return self.intake.arms.figures()

    async def shadow(self, order: ShadowOrder, after_row: int = -1, after_trial: int = -1) -> ShadowReport:
        """Shadows, and what they have found."""
        return await self.shadows.ask(order, after_row, after_trial)

    async def unshadow(self, rollout: str) -> None:
        """No shadows of it any more."""
        await asyncio.to_thread(self.shadows.end, rollout)

    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """Live calls go over to another version."""
        return await self.swaps.swap(to_version, from_version, calls, deadline_ms, at_deadline)

    async def withdraw_policy(self, version: str) -> None:
        """Take a version off."""
        self.swaps.withdraw(version)

    async def engines(self, recognizer: EngineChoice, synthesizer: EngineChoice) -> None:
        """Where the speech engines are."""
        self.catalog.offer_engines(recognizer, synthesizer)
        for row in self.table.live():
            told = self.catalog.engines_for(row.policy_version)
            self.tell(row, *EnginesMoved(row.call, list(told.recognizer_endpoints), list(told.synthesizer_endpoints)))

    async def enlist(self, role: str, name: str) -> Enlisted:
        """A gateway may connect."""
        if role != "gateway":
            raise CallerFault(f"role {role!r}: only gateways enlist; others are started here")
        resident = self.residents.expect(name, role)
        return Enlisted(self.places.endpoint, resident.token, self.node_loss.elsewhere)

    async def ready(self, spares: int = 1, within_s: float = 60.0) -> NodeFigures:
        """Waits for spares and hosts."""
        deadline = time.monotonic() + within_s
        while True:
            waiting = [row for row in self.hosts.stats() if not row.up]
            if self.pool.count(Standing.SPARE) >= spares and not waiting:
                return await self.stats()
            if time.monotonic() > deadline:
                raise NoSpare(f"{self.pool.count(Standing.SPARE)} of {spares} spares after {within_s:g} s; {waiting}")
            await asyncio.sleep(0.02)

    async def stats(self) -> NodeFigures:
        """The node's figures."""
        return self._figures.told()

    async def measured(self) -> list[MetricRow]:
        """Everything that was measured."""
        return self.metrics.look().rows()

    async def processes(self) -> list[CallProcess]:
        """The call processes that answer."""
        names = self.residents.names("call")
        answers = await asyncio.gather(*(self.residents.query(n, "stats") for n in names), return_exceptions=True)
        told = ({"name": n, **a} for n, a in zip(names, answers, strict=True) if isinstance(a, dict))
        return [read(CallProcess, each, f"the figures of {each['name']}") for each in told]

    async def report(self, life: int = 0, number: int = 0) -> NodeReport:
        """The figures, and what is new."""
        told = self.table.change_feed.since(life, number, self._figures.told())
        return told if told.whole else replace(told, live=tuple((row.call, row.tenant) for row in self.table.live()))

    async def keep(self, spares: int, slots_max: int = 0) -> None:
        """How many spares and calls."""
        self.pool.keep(max(0, spares), slots_max if slots_max > 0 else self.options.slots_max)

    async def drain(self, on: bool = True, by: Principal = NOBODY) -> NodeFigures:
        """New calls or none."""
        self.pool.drain(on, by)
        return await self.stats()

    async def stop(self) -> None:
        """End everything that runs here."""
        for row in self.table.live():
            self._endings.close(row, STOPPED)
        for task in self._tasks:
            task.cancel()
        self.catalog.forget()
        await self.exporter.stop()
        self.followers.close()
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
            start_call_actor,
            name,
            self.node,
            self.places.endpoint,
            resident.token,
            self.node_loss.elsewhere,
        )
        self.residents.started(name, ref)

    async def _start_host(self, name: str, version: str, agent: str, spec: AgentSpec) -> None:
        note = {"version": version, "agent": agent, "seats": spec.calls_per_actor}
        resident = self.residents.expect(name, "agents", note)
        bundle = self.catalog.bundle(version)
        plain = spec.model_dump(mode="json")
        ref = await asyncio.to_thread(
            start_agent_host, name, self.node, self.places.endpoint, resident.token, agent, plain, bundle
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
