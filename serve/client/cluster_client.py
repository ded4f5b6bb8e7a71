"""The switchboard of a real cluster: the director places calls, the node that has a call tells of it.

References to nodes are kept, and met before they are needed: finding an actor takes the control store, which may be
away when a call comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.director import DirectorRef

from ..contracts.claim import Claim


class ClusterClient:
    """See `ControlClient`; also what a gateway needs (`claim`). Errors of the inside come through as they are."""

    def __init__(self) -> None:
        self._director: DirectorRef | None = None
        self._supervisors: dict[str, SupervisorRef] = {}

    async def prepare(self) -> None:
        """Find everybody now, so that the first caller does not wait for it."""
        for node in await (await self._cluster()).nodes():
            await self._supervisor(node)

    async def reserve(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return await (await self._cluster()).reserve(request)

    async def resume(self, call: str) -> dict[str, Any]:
        return await (await self._cluster()).resume(call)

    async def claim(self, call: str, lost_epoch: int = 0) -> Claim:
        """Where the call's owner takes its line; waits while the call is being taken over.

        Args:
            lost_epoch: of the owner whose link was just lost.

        Raises:
            NoSuchCall: it is not live.
        """
        claim = await (await self._node_of(call)).claim(call, lost_epoch)
        return Claim(claim["endpoint"], claim["token"], claim["epoch"])

    async def calls(self) -> list[dict[str, Any]]:
        return await (await self._cluster()).calls()

    async def state(self, call: str) -> dict[str, Any]:
        return await (await self._node_of(call)).state(call)

    async def journal(self, call: str, after_seq: int, limit: int) -> list[list[Any]]:
        return await (await self._node_of(call)).journal(call, after_seq, limit)

    async def follow(self, call: str, after_seq: int, wait_s: float) -> dict[str, Any]:
        return await (await self._node_of(call)).follow(call, after_seq, wait_s)

    async def verdicts(self, call: str) -> list[Any]:
        return await (await self._node_of(call)).verdicts(call)

    async def hangup(self, call: str, by: str, reason: str) -> None:
        await (await self._node_of(call)).hangup(call, by, reason)

    async def decide(self, call: str, proposal: str, approved: bool, operator: str) -> None:
        await (await self._node_of(call)).decide(call, proposal, approved, operator)

    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        await (await self._node_of(call)).dialled(call, grant, taken, how)

    async def publish(self, version: str, policy: Mapping[str, Any], parcel: bytes, lead: bool) -> dict[str, Any]:
        return await (await self._cluster()).publish_policy(version, policy, parcel, "now" if lead else "first")

    async def policies(self) -> dict[str, Any]:
        return await (await self._cluster()).policies()

    async def bundle(self, policy: str) -> dict[str, Any]:
        return await (await self._cluster()).bundle(policy)

    async def withdraw(self, version: str) -> None:
        await (await self._cluster()).withdraw_policy(version)

    async def rollout_start(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return await (await self._cluster()).rollout_start(asked)

    async def rollout_order(self, name: str, word: str, by: str) -> dict[str, Any]:
        return await (await self._cluster()).rollout_order(name, word, by)

    async def rollouts(self) -> list[dict[str, Any]]:
        return await (await self._cluster()).rollouts()

    async def rollout(self, name: str) -> dict[str, Any]:
        return await (await self._cluster()).rollout(name)

    async def divergence(self, name: str, after: int, limit: int) -> dict[str, Any]:
        return await (await self._cluster()).divergence(name, after, limit)

    async def drain(self, node: str, on: bool) -> dict[str, Any]:
        return await (await self._cluster()).drain(node, on)

    async def cost(self) -> dict[str, Any]:
        return await (await self._cluster()).cost()

    async def measured(self) -> dict[str, Any]:
        return await (await self._cluster()).measured()

    async def stats(self) -> dict[str, Any]:
        return await (await self._cluster()).stats()

    async def _cluster(self) -> DirectorRef:
        if self._director is None:
            self._director = await asyncio.to_thread(DirectorRef.find)
        return self._director

    async def _node_of(self, call: str) -> SupervisorRef:
        return await self._supervisor(str(await (await self._cluster()).ask("find", call)))

    async def _supervisor(self, node: str) -> SupervisorRef:
        if node not in self._supervisors:
            supervisor = await asyncio.to_thread(SupervisorRef.find, node)
            await supervisor.meet()
            self._supervisors[node] = supervisor
        return self._supervisors[node]
