"""The gateway: one per node, holds the carriers' sockets and does nothing else. It is small so that it does not fail.

It terminates each WebSocket, redeems its media token, claims the call from the supervisor, and joins the two sides in
a `Line`. A line whose owner dies is claimed anew, or goes to the new owner of whom the supervisor tells. A socket that
misbehaves before it has a call is closed with a code and a reason; in a call bad messages are dropped (`tolerance.py`).
Either is counted and touches no other socket. How a carrier words things is `carriers/`'
matter, what a line keeps is `line.py`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from offhook.policies.core.errors import CallerFault, WorldFault
from picows import (
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
    ws_create_server,
)

from ..carriers.twilio import media_stream
from ..contracts.claim import Claim
from ..contracts.errors import LineFault, TokenFault
from .gateway_operations import GatewayFigures
from .line import Line
from .tokens import MEDIA_PATH, TokenVerifier
from .tolerance import Dropped, Tolerance

log = logging.getLogger(__name__)

START_WITHIN_S = 10.0  # from the socket's opening to its `start`; the carrier takes milliseconds
JOIN_WITHIN_S = 10.0  # from `start`, or from the loss of the owner, to an owner's link; a takeover takes 0.1 s, or
# waits for a spare for as long as this line keeps its audio
JOIN_PAUSE_S = 0.05
STOPPED_KEPT = 1_000  # lines that have ended: far more than end while a takeover lasts
CLOSE_WITHIN_S = 2.0  # for the carrier's answer to a goodbye; closing at once could destroy the goodbye on its way
FRAME_BYTES_MAX = 1 << 20  # above, the socket is cut; between MESSAGE_BYTES_MAX and this it gets a clean goodbye
WRITE_BYTES_MAX = 256 << 10  # unread by the carrier: 24 s of speech, of which at most 0.5 s is ever sent ahead
REASON_BYTES_MAX = 123  # RFC 6455, 5.5.1

CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
CLOSE_BUG = 1011

ClaimCall = Callable[[str, int], Awaitable[Claim]]  # the call, and the epoch of the owner just lost (0 = had none)


class Gateway:
    """The sockets of one node. All of it runs on one event loop."""

    def __init__(self, secret: str, claim: ClaimCall) -> None:
        self._tokens = TokenVerifier(secret)
        self._claim = claim
        self._server: asyncio.Server | None = None
        self._sockets: set[TwilioSocket] = set()
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
        head, _, token = path.removeprefix(MEDIA_PATH).partition("/")
        if not path.startswith(MEDIA_PATH) or head:
            return None  # 404
        return TwilioSocket(self, token)

    # --- for the sockets --------------------------------------------------------------------------------------------

    def joined(self, socket: TwilioSocket) -> None:
        self.opened += 1
        self._sockets.add(socket)

    def left(self, socket: TwilioSocket) -> None:
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
            raise LineFault("token", str(fault), media_stream.CLOSE_POLICY) from None

    def open_line(self, call: str, stream: str, carrier: TwilioSocket) -> Line:
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
        """Claim the call for its line; tries again while an owner may still appear, then ends the line."""
        deadline = asyncio.get_running_loop().time() + JOIN_WITHIN_S
        reason = ""
        while not line.over and not line.attached:
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


class TwilioSocket(WSListener):  # type: ignore[misc]
    """One socket that speaks Twilio Media Streams; the `Carrier` of its line."""

    _writer: media_stream.ApplicationWriter  # from `start` on
    _transport: WSTransport  # from the connection on

    def __init__(self, gateway: Gateway, token: str) -> None:
        self.line: Line | None = None
        self._gateway = gateway
        self._token = token
        self._call = ""  # the redeemed token's
        self._closing = False
        self._reader = media_stream.CarrierReader()
        self._tolerance = Tolerance()
        self._timer: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []  # of a message in several frames
        self._passing_over = False  # the rest of such a message, which is too long

    @property
    def gaps(self) -> int:
        """Steps in the carrier's numbering that were not by one."""
        return self._reader.gaps

    # --- picows.WSListener --------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=WRITE_BYTES_MAX)
        self._gateway.joined(self)
        self._timer = asyncio.get_running_loop().call_later(START_WITHIN_S, self._never_started)
        if self._token:
            try:
                self._call = self._gateway.redeem(self._token)
            except LineFault as fault:
                self.fault(fault)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self._note_refusal(transport)
            self._closing = True
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        if self._closing:
            return  # on its way before the carrier read our goodbye
        try:
            if kind == WSMsgType.TEXT and frame.fin:
                self._message(frame.get_payload_as_bytes())
            elif kind in (WSMsgType.TEXT, WSMsgType.CONTINUATION):
                self._part(frame)
            elif kind == WSMsgType.BINARY:
                raise LineFault("json", "binary message; messages are JSON text", media_stream.CLOSE_UNSUPPORTED)
        except LineFault as fault:
            self._bad(fault)
        except Exception:
            log.exception("a line's socket failed", extra={"call": self._call})
            self._bad(LineFault("bug", "a fault of offhook", CLOSE_BUG))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._note_refusal(transport)
        self._cancel_timer()
        if self.line is not None and not self.line.over:
            self.line.lost("the carrier's socket closed without 'stop'")
        self._gateway.left(self)

    def _note_refusal(self, transport: WSTransport) -> None:
        if not self._closing and transport.is_close_frame_sent:  # picows itself refused a frame (RFC 6455)
            self._gateway.faults["frame"] += 1

    def pause_writing(self) -> None:
        """The carrier has left more unread than a conversation ever needs: it is gone or stuck."""
        self.fault(LineFault("unread", f"more than {WRITE_BYTES_MAX} bytes left unread", media_stream.CLOSE_POLICY))

    def resume_writing(self) -> None:
        """The carrier reads again; by then the socket is closing."""

    # --- messages -----------------------------------------------------------------------------------------------------

    def _part(self, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            self._parts, self._passing_over = [], False
        elif self._passing_over:
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin or sum(map(len, self._parts)) > media_stream.MESSAGE_BYTES_MAX:
            raw, self._parts = b"".join(self._parts), []
            self._passing_over = not frame.fin
            self._message(raw)

    def _message(self, raw: bytes) -> None:
        if len(raw) > media_stream.MESSAGE_BYTES_MAX:
            limit = media_stream.MESSAGE_BYTES_MAX
            raise LineFault("size", f"a message of {len(raw)} bytes, the limit is {limit}", media_stream.CLOSE_TOO_BIG)
        message = self._reader.read(raw)
        line = self.line
        if line is None:
            if isinstance(message, media_stream.Start):
                self._start(message)
        elif isinstance(message, media_stream.Media):
            line.heard(message.audio)
        elif isinstance(message, media_stream.Mark):
            line.marked(message.name)
        elif isinstance(message, media_stream.Digit):
            line.digit(message.digit)
        elif isinstance(message, media_stream.Stop):
            line.stopped("the caller hung up")
            self.close(CLOSE_NORMAL, "stopped")

    def _start(self, start: media_stream.Start) -> None:
        self._cancel_timer()
        self._call = self._call or self._gateway.redeem(start.parameters.get("token", ""))
        self._writer = media_stream.ApplicationWriter(start.stream)
        self.line = self._gateway.open_line(self._call, start.stream, self)

    def _bad(self, fault: LineFault) -> None:
        """Before there is a call it ends the socket. Later it is dropped, until bad messages are most of what comes."""
        line = self.line
        if line is None:
            self.fault(fault)
            return
        now_s = asyncio.get_running_loop().time()
        self._gateway.dropped.note(fault.kind, self._call, now_s)
        if not self._tolerance.bears(now_s, line.frames_in):
            self.fault(LineFault(fault.kind, f"most messages cannot be read; the last: {fault.reason}", fault.code))

    # --- endings ------------------------------------------------------------------------------------------------------

    def fault(self, fault: LineFault) -> None:
        """Close this socket with a code and a reason; the call sees its line lost."""
        if self._closing:
            return
        self._gateway.faults[fault.kind] += 1
        log.warning("socket closed", extra={"call": self._call, "fault": fault.kind, "reason": fault.reason})
        self.close(fault.code, fault.reason)
        if self.line is not None and not self.line.over:
            self.line.lost(fault.reason)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the socket closes when the carrier has answered, or after CLOSE_WITHIN_S."""
        if self._closing:
            return
        self._closing = True
        self._cancel_timer()
        text = reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")
        self._transport.send_close(WSCloseCode(code), text.encode())
        self._timer = asyncio.get_running_loop().call_later(CLOSE_WITHIN_S, self._transport.disconnect, False)

    def _never_started(self) -> None:
        self.fault(LineFault("order", f"no 'start' within {START_WITHIN_S:.0f} s", media_stream.CLOSE_POLICY))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # --- line.Carrier -------------------------------------------------------------------------------------------------

    def play(self, audio: bytes) -> None:
        self._send(self._writer.media(audio))

    def mark(self, name: str) -> None:
        self._send(self._writer.mark(name))

    def clear(self) -> None:
        self._send(self._writer.clear())

    def hang_up(self, reason: str) -> None:
        self.close(CLOSE_NORMAL, reason)

    def _send(self, message: bytes) -> None:
        if not self._closing:
            self._transport.send(WSMsgType.TEXT, message)
