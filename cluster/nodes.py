"""The nodes of the cluster as the director knows them: their supervisors, who has room, who is cordoned, who is silent.

Supervisors are started on nodes that join and forgotten with nodes that are gone. Ray tells of a dead node late (after
ten seconds and more); a supervisor that does not answer makes its node silent at once, and silent nodes get no calls.
What a node is offered, and which of them takes a call, is `director.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from offhook.actors.contracts.errors import LinkLost
from offhook.actors.refs.handles import live_nodes
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.fleet.node_lifecycle import NodeMove

from .node_stages import NodeStages

log = logging.getLogger(__name__)

T = TypeVar("T")

ANSWER_S = 5.0  # a restarted supervisor is there again after 2 s


class Nodes:
    """Node -> supervisor.

    Args:
        options: those of every supervisor (`actors/node/options.py`).
        bring_up: awaited with node, its machine's address and its supervisor, before a node that joined counts.
        gone: told of a node that is gone.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        bring_up: Callable[[str, str, SupervisorRef], Awaitable[None]],
        gone: Callable[[str], None],
    ) -> None:
        self._options = dict(options)
        self._bring_up = bring_up
        self._gone = gone
        self._supervisors: dict[str, SupervisorRef] = {}
        self._free: dict[str, int] = {}  # slots, as last told
        self.silent: set[str] = set()  # did not answer when they were asked last
        self.cordoned: set[str] = set()  # by an operator's order, which they may not know yet
        self.stages = NodeStages()

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
        """The nodes that take calls, the one with the most free slots first; silent ones are the last resort."""
        takes = (node for node in self._supervisors if node not in self.cordoned)
        return sorted(takes, key=lambda node: (node in self.silent, -self._free.get(node, 0)))

    def cordon(self, node: str, on: bool) -> None:
        """An operator closes a node, or opens it again."""
        (self.cordoned.add if on else self.cordoned.discard)(node)
        self.stages.move(node, NodeMove.CORDON if on else NodeMove.UNCORDON)

    def took(self, node: str) -> None:
        """A call was placed there."""
        self._free[node] = self._free.get(node, 0) - 1

    def forget(self) -> None:
        """They are stopped."""
        self._supervisors.clear()

    async def ask(self, node: str, work: Awaitable[T], within_s: float = ANSWER_S) -> T:
        """One node's answer. Raises: LinkLost: it does not answer in time; the node is silent from here on."""
        try:
            async with asyncio.timeout(within_s):
                answer = await work
        except TimeoutError as error:
            self.silent.add(node)
            raise LinkLost(f"node {node[:8]} has not answered within {within_s:g} s") from error
        except LinkLost:
            self.silent.add(node)
            raise
        self.silent.discard(node)
        return answer

    async def everywhere(
        self, ask: Callable[[SupervisorRef], Awaitable[T]], within_s: float = ANSWER_S, silent: bool = True
    ) -> dict[str, T]:
        """Ask every node at once (or only those that answered when they were asked last); one that is away is left
        out."""
        nodes = tuple((node, each) for node, each in self._supervisors.items() if silent or node not in self.silent)
        asked = (self.ask(node, ask(supervisor), within_s) for node, supervisor in nodes)
        answers = await asyncio.gather(*asked, return_exceptions=True)
        told: dict[str, T] = {}
        for (node, _), answer in zip(nodes, answers, strict=True):
            if isinstance(answer, BaseException):
                log.warning("node %s does not answer: %s", node[:8], answer)
            else:
                told[node] = answer
        return told

    async def look(self) -> None:
        """Start supervisors on nodes that joined, forget nodes that are gone, learn who has room."""
        alive = await asyncio.to_thread(live_nodes)
        self.stages.keep(alive)
        let_go = self.stages.released()
        for node in set(self._supervisors) - (set(alive) - let_go):
            log.warning("node %s is gone", node[:8])
            del self._supervisors[node]
            self._free.pop(node, None)
            self.silent.discard(node)
            self._gone(node)
        joined = [node for node in alive if node not in self._supervisors and node not in let_go]
        await asyncio.gather(*(self._join(node, alive[node]) for node in joined))
        for node, told in (await self.everywhere(lambda s: s.stats())).items():
            self._free[node] = told.free_slots

    async def _join(self, node: str, host: str) -> None:
        from offhook.actors.node.supervisor import Supervisor  # here: only the director starts any

        try:
            supervisor = await asyncio.to_thread(SupervisorRef.start, Supervisor, node, self._options)
            await self._bring_up(node, host, supervisor)
        except Exception as error:  # it may be leaving already; the others must not wait for it
            log.warning("node %s could not be brought up, which is tried again: %s", node[:8], error)
        else:
            self._supervisors[node] = supervisor
