"""Keeps the cluster's capacity: asks every node how it fares, and tells those who decide by it.

One look after the other: the nodes' reports go to the front desk (who may have a slot), to scaling (how many nodes and
spares), to the accounts (what calls cost) and to the metrics. Nothing is decided here. While callers ring, looks follow
each other faster: a slot that comes free is theirs at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.node_operations import NodeFigures, NodeReport
from offhook.actors.node.change_feed import BEGAN, ENDED, STARTED
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.core.principal import Principal, PrincipalKind
from offhook.policies.fleet.capacity import Lead
from offhook.policies.fleet.cost import MINUTE_S, Account, Accounts, Usage, bill
from offhook.policies.fleet.node_lifecycle import SCALING, NodeMove, NodeStage

from .admission_queue import AdmissionQueue
from .capacity_rules import CapacityRules
from .fleet_metrics import FleetMetrics
from .nodes import Nodes
from .operations import CapacityFigures, Cost, CostRow
from .ray_executor import RayExecutor, Seen, nodes_seen
from .scaling import Node, Scaling

log = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks: a spare takes about as long to start
EARLY = 0.9  # of it: timers are not exact, and a look that is left out is another two seconds
RING_LOOK_S = 0.1  # while somebody rings
REPORTS_PER_S = 200.0  # at most, in a large cluster: an actor call costs the director 0.7 ms of a core
REPORT_S = 5.0  # for a node's answer: a restarted supervisor is there again after 2 s
# Closes the nodes without that resource in a cluster that is scaled by it.
NO_SLOTS = Principal(PrincipalKind.SYSTEM, "no call_slot")


class CapacityKeeper:
    """One cluster's.

    Args:
        nodes: the director's.
        desk: the front desk that is told of them.
        let_go: awaited before a node is released; ends its gateway.
        metrics: None = nobody measures.
        see: what Ray says of its nodes; blocks.
    """

    def __init__(
        self,
        rules: CapacityRules,
        nodes: Nodes,
        desk: AdmissionQueue,
        let_go: Callable[[str], Awaitable[None]] | None = None,
        metrics: FleetMetrics | None = None,
        see: Callable[[], Seen] = nodes_seen,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = rules
        self.accounts = Accounts()
        self.since_unix_s = time.time()
        self._nodes = nodes
        self._desk = desk
        self._metrics = metrics
        self._see = see
        self._now_s = now_s
        self._scaled_s = -LOOK_S
        self._slots: dict[str, int] = {}  # node -> calls that it carries
        most = rules.spares_max or (1_000 if rules.scale else rules.spares_min)
        goals = rules.goals.model_copy(
            update={"node_spares_min": rules.spares_min, "node_spares_max": max(most, rules.spares_min)}
        )
        executor = RayExecutor(nodes.supervisors, self._slots_of, let_go, rules.scale)
        self.scaling = Scaling(goals, executor, Lead(look_s=LOOK_S))
        self._cursors: dict[str, tuple[int, int]] = {}
        self._soon = asyncio.Event()
        desk.on_ask = self.scaling.arrived
        desk.on_wait = self._soon.set

    def _slots_of(self, node: str) -> int:
        return self._slots.get(node, 0)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await self.rest()
            try:
                await self.look()
            except Exception:
                log.exception("looking at the capacity failed; it is tried again")  # this loop must never stop

    async def rest(self) -> None:
        """Until the next look is due."""
        crowd_s = len(self._cursors) / REPORTS_PER_S
        if self._desk.desk.waiting():
            await asyncio.sleep(max(RING_LOOK_S, crowd_s))
            return
        self._soon.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(LOOK_S, crowd_s)):
                await self._soon.wait()

    # --- one look ---------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Ask every node, and tell everybody who decides by it."""
        asked_ms = time.monotonic_ns() // 1_000_000
        advertised, leaving = await asyncio.to_thread(self._see)
        reports = await self._reports()
        for node in set(self._cursors) - set(self._nodes.names()):
            del self._cursors[node]
            self._desk.gone(node)
        rows = []
        for node, report in reports.items():
            self._book(node, report)
            row = self._row(node, report.stats, advertised.get(node, 0), node in leaving)
            if row is None:
                await self._close(node, report.stats)
                continue
            self._desk.told(node, report.stats, row.slots, row.stage is not NodeStage.SERVING, asked_ms)
            rows.append(row)
        self._desk.turn()
        now_s = self._now_s()
        if now_s - self._scaled_s >= LOOK_S * EARLY:
            self._scaled_s = now_s
            await self._scale(now_s, rows)
            self._measure(len(reports))

    async def _scale(self, now_s: float, rows: list[Node]) -> None:
        """At every look but the fast ones: arrivals within a moment say little of a rate."""
        orders = await self.scaling.look(now_s, rows, self._desk.desk.waiting())
        for node in orders.cordon:  # not only at the next look
            self._desk.silent(node)
        for node in self.scaling.let_go:
            self._nodes.stages.move(node, NodeMove.RELEASE)

    async def _reports(self) -> dict[str, NodeReport]:
        supervisors = self._nodes.supervisors()
        answers = await asyncio.gather(*(self._report(node, each) for node, each in supervisors.items()))
        return {node: answer for node, answer in zip(supervisors, answers, strict=True) if answer is not None}

    async def _report(self, node: str, supervisor: SupervisorRef) -> NodeReport | None:
        life, number = self._cursors.get(node, (0, 0))
        try:
            async with asyncio.timeout(REPORT_S):
                report = await supervisor.report(life, number)
        except (LinkLost, TimeoutError) as fault:
            log.warning("node %s does not report: %s", node[:8], fault)
            self._desk.silent(node)
            return None
        self._cursors[node] = report.life, report.number
        return report

    def _book(self, node: str, report: NodeReport) -> None:
        """Take down what came and went on a node since it was asked last."""
        if not report.whole:
            self.scaling.forget(node)
            if report.all:  # all calls of this supervisor are on the account
                self.since_unix_s = min(self.since_unix_s, report.life / 1e9)
            self._desk.only(node, {call for call, _ in report.live})
            for call, tenant in report.live:
                self._desk.began(call, tenant, node)
        for each in report.changes:
            if each.kind == BEGAN:
                self._desk.began(each.call, each.tenant, node)
            elif each.kind == ENDED:
                self._desk.ended(each.call, node)
                self.scaling.ended(each.took_s)
                # Without a word of its process (it was killed, and nobody took it over) the carrier still charges.
                used = each.usage or Usage(talk_s=each.took_s, carrier_s=each.took_s)
                self.accounts.add(each.policy_version, each.tenant, bill(used, self.rules.prices))
            elif each.kind == STARTED:
                self.scaling.spare_started(each.took_s)

    def _row(self, node: str, stats: NodeFigures, advertised: int, leaving: bool) -> Node | None:
        """A node as scaling sees it; None = it takes no calls, ever."""
        rules = self.rules
        if rules.scale and not advertised:
            return None
        slots = self._slots[node] = advertised or stats.slots
        by_hand = node in self._nodes.cordoned or (stats.draining and stats.drained_by != SCALING.text)
        calls = stats.calls + self._desk.desk.promised(node)
        return Node(
            node,
            calls,
            stats.spare,
            slots,
            self._nodes.stages.told(node, stats.draining, by_hand, leaving),
            fixed=not rules.scale,
        )

    async def _close(self, node: str, stats: NodeFigures) -> None:
        """A node that takes no calls keeps no spares either."""
        if stats.draining:
            return
        supervisor = self._nodes.supervisors().get(node)
        if supervisor is not None:
            with contextlib.suppress(LinkLost):
                await supervisor.drain(True, NO_SLOTS)

    # --- what it tells ------------------------------------------------------------------------------------------------

    def figures(self) -> CapacityFigures:
        """Wanted and offered, for operators."""
        scaling, orders = self.scaling, self.scaling.orders
        return CapacityFigures(
            scaled=self.rules.scale,
            offered_erlangs=round(scaling.traffic.offered, 2),
            arrivals_per_s=round(scaling.traffic.rate_per_s, 3),
            holding_s=round(scaling.traffic.holding_s, 1),
            spare_start_s=round(scaling.lead.spare_s, 2),
            node_start_s=round(scaling.lead.node_s, 1),
            nodes_wanted=self._nodes_wanted(),
            spares_wanted=dict(orders.spares) if orders else {},
            why=orders.why if orders else "",
            admission=self._desk.figures(),
        )

    def cost(self) -> Cost:
        """What calls have cost since this director began to count: rows by policy version and tenant, and their sum."""
        rows = (cost_row(account, version, tenant) for version, tenant, account in self.accounts.rows())
        prices = self.rules.prices.model_dump()
        return Cost(round(self.since_unix_s, 3), prices, tuple(rows), cost_row(self.accounts.of()))

    def _nodes_wanted(self) -> int:
        orders = self.scaling.orders
        if not self.rules.scale or orders is None:
            return len(self._cursors)
        return orders.slots // orders.slots_per_node

    def _measure(self, answering: int) -> None:
        if self._metrics is None:
            return
        self._metrics.nodes(answering, len(self._nodes.supervisors()) - answering, self._nodes_wanted())
        desk = self._desk.desk
        self._metrics.callers(self.scaling.traffic.offered, desk.waiting(), desk.counts)
        self._metrics.cost(self.accounts.of().cents)


def cost_row(account: Account, version: str = "", tenant: str = "") -> CostRow:
    """An account as it is told."""
    return CostRow(
        calls=account.calls,
        talk_min=account.talk_s / MINUTE_S,
        cents=account.cents,
        cents_per_minute=account.cents_per_minute,
        items=dict(account.items),
        policy_version=version,
        tenant=tenant,
    )
