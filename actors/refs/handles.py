"""The only file that touches actor handles: references to what runs on Ray, how it is started, and found again.

Everything lives in one namespace, detached, under a name that follows from what it is, so a restarted supervisor or
another driver finds it. Actors of calls and agents take no CPU resource: their number is the pool's matter, not the
scheduler's. Ray is imported here, and nowhere below.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import ray
from offhook.policies.core.errors import CallerFault
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    RayActorError,
    RayTaskError,
    TaskUnschedulableError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..contracts.errors import LinkLost
from ..contracts.operations import Operation, Operations

NAMESPACE = "offhook"
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
_LASTING: dict[str, Any] = {
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
    def start(cls, kind: type, name: str, node: str, *arguments: Any) -> ResidentRef:
        """Have Ray start `kind` on this node and call its `run`. Blocks for a round trip to the control store."""
        handle = ray.remote(kind).options(name=name, **on_node(node), **_RESIDENT).remote()
        ref = cls(handle, name)
        ref._run = handle.run.remote(*arguments)
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


class ActorRef(Operations):
    """A named actor that carries operations out (`contracts/operations.py`): a node's supervisor, the director."""

    def __init__(self, handle: Any, name: str) -> None:
        self._handle = handle
        self.name = name

    async def meet(self) -> None:
        """Call it once, for nothing: a process's first call to an actor asks the control store where it is, every later
        one goes there directly and works while that store is away. Raises: LinkLost."""
        await self.ask("__ray_ready__")

    async def send(self, operation: Operation[Any], arguments: Mapping[str, object]) -> object:
        """See `Operations.send`. Raises: LinkLost: the actor is away."""
        if not hasattr(self._handle, operation.remote_name):
            raise CallerFault(f"{self.name} has no operation {operation.name}; it is of an older release")
        carry = self.order if operation.once else self.ask
        return await carry(operation.remote_name, *((arguments,) if arguments else ()))

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


def start_lasting(kind: type, name: str, where: Mapping[str, Any], *arguments: Any) -> Any:
    """The handle of the one of that name, started where there is none. Blocks for a round trip to the control store.

    Args:
        where: Ray's options of place: `on_node`, or a resource that only some nodes have.
    """
    return ray.remote(kind).options(name=name, **where, **_LASTING).remote(*arguments)


def on_node(node: str) -> dict[str, NodeAffinitySchedulingStrategy]:
    """Ray's option by which an actor runs on this node, or nowhere."""
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=node, soft=False)}


def _raised(error: RayTaskError) -> Exception:
    """What the method itself raised, without the far process's trace around it."""
    cause = error.cause
    return cause if isinstance(cause, Exception) else error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
