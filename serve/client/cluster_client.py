"""The control client of a real cluster: the director answers for the cluster, the node that has a call for the call.

References to nodes are kept, and met before they are needed: finding an actor takes the control store, which may be
away when a call comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from offhook.actors.contracts.call_operations import CallOperations
from offhook.actors.contracts.operations import Operation, operations
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.director_ref import DirectorRef

from .control_client import ControlClient


class ClusterClient(ControlClient):
    """See `ControlClient`. Errors of the inside come through as they are."""

    def __init__(self) -> None:
        self._director: DirectorRef | None = None
        self._supervisors: dict[str, SupervisorRef] = {}

    async def prepare(self) -> None:
        """Find everybody now, so that the first caller does not wait for it."""
        for node in await (await self._cluster()).nodes():
            await self._supervisor(node)

    async def send(self, operation: Operation[Any], arguments: Mapping[str, object]) -> object:
        """See `Operations.send`."""
        director = await self._cluster()
        if operation.name not in operations(CallOperations):
            return await director.send(operation, arguments)
        node = await director.find_node(str(arguments["call"]))
        return await (await self._supervisor(node)).send(operation, arguments)

    async def _cluster(self) -> DirectorRef:
        if self._director is None:
            self._director = await asyncio.to_thread(DirectorRef.find)
        return self._director

    async def _supervisor(self, node: str) -> SupervisorRef:
        if node not in self._supervisors:
            supervisor = await asyncio.to_thread(SupervisorRef.find, node)
            await supervisor.meet()
            self._supervisors[node] = supervisor
        return self._supervisors[node]
