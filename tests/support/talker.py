"""A small application's end of a carrier's stream for tests of the softphone: plays, clears, and reads strictly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from offhook.actors.audio.format import FRAME_BYTES, FRAME_MS, SILENT_FRAME
from offhook.serve.callers import scenario
from offhook.serve.callers.softphone import CallRecord
from offhook.serve.carriers import registry
from offhook.serve.carriers.messages import Media
from offhook.serve.carriers.twilio.media_stream import ApplicationWriter, CarrierReader
from offhook.serve.contracts.carrier_choice import CarrierChoice
from offhook.serve.engines import sound
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from virtual_loop import VirtualLoop

TWILIO = registry.carrier(CarrierChoice("twilio"))
PACE = 10.0
SETTLE_S = 0.001
LOUD = sound.encode(sound.to_samples((0.3 * np.sin(np.arange(FRAME_BYTES) / 3)).astype(np.float32)))  # 20 ms
QUIET = SILENT_FRAME

On = Callable[["Agent", Any], None]


class Agent(WSListener):  # type: ignore[misc]
    """The application's end: reads the carrier strictly, calls `on(agent, message)`."""

    def __init__(self, on: On) -> None:
        self.reader = CarrierReader()
        self.messages: list[Any] = []
        self.audio = bytearray()
        self._on = on

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close()
            transport.disconnect()
            return
        message = self.reader.read(frame.get_payload_as_bytes())  # raises on anything a carrier would not send
        if isinstance(message, Media):
            self.audio += message.audio
        else:
            self.messages.append(message)
        self._on(self, message)

    def play(self, *frames: bytes, mark: str = "") -> None:
        writer = ApplicationWriter(self.reader.stream)
        self.transport.send(WSMsgType.TEXT, writer.media(b"".join(frames)))
        if mark:
            self.transport.send(WSMsgType.TEXT, writer.mark(mark))

    def clear(self) -> None:
        self.transport.send(WSMsgType.TEXT, ApplicationWriter(self.reader.stream).clear())

    @property
    def frames(self) -> int:
        return len(self.audio) // FRAME_BYTES

    def caller_speaks(self) -> bool:
        return max(bytes(self.audio[-FRAME_BYTES:]).translate(sound.MAGNITUDE)) > 20


@asynccontextmanager
async def agent(on: On) -> AsyncIterator[tuple[str, list[Agent]]]:
    agents: list[Agent] = []

    def accept(_request: Any) -> Agent:
        agents.append(Agent(on))
        return agents[-1]

    server = await ws_create_server(accept, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/media", agents
    finally:
        server.close()


def script(folder: Path, steps: str, clip_ms: int = 400, head: str = "") -> scenario.Script:
    (folder / "clip.wav").write_bytes(sound.wav_bytes(LOUD * (clip_ms // FRAME_MS)))
    file = folder / "script.yaml"
    file.write_text(f"caller: Dana\naudio: .\nstay_s: 0\n{head}steps:\n{steps}")
    return scenario.load(file)


def run(call: Callable[[], Awaitable[CallRecord]]) -> CallRecord:
    async def bounded() -> CallRecord:
        async with asyncio.timeout(60):
            return await call()

    with asyncio.Runner(loop_factory=lambda: VirtualLoop(SETTLE_S)) as runner:
        return runner.run(bounded())


def events(record: CallRecord, what: str) -> list[dict[str, Any]]:
    return [event for event in record.traffic.events if event["what"] == what]
