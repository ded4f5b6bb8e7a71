"""What offhook needs of Ray beyond its public interface, in one place: one function a need, and what each version has.

| need | interface | the same in |
|---|---|---|
| nodes that Ray drains | `ray._private.state.state.get_draining_nodes` | 2.57 to 2.60 |
| drain a node | `ray._raylet.GcsClient.drain_node` | 2.57 to 2.60 |
| stop and start the control store (chaos) | `ray._private.worker._global_node` | 2.57 to 2.60 |

`make soak` runs the oldest and the newest of these versions. A version without one of them raises `NotInThisRay`, which
says which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from offhook.policies.core.errors import WorldFault

DRAIN_RPC_S = 5.0  # for the control store's answer


class NotInThisRay(WorldFault):
    """This version of Ray lacks an interface; the message names the version and the interface."""


def draining_nodes() -> dict[str, int]:
    """Nodes that Ray drains (a preemption notice, SIGTERM of a pod): id -> deadline in unix ms, 0 = none. Blocks.

    Raises:
        NotInThisRay: see the table above.
    """
    return dict(_found("_private.state.state.get_draining_nodes")())


def drain_node(node: str, why: str, deadline_unix_ms: int = 0) -> str:
    """Have Ray drain a node; "" = accepted, else why not. Blocks for a round trip to the control store.

    The raylet ends itself once nothing runs on it, or at the deadline (0 = none).

    Raises:
        NotInThisRay: see the table above.
    """
    from ray.core.generated import autoscaler_pb2

    client = _found("_raylet.GcsClient")(address=ray.get_runtime_context().gcs_address)
    reason = autoscaler_pb2.DrainNodeReason.DRAIN_NODE_REASON_PREEMPTION  # the only one that is never refused
    accepted, refusal = client.drain_node(node, reason, why, deadline_unix_ms, timeout=DRAIN_RPC_S)
    return "" if accepted else str(refusal)


def own_node() -> Any:
    """The node that this process has started Ray on; None where somebody else has.

    Raises:
        NotInThisRay: see the table above.
    """
    from ray._private import worker  # not loaded by `import ray` alone

    return _attribute(worker, "_global_node")


def stop_control_store(node: Any) -> Callable[[], None]:
    """Kill the control store of `own_node()`; the answer starts it again. Blocks."""
    _attribute(node, "kill_gcs_server")(check_alive=False)
    return lambda: _attribute(node, "start_gcs_server")()


def _found(path: str) -> Any:
    found: Any = ray
    for name in path.split("."):
        found = _attribute(found, name)
    return found


def _attribute(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise NotInThisRay(
            f"Ray {ray.__version__} has no {getattr(owner, '__name__', owner)!s}.{name}; offhook knows 2.57 to 2.60"
        ) from None
