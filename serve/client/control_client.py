"""What web API and webhooks ask of the inside, as one type: the cluster's operations, and those of single calls.

What there is to ask is declared in `cluster/operations.py` and `actors/contracts/call_operations.py`;
`cluster_client.py` asks a real cluster, tests answer by themselves. Nothing is done here.
"""

from __future__ import annotations

from offhook.actors.contracts.call_operations import CallOperations
from offhook.cluster.operations import ClusterOperations


class ControlClient(ClusterOperations, CallOperations):
    """Takes calls, and tells of them. Every operation may raise WorldFault when the inside does not answer."""

    async def prepare(self) -> None:
        """Get ready for the first caller."""
