"""Where each node of the cluster stands, as the director was told; the table is `policies/fleet/node_lifecycle.py`'s.

What is remembered here is rebuilt by the nodes' reports after the director's own death. A move that a node's stage does
not allow is refused and logged: what is told may be older than what is known.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from offhook.policies.core.errors import IllegalMove
from offhook.policies.fleet.node_lifecycle import BY_OPERATOR, NodeLifecycle, NodeMove, NodeStage, of_node

log = logging.getLogger(__name__)


class NodeStages:
    """Node -> its stage; one that nothing was told of serves."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeLifecycle] = {}

    def of(self, node: str) -> NodeStage:
        """Where a node stands."""
        known = self._nodes.get(node)
        return known.stage if known is not None else NodeStage.SERVING

    def move(self, node: str, move: NodeMove) -> bool:
        """Go on to a node's next stage; False (and a word in the log) where the present one does not allow it."""
        try:
            self._nodes.setdefault(node, of_node(node)).move(move)
        except IllegalMove as fault:
            log.warning("refused: %s", fault)
            return False
        return True

    def told(self, node: str, closed: bool, by_operator: bool, taken_away: bool) -> NodeStage:
        """What a look at the node says: whether it takes no calls, an operator has closed it, it will be taken away."""
        if self.of(node) is NodeStage.RELEASED:
            return NodeStage.RELEASED  # this was asked before it was let go
        if by_operator:
            self.move(node, NodeMove.CORDON)
        else:
            if self.of(node) in BY_OPERATOR:
                self.move(node, NodeMove.UNCORDON)
            self.move(node, NodeMove.DRAIN if closed else NodeMove.UNCORDON)
        if taken_away:
            self.move(node, NodeMove.NOTICE)
        return self.of(node)

    def released(self) -> set[str]:
        """The nodes that were let go and are there still."""
        return {node for node, known in self._nodes.items() if known.stage is NodeStage.RELEASED}

    def keep(self, alive: Collection[str]) -> None:
        """Only these nodes are there; the others are forgotten."""
        for node in [node for node in self._nodes if node not in alive]:
            self.move(node, NodeMove.LOSE)
            del self._nodes[node]
