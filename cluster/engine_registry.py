"""The speech engines of the cluster as the director knows them: who has announced where it listens, and who was told.

Replicas announce themselves again and again (`serve/engines/heartbeat.py`); one that has fallen silent, or whose node
is gone, is dropped. Every change is kept with what is wanted, then told to all nodes; a node that missed it is told at
the next look. Which of them a call dials is its own node's matter (`actors/engines/engine_places.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping

from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.node_operations import EngineChoice
from offhook.actors.engines.engine_places import RECOGNIZER, SYNTHESIZER, Place
from offhook.actors.refs.supervisor import SupervisorRef

from .desired_state import DesiredState
from .nodes import Nodes
from .state_store import MemoryAway

log = logging.getLogger(__name__)

REPLICAS_MAX = 1_000  # of all kinds; each is told to every node
SILENT_S = 15.0  # five announcements missed; a call that dials a dead one is refused at once, and tries the next


class Roll:
    """Replicas by name, and when they were heard of last. Time is an argument, in seconds. Each change says True."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._heard_s: dict[str, float] = {}

    def __contains__(self, replica: object) -> bool:
        return replica in self._places

    def announce(self, place: Place, now_s: float) -> bool:
        """It listens there. Raises: ProtocolFault: REPLICAS_MAX are known."""
        if place.replica not in self._places and len(self._places) >= REPLICAS_MAX:
            raise ProtocolFault(f"{REPLICAS_MAX} engines have announced themselves; no more are told of")
        changed = self._places.get(place.replica) != place
        self._places[place.replica] = place
        self._heard_s[place.replica] = now_s
        return changed

    def withdraw(self, replica: str) -> bool:
        """It takes no calls any more."""
        self._heard_s.pop(replica, None)
        return self._places.pop(replica, None) is not None

    def lose(self, node: str) -> bool:
        """A node is gone with all that ran there."""
        lost = [name for name, place in self._places.items() if place.node == node]
        for name in lost:
            self.withdraw(name)
        return bool(lost)

    def sweep(self, now_s: float) -> bool:
        """Drop those that have said nothing for SILENT_S."""
        silent = [name for name, heard_s in self._heard_s.items() if now_s - heard_s > SILENT_S]
        for name in silent:
            log.warning("engine %s has not announced itself for %g s: no call is sent there", name, SILENT_S)
            self.withdraw(name)
        return bool(silent)

    def places(self) -> list[dict[str, str]]:
        """All of them, plain."""
        return [place.as_map() for place in self._places.values()]


class EngineRegistry:
    """Keeps the roll, and every node in the know."""

    def __init__(self, wanted: DesiredState, nodes: Nodes) -> None:
        self._wanted = wanted
        self._nodes = nodes
        self._roll = Roll()
        self._told: dict[str, str] = {}  # node -> what it was told last
        self._kept = ""  # what the memory has, or could not take
        self._telling = asyncio.Lock()  # nodes hear of two changes in their order

    def recall(self, now_s: float) -> None:
        """Those that the director's former life knew; they have SILENT_S to be heard of again."""
        for raw in self._wanted.engine_places:
            try:
                place = Place.from_map(raw)
                if place.replica not in self._roll:  # else it has said by itself where it is now
                    self._roll.announce(place, now_s)
            except ProtocolFault as fault:
                log.warning("an engine that was known is forgotten: %s", fault)

    async def want(self, recognizer: EngineChoice, synthesizer: EngineChoice) -> None:
        """Which engines calls use. Raises: MemoryAway, or what a supervisor refuses them with."""
        async with self._telling:
            await self._wanted.keep_engines(recognizer, synthesizer, self._roll.places())
            self._kept = json.dumps(self._present())
            for node, supervisor in self._nodes.supervisors().items():
                await self._tell(node, supervisor)

    async def announce(self, place: Mapping[str, str], now_s: float) -> None:
        """A replica listens there. Raises: ProtocolFault: that is no place."""
        if self._roll.announce(Place.from_map(place), now_s):
            await self._changed()

    async def withdraw(self, replica: str) -> None:
        """A replica takes no calls any more."""
        if self._roll.withdraw(replica):
            await self._changed()

    def lose(self, node: str) -> None:
        """A node is gone; the others are told at the next `keep`."""
        self._told.pop(node, None)
        self._roll.lose(node)

    async def keep(self, now_s: float) -> None:
        """Drop who has fallen silent, tell nodes that do not know the present state."""
        self._roll.sweep(now_s)
        await self._changed()

    async def tell(self, node: str, supervisor: SupervisorRef) -> None:
        """One node, whatever it knows. Raises: LinkLost, or what it refuses."""
        async with self._telling:
            await self._tell(node, supervisor)

    async def _tell(self, node: str, supervisor: SupervisorRef) -> None:
        if self._wanted.engines is not None:
            present = self._present()
            await supervisor.engines(*present)
            self._told[node] = json.dumps(present)

    async def _changed(self) -> None:
        async with self._telling:
            if self._wanted.engines is None:
                return
            present = json.dumps(self._present())
            late = {node: each for node, each in self._nodes.supervisors().items() if self._told.get(node) != present}
            asked = (self._nodes.ask(node, self._tell(node, supervisor)) for node, supervisor in late.items())
            for node, answer in zip(late, await asyncio.gather(*asked, return_exceptions=True), strict=True):
                if isinstance(answer, BaseException):
                    log.warning("node %s does not know where the engines are: %s", node[:8], answer)
            if present != self._kept:
                self._kept = present  # tried once: replicas announce themselves to the director's next life anyway
                try:
                    await self._wanted.keep_engines(*self._wanted.engines, self._roll.places())
                except MemoryAway as fault:
                    log.warning("where the engines are is told, and not kept: %s", fault)

    def _present(self) -> tuple[EngineChoice, EngineChoice]:
        assert self._wanted.engines is not None
        recognizer, synthesizer = self._wanted.engines
        places = self._roll.places()

        def of(kind: str, engine: EngineChoice) -> EngineChoice:
            if engine.get("kind") != "link":
                return engine
            return {**engine, "places": [place for place in places if place["kind"] == kind]}

        return of(RECOGNIZER, recognizer), of(SYNTHESIZER, synthesizer)
