"""A carrier's socket for tests: speaks Twilio Media Streams to a gateway, and keeps what it hears."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from offhook.serve.carriers.twilio import media_stream
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

ANSWER_S = 30.0  # for what must come; a process that is started for it takes 2 s, and three times as long under load


class Phone(WSListener):  # type: ignore[misc]
    """The carrier's end of one socket."""

    def __init__(self, stream: str = "MZ1") -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.writer = media_stream.CarrierWriter(stream, "CA1")
        self.transport: WSTransport
        self.first_audio_s = 0.0
        self.returns_marks = False  # at once, as if nothing were ever buffered

    @classmethod
    async def dial(cls, url: str, stream: str = "MZ1") -> Phone:
        """Open a socket; nothing is said yet. No two streams of one call have the same name."""
        _, phone = await ws_connect(lambda: cls(stream), url)
        made: Phone = phone
        return made

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            if not self.closed.done():
                self.closed.set_result((frame.get_close_code().value, frame.get_close_reason() or ""))
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        else:
            message = json.loads(frame.get_payload_as_bytes())
            if message["event"] == "media" and not self.first_audio_s:
                self.first_audio_s = time.perf_counter()
            if message["event"] == "mark" and self.returns_marks:
                self.send(self.writer.mark(message["mark"]["name"]))
            self.messages.put_nowait(message)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        if not self.closed.done():
            self.closed.set_result((1006, "no goodbye"))

    def send(self, *messages: bytes) -> None:
        for message in messages:
            self.transport.send(WSMsgType.TEXT, message)

    def start(self, **parameters: str) -> None:
        self.send(self.writer.connected(), self.writer.start(parameters))

    async def talk(self, frames: list[bytes]) -> None:
        """Send frames in real time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number, frame in enumerate(frames):
            await asyncio.sleep(began + number * 0.02 - loop.time())
            if self.closed.done():
                return
            self.send(self.writer.media(frame))

    async def until(self, event: str) -> dict[str, Any]:
        """The next message of this kind; others are passed over."""
        while True:
            message = await self.heard()
            if message["event"] == event:
                return message

    async def goodbye(self) -> tuple[int, str]:
        async with asyncio.timeout(ANSWER_S):
            return await self.closed

    async def heard(self) -> dict[str, Any]:
        async with asyncio.timeout(ANSWER_S):
            return await self.messages.get()
