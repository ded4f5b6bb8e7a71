"""The reference to a node's supervisor. What it can be asked is in `contracts/node_operations.py`.

The questions about single calls are in `contracts/call_operations.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import ray

from ..contracts.call_operations import CallOperations
from ..contracts.errors import LinkLost
from ..contracts.node_operations import NodeOperations
from .handles import NAMESPACE, ActorRef, on_node, start_lasting

SUPERVISOR = "supervisor"  # name of a node's supervisor: supervisor:<node id>


class SupervisorRef(ActorRef, NodeOperations, CallOperations):
    """A node's supervisor. Each operation may raise LinkLost."""

    @classmethod
    def start(cls, kind: type, node: str, options: Mapping[str, Any]) -> SupervisorRef:
        """The supervisor of `node`, started where there is none. Blocks for a round trip to the control store."""
        name = f"{SUPERVISOR}:{node}"
        return cls(start_lasting(kind, name, on_node(node), node, dict(options)), name)

    @classmethod
    def find(cls, node: str) -> SupervisorRef:
        """Raises:
        LinkLost: this node has no supervisor.
        """
        name = f"{SUPERVISOR}:{node}"
        try:
            return cls(ray.get_actor(name, namespace=NAMESPACE), name)
        except ValueError as error:
            raise LinkLost(f"node {node} has no supervisor") from error

    async def stop(self) -> None:
        """End the node's residents and the supervisor itself."""
        with contextlib.suppress(LinkLost):
            await super().stop()
        self.kill()
