"""A journal as its supervisor uses it: what is found damaged in it is told, kept, and counted, whoever came across it.

Everything else is passed on as it is. The first words on each call's damage are kept; a reader that comes across it
again adds nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from offhook.policies.core.records import Record, Rows

from ..contracts.errors import JournalDamaged
from .journal import Done, Journal, Kept, Tail

log = logging.getLogger(__name__)
T = TypeVar("T")

CALLS_MAX = 1_000  # whose damage is remembered; all of it is counted


class Damages:
    """What was found: call -> what is wrong; "" = the store as a whole."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.count = 0  # calls (and times that the store as a whole) were found damaged

    def note(self, call: str, what: str) -> None:
        """Something is not what was written. Called on the loop."""
        if call and call in self.found:
            return
        self.count += 1
        if len(self.found) >= CALLS_MAX:
            del self.found[next(iter(self.found))]
        self.found[call] = what
        log.error("the journal is damaged: %s", what, extra={"call": call})

    def of_store(self, what: str) -> None:
        """The store as a whole is not what was written."""
        self.note("", what)

    def of(self, call: str) -> dict[str, str]:
        """For a call's state: {"damaged": what is wrong with its journal}, or nothing."""
        return {"damaged": self.found[call]} if call in self.found else {}


class DamageMonitor:
    """See `journal.Journal`."""

    def __init__(self, journal: Journal, damages: Damages) -> None:
        self._journal = journal
        self._damages = damages

    @property
    def up(self) -> bool:
        """See `Journal`."""
        return self._journal.up

    @property
    def shared(self) -> bool:
        """See `Journal`."""
        return self._journal.shared

    def append(self, records: Sequence[Rows], done: Done) -> None:
        """See `Journal`."""
        self._journal.append(records, done)

    async def fence(self, call: str, epoch: int) -> Tail:
        """See `Journal`."""
        return await self._journal.fence(call, epoch)

    async def read(self, call: str, after_seq: int = -1, limit: int = 1_000) -> list[Record]:
        """See `Journal`."""
        return await self._told(call, lambda: self._journal.read(call, after_seq, limit))

    async def last(self, call: str, kind: str = "") -> Record | None:
        """See `Journal`."""
        return await self._told(call, lambda: self._journal.last(call, kind))

    async def calls(self, limit: int = 100) -> list[Kept]:
        """See `Journal`."""
        return await self._told("", lambda: self._journal.calls(limit))

    async def kept(self, call: str) -> Kept | None:
        """See `Journal`."""
        return await self._told(call, lambda: self._journal.kept(call))

    async def close(self) -> None:
        """See `Journal`."""
        await self._journal.close()

    async def _told(self, call: str, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except JournalDamaged as fault:
            self._damages.note(call, str(fault))
            raise
