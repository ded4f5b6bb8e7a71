"""The gateway: one per node, holds the carriers' sockets and does nothing else. It is small so that it does not fail.

It terminates each WebSocket (`carrier_socket.py`), redeems its media token, claims the call from the supervisor, and
joins the two sides in a `Line`. A line whose owner dies is claimed anew, or goes to the new owner of whom the
supervisor tells. What a socket does wrong is counted and touches no other one. How a carrier words things is
`carriers/`' matter, what a line keeps is `line.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from offhook.policies.core.errors import CallerFault, WorldFault
from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener, ws_create_server

from ..carriers.messages import CLOSE_POLICY
from ..carriers.port import Carrier
from ..contracts.claim import Claim
from ..contracts.errors import LineFault, TokenFault
from .carrier_socket import CLOSE_GOING_AWAY, CarrierSocket
from .gateway_operations import GatewayFigures
from .line import Line
from .tokens import MEDIA_PATH, TokenVerifier
from .tolerance import Dropped

log = logging.getLogger(__name__)

JOIN_WITHIN_S = 10.0  # from `start`, or from the loss of the owner, to an owner's link; a takeover takes 0.1 s, or
# waits for a spare for as long as this line keeps its audio
JOIN_PAUSE_S = 0.05
STOPPED_KEPT = 1_000  # lines that have ended: far more than end while a takeover lasts
FRAME_BYTES_MAX = 1 << 20  # above, the socket is cut; between the carrier's limit and this it gets a clean goodbye

ClaimCall = Callable[[str, int], Awaitable[Claim]]  # the call, and the epoch of the owner just lost (0 = had none)


class Gateway:
    """The sockets of one node. All of it runs on one event loop."""

    def __init__(self, secret: str, claim: ClaimCall, carriers: Mapping[str, Carrier]) -> None:
        """`carriers` by name; the first one speaks on sockets whose address names none."""
        self._carriers = carriers
        self._tokens = TokenVerifier(secret)
        self._claim = claim
        self._server: asyncio.Server | None = None
        self._sockets: set[CarrierSocket] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.lines: dict[str, Line] = {}
        self._stopped: dict[str, Line] = {}  # ended by the carrier; the owner may have died before it heard of it
        self.faults: Counter[str] = Counter()  # sockets closed and lines refused, by kind
        self.dropped = Dropped()  # messages
        self.sequence_gaps = 0  # of streams that have ended
        self.opened = 0  # sockets so far
        self.port = 0

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (any free one for 0).

        Raises:
            OSError: the port is taken.
        """
        self._server = await ws_create_server(
            self._route,
            host,
            port,
            max_frame_size=FRAME_BYTES_MAX,
            enable_auto_ping=True,  # a dead network path shows after 20 s + 20 s without a packet
            disconnect_on_exception=True,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def stop(self) -> None:
        """Close every socket with a reason, then the server."""
        if self._server is not None:
            self._server.close()
        for socket in list(self._sockets):
            socket.close(CLOSE_GOING_AWAY, "the gateway stops")
        for task in self._tasks:
            task.cancel()

    @property
    def sockets(self) -> int:
        """Sockets that are open."""
        return len(self._sockets)

    def stats(self) -> GatewayFigures:
        """Figures for operators."""
        return GatewayFigures(
            lines=len(self.lines),
            opened=self.opened,
            faults=dict(self.faults),
            messages_dropped=dict(self.dropped.by_kind),
            sequence_gaps=self.sequence_gaps + sum(socket.gaps for socket in self._sockets),
            frames_in=sum(line.frames_in for line in self.lines.values()),
            frames_lost=sum(line.frames_lost for line in self.lines.values()),
            fenced=sum(line.fenced for line in self.lines.values()),
        )

    def _route(self, request: WSUpgradeRequest) -> Any:
        path = request.path.decode("ascii", "replace").partition("?")[0]
        if path == "/healthz":
            return WSUpgradeResponseWithListener(WSUpgradeResponse.create_ok_response(b"ok\n"), None)
        name, token = address(path, self._carriers)
        carrier = self._carriers.get(name)
        return CarrierSocket(carrier, self, token) if carrier is not None else None  # 404

    # --- for the sockets --------------------------------------------------------------------------------------------

    def joined(self, socket: CarrierSocket) -> None:
        self.opened += 1
        self._sockets.add(socket)

    def left(self, socket: CarrierSocket) -> None:
        self._sockets.discard(socket)
        self.sequence_gaps += socket.gaps
        line = socket.line
        if line is not None and self.lines.get(line.call) is line:
            del self.lines[line.call]
            if line.stop:
                self._stopped[line.call] = line
                if len(self._stopped) > STOPPED_KEPT:
                    del self._stopped[next(iter(self._stopped))]

    def redeem(self, token: str) -> str:
        """The call that `token` stands for.

        Raises:
            LineFault: the token opens nothing.
        """
        try:
            return self._tokens.redeem(token, time.time())
        except TokenFault as fault:
            raise LineFault("token", str(fault), CLOSE_POLICY) from None

    def open_line(self, call: str, stream: str, carrier: CarrierSocket) -> Line:
        """Begin to join the stream with its call; an older line of the same call makes way."""
        line = Line(call, stream, carrier, self._orphaned)
        before = self.lines.get(call)
        self.lines[call] = line
        if before is not None:
            before.make_way("the call came back on another line")
        self._join(line)
        return line

    def owned(self, call: str, claim: Claim) -> None:
        """A call has another owner, as its supervisor tells: its line goes there at once."""
        line = self.lines.get(call) or self._stopped.get(call)
        if line is not None:
            self._spawn(self._attach(line, claim))

    async def _attach(self, line: Line, claim: Claim) -> None:
        try:
            await line.attach(claim)
        except WorldFault as fault:  # a newer one has it, or it died too: the line is claimed, as ever
            log.info("not attached", extra={"call": line.call, "epoch": claim.epoch, "reason": str(fault)})

    def _orphaned(self, line: Line, reason: str) -> None:
        log.warning("owner lost", extra={"call": line.call, "epoch": line.epoch, "reason": reason})
        self._join(line)

    def _join(self, line: Line) -> None:
        self._spawn(self._claim_until_joined(line, line.epoch))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _claim_until_joined(self, line: Line, lost_epoch: int) -> None:
        """Claim the call for its line; tries again while an owner may still appear, then ends the line.

        A line that the carrier ends meanwhile is claimed too: whoever leads the call hears that the caller is gone.
        """
        deadline = asyncio.get_running_loop().time() + JOIN_WITHIN_S
        reason = ""
        while not line.attached and (line.stop or not line.over):
            try:
                await line.attach(await self._claim(line.call, lost_epoch))
                return
            except (WorldFault, OSError) as error:
                reason = str(error)
            except CallerFault as fault:  # the call is over, or there never was one
                self.refuse(line, "call", str(fault))
                return
            except Exception as error:
                log.exception("claim failed", extra={"call": line.call})
                self.refuse(line, "bug", f"{type(error).__name__}; this is a fault of offhook")
                return
            if asyncio.get_running_loop().time() >= deadline:
                self.refuse(line, "owner", f"nobody leads this call: {reason}")
                return
            lost_epoch = line.epoch
            await asyncio.sleep(JOIN_PAUSE_S)

    def refuse(self, line: Line, kind: str, reason: str) -> None:
        """End a line that has no owner."""
        if not line.over:
            self.faults[kind] += 1
            log.warning("line refused", extra={"call": line.call, "fault": kind, "reason": reason})
            line.hang_up(reason)


def address(path: str, carriers: Mapping[str, Carrier]) -> tuple[str, str]:
    """The carrier and the token that a socket's path names: MEDIA_PATH[/CARRIER][/TOKEN]; ("", "") = no media socket.

    A token holds dots, a carrier's name none, so neither is taken for the other.
    """
    rest = path.removeprefix(MEDIA_PATH)
    parts = rest.split("/")[1:]
    if not path.startswith(MEDIA_PATH) or (rest and rest[0] != "/") or len(parts) > 2:
        return "", ""
    if parts and parts[0] in carriers:
        return parts[0], parts[1] if len(parts) == 2 else ""
    if len(parts) == 2:
        return "", ""
    return next(iter(carriers), ""), parts[0] if parts else ""
