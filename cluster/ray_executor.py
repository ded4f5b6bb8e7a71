"""Carries the orders of `scaling.py` out on Ray: autoscaler, supervisors, node drain. Decides nothing.

The only caller of `request_resources`: the autoscaler keeps one request for the whole cluster, and the last one wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import ray
from offhook.actors.errors import LinkLost
from offhook.actors.refs import SupervisorRef
from ray.autoscaler.sdk import request_resources

DRAIN_RPC_S = 5.0  # to the control store; a look comes every few seconds


class RayExecutor:
    """`supervisors`: the director's present ones, by node; looked up at every order."""

    def __init__(self, supervisors: Callable[[], Mapping[str, SupervisorRef]]) -> None:
        self._supervisors = supervisors

    async def request_slots(self, bundles: list[dict[str, float]]) -> None:
        """See `scaling.Executor`. Nodes without a `call_slot` resource are not counted by the autoscaler."""
        await asyncio.to_thread(request_resources, bundles=bundles)

    async def keep_spares(self, node: str, spares: int) -> None:
        """See `scaling.Executor`."""
        await self._supervisors()[node].ask("keep", spares)

    async def cordon(self, node: str, on: bool) -> None:
        """See `scaling.Executor`."""
        await self._supervisors()[node].drain(on)

    async def release(self, node: str) -> None:
        """End the supervisor, and have Ray drain the node: it takes no new work and leaves once nothing runs on it.

        Whatever else is pinned to the node (its gateway) is ended by its owner.
        """
        await self._supervisors()[node].stop()
        await asyncio.to_thread(_drain, node)


def leaving_nodes() -> dict[str, int]:
    """Nodes that Ray drains (a preemption notice, SIGTERM of a pod): id -> deadline in unix ms, 0 = none. Blocks."""
    return dict(ray._private.state.state.get_draining_nodes())


def _drain(node: str) -> None:
    """A drain that is never refused and never kills: the raylet ends itself once nothing runs on it."""
    from ray.core.generated import autoscaler_pb2

    client = ray._raylet.GcsClient(address=ray.get_runtime_context().gcs_address)
    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION
    why = "offhook: the node is empty and not needed"
    accepted, refusal = client.drain_node(node, reason, why, 0, timeout=DRAIN_RPC_S)
    if not accepted:
        raise LinkLost(f"node {node} is not drained: {refusal}")
