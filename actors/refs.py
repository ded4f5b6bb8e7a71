"""The only file that touches actor handles: typed references to what runs on Ray, how each is started, and found again.

Everything lives in one namespace, detached, under a name that follows from what it is, so a restarted supervisor or
another driver finds it. Actors of calls and agents take no CPU resource: their number is the pool's matter, not the
scheduler's. Ray is imported here, and nowhere below.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    RayActorError,
    RayTaskError,
    TaskUnschedulableError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .agents import AgentHost
from .call_actor import CallActor
from .errors import LinkLost

NAMESPACE = "offhook"
SUPERVISOR = "supervisor"  # name of a node's supervisor: supervisor:<node id>
RETRY_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # while a restarted actor comes up (about 2 s)

# An actor that is bound to a lost node is "unschedulable" to Ray once it has tried to restart it there.
GONE = (RayActorError, ActorUnschedulableError, TaskUnschedulableError)

# Detached, because actors die with the one who created them otherwise; no task events, because nobody reads them and
# they flood the control store; no restart by Ray, because a warm spare takes milliseconds and Ray seconds.
_RESIDENT = {
    "namespace": NAMESPACE,
    "lifetime": "detached",
    "num_cpus": 0,
    "max_restarts": 0,
    "max_concurrency": 1,
    "enable_task_events": False,
}

# Supervisors, gateways, the director: one of a name, which outlives whoever started it; Ray starts it again for ever.
LASTING: dict[str, Any] = {
    "namespace": NAMESPACE,
    "lifetime": "detached",
    "get_if_exists": True,
    "num_cpus": 0,
    "max_restarts": -1,
    "max_concurrency": 1_000,
    "enable_task_events": False,
}


def this_node() -> str:
    """The id of the node on which this process runs."""
    return str(ray.get_runtime_context().get_node_id())


def live_nodes() -> dict[str, str]:
    """The cluster's live nodes, this one first: id -> its machine's address. Blocks for a round trip to the control
    store."""
    here = this_node()
    alive = sorted((node for node in ray.nodes() if node["Alive"]), key=lambda node: node["NodeID"] != here)
    return {node["NodeID"]: node["NodeManagerAddress"] for node in alive}


class ResidentRef:
    """A process with one method that never returns: a call actor or an agent host."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self.name = name
        self._run: Any = None

    @classmethod
    def start_call_actor(cls, name: str, node: str, endpoint: str, token: str, leaves: bool) -> ResidentRef:
        """Have Ray start a call actor on this node. Blocks for a round trip to the control store."""
        handle = ray.remote(CallActor).options(name=name, scheduling_strategy=on_node(node), **_RESIDENT).remote()
        ref = cls(handle, name)
        ref._run = handle.run.remote(endpoint, token, name, node, leaves)
        return ref

    @classmethod
    def start_agent_host(
        cls, name: str, node: str, endpoint: str, token: str, agent: str, spec: Mapping[str, Any], bundle: str
    ) -> ResidentRef:
        """Have Ray start an agent host on this node. Blocks for a round trip to the control store."""
        handle = ray.remote(AgentHost).options(name=name, scheduling_strategy=on_node(node), **_RESIDENT).remote()
        ref = cls(handle, name)
        ref._run = handle.run.remote(endpoint, token, name, node, agent, dict(spec), bundle)
        return ref

    @classmethod
    def find(cls, name: str) -> ResidentRef | None:
        """One that runs already; None where there is none. Blocks for a round trip to the control store."""
        try:
            return cls(ray.get_actor(name, namespace=NAMESPACE), name)
        except ValueError:
            return None

    async def ended(self) -> str:
        """Waits until the process is gone; returns why.

        A restarted supervisor does not hold the call of `run`: it waits for one that queues behind it, and fails with
        it.
        """
        try:
            answer = await (self._run if self._run is not None else self._handle.__ray_ready__.remote())
        except GONE as error:
            return _first_line(error)
        except Exception as error:  # `run` itself raised: the process lives and is of no use
            self.kill()
            return _first_line(error)
        self.kill()
        return str(answer)

    def kill(self) -> None:
        """End the process at once; nothing happens where it is gone."""
        with contextlib.suppress(Exception):
            ray.kill(self._handle, no_restart=True)


class ActorRef:
    """A named actor that answers questions: a node's supervisor, the director."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self.name = name

    async def meet(self) -> None:
        """Call it once, for nothing: a process's first call to an actor asks the control store where it is, every later
        one goes there directly and works while that store is away. Raises: LinkLost."""
        await self.ask("__ray_ready__")

    async def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method that may be repeated: asked again while the actor is restarting.

        Raises:
            LinkLost: it does not come back.
        """
        for pause_s in (*RETRY_S, None):
            try:
                return await getattr(self._handle, method).remote(*arguments)
            except ActorUnavailableError as error:
                if pause_s is None:
                    raise LinkLost(f"{self.name} does not come back: {_first_line(error)}") from error
                await asyncio.sleep(pause_s)
            except GONE as error:
                raise LinkLost(f"{self.name} is gone: {_first_line(error)}") from error
            except RayTaskError as error:
                raise _raised(error) from None
        raise AssertionError("unreachable")

    async def order(self, method: str, *arguments: Any) -> Any:
        """Call a method that must not be repeated.

        Raises:
            LinkLost: the actor is away; the order may or may not have been carried out.
        """
        try:
            return await getattr(self._handle, method).remote(*arguments)
        except GONE as error:
            raise LinkLost(f"{self.name} is away: {_first_line(error)}") from error
        except RayTaskError as error:
            raise _raised(error) from None

    def kill(self, restart: bool = False) -> None:
        """End the process; with `restart` Ray starts it again."""
        with contextlib.suppress(Exception):
            ray.kill(self._handle, no_restart=not restart)


class SupervisorRef(ActorRef):
    """A node's supervisor."""

    @classmethod
    def start(cls, node: str, options: Mapping[str, Any]) -> SupervisorRef:
        """The supervisor of `node`, started where there is none. Blocks for a round trip to the control store."""
        from .supervisor import Supervisor  # here: its own module imports this one

        name = f"{SUPERVISOR}:{node}"
        handle = (
            ray.remote(Supervisor)
            .options(name=name, scheduling_strategy=on_node(node), **LASTING)
            .remote(node, dict(options))
        )
        return cls(handle, name)

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


def on_node(node: str) -> Any:
    """Where an actor is to run: on this node, or nowhere."""
    return NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _raised(error: RayTaskError) -> Exception:
    """What the method itself raised, without the far process's trace around it."""
    cause = error.cause
    return cause if isinstance(cause, Exception) else error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
