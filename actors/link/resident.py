"""A resident: a process on a node that its supervisor knows by a lasting link (call actors, agent hosts, gateways).

It connects, says who it is and what runs in it, beats, and when the supervisor dies goes on with its work and connects
again: nothing that is live depends on the supervisor being there. A resident without work that finds no supervisor for
`ORPHAN_MS` ends its own process; nobody else would.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from typing import Any

from ..contracts.errors import LinkLost
from ..contracts.messages import PROTOCOL
from ..contracts.node_messages import Beat, ResidentHello
from ..process.metric_registry import Change, MetricRegistry
from .link import Array, Link, connect

log = logging.getLogger(__name__)

# Two chances within the 450 ms after which a live process counts as hung. More would guard against nothing: one that is
# merely late waits for a core, and the watch asks the kernel for that. A beat costs 0.1 ms here and half of it there.
BEAT_MS = 200
IDLE_BEAT_MS = 1_000  # a spare costs its node one wake-up a second
METRICS_EVERY_S = 5.0  # what was measured goes with a beat so often: Prometheus looks every 15 s
RETRY_MS = (20, 50, 100, 200, 500)  # a restarted supervisor listens again after about 2 s
ORPHAN_MS = 60_000  # longer than any restart of a supervisor, shorter than anybody's patience with a leaked process
STEADY_S = 1.0  # a link that lasted this long was a good one
BACKLOG_BYTES_MAX = 16 << 20  # of records while the supervisor reads slowly


class Resident:
    """The link of one process to its supervisor.

    Args:
        endpoint, token: where the supervisor listens, and the lasting token that it gave this process.
        role: "call", "agents" or "gateway"; `name` is unique on the node.
        own_endpoint: where this process listens itself.
        running: what runs here now, as plain values; told at every hello. Empty = nothing is live.
        live: whether anything is. Asked at every beat, so it must cost nothing; by default `running` is asked.
        on_message: called with every message of the supervisor.
        on_up: called after every (re)connection; on_down: after every loss.
    """

    def __init__(
        self,
        endpoint: str,
        token: str,
        role: str,
        name: str,
        *,
        node: str,
        own_endpoint: str,
        running: Callable[[], Any],
        on_message: Callable[[Array], None],
        live: Callable[[], bool] | None = None,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._token = token
        self._hello = (role, name, os.getpid(), node, own_endpoint)
        self._running = running
        self._live = live or (lambda: bool(running()))
        self._on_message = on_message
        self._on_up = on_up
        self._on_down = on_down
        self.metrics = MetricRegistry()  # of all that this process does, call after call
        self._metrics_due = 0.0
        self._link: Link | None = None
        self._lost = asyncio.Event()
        self._beat: asyncio.TimerHandle | None = None
        self._beat_due = 0.0
        self._reason_to_end = ""

    @property
    def up(self) -> bool:
        """The supervisor is there."""
        return self._link is not None and self._link.open

    def send(self, *message: Any) -> bool:
        """Queue a message for the supervisor; False while it is away."""
        return self._link is not None and self._link.send(*message)

    def end(self, reason: str) -> None:
        """Have `stay` return once nothing is live here."""
        self._reason_to_end = self._reason_to_end or reason
        self._lost.set()

    async def part(self, reason: str) -> None:
        """Close the link for good: what is queued is written, nothing more is sent. The process must end now."""
        link = self._link
        if link is not None and link.open:
            gone = asyncio.Event()
            link.on_close = lambda _link, _reason: gone.set()
            link.close(reason)
            await gone.wait()

    async def stay(self) -> str:
        """Keep the link up. Returns, with the reason, when this process has no reason to go on living."""
        loop = asyncio.get_running_loop()
        tries = 0
        last_up = loop.time()
        while True:
            if self._reason_to_end and not self._live():
                return self._reason_to_end
            if self.up:
                last_up = loop.time()
                self._lost.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0 if self._reason_to_end else None):
                        await self._lost.wait()
                # A link that broke at once (a refused hello) is retried with the pauses of a failed one.
                tries = 0 if loop.time() - last_up > STEADY_S else tries
                continue
            away_ms = (loop.time() - last_up) * 1_000
            if away_ms > ORPHAN_MS and not self._live():
                return f"no supervisor for {away_ms:.0f} ms and nothing is live here"
            if tries:
                await asyncio.sleep(RETRY_MS[min(tries, len(RETRY_MS)) - 1] / 1_000)
            tries += 1
            with contextlib.suppress(LinkLost):
                await self._connect()

    async def _connect(self) -> None:
        self._link = await connect(
            self._endpoint,
            self._token,
            *ResidentHello(*self._hello, self._running(), PROTOCOL).fields,
            on_message=lambda _link, message: self._on_message(message),
            on_close=self._closed,
        )
        self._link.backlog_bytes_max = BACKLOG_BYTES_MAX
        self.beat_soon()
        self._on_up()

    def _closed(self, link: Link, reason: str) -> None:
        if link is not self._link:
            return
        self._link = None
        log.info("%s lost its supervisor: %s", self.name, reason)
        if self._beat is not None:
            self._beat.cancel()
        self._lost.set()
        self._on_down()

    # --- beats ------------------------------------------------------------------------------------------------------

    def beat_soon(self) -> None:
        """Beat now, and tell what was measured: called when work begins, so that the faster rhythm starts with it, and
        when it has ended."""
        if self._beat is not None:
            self._beat.cancel()
        self._beat_due = asyncio.get_running_loop().time()
        self._metrics_due = 0.0
        self._beat_now()

    def _beat_now(self) -> None:
        loop = asyncio.get_running_loop()
        late_ms = max(0.0, (loop.time() - self._beat_due) * 1_000)
        live = self._live()
        changes = self._changes(loop.time())
        if not changes:
            self.send(*Beat(round(late_ms, 1), live))
        elif not self.send(*Beat(round(late_ms, 1), live, changes)):
            self.metrics.give_back(changes)
        rest_ms = BEAT_MS if live else IDLE_BEAT_MS
        self._beat_due = loop.time() + rest_ms / 1_000
        self._beat = loop.call_later(rest_ms / 1_000, self._beat_now)

    def _changes(self, now_s: float) -> list[Change]:
        """What was measured since it was told last, where it is time to tell."""
        if now_s < self._metrics_due:
            return []
        self._metrics_due = now_s + METRICS_EVERY_S
        return self.metrics.take()
