"""A supervisor's return after its own death: which calls outlived it, which are taken over now, which are over.

Processes that live connect again within half a second and bring their calls along (`worker_events.py`). A call whose
process died with the supervisor has nobody to say so. Its line is still held by the gateway, which tells of its lines
when it connects, and asks for their owners until it gives them up: whoever asks for such a call has it taken over from
the journal. What nobody has asked for by then has no line any more and is closed with a record.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from ..contracts.errors import JournalAway
from .adoption import row_from_journal
from .call_start import Parts
from .call_table import CallRow
from .intake import Intake
from .outcomes import DIED
from .residents import Resident
from .takeover import Takeovers

log = logging.getLogger(__name__)

RETURN_S = 4.0  # for processes of the former life to connect; they try twice a second
LINES_S = 10.0  # from then on until calls that nobody has asked for are closed; a gateway keeps a line for as long
DIED_TOGETHER = "its process died together with the supervisor"


class Recovery:
    """One supervisor's return. `spawn` runs a coroutine beside all else; `rest` lets so many seconds pass."""

    def __init__(
        self,
        parts: Parts,
        takeovers: Takeovers,
        intake: Intake,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._parts = parts
        self._takeovers = takeovers
        self._intake = intake
        self._spawn = spawn
        self._rest = rest
        self._under_way = False
        self._awaited: set[str] = set()  # call actors of the former life that have neither connected nor died
        self._all_here = asyncio.Event()
        self._reviving: dict[str, asyncio.Task[bool]] = {}

    def begin(self, found: Sequence[Resident]) -> None:
        """Processes of a former life were found, or none: then nothing is waited for."""
        self._awaited = {resident.name for resident in found if resident.role == "call"}
        self._under_way = bool(found)
        self._look()
        self._spawn(self._close_what_is_over())

    def accounted(self, resident: str) -> None:
        """A resident has connected, or is dead."""
        self._awaited.discard(resident)
        self._look()

    def _look(self) -> None:
        if not self._awaited:
            self._all_here.set()

    def lines(self, calls: Iterable[Any]) -> None:
        """A gateway has connected and holds the lines of these calls."""
        if self._under_way and not self._parts.journal.shared:  # else it may hold lines of calls led on other nodes
            for call in calls:
                if call not in self._parts.table:
                    self._spawn(self._revive_quietly(str(call)))

    async def owner(self, call: str, lost_epoch: int = 0) -> CallRow:
        """See `Takeovers.owner`; a call that died while this supervisor was away is taken over first.

        Raises:
            NoSuchCall: it is over, or never was led here. JournalAway: as `revive`.
        """
        if call not in self._parts.table:
            await self.revive(call, lost_epoch)
        return await self._takeovers.owner(call, lost_epoch)

    async def revive(self, call: str, lost_epoch: int = 0) -> bool:
        """Somebody wants the owner of a call that nobody here leads: have it taken over, if it goes on.

        Args:
            lost_epoch: of the owner that whoever asks has lost. In a journal that nodes share, it must be the newest
                one: only then the call was led here.

        Returns:
            True = it is led here, or is being taken over. False = it is over, or was never led here.

        Raises:
            JournalAway: what is known of it cannot be read now; ask again.
        """
        if not self._under_way:
            return False
        task = self._reviving.get(call)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._revive(call, lost_epoch))
            self._reviving[call] = task
            task.add_done_callback(lambda _task: self._reviving.pop(call, None))
        return await asyncio.shield(task)

    async def _revive(self, call: str, lost_epoch: int) -> bool:
        await self._everybody_is_here()
        table, journal = self._parts.table, self._parts.journal
        if call in table:
            return True
        row = await row_from_journal(journal, call)
        if row is None or (journal.shared and lost_epoch < row.epoch):
            return call in table
        if call not in table:
            log.warning("a call is taken over after the supervisor's return", extra={"call": call, "epoch": row.epoch})
            table.open(row)
            self._takeovers.begin(row, DIED_TOGETHER)
        return True

    async def _revive_quietly(self, call: str) -> None:
        try:
            await self.revive(call)
        except JournalAway as fault:  # its gateway asks again
            log.warning("%s", fault, extra={"call": call})

    async def _everybody_is_here(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RETURN_S):
                await self._all_here.wait()
        self._all_here.set()  # who has not come within that time is not waited for again

    async def _close_what_is_over(self) -> None:
        if self._under_way:
            await self._everybody_is_here()
            await self._rest(LINES_S)
            self._under_way = False
        await self._intake.close_unclaimed(DIED, "no process and no line claims it after the supervisor's restart")
