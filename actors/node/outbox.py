"""Orders of live calls on their way to tools: each key once at a time, whoever asks, and each act once.

    begin (register) ─▶ in doubt? ask the tool whether it happened ─▶ act ─▶ finish (register) ─▶ tell the call

A call that was taken over asks again for what its former owner had ordered. Where that is done, the register tells what
came of it; where it is still being done here, the second to ask gets the answer of the first. Where it was begun by a
process that died, it is in doubt: a tool that can be asked is asked, one that is idempotent is told again, and of any
other the outcome is "unknown", which a person has to settle. A tool that does not answer in time holds nobody up.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from .. import wire
from ..errors import Fenced, JournalAway
from ..journals.register import Begun, Register
from .leases import LeaseBook
from .residents import Resident, Residents
from .tools import RESULT_CHARS_MAX, NotKnown, Order, Outcome, Tool, unknown

log = logging.getLogger(__name__)

AWAY_MS = 5_000  # how long a register that is away is tried again before an order is refused
FINISH_MS = 60_000  # ... and before an outcome that was told already is not written down any more
PAUSE_MS = 200  # between two tries


class Outbox:
    """The orders under way on one node."""

    def __init__(
        self,
        register: Register,
        tools: Mapping[str, Tool],
        leases: LeaseBook,
        residents: Residents,
        *,
        away_ms: int = AWAY_MS,
    ) -> None:
        self._register = register
        self._tools = dict(tools)
        self._leases = leases
        self._residents = residents
        self._away_ms = away_ms
        self._tasks: set[asyncio.Task[Any]] = set()
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}
        self.unknown = 0  # outcomes that a person has to settle

    def order(self, resident: Resident, order: Order) -> None:
        """Have an action carried out for a call's owner, and tell it what came of it; a former owner is killed."""
        try:
            self._leases.check(order.call, order.epoch)
        except Fenced as fault:
            self._residents.kill(resident.name, f"it orders a tool as a former owner: {fault}")
            return
        self._spawn(self._answer(resident, order))

    async def _answer(self, resident: Resident, order: Order) -> None:
        outcome = await self.perform(order)
        resident.send(wire.PERFORMED, order.key, outcome.ok, outcome.result)

    async def perform(self, order: Order) -> Outcome:
        """What came of the action under this key; it is carried out where it was not."""
        task = self._under_way.get(order.key)
        if task is None:
            task = self._under_way[order.key] = asyncio.get_running_loop().create_task(self._guarded(order))
            task.add_done_callback(lambda _task: self._under_way.pop(order.key, None))
        return await asyncio.shield(task)

    async def _guarded(self, order: Order) -> Outcome:
        tool = self._tools.get(order.action)
        if tool is None:
            return Outcome(False, f"no tool carries out {order.action!r}; known are {', '.join(sorted(self._tools))}")
        token = secrets.token_hex(8)
        try:
            begun = await self._begin(order, token, tool)
        except JournalAway as fault:
            if not tool.idempotent:
                log.error("an order is not carried out: %s", fault, extra={"call": order.call})
                return Outcome(False, "not carried out: the register of acts is away")
            begun = Begun()  # to do it twice is harmless
        if begun.outcome is not None:
            return begun.outcome
        if begun.newer_epoch:
            newest = begun.newer_epoch
            return Outcome(
                False, f"call {order.call} has an owner at epoch {newest}; epoch {order.epoch} orders nothing"
            )
        outcome = await self._carry_out(tool, order, begun.in_doubt)
        outcome = replace(outcome, result=outcome.result[:RESULT_CHARS_MAX])
        if not outcome.known:
            self.unknown += 1
            log.error("of an act it is not known whether it happened", extra={"call": order.call, "key": order.key})
        try:
            await self._register.finish(order, token, outcome)
        except JournalAway:  # the call need not wait for it
            self._spawn(self._finish_later(order, token, outcome))
        return outcome

    async def _begin(self, order: Order, token: str, tool: Tool) -> Begun:
        """The register's answer. Raises: JournalAway: it was away for too long."""
        time_ms = 2 * tool.limit_ms  # a look-up and an act
        loop = asyncio.get_running_loop()
        patience = loop.time() + self._away_ms / 1_000
        while True:
            try:
                begun = await self._register.begin(order, token, time_ms)
            except JournalAway:
                if loop.time() > patience:
                    raise
                await asyncio.sleep(PAUSE_MS / 1_000)
                continue
            if not begun.wait_ms:
                return begun
            # The other node may finish it at any moment: asked again soon, and at the end of its time for sure.
            await asyncio.sleep(min(begun.wait_ms, PAUSE_MS) / 1_000)

    async def _carry_out(self, tool: Tool, order: Order, in_doubt: bool) -> Outcome:
        if in_doubt:
            try:
                found = await tool.find_out(order)
                if found is not None:
                    return found
            except NotKnown as doubt:
                if not tool.idempotent:
                    return unknown(f"it was begun and cut short; {doubt}")
        try:
            return await tool.carry_out(order)
        except NotKnown as doubt:
            why = str(doubt)
        try:
            found = await tool.find_out(order)
        except NotKnown:
            return unknown(why)
        # "It has not happened" says nothing about an act that was given up: it may still be on its way.
        return found if found is not None else unknown(why)

    async def _finish_later(self, order: Order, token: str, outcome: Outcome) -> None:
        for _ in range(FINISH_MS // PAUSE_MS):
            await asyncio.sleep(PAUSE_MS / 1_000)
            try:
                await self._register.finish(order, token, outcome)
                return
            except JournalAway:
                continue
        log.error("what came of an act could not be written down", extra={"call": order.call, "key": order.key})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
