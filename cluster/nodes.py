"""The nodes of the cluster as the director knows them: their supervisors, who has room, who is cordoned.

Supervisors are started on nodes that join and forgotten with nodes that are gone. What a node is offered, and which of
them takes a call, is `director.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from offhook.actors.errors import LinkLost
from offhook.actors.refs import SupervisorRef, live_nodes

log = logging.getLogger(__name__)


class Nodes:
    """Node -> supervisor. `bring_up(node, supervisor)` is awaited before a node that joined counts.

    Args:
        options: those of every supervisor (`actors/options.py`).
    """

    def __init__(self, options: Mapping[str, Any], bring_up: Callable[[str, SupervisorRef], Awaitable[None]]) -> None:
        self._options = dict(options)
        self._bring_up = bring_up
        self._supervisors: dict[str, SupervisorRef] = {}
        self._free: dict[str, int] = {}  # slots, as last told
        self.cordoned: set[str] = set()
        self.let_go: set[str] = set()  # are about to leave: nothing is started on them again

    def __contains__(self, node: object) -> bool:
        return node in self._supervisors

    def names(self) -> list[str]:
        """The nodes that have a supervisor."""
        return list(self._supervisors)

    def get(self, node: str) -> SupervisorRef:
        """Raises:
        LinkLost: no such node.
        """
        supervisor = self._supervisors.get(node)
        if supervisor is None:
            raise LinkLost(f"no supervisor on node {node!r}; nodes are {', '.join(self._supervisors)}")
        return supervisor

    def supervisors(self) -> dict[str, SupervisorRef]:
        """Node -> its supervisor, as of now."""
        return dict(self._supervisors)

    def by_room(self) -> list[str]:
        """The nodes that take calls, the one with the most free slots first."""
        return sorted(
            (node for node in self._supervisors if node not in self.cordoned), key=lambda node: -self._free.get(node, 0)
        )

    def took(self, node: str) -> None:
        """A call was placed there."""
        self._free[node] = self._free.get(node, 0) - 1

    def forget(self) -> None:
        """They are stopped."""
        self._supervisors.clear()

    async def everywhere(self, ask: Callable[[SupervisorRef], Awaitable[Any]]) -> dict[str, Any]:
        """Ask every node at once; one that is away is left out."""
        nodes = tuple(self._supervisors.items())
        answers = await asyncio.gather(*(ask(supervisor) for _, supervisor in nodes), return_exceptions=True)
        told = {}
        for (node, _), answer in zip(nodes, answers, strict=True):
            if isinstance(answer, BaseException):
                log.warning("node %s does not answer: %s", node[:8], answer)
            else:
                told[node] = answer
        return told

    async def look(self) -> None:
        """Start supervisors on nodes that joined, forget nodes that are gone, learn who has room."""
        alive = set(await asyncio.to_thread(live_nodes))
        for node in set(self._supervisors) - alive:
            log.warning("node %s is gone", node[:8])
            del self._supervisors[node]
            self._free.pop(node, None)
        for node in alive - set(self._supervisors) - self.let_go:
            supervisor = await asyncio.to_thread(SupervisorRef.start, node, self._options)
            await self._bring_up(node, supervisor)
            self._supervisors[node] = supervisor
        for node, told in (await self.everywhere(lambda s: s.stats())).items():
            self._free[node] = int(told["free_slots"])
