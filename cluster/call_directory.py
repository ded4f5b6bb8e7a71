"""Which node has a call, and what becomes of the calls of a node that is lost.

A carrier whose stream broke asks what to do with the caller (`resume`). Where the call's node answers, the call goes on
there. Where it does not, another node adopts it from the journal at the next epoch, which fences whoever may still live
on the lost one. Calls that the journal holds open and no node leads are given some time for their carrier to come
back, and are closed with a record then. Both need a journal that the nodes share.
"""

from __future__ import annotations

import asyncio
import logging

from offhook.actors.contracts.errors import LinkLost, NoSpare, NoSuchCall, OwnJournal

from .nodes import Nodes

log = logging.getLogger(__name__)

PLACES_MAX = 100_000  # calls whose node is remembered; older ones are asked for on every node
PROBE_S = 0.4  # for the node that had the call: an answer takes 2 ms, and a caller waits in silence
ADOPT_S = 12.0  # for a node to take a call over: milliseconds with a spare, seconds where one must be started
SWEEP_S = 10.0  # between two looks for calls that nobody leads, at most


class CallDirectory:
    """Call -> node. A call is resumed once at a time, whoever asks for it. `resume_s`: for a carrier to come back."""

    def __init__(self, nodes: Nodes, resume_s: float) -> None:
        self._nodes = nodes
        self._resume_s = resume_s
        self._places: dict[str, str] = {}
        self._resuming: dict[str, asyncio.Task[str]] = {}
        self._unled_since: dict[str, float] = {}  # call -> when nobody was found to lead it
        self._swept_s = 0.0

    def placed(self, call: str, node: str) -> None:
        """A call begins, or goes on, there."""
        self._places.pop(call, None)
        self._places[call] = node
        if len(self._places) > PLACES_MAX:
            del self._places[next(iter(self._places))]

    async def find(self, call: str) -> str:
        """The node that leads a call, or else one that can tell of it. Raises: NoSuchCall."""
        node = self._places.get(call)
        if node is not None and node in self._nodes and node not in self._nodes.silent:
            return node
        told = await self._nodes.everywhere(lambda supervisor: supervisor.knows(call))
        for wanted in ("live", "kept"):
            for name, knows in told.items():
                if knows == wanted:
                    if wanted == "live":
                        self.placed(call, name)
                    return name
        raise NoSuchCall(f"no node knows call {call!r}, and no journal has it")

    async def resume(self, call: str) -> str:
        """The node on which a call goes on whose line broke; it is adopted where its node does not answer.

        Raises:
            NoSuchCall: it is over, never was, or was on a node whose journal was its own.
            NoSpare: no node could take it; the carrier may ask again.
        """
        task = self._resuming.get(call)
        if task is None:
            task = self._resuming[call] = asyncio.get_running_loop().create_task(self._resume(call))
            task.add_done_callback(lambda _task: self._resuming.pop(call, None))
        return await asyncio.shield(task)

    async def _resume(self, call: str) -> str:
        return await self._leader(call) or await self._adopt(call)

    async def _leader(self, call: str) -> str:
        """The node that leads it now; "" = none that answers."""
        known = self._places.get(call)
        if known is not None and known in self._nodes and known not in self._nodes.silent:
            try:
                if await self._nodes.ask(known, self._nodes.get(known).leads(call), PROBE_S):
                    return known
            except LinkLost:
                log.warning("node %s does not answer for one of its calls", known[:8], extra={"call": call})
        told = await self._nodes.everywhere(lambda supervisor: supervisor.leads(call), PROBE_S, silent=False)
        return next((node for node, leads in told.items() if leads), "")

    async def _adopt(self, call: str) -> str:
        refusals = []
        short = False
        for node in self._nodes.by_room():
            if node == self._places.get(call) and len(self._nodes.names()) > 1:
                continue  # it was asked, and does not lead it
            try:
                await self._nodes.ask(node, self._nodes.get(node).adopt(call), ADOPT_S)
            except (NoSpare, LinkLost, OwnJournal) as fault:
                short = short or not isinstance(fault, OwnJournal)
                refusals.append(f"{node[:8]}: {fault}")
                continue
            self.placed(call, node)
            log.warning("adopted by node %s", node[:8], extra={"call": call})
            return node
        why = f"nobody could take call {call} over: {'; '.join(refusals) or 'there is no other node'}"
        if short or self._places.get(call) in self._nodes.silent:
            raise NoSpare(why)  # somebody may have room soon, or its own node answer again
        raise NoSuchCall(why)

    # --- calls that nobody leads ------------------------------------------------------------------------------------

    async def sweep(self, now_s: float) -> int:
        """Close the calls whose carrier has not come back; returns how many. Call it now and then."""
        if now_s - self._swept_s < min(SWEEP_S, self._resume_s / 2):
            return 0
        self._swept_s = now_s
        unled = await self._unled()
        self._unled_since = {call: self._unled_since.get(call, now_s) for call in unled}
        overdue = [call for call, since_s in self._unled_since.items() if now_s - since_s >= self._resume_s]
        closed = 0
        for call in overdue:
            if call not in self._resuming:
                closed += await self._close(call, now_s - self._unled_since[call])
        return closed

    async def _unled(self) -> set[str]:
        """Calls that the shared journal holds open and no node leads. A node that does not answer may lead any."""
        told = await self._nodes.everywhere(lambda supervisor: supervisor.unled())
        if not told or len(told) < len(self._nodes.names()):
            return set(self._unled_since)
        return set.intersection(*(set(calls) for calls in told.values()))

    async def _close(self, call: str, waited_s: float) -> bool:
        for node in self._nodes.by_room():
            try:
                why = f"its node was lost, and its carrier has not come back within {waited_s:.0f} s"
                await self._nodes.ask(node, self._nodes.get(node).close_unled(call, why))
            except (LinkLost, NoSuchCall) as fault:
                log.info("not closed: %s", fault, extra={"call": call})
                continue
            log.error("closed: nobody leads it", extra={"call": call})
            return True
        return False

    @property
    def unled(self) -> int:
        """How many calls nobody leads."""
        return len(self._unled_since)

    @property
    def resuming(self) -> int:
        """How many calls are being resumed."""
        return len(self._resuming)
