"""A link that comes back: dials endpoints again and again, with a growing pause. Not what is said on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..contracts.errors import LinkLost, ProtocolFault
from .link import Array, Link, connect

log = logging.getLogger(__name__)

Endpoint = tuple[str, str]  # where, and the token that opens it

PAUSE_MS_FIRST = 50
PAUSE_MS_MAX = 2_000  # an engine that is back is used within two seconds
DIAL_MS = 1_000
PROOF_MS = 50  # for an engine that was away to refuse us again
LOST_MS = 4_000  # for the other machine to acknowledge what was sent; a call keeps twice as much sound for the next one
STEADY_MS = 5_000  # a link that lived this long was a good one: it is dialled again at once


class Reconnect:
    """Keeps one link open to the first of `endpoints` that answers. Needs a running loop.

    `opened(link)` on every new link; `message(link, message)`; `lost(reason)` once when the link is lost, or when the
    first round of dialling reached nobody. Without an endpoint it is lost, until `redirect` names one. `hello` is what
    every link's first message says after the token.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        opened: Callable[[Link], None],
        message: Callable[[Link, Array], None],
        lost: Callable[[str], None],
        hello: tuple[str, ...] = (),
    ) -> None:
        self.link: Link | None = None
        self.up = True  # until the contrary is known
        self.was_down = False  # while `opened` runs: the link had been found missing
        self._endpoints = _hashable(endpoints)
        self._left: set[Endpoint] = set()  # open, and of no use: dialled after the others
        self._opened = opened
        self._message = message
        self._lost = lost
        self._hello = hello
        self._at: Endpoint = ("", "")  # where the present link leads
        self._task: asyncio.Task[None] | None = None
        self._redirected = asyncio.Event()

    def start(self) -> None:
        """Dial, now and whenever the link is lost."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._dial())

    def redirect(self, endpoints: Sequence[Endpoint]) -> None:
        """Dial these from now on, at once where no link is open. One that is open stays, wherever it leads."""
        self._endpoints = _hashable(endpoints)
        self._left &= set(self._endpoints)
        self._redirected.set()

    def leave(self, reason: str) -> None:
        """Close the link, and count it as lost: whoever is there does not do its work. Another is dialled first."""
        if self.link is not None:
            self._left.add(self._at)
            self.link.abort(reason)

    def keep(self) -> None:
        """Whoever is there does its work, also where it was left before."""
        self._left.discard(self._at)

    def stop(self) -> None:
        """Close the link and dial no more; no callback after this."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        link, self.link = self.link, None
        if link is not None:
            link.on_close = None
            link.close()

    async def _dial(self) -> None:
        pause_ms = PAUSE_MS_FIRST
        which, failures = 0, 0
        while True:
            if not self._endpoints:
                self._down("nobody has said where one listens; is it deployed, and has it started?")
                await self._redirected.wait()
            if self._redirected.is_set():
                self._redirected.clear()
                which, failures = self._preferred(), 0
                pause_ms = PAUSE_MS_FIRST
                continue
            reason = await self._try(self._endpoints[which])
            if not reason:  # a good link, now lost: the preferred one first, and at once
                which, failures = self._preferred(), 0
                pause_ms = PAUSE_MS_FIRST
                continue
            if self._redirected.is_set():
                continue
            which = (which + 1) % len(self._endpoints)
            failures += 1
            if failures % len(self._endpoints) == 0:
                self._down(reason)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_ms / 1_000):
                        await self._redirected.wait()
                pause_ms = min(2 * pause_ms, PAUSE_MS_MAX)

    def _preferred(self) -> int:
        """The first that was not left, or the first of all."""
        return next((which for which, place in enumerate(self._endpoints) if place not in self._left), 0)

    async def _try(self, place: Endpoint) -> str:
        """Dial once and stay until the link is lost; why it was not a good one, or ""."""
        endpoint, token = place
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        lost: list[str] = []

        def closed(_link: Link, reason: str) -> None:
            lost.append(reason)
            gone.set()
            self._closed(_link, reason)

        try:
            link = await connect(
                endpoint, token, *self._hello, on_message=self._message, on_close=closed, timeout_s=DIAL_MS / 1_000
            )
        except (LinkLost, ProtocolFault) as error:
            return str(error)
        link.lose_within(LOST_MS)
        opened_s = loop.time()
        try:
            if not self.up:  # one that refuses us would else be reported back, and gone, with every try
                with suppress(TimeoutError):
                    async with asyncio.timeout(PROOF_MS / 1_000):
                        await gone.wait()
            if not gone.is_set():
                self.link, self._at, self.was_down, self.up = link, place, not self.up, True
                self._opened(link)
                await gone.wait()
        except asyncio.CancelledError:
            link.on_close = None
            link.close()
            raise
        good = loop.time() - opened_s >= STEADY_MS / 1_000 and place not in self._left
        return "" if good else lost[0]

    def _closed(self, link: Link, reason: str) -> None:
        if link is self.link:
            self.link = None
            self._down(reason)

    def _down(self, reason: str) -> None:
        if self.up:
            self.up = False
            log.warning("no link: %s", reason)
            self._lost(reason)


def _hashable(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    return tuple((endpoint, token) for endpoint, token in endpoints)  # lists, where they came over a wire
