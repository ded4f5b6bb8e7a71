"""An engine tells the director where it listens, again and again while it lives. Nothing of speech, no link here."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from offhook.actors.contracts.errors import LinkLost
from offhook.actors.engines.engine_places import Place
from offhook.cluster.director_ref import DirectorRef
from offhook.policies.core.errors import OffhookError

log = logging.getLogger(__name__)

ANNOUNCE_S = 3.0  # the director drops who misses five
ANSWER_S = 5.0


class Heartbeat:
    """Announces one place from `start` to `stop`. A director that is away is found again; calls go on meanwhile."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._director: DirectorRef | None = None
        self._missed = False
        self._announcing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns after the first try: what follows this engine's start may count on it where a director runs."""
        await self._announce()
        self._announcing = asyncio.get_running_loop().create_task(self._go_on())

    async def stop(self) -> None:
        """No call is to come here any more."""
        if self._announcing is not None:
            self._announcing.cancel()
        if self._director is not None:
            with contextlib.suppress(OffhookError, TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    await self._director.withdraw_engine(self._place.replica)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(ANNOUNCE_S)
            await self._announce()

    async def _announce(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                if self._director is None:
                    self._director = await asyncio.to_thread(DirectorRef.find)
                await self._director.announce_engine(self._place.as_map())
            self._missed = False
        except (OffhookError, TimeoutError) as fault:
            if not self._missed:
                log.warning("no director hears of engine %s, which is tried again: %s", self._place.replica, fault)
            self._missed = True
            if isinstance(fault, LinkLost):
                self._director = None
        except Exception:
            log.exception("an announcement failed; it is tried again")  # this loop must never stop
            self._director = None
