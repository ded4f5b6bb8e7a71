"""What a node's supervisor can be asked: one method an operation, repeated while it restarts or given once."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import ray

from ..contracts.errors import LinkLost
from ..process.metric_registry import Row
from .handles import NAMESPACE, ActorRef, start_lasting

SUPERVISOR = "supervisor"  # name of a node's supervisor: supervisor:<node id>


class SupervisorRef(ActorRef):
    """A node's supervisor."""

    @classmethod
    def start(cls, kind: type, node: str, options: Mapping[str, Any]) -> SupervisorRef:
        """The supervisor of `node`, started where there is none. Blocks for a round trip to the control store."""
        name = f"{SUPERVISOR}:{node}"
        return cls(start_lasting(kind, name, node, node, dict(options)), name)

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

    async def ready(self, spares: int = 1, within_s: float = 60.0) -> dict[str, Any]:
        """Waits until it has so many warm spares; its stats."""
        return dict(await self.ask("ready", spares, within_s))

    async def reserve(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Lease a spare for a call. Raises: NoSpare, UnknownPolicy, CallerFault, LinkLost."""
        return dict(await self.order("reserve", dict(request)))

    async def claim(self, call: str, lost_epoch: int = 0) -> dict[str, Any]:
        """Where a gateway finds the call's owner: {endpoint, token, epoch}; waits while it is being taken over.

        Raises: NoSuchCall.
        """
        return dict(await self.ask("claim", call, lost_epoch))

    async def observe(self, call: str) -> dict[str, Any]:
        """Where an observer subscribes: {endpoint, token, epoch}. Raises: NoSuchCall."""
        return dict(await self.ask("observe", call))

    async def follow(self, call: str, after_seq: int, wait_s: float) -> dict[str, Any]:
        """What is new of a live call: see `call_followers.News`. Raises: NoSuchCall."""
        return dict(await self.ask("follow", call, after_seq, wait_s))

    async def knows(self, call: str) -> str:
        """Whether a call is led there ("live"), in its journal ("kept"), or unknown ("")."""
        return str(await self.ask("knows", call))

    async def leads(self, call: str) -> bool:
        """Whether a call goes on there."""
        return bool(await self.ask("leads", call))

    async def adopt(self, call: str) -> None:
        """Have a call of a lost node go on there. Raises: NoSuchCall, NoSpare."""
        await self.ask("adopt", call)

    async def unled(self) -> list[str]:
        """Calls that a shared journal holds open and that node does not lead."""
        return list(await self.ask("unled"))

    async def close_unled(self, call: str, why: str) -> None:
        """Raises:
        NoSuchCall: somebody leads it, or it has ended.
        """
        await self.ask("close_unled", call, why)

    async def calls(self) -> list[dict[str, Any]]:
        return list(await self.ask("calls"))

    async def state(self, call: str) -> dict[str, Any]:
        return dict(await self.ask("state", call))

    async def journal(self, call: str, after_seq: int = 0, limit: int = 1_000) -> list[list[Any]]:
        return list(await self.ask("journal", call, after_seq, limit))

    async def verdicts(self, call: str) -> list[dict[str, Any]]:
        return list(await self.ask("verdicts", call))

    async def hangup(self, call: str, by: str, reason: str) -> None:
        await self.ask("hangup", call, by, reason)

    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        await self.ask("dialled", call, grant, taken, how)

    async def decide(self, call: str, proposal: str, approved: bool, operator: str) -> None:
        await self.ask("decide", call, proposal, approved, operator)

    async def publish_policy(self, version: str, policy: Mapping[str, Any], bundle: str | bytes = "") -> None:
        """Raises: PolicyError."""
        await self.ask("publish_policy", version, dict(policy), bundle)

    async def swap_policy(
        self, to_version: str, from_version: str, calls: Sequence[str], deadline_ms: int, at_deadline: str
    ) -> dict[str, Any]:
        """Swap live calls to another version; see `Supervisor.swap_policy`."""
        return dict(await self.ask("swap_policy", to_version, from_version, list(calls), deadline_ms, at_deadline))

    async def withdraw_policy(self, version: str) -> None:
        """Offer a version to no new call."""
        await self.ask("withdraw_policy", version)

    async def engines(self, recognizer: Mapping[str, Any], synthesizer: Mapping[str, Any]) -> None:
        await self.ask("engines", dict(recognizer), dict(synthesizer))

    async def enlist(self, role: str, name: str) -> dict[str, Any]:
        """A resident's way in, and whether it leaves when the node is gone: {endpoint, token, leaves}."""
        return dict(await self.ask("enlist", role, name))

    async def stats(self) -> dict[str, Any]:
        return dict(await self.ask("stats"))

    async def measured(self) -> list[Row]:
        """Every metric of the node, a row a series."""
        return list(await self.ask("measured"))

    async def report(self, life: int = 0, number: int = 0) -> dict[str, Any]:
        return dict(await self.ask("report", life, number))

    async def keep(self, spares: int, slots_max: int = 0) -> None:
        await self.ask("keep", spares, slots_max)

    async def drain(self, on: bool = True, by: str = "") -> dict[str, Any]:
        return dict(await self.ask("drain", on, by))

    async def stop(self) -> None:
        """End the node's residents and the supervisor itself."""
        with contextlib.suppress(LinkLost):
            await self.ask("stop")
        self.kill()
