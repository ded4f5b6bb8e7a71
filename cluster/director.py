"""The director: one for a cluster. Knows the nodes and their supervisors, picks the node that takes a call, forwards.

It keeps what is wanted (policy versions, engines, which nodes are cordoned) and brings nodes that join into that state.
It holds no call: a call that is live needs its node's supervisor at most, and that not always. After its own death it
finds the supervisors again by their names, and what is wanted from them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offhook.actors.contracts.call_operations import CallList, CallSummary
from offhook.actors.contracts.errors import UnknownPolicy
from offhook.actors.contracts.metrics import NODE
from offhook.actors.contracts.node_operations import CallRequest, EngineChoice, NodeFigures, Reservation, SwapOutcome
from offhook.actors.contracts.operations import Answering
from offhook.actors.node.node_metrics import NODE_CHARS
from offhook.actors.node.swaps import WITHIN_S, merged
from offhook.actors.process.exporter import Exporter
from offhook.actors.refs.handles import start_lasting
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.core.principal import NOBODY, Principal

from .admission_queue import AdmissionQueue
from .call_directory import CallDirectory
from .capacity_keeper import CapacityKeeper
from .capacity_rules import CapacityRules
from .desired_state import DesiredState
from .director_ref import NAME, DirectorRef
from .engine_registry import EngineRegistry
from .fleet_metrics import FleetMetrics
from .media import Gateways, StartGateway
from .nodes import ANSWER_S, Nodes
from .operations import ClusterFigures, Cost, MetricList, Resumption
from .publishing import Publishing
from .rollouts import Rollouts, keep_ticking
from .shadowing import Shadowing
from .state_store import MemoryAway, open_memory

log = logging.getLogger(__name__)

LOOK_S = 2.0  # between two looks at the nodes: a node that joins takes many seconds to do so
RESUME_S = 60.0  # a carrier asks the webhook within a second or two, and may ask again
RING_S_MAX = 15.0  # a carrier gives up on a webhook then
LOOPBACK = "127.0.0.1"
HEAD = "node:__internal_head__"  # the resource by which Ray marks the head node


class Director(Publishing, Answering):
    """Ray starts it; see `start_director`. What each operation does: `operations.py`.

    Args:
        options: those of every supervisor (`actors/node/options.py`).
        start_gateway: has a node's gateway started (`media.py`); None = there are none.
        resume_s: how long a call that nobody leads waits for its carrier; then it is closed.
        capacity: see `capacity_rules.py`; empty = the options' spares on every node, and nothing is scaled.
    """

    async def __init__(  # type: ignore[misc]  # Ray awaits it
        self,
        options: dict[str, Any],
        start_gateway: StartGateway | None = None,
        resume_s: float = RESUME_S,
        capacity: dict[str, Any] | None = None,
    ) -> None:
        self._gateways = Gateways(start_gateway)
        self._nodes = Nodes(options, self._bring_up, self._node_gone)
        self._calls = CallDirectory(self._nodes, resume_s)
        self._wanted = DesiredState(open_memory(str(options.get("journal") or ""), options["state_dir"]))
        self._engines = EngineRegistry(self._wanted, self._nodes)
        self._rollouts = Rollouts(self, self._wanted, Shadowing(self))
        rules = CapacityRules.of(capacity or {}, options)
        self._metrics = FleetMetrics()
        self._exporter = Exporter(self._metrics.text)
        self._desk = AdmissionQueue(rules.admission, self._place)
        self._capacity = CapacityKeeper(rules, self._nodes, self._desk, self._gateways.end, self._metrics)
        await self._recall()
        await self._nodes.look()
        await self._capacity.look()
        port = int(options.get("metrics_port", 0))
        await self._exporter.start(str(options.get("metrics_host", LOOPBACK)), port + 1 if port else 0)
        loop = asyncio.get_running_loop()
        self._keeping = loop.create_task(self._capacity.run())
        self._looking = loop.create_task(self._keep_looking())
        self._ticking = loop.create_task(keep_ticking(self._rollouts))

    # --- calls ------------------------------------------------------------------------------------------------------

    async def reserve(self, request: CallRequest) -> Reservation:
        """Place a call (`admission_queue.py`)."""
        try:
            return await self._desk.admit(self.led(request))
        except UnknownPolicy:
            raise self.unknown(request) from None

    async def _place(self, node: str, request: CallRequest) -> Reservation:
        media = await self._gateways.address(node)  # first: a node whose gateway is away is to lease nothing
        within_s = (request.wait_s or RING_S_MAX) + ANSWER_S
        placed = await self._nodes.ask(node, self._nodes.get(node).reserve(request), within_s)
        self._nodes.took(node)
        self._calls.placed(request.call, node)
        return replace(placed, media=media)

    async def find_node(self, call: str) -> str:
        """The node that has a call."""
        return await self._calls.find(call)

    async def resume(self, call: str) -> Resumption:
        """A call goes on."""
        node = await self._calls.resume(call)
        return Resumption(node, await self._gateways.address(node))

    async def calls(self, live: bool | None = None, limit: int = 0) -> CallList:
        """The calls of all nodes, each once: nodes that share a journal tell of its calls each."""
        lists = (await self._nodes.everywhere(lambda supervisor: supervisor.calls(live, limit))).values()
        listed = [row for each in lists for row in each.calls]
        found: dict[str, CallSummary] = {}
        for row in listed:
            before = found.setdefault(row.call, row)
            # Whoever leads it knows most, whoever has led it more than the journal's list.
            if (row.live, bool(row.owner)) > (before.live, bool(before.owner)):
                found[row.call] = row
        rows = sorted(found.values(), key=lambda row: -row.created_unix_ms)
        twice = len(listed) - len(rows)
        return CallList(tuple(rows[: limit or None]), sum(each.total for each in lists) - twice)

    # --- what is wanted ---------------------------------------------------------------------------------------------

    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """Live calls of all nodes go over."""
        order = (to_version, from_version, calls, deadline_ms, at_deadline)
        nodes = self._nodes.supervisors()
        within_s = deadline_ms / 1_000 + WITHIN_S
        asked = (self._nodes.ask(node, each.swap_policy(*order), within_s) for node, each in nodes.items())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return merged(dict(zip(nodes, answers, strict=True)))

    async def engines(self, recognizer: EngineChoice, synthesizer: EngineChoice) -> None:
        """Which speech engines are used."""
        await self._engines.want(recognizer, synthesizer)

    async def announce_engine(self, place: Mapping[str, str]) -> None:
        """A replica is there."""
        await self._engines.announce(place, asyncio.get_running_loop().time())

    async def withdraw_engine(self, replica: str) -> None:
        """A replica is there no more."""
        await self._engines.withdraw(replica)

    async def drain(self, node: str, on: bool = True, by: Principal = NOBODY) -> NodeFigures:
        """New calls or none."""
        supervisor = self._nodes.get(node)
        await self._wanted.cordon(node, on, self._nodes.names(), by)
        self._nodes.cordon(node, on)
        self._desk.cordon(node, on)
        return await supervisor.drain(on, by)

    async def stats(self) -> ClusterFigures:
        """All figures."""
        nodes = await self._nodes.everywhere(lambda s: s.stats())
        return ClusterFigures(
            nodes=nodes,
            calls=sum(told.calls for told in nodes.values()),
            free_slots=sum(told.free_slots for told in nodes.values()),
            cordoned=tuple(sorted(self._nodes.cordoned)),
            silent=tuple(sorted(self._nodes.silent)),
            unled=self._calls.unled,
            resuming=self._calls.resuming,
            capacity=self._capacity.figures(),
            metrics=self._exporter.address,
        )

    async def measured(self) -> MetricList:
        """All metrics."""
        nodes = await self._nodes.everywhere(lambda supervisor: supervisor.measured())
        rows = (
            replace(row, labels={NODE: node[:NODE_CHARS], **row.labels})
            for node, measured in nodes.items()
            for row in measured
        )
        return MetricList((*rows, *self._metrics.registry.rows()))

    async def cost(self) -> Cost:
        """What calls have cost."""
        return self._capacity.cost()

    async def nodes(self) -> list[str]:
        """Those that have a supervisor."""
        return self._nodes.names()

    async def ready(self) -> None:
        """Waits for the gateways."""
        await self._gateways.ready()

    async def stop(self) -> None:
        """End everything but the director itself."""
        self._looking.cancel()
        self._ticking.cancel()
        self._keeping.cancel()
        await self._gateways.stop()
        await self._nodes.everywhere(lambda s: s.stop())
        self._nodes.forget()

    # --- nodes ------------------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if not self._wanted.recalled:
                    await self._recall()
                await self._nodes.look()
                await self._engines.keep(asyncio.get_running_loop().time())
                await self._calls.sweep(asyncio.get_running_loop().time())
            except Exception:
                log.exception("looking at the nodes failed; it is tried again")  # this loop must never stop

    async def _bring_up(self, node: str, host: str, supervisor: SupervisorRef) -> None:
        """A node that joined gets a gateway and is offered what the others have."""
        await self._gateways.bring_up(node, host)
        await self._offer_all(node, supervisor)

    def _node_gone(self, node: str) -> None:
        self._gateways.forget(node)
        self._engines.lose(node)

    async def _offer_all(self, node: str, supervisor: SupervisorRef) -> None:
        has = await supervisor.stats()
        for version, kept in self._wanted.versions.items():
            if version not in has.policies:
                await supervisor.publish_policy(version, kept.policy, kept.bundle)
        await self._engines.tell(node, supervisor)
        if node in self._wanted.cordoned:
            await supervisor.drain(True, self._wanted.cordoned[node])

    async def _recall(self) -> None:
        """What was wanted before this director's start. While it cannot be read, nodes go on with what they have."""
        try:
            await self._wanted.recall()
            self._engines.recall(asyncio.get_running_loop().time())
            await self._rollouts.recall()
        except MemoryAway as fault:
            log.error("what is wanted cannot be recalled; it is tried again: %s", fault)
            return
        for node in self._wanted.cordoned:
            self._nodes.cordon(node, True)
        for node, supervisor in self._nodes.supervisors().items():
            await self._offer_all(node, supervisor)


def start_director(
    options: Mapping[str, Any],
    start_gateway: StartGateway | None = None,
    resume_s: float = RESUME_S,
    capacity: Mapping[str, Any] | None = None,
) -> DirectorRef:
    """The director, started where there is none; see `Director`. Blocks for a round trip to the control store.

    It lives on the head node: whatever ends that one takes the control store along, and other nodes may leave.
    """
    arguments = (dict(options), start_gateway, resume_s, dict(capacity or {}))
    return DirectorRef(start_lasting(Director, NAME, {"resources": {HEAD: 0.001}}, *arguments), NAME)
