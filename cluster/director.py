"""The director: one for a cluster. Knows the nodes and their supervisors, picks the node that takes a call, forwards.

It keeps what is wanted (policy versions, engines, which nodes are cordoned) and brings nodes that join into that state.
It holds no call: a call that is live needs its node's supervisor at most, and that not always. After its own death it
finds the supervisors again by their names, and what is wanted from them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import ray
from offhook.actors.errors import LinkLost, NoSpare
from offhook.actors.refs import NAMESPACE, ActorRef, SupervisorRef

from .media import Gateways, StartGateway
from .nodes import ANSWER_S, Nodes
from .whereabouts import Whereabouts

log = logging.getLogger(__name__)

NAME = "director"
LOOK_S = 2.0  # between two looks at the nodes: a node that joins takes many seconds to do so
FULL_WAIT_S = 0.5  # for a spare on a node that is not the last choice
RESUME_S = 60.0  # a carrier asks the webhook within a second or two, and may ask again
RING_S_MAX = 15.0  # a carrier gives up on a webhook then
HEAD = "node:__internal_head__"  # the resource by which Ray marks the head node


class Director:
    """Ray starts it; see `DirectorRef`.

    Args:
        options: those of every supervisor (`actors/options.py`).
        start_gateway: has a node's gateway started (`media.py`); None = there are none.
        resume_s: how long a call that nobody leads waits for its carrier; then it is closed.
    """

    async def __init__(  # type: ignore[misc]  # Ray awaits it
        self, options: dict[str, Any], start_gateway: StartGateway | None = None, resume_s: float = RESUME_S
    ) -> None:
        self._gateways = Gateways(start_gateway)
        self._nodes = Nodes(options, self._bring_up, self._gateways.forget)
        self._calls = Whereabouts(self._nodes, resume_s)
        self._policies: dict[str, tuple[dict[str, Any], str | bytes]] = {}
        self._engines: tuple[dict[str, Any], dict[str, Any]] | None = None
        await self._nodes.look()
        self._looking = asyncio.get_running_loop().create_task(self._keep_looking())

    # --- calls ------------------------------------------------------------------------------------------------------

    async def reserve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Place a call on the node with the most free slots; on the next one where that has no spare in time.

        Raises:
            NoSpare: no node has one. Whatever else `Supervisor.reserve` raises.
        """
        nodes = self._nodes.by_room()
        refusals = []
        for number, node in enumerate(nodes):
            last = number == len(nodes) - 1
            asked = request if last else {**request, "wait_s": FULL_WAIT_S}
            try:
                within_s = float(asked.get("wait_s") or RING_S_MAX) + ANSWER_S
                placed = await self._nodes.ask(node, self._nodes.get(node).reserve(asked), within_s)
            except (NoSpare, LinkLost) as fault:
                refusals.append(f"{node[:8]}: {fault}")
                continue
            self._nodes.took(node)
            self._calls.placed(str(request.get("call")), node)
            return {**placed, "media": await self._gateways.address(node)}
        raise NoSpare("; ".join(refusals) or "no node takes calls now")

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

    async def publish_policy(self, version: str, policy: dict[str, Any], bundle: str | bytes = "") -> None:
        """Offer a policy version to new calls on every node, now and on those that join. Raises: PolicyError."""
        for supervisor in self._nodes.supervisors().values():
            await supervisor.publish_policy(version, policy, bundle)
        self._policies.pop(version, None)
        self._policies[version] = (policy, bundle)

    async def engines(self, recognizer: dict[str, Any], synthesizer: dict[str, Any]) -> None:
        """Where new calls find their speech engines, on every node, now and on those that join."""
        for supervisor in self._nodes.supervisors().values():
            await supervisor.engines(recognizer, synthesizer)
        self._engines = (recognizer, synthesizer)

    async def drain(self, node: str, on: bool = True) -> dict[str, Any]:
        """Give a node no new calls; its live ones stay. Raises: LinkLost: no such node."""
        supervisor = self._nodes.get(node)
        (self._nodes.cordoned.add if on else self._nodes.cordoned.discard)(node)
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
            **self._calls.figures(),
        }

    async def nodes(self) -> list[str]:
        """The nodes that have a supervisor."""
        return self._nodes.names()

    async def ready(self) -> None:
        """Waits until carriers can bring audio to every node. Raises: StartFault: a media port is taken."""
        await self._gateways.ready()

    async def stop(self) -> None:
        """End every node's gateway, residents and supervisor."""
        self._looking.cancel()
        await self._gateways.stop()
        await self._nodes.everywhere(lambda s: s.stop())
        self._nodes.forget()

    # --- nodes ------------------------------------------------------------------------------------------------------

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self._nodes.look()
                await self._calls.sweep(asyncio.get_running_loop().time())
            except Exception:
                log.exception("looking at the nodes failed; it is tried again")  # this loop must never stop

    async def _bring_up(self, node: str, host: str, supervisor: SupervisorRef) -> None:
        """A node that joined gets a gateway and is offered what the others have."""
        await self._gateways.bring_up(node, host)
        has = await supervisor.stats()
        for version, (policy, bundle) in self._policies.items():
            if version not in has["policies"]:
                await supervisor.publish_policy(version, policy, bundle)
        if self._engines is not None:
            await supervisor.engines(*self._engines)


class DirectorRef(ActorRef):
    """The cluster's director, wherever it runs."""

    @classmethod
    def start(
        cls, options: Mapping[str, Any], start_gateway: StartGateway | None = None, resume_s: float = RESUME_S
    ) -> DirectorRef:
        """The director, started where there is none. Blocks for a round trip to the control store.

        It lives on the head node: whatever ends that one takes the control store along, and other nodes may leave.
        """
        handle = (
            ray.remote(Director)
            .options(
                name=NAME,
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                resources={HEAD: 0.001},
                max_restarts=-1,
                max_concurrency=1_000,
                enable_task_events=False,
            )
            .remote(dict(options), start_gateway, resume_s)
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

    async def publish_policy(self, version: str, policy: Mapping[str, Any], bundle: str | bytes = "") -> None:
        await self.ask("publish_policy", version, dict(policy), bundle)

    async def engines(self, recognizer: Mapping[str, Any], synthesizer: Mapping[str, Any]) -> None:
        await self.ask("engines", dict(recognizer), dict(synthesizer))

    async def drain(self, node: str, on: bool = True) -> dict[str, Any]:
        return dict(await self.ask("drain", node, on))

    async def stats(self) -> dict[str, Any]:
        return dict(await self.ask("stats"))

    async def ready(self) -> None:
        """Waits until carriers can bring audio. Raises: StartFault."""
        await self.ask("ready")

    async def stop(self) -> None:
        """End everything that offhook runs in this cluster, the director last."""
        await self.ask("stop")
        self.kill()
