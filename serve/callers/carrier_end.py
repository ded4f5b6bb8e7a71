"""The carrier's end of one media stream: a clock of 20 ms, a playout buffer, marks, clear. It has no will of its own.

It does what a carrier does: a frame every 20 ms whether or not somebody speaks, what it is sent is played in order, a
mark comes back when everything before it was played, `clear` empties the buffer and returns the pending marks at once.
On top it keeps what the caller heard and said, sample by sample from the stream's start, so that position is time.
When a stream ends and the call may not be over, the caller stays on the line, hears nothing, and another stream may be
dialled. What a caller does with such a line is `softphone.py`'s matter, what follows a stream's end `redirect.py`'s,
how a carrier words it all `carriers/`'.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from offhook.actors.audio.format import BYTES_PER_MS, BYTES_PER_S, FRAME_BYTES, FRAME_MS, SILENCE
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from ..carriers.messages import HangUp, Mark, Media, SendKeys, SocketMessage, Transfer
from ..carriers.port import PlayedCarrier
from ..contracts.errors import LineFault
from ..engines.sound import MAGNITUDE

TICK_S = FRAME_MS / 1000
BUFFER_BYTES_MAX = 120 * BYTES_PER_S  # what a carrier keeps to be played; beyond it the sender is broken
RECORD_MS_MAX = 30 * 60_000  # what is heard and said after that is played but not kept
LOUD = 3  # of 255, about -39 dBFS: speech as the ear tells it from a line's noise
SILENT_MS = 300  # a pause shorter than this is heard as speech
SPURT_GAP_MS = 1_000  # a pause shorter than this stands between two sentences of one utterance
DRY_MS_MAX = 1_000  # the buffer dry for up to this long in the midst of speech: a gap; longer: a pause
NOISE_CODES = (0xFF, 0x7F, 0xFE, 0x7E, 0xFD, 0x7D)  # 0, +-8, +-16 of 32768: the hiss of an open line, below -65 dBFS


@dataclass(slots=True)
class Heard:
    """What the caller's ear knows at this moment, in ms since the stream began."""

    now_ms: int = 0
    loud_ms: int = -1  # end of the last frame with speech of the agent; -1 = none yet
    spurt_ms: int = -1  # since when the agent has been speaking without a longer pause

    @property
    def speaking(self) -> bool:
        """The agent is speaking, small pauses included."""
        return self.loud_ms >= 0 and self.now_ms - self.loud_ms < SILENT_MS


@dataclass(slots=True)
class Traffic:
    """What went over the line, with times in ms since the stream began."""

    heard: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)
    events: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)  # (at_ms, ms)
    interruptions: list[tuple[int, int]] = field(default_factory=list)  # without a stream: (at_ms, ms)
    marks: list[tuple[int, str]] = field(default_factory=list)  # as they came: (bytes of sound before it, name)
    media_bytes: int = 0
    late_ms_max: int = 0  # the most that this clock itself was late: judge the rest by it


class CarrierEnd(WSListener):  # type: ignore[misc]  # picows ships no types
    """One caller's line, on one stream after another. `on_tick(heard)` is called after every frame.

    `closed` resolves with why the line is gone, `stream_over` with why the present stream is. They are one unless
    `may_resume`: then a stream's end is not the line's, and somebody must say what follows (`dial`, or `give_up`).
    """

    def __init__(
        self,
        carrier: PlayedCarrier,
        call: str,
        on_tick: Callable[[Heard], None],
        pace: float = 1.0,
        may_resume: bool = False,
    ) -> None:
        self._carrier = carrier
        self._call = call
        self.stream = carrier.stream(call)
        self.heard = Heard()
        self.traffic = Traffic()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.stream_over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.transferred_to = ""  # the number that the application has ordered on the stream
        self._may_resume = may_resume
        self._over_since_ms = -1  # since when there is no stream; -1 = there is one
        self._on_tick = on_tick
        self._tick_s = TICK_S / pace
        self._transport: WSTransport | None = None
        self._playout = bytearray()
        self._played = 0  # bytes taken out of the buffer since the stream began
        self._received = 0  # bytes put in, cleared ones included
        self._marks: deque[tuple[int, str]] = deque()  # (byte after which it is due, name)
        self._mouth: deque[bytes] = deque()
        self._dry_since_ms = -1  # the buffer ran dry then, in the midst of speech; -1 = it did not
        self._clock: asyncio.Task[None] | None = None
        noise = random.Random(call)  # the same hiss on every run of the same script
        self._hiss = [bytes(noise.choices(NOISE_CODES, k=FRAME_BYTES)) for _ in range(50)]

    # --- the caller's side ------------------------------------------------------------------------------------------

    async def dial(self, media_url: str) -> None:
        """Open a stream, the first or the next one, and start the clock with the first.

        Raises:
            OSError, picows.WSError: nobody answers there, or it refuses.
        """
        transport, _ = await ws_connect(lambda: self, media_url, websocket_handshake_timeout=5, enable_auto_pong=True)
        if self.closed.done():  # the caller hung up meanwhile
            transport.disconnect()
            return
        self._transport = transport
        if self._over_since_ms >= 0:
            self.stream = self._carrier.stream(self._call)
            self.stream_over = asyncio.get_running_loop().create_future()
            self.traffic.interruptions.append((self._over_since_ms, self.heard.now_ms - self._over_since_ms))
            self.note("resumed", after_ms=self.heard.now_ms - self._over_since_ms, stream=self.stream.name)
            self._over_since_ms = -1
        for message in self.stream.opening({}):
            self._send(message)
        if self._clock is None:
            self._clock = asyncio.get_running_loop().create_task(self._run())

    def give_up(self, reason: str) -> None:
        """No other stream follows: the line is gone."""
        if not self.closed.done():
            self.closed.set_result(reason)

    def say(self, coded: bytes) -> int:
        """Put a clip (whole frames) into the mouth; it begins with the next frame. Returns its length in ms."""
        self._mouth.extend(coded[i : i + FRAME_BYTES] for i in range(0, len(coded), FRAME_BYTES))
        return len(coded) // FRAME_BYTES * FRAME_MS

    @property
    def talking(self) -> bool:
        """Something is still to be said."""
        return bool(self._mouth)

    def press(self, digit: str) -> None:
        """Press a key."""
        self.note("digit", digit=digit)
        self._send(self.stream.digit(digit))

    async def hang_up(self) -> None:
        """End the stream as a carrier does when the caller hangs up."""
        if not self.closed.done():
            self.closed.set_result("the caller hung up")
            for message in self.stream.closing():
                self._send(message)
        await self.stop()

    async def stop(self) -> None:
        """Close the socket and stop the clock, whatever the state."""
        if self._clock is not None:
            self._clock.cancel()
        if self._transport is not None:
            self._transport.send_close()
            self._transport.disconnect()

    def note(self, what: str, **more: Any) -> None:
        """Write down something that happened now."""
        self.traffic.events.append({"at_ms": self.heard.now_ms, "what": what, **more})

    # --- the clock --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        ticks = 0
        while not self.closed.done():
            self._tick()
            ticks += 1
            ahead_s = start + ticks * self._tick_s - loop.time()
            self.traffic.late_ms_max = max(self.traffic.late_ms_max, int(-ahead_s * 1000))
            await asyncio.sleep(max(0.0, ahead_s))  # late: the missing frames follow at once, as from a carrier

    def _tick(self) -> None:
        frame = self._mouth.popleft() if self._mouth else self._hiss[self.heard.now_ms // FRAME_MS % len(self._hiss)]
        self._send(self.stream.media(frame))
        played = self._play()
        heard = self.heard
        if heard.now_ms < RECORD_MS_MAX:
            self.traffic.said += frame
            self.traffic.heard += played
        heard.now_ms += FRAME_MS
        if max(played.translate(MAGNITUDE)) >= LOUD:
            if heard.loud_ms < 0 or heard.now_ms - heard.loud_ms > SPURT_GAP_MS:
                heard.spurt_ms = heard.now_ms - FRAME_MS
            heard.loud_ms = heard.now_ms
        self._on_tick(heard)

    def _play(self) -> bytes:
        """The next 20 ms of what the agent has sent, silence where it has sent nothing; due marks go back."""
        played = bytes(self._playout[:FRAME_BYTES])
        del self._playout[:FRAME_BYTES]
        self._played += len(played)
        if played and self._dry_since_ms >= 0:
            dry_ms = self.heard.now_ms - self._dry_since_ms
            if dry_ms <= DRY_MS_MAX:
                self.traffic.gaps.append((self._dry_since_ms, dry_ms))
            self._dry_since_ms = -1
        while self._marks and self._marks[0][0] <= self._played:
            self._return_mark(self._marks.popleft()[1])
        if played and not self._playout and max(played.translate(MAGNITUDE)) >= LOUD:
            self._dry_since_ms = self.heard.now_ms + FRAME_MS
        return played.ljust(FRAME_BYTES, SILENCE)

    def _return_mark(self, name: str) -> None:
        self.note("mark", name=name)
        self._send(self.stream.mark(name))

    def _send(self, message: SocketMessage) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send(WSMsgType.BINARY if message.binary else WSMsgType.TEXT, message.payload)

    # --- the application's messages (picows) --------------------------------------------------------------------------

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            code, reason = frame.get_close_code(), frame.get_close_reason()
            said = f": {reason}" if reason else ""
            self._over(f"the far end closed the stream ({int(code) if code else 1005}{said})")
            transport.send_close()
            transport.disconnect()
            return
        if frame.msg_type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        try:
            message = self.stream.read(frame.get_payload_as_bytes(), frame.msg_type == WSMsgType.BINARY)
        except LineFault as fault:
            self.note("fault", reason=str(fault))
            return
        if isinstance(message, Media):
            self._buffer(message.audio)
        elif isinstance(message, Mark):
            self._marks.append((self._received, message.name))
            self.traffic.marks.append((self._received, message.name))
        elif isinstance(message, HangUp):
            self.give_up(f"the far end hung up: {message.reason}" if message.reason else "the far end hung up")
        elif isinstance(message, Transfer):
            self.transferred_to = message.target
            self.note("transfer")
        elif isinstance(message, SendKeys):
            self.note("keys", digits=message.keys)
        else:
            self._clear()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if transport is self._transport:  # and not of a stream before this one
            self._over("the line was cut without a goodbye")

    def _buffer(self, audio: bytes) -> None:
        if len(self._playout) + len(audio) > BUFFER_BYTES_MAX:
            self.note("fault", reason=f"more than {BUFFER_BYTES_MAX} bytes sent ahead; dropped")
            return
        if not self.traffic.media_bytes:
            self.note("first audio")
        self._playout += audio
        self._received += len(audio)
        self.traffic.media_bytes += len(audio)

    def _clear(self) -> None:
        """A carrier drops the buffer and sends every pending mark back at once."""
        self.note("clear", dropped_ms=len(self._playout) // BYTES_PER_MS, played_bytes=self._played)
        self._played += len(self._playout)
        self._playout.clear()
        self._dry_since_ms = -1
        while self._marks:
            self._return_mark(self._marks.popleft()[1])

    def _over(self, reason: str) -> None:
        """The stream has ended; what the carrier had still to play of it is dropped."""
        if self.stream_over.done():
            return
        self.stream_over.set_result(reason)
        if not self._may_resume:
            self.give_up(reason)
        elif not self.closed.done():
            self._over_since_ms = self.heard.now_ms
            dropped_ms = len(self._playout) // BYTES_PER_MS
            self.note("stream ended", reason=reason, dropped_ms=dropped_ms, played_bytes=self._played)
            self._played += len(self._playout)
            self._playout.clear()
            self._marks.clear()
            self._dry_since_ms = -1
