"""Orders of live calls on their way to tools: each key once at a time, whoever asks, and each act once.

    begin (register) ─▶ in doubt? ask the tool whether it happened ─▶ act ─▶ finish (register) ─▶ tell the call

A call that was taken over asks again for what its former owner had ordered. Where that is done, the register tells what
came of it; where it is still being done here, the second to ask gets the answer of the first. Where it was begun by a
process that died, it is in doubt: a tool that can be asked is asked, one that is idempotent is told again, and of any
other the outcome is "unknown", which a person has to settle. A tool that does not answer in time holds nobody up.

A withdrawal wins as long as the tool was not called: over an order that is here, and over every copy of it that comes
later, to whichever node, because it is written in the register under the order's own grant. Where the register does
not know the key, or only a failure, that is `begin` and `finish`; what it has is told as it would be to an order.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..contracts.errors import Fenced, JournalAway
from ..contracts.node_messages import Begun as BegunMessage
from ..contracts.node_messages import Performed
from ..contracts.orders import Order, Outcome
from ..journals.register import Begun, Register
from .leases import LeaseBook
from .residents import Resident, Residents
from .tools import NotKnown, Tool, unknown

log = logging.getLogger(__name__)

AWAY_MS = 5_000  # how long a register that is away is tried again before an order is refused
FINISH_MS = 60_000  # ... and before an outcome that was told already is not written down any more
PAUSE_MS = 200  # between two tries

WITHDRAWN = Outcome(False, "withdrawn", withdrawn=True)

OnBegun = Callable[[], Any]  # called just before the tool is
Work = Callable[[Order, OnBegun], Coroutine[Any, Any, Outcome]]


class _ToolCall:
    """One key under way. `withdrawn` counts until `leaves` was called; after that the tool has it."""

    __slots__ = ("_told", "left", "order", "ordered", "task", "withdrawn")

    task: asyncio.Task[Outcome]

    def __init__(self, order: Order) -> None:
        self.order = order
        self.ordered = False  # here, by somebody who is told what came of it; False = only withdrawn
        self.withdrawn = False
        self.left = False
        self._told: list[OnBegun] = []

    def tell(self, on_begun: OnBegun | None) -> None:
        """Have this called when the tool is; at once where it was."""
        if on_begun is not None and self.left:
            on_begun()
        elif on_begun is not None:
            self._told.append(on_begun)

    def leaves(self) -> None:
        """The tool is called now."""
        self.left = True
        for on_begun in self._told:
            on_begun()


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
        self._under_way: dict[str, _ToolCall] = {}
        self._unwritten: set[tuple[str, str]] = set()  # (key, grant): withdrawn, and the register does not have it yet
        self.unknown = 0  # outcomes that a person has to settle

    # --- what calls ask for -----------------------------------------------------------------------------------------

    def order(self, resident: Resident, order: Order) -> None:
        """Have an action carried out for a call's owner, and tell it what came of it; a former owner is killed."""
        self._for(resident, order, self.perform)

    def take_back(self, resident: Resident, order: Order) -> None:
        """Withdraw an order of a call's owner, and tell it what came of it; a former owner is killed."""
        self._for(resident, order, self.withdraw)

    def _for(self, resident: Resident, order: Order, work: Work) -> None:
        try:
            self._leases.check(order.call, order.epoch)
        except Fenced as fault:
            self._residents.kill(resident.name, f"it orders a tool as a former owner: {fault}")
            return
        self._spawn(self._answer(resident, order, work))

    async def _answer(self, resident: Resident, order: Order, work: Work) -> None:
        try:
            outcome = await work(order, lambda: resident.send(*BegunMessage(order.key, order.grant)))
        except Exception as error:  # a bug of ours; whoever waits must not wait for ever
            log.exception("an order broke", extra={"call": order.call, "key": order.key})
            outcome = unknown(f"the order broke: {type(error).__name__}")
        resident.send(*Performed(order.key, outcome.ok, outcome.result, outcome.withdrawn, order.grant))

    async def perform(self, order: Order, on_begun: OnBegun | None = None) -> Outcome:
        """What came of the action under this key; it is carried out where it was not, unless it was withdrawn.

        Args:
            on_begun: called just before the tool is: no withdrawal reaches the act any more.
        """
        tool_call = await self._tool_call(order)
        tool_call.ordered = True
        tool_call.tell(on_begun)
        return await asyncio.shield(tool_call.task)

    async def withdraw(self, order: Order, on_begun: OnBegun | None = None) -> Outcome:
        """Take an order back: WITHDRAWN where its tool was not called, else what came of the act."""
        tool_call = await self._tool_call(order)
        tool_call.withdrawn = True
        tool_call.tell(on_begun)
        return await asyncio.shield(tool_call.task)

    async def _tool_call(self, order: Order) -> _ToolCall:
        """The one under way for this key and grant; a former grant's is waited for first."""
        while (found := self._under_way.get(order.key)) is not None and found.order.grant != order.grant:
            await asyncio.wait({found.task})
        if found is None:
            found = self._under_way[order.key] = _ToolCall(order)
            found.task = asyncio.get_running_loop().create_task(self._see_to(found))
            found.task.add_done_callback(lambda _task: self._under_way.pop(order.key, None))
        return found

    # --- one tool call ----------------------------------------------------------------------------------------------

    async def _see_to(self, tool_call: _ToolCall) -> Outcome:
        order, token = tool_call.order, secrets.token_hex(8)
        tool = self._tools.get(order.action)
        if tool is None and not tool_call.withdrawn:
            return Outcome(False, f"no tool carries out {order.action!r}; known are {', '.join(sorted(self._tools))}")
        tool = tool or _NOBODY  # of another node, perhaps, and there the withdrawal must count
        if (order.key, order.grant) in self._unwritten:
            return WITHDRAWN
        try:
            begun = await self._begin(order, token, tool)
        except JournalAway as fault:
            if tool_call.withdrawn:
                return self._withdrawn_unwritten(tool_call, token)
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
        outcome = self._counted(order, await self._carry_out(tool, tool_call, begun.in_doubt))
        try:
            await self._register.finish(order, token, outcome)
        except JournalAway:  # the call need not wait for it
            self._write_later(order, outcome, lambda: self._register.finish(order, token, outcome))
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

    async def _carry_out(self, tool: Tool, tool_call: _ToolCall, in_doubt: bool) -> Outcome:
        order = tool_call.order
        if in_doubt:
            try:
                found = await tool.find_out(order)
                if found is not None:
                    return found
            except NotKnown as doubt:
                if tool_call.withdrawn or not tool.idempotent:
                    return unknown(f"it was begun and cut short; {doubt}")
        if tool_call.withdrawn:
            return WITHDRAWN
        tool_call.leaves()
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

    def _withdrawn_unwritten(self, tool_call: _ToolCall, token: str) -> Outcome:
        """A withdrawal that the register cannot take now. An order that is here will not be carried out; whether one
        that is not was begun, nobody can tell."""
        order = tool_call.order
        if not tool_call.ordered:
            return self._counted(order, unknown("it was to be withdrawn, and the register of acts is away"))
        self._write_later(order, WITHDRAWN, lambda: self._claim(order, token))
        return WITHDRAWN

    async def _claim(self, order: Order, token: str) -> None:
        """Write a withdrawal down for whoever orders the same later.

        Raises:
            JournalAway: not now; also while a later grant of the key is under way, whose row in the register it is.
        """
        if order.key in self._under_way:
            raise JournalAway("a later grant of the key is under way")
        begun = await self._register.begin(order, token, 0)
        if begun.wait_ms:
            raise JournalAway("another node may be at it")
        if begun.outcome is None and not begun.newer_epoch:
            doubt = self._counted(order, unknown("it was begun, cut short, and withdrawn")) if begun.in_doubt else None
            await self._register.finish(order, token, doubt or WITHDRAWN)

    def _counted(self, order: Order, outcome: Outcome) -> Outcome:
        if not outcome.known:
            self.unknown += 1
            log.error("of an act it is not known whether it happened", extra={"call": order.call, "key": order.key})
        return outcome

    def _write_later(self, order: Order, outcome: Outcome, write: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        """Go on trying to write down what was told; no copy of a withdrawn order gets past it here meanwhile."""
        if outcome.withdrawn:
            self._unwritten.add((order.key, order.grant))
        self._spawn(self._written(order, write))

    async def _written(self, order: Order, write: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        try:
            for _ in range(FINISH_MS // PAUSE_MS):
                await asyncio.sleep(PAUSE_MS / 1_000)
                try:
                    await write()
                    return
                except JournalAway:
                    continue
            log.error("what came of an act could not be written down", extra={"call": order.call, "key": order.key})
        finally:
            self._unwritten.discard((order.key, order.grant))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _never(_order: Order) -> Outcome:
    raise NotKnown("no tool of this node carries it out")


_NOBODY = Tool(_never)
