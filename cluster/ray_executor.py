"""Carries the orders of `scaling.py` out on Ray: autoscaler, supervisors, node drain. Decides nothing.

The only caller of `request_resources`: the autoscaler keeps one request for the whole cluster, and the last one wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import ray
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.fleet.node_lifecycle import SCALING
from ray.autoscaler.sdk import request_resources

from . import ray_private
from .scaling import SLOT


class RayExecutor:
    """Carries out.

    Args:
        supervisors: the director's present ones, by node; looked up at every order.
        slots: how many calls a node may carry; 0 = as its supervisor was started.
        let_go: awaited before a node is released; ends what else is pinned to it (its gateway).
        scale: False = nobody is asked for nodes, and none is released.
    """

    def __init__(
        self,
        supervisors: Callable[[], Mapping[str, SupervisorRef]],
        slots: Callable[[str], int] = lambda _node: 0,
        let_go: Callable[[str], Awaitable[None]] | None = None,
        scale: bool = True,
    ) -> None:
        self._supervisors = supervisors
        self._slots = slots
        self._let_go = let_go
        self._scale = scale

    async def request_slots(self, bundles: list[dict[str, float]]) -> None:
        """See `scaling.Executor`. Nodes without a `call_slot` resource are not counted by the autoscaler."""
        if self._scale:
            await asyncio.to_thread(request_resources, bundles=bundles)

    async def keep_spares(self, node: str, spares: int) -> None:
        """See `scaling.Executor`."""
        await self._supervisors()[node].keep(spares, self._slots(node))

    async def cordon(self, node: str, on: bool) -> None:
        """See `scaling.Executor`."""
        await self._supervisors()[node].drain(on, SCALING)

    async def release(self, node: str) -> None:
        """End supervisor and gateway, and have Ray drain the node: it takes no new work and leaves once nothing runs
        on it.

        Raises:
            LinkLost: a call is live on it after all, or the control store cannot be asked.
        """
        if not self._scale:
            return
        supervisor = self._supervisors()[node]
        calls = (await supervisor.stats()).calls
        if calls:
            raise LinkLost(f"node {node} has {calls} calls: it is not released")
        if self._let_go is not None:
            await self._let_go(node)
        await supervisor.stop()
        await asyncio.to_thread(_drain, node)


# node -> how many calls it says it can carry (0 = it does not say), of those that live; and those that Ray drains
Seen = tuple[dict[str, int], dict[str, int]]


def nodes_seen() -> Seen:
    """What Ray says of its nodes now. Blocks for two round trips to the control store."""
    return advertised_slots(), leaving_nodes()


def advertised_slots() -> dict[str, int]:
    """How many calls each live node says it can carry (its `call_slot` resource); 0 = it does not say. Blocks."""
    return {node["NodeID"]: int(node["Resources"].get(SLOT, 0)) for node in ray.nodes() if node["Alive"]}


def leaving_nodes() -> dict[str, int]:
    """Nodes that Ray drains (a preemption notice, SIGTERM of a pod): id -> deadline in unix ms, 0 = none. Blocks."""
    return ray_private.draining_nodes()


def _drain(node: str) -> None:
    """A drain that is never refused and never kills: the raylet ends itself once nothing runs on it."""
    refusal = ray_private.drain_node(node, "offhook: the node is empty and not needed")
    if refusal:
        raise LinkLost(f"node {node} is not drained: {refusal}")
