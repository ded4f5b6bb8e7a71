"""The reference to the cluster's director. What it can be asked: `operations.py`; how it is started: `director.py`.

Apart from the director itself, because gateways and engines hold a reference and need nothing of what it does.
"""

from __future__ import annotations

import ray
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.refs.handles import NAMESPACE, ActorRef
from offhook.actors.refs.supervisor import SupervisorRef

from .operations import ClusterOperations

NAME = "director"  # of the actor


class DirectorRef(ActorRef, ClusterOperations):
    """The cluster's director, wherever it runs. Each operation may raise LinkLost."""

    @classmethod
    def find(cls) -> DirectorRef:
        """Raises:
        LinkLost: the cluster has none.
        """
        try:
            return cls(ray.get_actor(NAME, namespace=NAMESPACE), NAME)
        except ValueError as error:
            raise LinkLost("this cluster has no director; is offhook up?") from error

    async def supervisor(self, call: str) -> SupervisorRef:
        """The supervisor of the node that has a call. Raises: NoSuchCall."""
        return SupervisorRef.find(await self.find_node(call))

    async def stop(self) -> None:
        """End everything that offhook runs in this cluster, the director last."""
        await super().stop()
        self.kill()
