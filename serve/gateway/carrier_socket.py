"""One socket of a carrier's in the gateway: its frames in, its messages out, its faults, its end.

How messages are worded is the carrier's matter (`carriers/`), which sockets and lines there are `gateway.py`'s. A
socket that misbehaves before it has a call is closed with a code and a reason; in a call bad messages are dropped
(`tolerance.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Protocol, assert_never

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from ..carriers.messages import (
    CLOSE_POLICY,
    CLOSE_TOO_BIG,
    Connected,
    Digit,
    HangUp,
    Mark,
    Media,
    Order,
    Outbound,
    SendKeys,
    SocketMessage,
    Start,
    Stop,
    Transfer,
)
from ..carriers.port import Carrier, NotOffered, Signal, StreamWriter
from ..contracts.errors import LineFault
from .line import Line
from .tolerance import Dropped, Tolerance

log = logging.getLogger(__name__)

START_WITHIN_S = 10.0  # from the socket's opening to its `start`; the carrier takes milliseconds
CLOSE_WITHIN_S = 2.0  # for the carrier's answer to a goodbye; closing at once could destroy the goodbye on its way
WRITE_BYTES_MAX = 256 << 10  # unread by the carrier: 24 s of speech, of which at most 0.5 s is ever sent ahead
REASON_BYTES_MAX = 123  # RFC 6455, 5.5.1

CLOSE_NORMAL = 1000
CLOSE_GOING_AWAY = 1001
CLOSE_BUG = 1011

_SIGNALS: dict[type[Order], Signal] = {  # which a carrier has to offer for an order
    HangUp: Signal.HANG_UP,
    Transfer: Signal.TRANSFER,
    SendKeys: Signal.SEND_KEYS,
}


class Sockets(Protocol):
    """What a socket asks of its gateway."""

    faults: Counter[str]
    dropped: Dropped

    def joined(self, socket: CarrierSocket) -> None:
        """It is open."""

    def left(self, socket: CarrierSocket) -> None:
        """It is closed."""

    def redeem(self, token: str) -> str:
        """The call that `token` stands for. Raises: LineFault: none."""

    def open_line(self, call: str, stream: str, carrier: CarrierSocket) -> Line:
        """Its stream has begun."""


class CarrierSocket(WSListener):  # type: ignore[misc]
    """One socket of a carrier's; the `CarrierStream` of its line."""

    _writer: StreamWriter  # from `start` on
    _transport: WSTransport  # from the connection on

    def __init__(self, carrier: Carrier, gateway: Sockets, token: str) -> None:
        self.line: Line | None = None
        self._carrier = carrier
        self._gateway = gateway
        self._token = token
        self._call = ""  # the redeemed token's
        self._closing = False
        self._reader = carrier.reader()
        self._bytes_max = carrier.capabilities.message_bytes_max
        self._tolerance = Tolerance()
        self._timer: asyncio.TimerHandle | None = None
        self._parts: list[bytes] = []  # of a message in several frames
        self._binary = False  # such a message is
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
                self._message(frame.get_payload_as_bytes(), False)
            elif kind == WSMsgType.BINARY and frame.fin:
                self._message(frame.get_payload_as_bytes(), True)
            elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
                self._part(frame)
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
        self.fault(LineFault("unread", f"more than {WRITE_BYTES_MAX} bytes left unread", CLOSE_POLICY))

    def resume_writing(self) -> None:
        """The carrier reads again; by then the socket is closing."""

    # --- messages -----------------------------------------------------------------------------------------------------

    def _part(self, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.CONTINUATION:
            self._parts, self._passing_over, self._binary = [], False, frame.msg_type == WSMsgType.BINARY
        elif self._passing_over:
            return
        self._parts.append(frame.get_payload_as_bytes())
        if frame.fin or sum(map(len, self._parts)) > self._bytes_max:
            raw, self._parts = b"".join(self._parts), []
            self._passing_over = not frame.fin
            self._message(raw, self._binary)

    def _message(self, raw: bytes, binary: bool) -> None:
        if len(raw) > self._bytes_max:
            raise LineFault("size", f"a message of {len(raw)} bytes, the limit is {self._bytes_max}", CLOSE_TOO_BIG)
        message = self._reader.read(raw, binary)
        line = self.line
        if line is None:
            if isinstance(message, Start):
                self._start(message)
            return  # nothing else can concern a call: there is none yet
        match message:
            case Media():
                line.heard(message.audio)
            case Mark():
                line.marked(message.name)
            case Digit():
                line.digit(message.digit)
            case Stop():
                line.stopped("the caller hung up")
                self.close(CLOSE_NORMAL, "stopped")
            case Connected() | Start() | Outbound():
                pass  # a greeting, a stream that has begun, our own sound: nothing that a call waits for
            case _:
                assert_never(message)

    def _start(self, start: Start) -> None:
        self._cancel_timer()
        self._call = self._call or self._gateway.redeem(start.parameters.get("token", ""))
        self._writer = self._carrier.writer(start.stream)
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
        self.fault(LineFault("order", f"no 'start' within {START_WITHIN_S:.0f} s", CLOSE_POLICY))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    # --- line.CarrierStream -------------------------------------------------------------------------------------------

    @property
    def transfers(self) -> bool:
        return Signal.TRANSFER in self._carrier.capabilities.signals

    def play(self, audio: bytes) -> None:
        self._send(self._writer.media(audio))

    def mark(self, name: str) -> None:
        self._send(self._writer.mark(name))

    def clear(self) -> None:
        self._send(self._writer.clear())

    def hang_up(self, reason: str) -> None:
        self._give(HangUp(reason))
        self.close(CLOSE_NORMAL, reason)

    def transfer(self, target: str) -> None:
        self._give(Transfer(target))

    def end_stream(self, reason: str) -> None:
        self.close(CLOSE_NORMAL, reason)

    def _give(self, order: Order) -> None:
        """What the carrier is to be told on the stream itself, before it ends; nothing that it does not offer."""
        if self._closing:
            return
        signal = _SIGNALS[type(order)]
        try:
            if signal not in self._carrier.capabilities.signals:
                raise NotOffered(self._carrier.name, signal)
            for message in self._writer.order(order):
                self._send(message)
        except NotOffered as fault:  # the end of the stream is all that is left; its webhook is asked then
            log.error("an order is not carried out", extra={"call": self._call, "reason": str(fault)})

    def _send(self, message: SocketMessage) -> None:
        if not self._closing:
            self._transport.send(WSMsgType.BINARY if message.binary else WSMsgType.TEXT, message.payload)
