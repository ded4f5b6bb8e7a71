"""The director: one for a cluster. Knows the nodes and their supervisors, picks the node that takes a call, forwards.

It keeps what is wanted (policy versions, engines, which nodes are cordoned) and brings nodes that join into that state.
It holds no call: a call that is live needs its node's supervisor at most, and that not always. After its own death it
finds the supervisors again by their names, and what is wanted from them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from offhook.actors.contracts.errors import LinkLost, UnknownPolicy
from offhook.actors.node.swaps import WITHIN_S, merged
from offhook.actors.process.exporter import Exporter
from offhook.actors.refs.handles import LASTING, NAMESPACE
from offhook.actors.refs.supervisor import SupervisorRef

from .admission_queue import AdmissionQueue
from .call_directory import CallDirectory
from .capacity_keeper import CapacityKeeper
from .capacity_rules import CapacityRules
from .desired_state import DesiredState
from .engine_registry import EngineRegistry
from .fleet_metrics import FleetMetrics
from .media import Gateways, StartGateway
from .nodes import ANSWER_S, Nodes
from .publishing import Publishing, PublishingRef
from .rollouts import Rollouts, keep_ticking
from .shadowing import Shadowing
from .state_store import MemoryAway, open_memory

log = logging.getLogger(__name__)

NAME = "director"
LOOK_S = 2.0  # between two looks at the nodes: a node that joins takes many seconds to do so
RESUME_S = 60.0  # a carrier asks the webhook within a second or two, and may ask again
RING_S_MAX = 15.0  # a carrier gives up on a webhook then
LOOPBACK = "127.0.0.1"
HEAD = "node:__internal_head__"  # the resource by which Ray marks the head node


class Director(Publishing):
    """Ray starts it; see `DirectorRef`.

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

    async def reserve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Place a call where a slot is free, within its ring budget (`admission_queue.py`).

        Raises:
            Overflow (a NoSpare): it gets none; says what becomes of it. Whatever else `Supervisor.reserve` raises.
        """
        try:
            return await self._desk.admit(self.led(request))
        except UnknownPolicy:
            raise self.unknown(request) from None

    async def _place(self, node: str, request: Mapping[str, Any]) -> dict[str, Any]:
        media = await self._gateways.address(node)  # first: a node whose gateway is away is to lease nothing
        within_s = float(request.get("wait_s") or RING_S_MAX) + ANSWER_S
        placed = await self._nodes.ask(node, self._nodes.get(node).reserve(request), within_s)
        self._nodes.took(node)
        self._calls.placed(str(request.get("call")), node)
        return {**placed, "media": media}

    async def find(self, call: str) -> str:
        """The node that leads a call, or else one that can tell of it. Raises: NoSuchCall."""
        return await self._calls.find(call)

    async def resume(self, call: str) -> dict[str, Any]:
        """Where a call goes on whose line broke: {node, media}. Another node adopts it where its own does not answer.

        Raises:
            NoSuchCall: it is over, or never was. NoSpare: nobody can take it now.
        """
        node = await self._calls.resume(call)
        return {"node": node, "media": await self._gateways.address(node)}

    async def calls(self) -> list[dict[str, Any]]:
        """The calls of all nodes, newest first."""
        rows = [row for answer in (await self._nodes.everywhere(lambda s: s.calls())).values() for row in answer]
        return sorted(rows, key=lambda row: -int(row["created_unix_ms"]))

    # --- what is wanted ---------------------------------------------------------------------------------------------

    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> dict[str, Any]:
        """Have live calls of all nodes led by another version; see `Supervisor.swap_policy`. Raises as that does."""
        order = (to_version, from_version, calls, deadline_ms, at_deadline)
        nodes = self._nodes.supervisors()
        within_s = deadline_ms / 1_000 + WITHIN_S
        asked = (self._nodes.ask(node, each.swap_policy(*order), within_s) for node, each in nodes.items())
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return merged(dict(zip(nodes, answers, strict=True)))

    async def engines(self, recognizer: dict[str, Any], synthesizer: dict[str, Any]) -> None:
        """Which speech engines calls use, on every node, now and on those that join; see `Supervisor.engines`."""
        await self._engines.want(recognizer, synthesizer)

    async def announce_engine(self, place: dict[str, str]) -> None:
        """An engine's replica listens there (`actors/engines/engine_places.py`); it says so again and again."""
        await self._engines.announce(place, asyncio.get_running_loop().time())

    async def withdraw_engine(self, replica: str) -> None:
        """An engine's replica takes no calls any more."""
        await self._engines.withdraw(replica)

    async def drain(self, node: str, on: bool = True) -> dict[str, Any]:
        """Give a node no new calls; its live ones stay. Raises: LinkLost: no such node."""
        supervisor = self._nodes.get(node)
        await self._wanted.cordon(node, on, self._nodes.names())
        (self._nodes.cordoned.add if on else self._nodes.cordoned.discard)(node)
        self._desk.cordon(node, on)
        return await supervisor.drain(on)

    async def stats(self) -> dict[str, Any]:
        """Figures of every node."""
        nodes = await self._nodes.everywhere(lambda s: s.stats())
        return {
            "nodes": nodes,
            "calls": sum(int(told["calls"]) for told in nodes.values()),
            "free_slots": sum(int(told["free_slots"]) for told in nodes.values()),
            "cordoned": sorted(self._nodes.cordoned),
            "silent": sorted(self._nodes.silent),
            "metrics": self._exporter.address,
            **self._calls.figures(),
            "capacity": self._capacity.figures(),
        }

    async def measured(self) -> dict[str, Any]:
        """The metrics of every node that answers, and the fleet's: {nodes: {node: rows}, fleet: rows}."""
        return {
            "nodes": await self._nodes.everywhere(lambda s: s.measured()),
            "fleet": self._metrics.registry.rows(),
        }

    async def cost(self) -> dict[str, Any]:
        """What calls have cost, by policy version and tenant."""
        return self._capacity.cost()

    async def nodes(self) -> list[str]:
        """The nodes that have a supervisor."""
        return self._nodes.names()

    async def ready(self) -> None:
        """Waits until carriers can bring audio to every node. Raises: StartFault: a media port is taken."""
        await self._gateways.ready()

    async def stop(self) -> None:
        """End every node's gateway, residents and supervisor."""
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
            if version not in has["policies"]:
                await supervisor.publish_policy(version, kept.policy, kept.bundle)
        await self._engines.tell(node, supervisor)
        if node in self._wanted.cordoned:
            await supervisor.drain(True)

    async def _recall(self) -> None:
        """What was wanted before this director's start. While it cannot be read, nodes go on with what they have."""
        try:
            await self._wanted.recall()
            self._engines.recall(asyncio.get_running_loop().time())
            await self._rollouts.recall()
        except MemoryAway as fault:
            log.error("what is wanted cannot be recalled; it is tried again: %s", fault)
            return
        self._nodes.cordoned |= self._wanted.cordoned
        for node, supervisor in self._nodes.supervisors().items():
            await self._offer_all(node, supervisor)


class DirectorRef(PublishingRef):
    """The cluster's director, wherever it runs."""

    @classmethod
    def start(
        cls,
        options: Mapping[str, Any],
        start_gateway: StartGateway | None = None,
        resume_s: float = RESUME_S,
        capacity: Mapping[str, Any] | None = None,
    ) -> DirectorRef:
        """The director, started where there is none. Blocks for a round trip to the control store.

        It lives on the head node: whatever ends that one takes the control store along, and other nodes may leave.
        """
        handle = (
            ray.remote(Director)
            .options(name=NAME, resources={HEAD: 0.001}, **LASTING)
            .remote(dict(options), start_gateway, resume_s, dict(capacity or {}))
        )
        return cls(handle, NAME)

    @classmethod
    def find(cls) -> DirectorRef:
        """Raises:
        LinkLost: the cluster has none.
        """
        try:
            return cls(ray.get_actor(NAME, namespace=NAMESPACE), NAME)
        except ValueError as error:
            raise LinkLost("this cluster has no director; is offhook up?") from error

    async def reserve(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return dict(await self.order("reserve", dict(request)))

    async def resume(self, call: str) -> dict[str, Any]:
        """Where a call goes on whose line broke: {node, media}. Raises: NoSuchCall, NoSpare."""
        return dict(await self.ask("resume", call))

    async def supervisor(self, call: str) -> SupervisorRef:
        """The supervisor of the node that has a call. Raises: NoSuchCall."""
        return SupervisorRef.find(str(await self.ask("find", call)))

    async def nodes(self) -> list[str]:
        return list(await self.ask("nodes"))

    async def calls(self) -> list[dict[str, Any]]:
        return list(await self.ask("calls"))

    async def swap_policy(
        self, to_version: str, from_version: str, calls: Sequence[str], deadline_ms: int, at_deadline: str
    ) -> dict[str, Any]:
        """Swap live calls to another version: {asked, swapped, kept, refused: {call: why}}; see `Supervisor`."""
        return dict(await self.ask("swap_policy", to_version, from_version, list(calls), deadline_ms, at_deadline))

    async def engines(self, recognizer: Mapping[str, Any], synthesizer: Mapping[str, Any]) -> None:
        await self.ask("engines", dict(recognizer), dict(synthesizer))

    async def announce_engine(self, place: Mapping[str, str]) -> None:
        await self.ask("announce_engine", dict(place))

    async def withdraw_engine(self, replica: str) -> None:
        await self.ask("withdraw_engine", replica)

    async def drain(self, node: str, on: bool = True) -> dict[str, Any]:
        return dict(await self.ask("drain", node, on))

    async def stats(self) -> dict[str, Any]:
        return dict(await self.ask("stats"))

    async def ready(self) -> None:
        """Waits until carriers can bring audio. Raises: StartFault."""
        await self.ask("ready")

    async def measured(self) -> dict[str, Any]:
        return dict(await self.ask("measured"))

    async def cost(self) -> dict[str, Any]:
        return dict(await self.ask("cost"))

    async def stop(self) -> None:
        """End everything that offhook runs in this cluster, the director last."""
        await self.ask("stop")
        self.kill()
