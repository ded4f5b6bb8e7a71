"""Calls that no process leads, in a journal that nodes share: adopted here, or closed with a record.

Their node was lost, so nobody can tell of them but the journal. An adoption is a takeover whose former owner this node
never knew: the same fence, the same fold, the same way back (`takeover.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from offhook.policies.core.records import End, Record

from ..contracts.errors import Fenced, NoSpare, NoSuchCall, OwnJournal
from ..journals.journal import Tail
from .adoption import row_from_journal
from .call_start import Parts
from .call_table import CallRow
from .intake import SUPERVISOR
from .outcomes import LOST
from .takeover import Takeovers

EPOCHS_MAX = 16  # tried: a takeover that failed leaves one without records
OPEN_CALLS_MAX = 5_000  # looked at: ten times what the calls of a lost node are


class Orphans:
    """What one node does about them."""

    def __init__(self, parts: Parts, takeovers: Takeovers) -> None:
        self._parts = parts
        self._takeovers = takeovers

    async def adopt(self, call: str) -> None:
        """Go on with a call; returns when a process here leads it.

        Raises:
            NoSuchCall: the journal has no such call, or it is over, or it could not be led here.
            OwnJournal: the nodes share no journal.
            NoSpare: no process came free in time; the journal still holds the call open.
            JournalAway, JournalDamaged: what is known of it cannot be read.
        """
        parts = self._parts
        if call not in parts.table:
            if not parts.journal.shared:
                raise OwnJournal(f"call {call!r}: the journal of its node is that node's own")
            row = await row_from_journal(parts.journal, call)
            if row is None:
                raise NoSuchCall(f"call {call!r} is over, or never was")
            if parts.pool.draining:
                raise NoSpare("this node drains: it adopts no calls")
            tail = await self._fence(row)
            row.epoch = tail.epoch - 1  # the takeover's own epoch is the fence's
            if call not in parts.table:
                parts.table.open(row)
                self._takeovers.begin(row, "its node was lost")
        await self._takeovers.owner(call)

    async def _fence(self, row: CallRow) -> Tail:
        """Fence at an epoch that nobody has had. Owners may have fenced without leaving a record.

        Raises:
            NoSuchCall: somebody fences it again and again at this moment.
        """
        for epoch in range(row.epoch + 1, row.epoch + 1 + EPOCHS_MAX):
            with contextlib.suppress(Fenced):
                await self._parts.journal.fence(row.call, epoch)  # at least the newest epoch, which may be another's
                return Tail(epoch + 1, (await self._parts.journal.fence(row.call, epoch + 1)).seq)
        raise NoSuchCall(f"call {row.call!r} is fenced beyond epoch {row.epoch + EPOCHS_MAX}: others lead it")

    async def unled(self) -> list[str]:
        """Calls that the shared journal holds open and that are not live here, the newest first."""
        journal = self._parts.journal
        if not journal.shared:
            return []
        kept = await journal.calls(OPEN_CALLS_MAX)
        return [call.call for call in kept if not call.ended and call.call not in self._parts.table]

    async def close(self, call: str, why: str) -> None:
        """Fence whoever may lead it still, and write its end.

        Raises:
            NoSuchCall: it is led here, or has ended, or somebody else takes it at this moment.
        """
        parts = self._parts
        row = await row_from_journal(parts.journal, call) if parts.journal.shared else None
        if row is None or call in parts.table:
            raise NoSuchCall(f"call {call!r} is led, or over: there is nothing to close")
        tail = await self._fence(row)
        at_ms = max(row.at_ms, time.time_ns() // 1_000_000 - row.origin_unix_ms)
        end = End(LOST, why=why, by=SUPERVISOR)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(fault: Exception | None) -> None:
            if not written.done():
                written.set_result(None) if fault is None else written.set_exception(fault)

        parts.journal.append([Record(call, tail.epoch, tail.seq + 1, at_ms, End.KIND, end.plain())], done)
        await written
