"""A node: its stages, as a table of legal moves, and what each stage means for calls and for scaling.

    serving             it takes new calls
    cordoned            an operator has closed it: it takes none, comes back by his word alone, and is not let go
    draining            scaling has closed it: it takes none, comes back when it is needed, is let go when it is empty
    noticed             it will be taken away (a preemption notice, `kubectl drain`), and does not know it yet
    leaving             it will be taken away, and takes no new calls
    cordoned, leaving   the same, of a node that an operator has closed: it is his until it goes
    released            it was let go: what ran on it has ended, and nothing is started on it again
    gone                the cluster has no such node any more

A node's own supervisor knows of the first three; the cluster's director of all. Nothing is ever killed on the way:
a closed node's calls go on to their ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from ..core.lifecycle import Lifecycle
from ..core.principal import Principal, PrincipalKind

SCALING = Principal(PrincipalKind.SYSTEM, "scaling")  # closes a node that is not needed; who else does is an operator


class NodeStage(StrEnum):
    """Where a node stands."""

    SERVING = "serving"
    CORDONED = "cordoned"
    DRAINING = "draining"
    NOTICED = "noticed"
    LEAVING = "leaving"
    CORDONED_LEAVING = "cordoned, leaving"
    RELEASED = "released"
    GONE = "gone"


class NodeMove(StrEnum):
    """What can happen to it."""

    CORDON = "cordon"  # an operator closes it
    UNCORDON = "uncordon"  # an operator opens it, or its supervisor has begun anew and knows nothing of it
    DRAIN = "drain"  # scaling closes it
    RETURN = "return"  # scaling opens it
    NOTICE = "notice"  # Ray or the cloud says that it will be taken away
    RELEASE = "release"  # scaling lets it go
    LOSE = "lose"  # it is not there any more


_S, _M = NodeStage, NodeMove

NODE_MOVES: Mapping[tuple[NodeStage, NodeMove], NodeStage] = {
    (_S.SERVING, _M.CORDON): _S.CORDONED,
    (_S.SERVING, _M.UNCORDON): _S.SERVING,
    (_S.SERVING, _M.DRAIN): _S.DRAINING,
    (_S.SERVING, _M.RETURN): _S.SERVING,
    (_S.SERVING, _M.NOTICE): _S.NOTICED,
    (_S.SERVING, _M.LOSE): _S.GONE,
    (_S.CORDONED, _M.CORDON): _S.CORDONED,
    (_S.CORDONED, _M.UNCORDON): _S.SERVING,
    (_S.CORDONED, _M.NOTICE): _S.CORDONED_LEAVING,
    (_S.CORDONED, _M.LOSE): _S.GONE,
    (_S.DRAINING, _M.CORDON): _S.CORDONED,
    (_S.DRAINING, _M.UNCORDON): _S.SERVING,
    (_S.DRAINING, _M.DRAIN): _S.DRAINING,
    (_S.DRAINING, _M.RETURN): _S.SERVING,
    (_S.DRAINING, _M.NOTICE): _S.LEAVING,
    (_S.DRAINING, _M.RELEASE): _S.RELEASED,
    (_S.DRAINING, _M.LOSE): _S.GONE,
    (_S.NOTICED, _M.CORDON): _S.CORDONED_LEAVING,
    (_S.NOTICED, _M.UNCORDON): _S.NOTICED,
    (_S.NOTICED, _M.DRAIN): _S.LEAVING,
    (_S.NOTICED, _M.NOTICE): _S.NOTICED,
    (_S.NOTICED, _M.LOSE): _S.GONE,
    (_S.LEAVING, _M.CORDON): _S.CORDONED_LEAVING,
    (_S.LEAVING, _M.UNCORDON): _S.NOTICED,
    (_S.LEAVING, _M.DRAIN): _S.LEAVING,
    (_S.LEAVING, _M.NOTICE): _S.LEAVING,
    (_S.LEAVING, _M.RELEASE): _S.RELEASED,
    (_S.LEAVING, _M.LOSE): _S.GONE,
    (_S.CORDONED_LEAVING, _M.CORDON): _S.CORDONED_LEAVING,
    (_S.CORDONED_LEAVING, _M.UNCORDON): _S.NOTICED,
    (_S.CORDONED_LEAVING, _M.NOTICE): _S.CORDONED_LEAVING,
    (_S.CORDONED_LEAVING, _M.LOSE): _S.GONE,
    (_S.RELEASED, _M.LOSE): _S.GONE,
}

BY_OPERATOR = frozenset({_S.CORDONED, _S.CORDONED_LEAVING})
TAKEN_AWAY = frozenset({_S.NOTICED, _S.LEAVING, _S.CORDONED_LEAVING})  # the autoscaler counts it no more

NodeLifecycle = Lifecycle[NodeStage, NodeMove]


def of_node(node: str = "") -> NodeLifecycle:
    """A node's that has joined; "" = its own supervisor's."""
    return Lifecycle(f"node {node[:8]}" if node else "this node", NODE_MOVES, NodeStage.SERVING)


def closing(on: bool, by: Principal) -> NodeMove:
    """The move that an order to take no new calls (`on`), or to take them again, is; `by` as the order says."""
    if by == SCALING:
        return NodeMove.DRAIN if on else NodeMove.RETURN
    return NodeMove.CORDON if on else NodeMove.UNCORDON
