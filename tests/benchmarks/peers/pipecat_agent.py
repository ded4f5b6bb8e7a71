"""A scripted agent on Pipecat, as its Twilio quickstart wires one. Runs in Pipecat's own environment.

    python pipecat_agent.py --sound SPEECH.wav [--tuned]      -> "ws://127.0.0.1:PORT/ws", until its input is closed

It plays one long recording when the line is open and after every turn of the caller; no recognizer, model or
synthesizer runs. Default: Silero VAD and Smart Turn v3 with Pipecat's own parameters. Tuned for speed: voice activity
confirmed after 40 ms instead of 200, no volume floor, a fixed 200 ms end of turn instead of the model, chunks of 20 ms,
uvloop. One process takes any number of calls.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import wave
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, WebSocket
from loguru import logger
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams
from pipecat.frames.frames import (
    Frame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy, TurnAnalyzerUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 8_000
PIECE_BYTES = RATE_HZ * 2 // 2  # half a second: about what a synthesizer streams at a time


class ScriptedAgent(FrameProcessor):
    """Says the whole recording when the call begins and after every turn of the caller."""

    def __init__(self, sound: bytes) -> None:
        super().__init__()
        self._sound = sound

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, (StartFrame, UserStoppedSpeakingFrame)) and direction is FrameDirection.DOWNSTREAM:
            await self.speak()

    async def speak(self) -> None:
        await self.push_frame(TTSStartedFrame())
        for at in range(0, len(self._sound), PIECE_BYTES):
            piece = self._sound[at : at + PIECE_BYTES]
            await self.push_frame(TTSAudioRawFrame(audio=piece, sample_rate=RATE_HZ, num_channels=1))
        await self.push_frame(TTSStoppedFrame())


def listening(tuned: bool) -> tuple[SileroVADAnalyzer, UserTurnStrategies]:
    """Voice activity and the strategies of turns. Without a recognizer neither may wait for a transcript."""
    if tuned:
        vad = SileroVADAnalyzer(params=VADParams(confidence=0.5, start_secs=0.04, stop_secs=0.2, min_volume=0.0))
        stop: Any = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0.2, wait_for_transcript=False)
    else:
        vad = SileroVADAnalyzer()
        analyzer = LocalSmartTurnAnalyzerV3()
        stop = TurnAnalyzerUserTurnStopStrategy(turn_analyzer=analyzer, wait_for_transcript=False)
    return vad, UserTurnStrategies(start=[VADUserTurnStartStrategy()], stop=[stop])


async def lead(websocket: WebSocket, stream: str, sound: bytes, tuned: bool) -> None:
    """One call, until its socket closes."""
    vad, turns = listening(tuned)
    serializer = TwilioFrameSerializer(stream, params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
    params = FastAPIWebsocketParams(
        audio_in_enabled=True,
        audio_out_enabled=True,
        audio_out_auto_silence=False,  # a carrier needs none, and it would only cost it CPU
        audio_out_10ms_chunks=2 if tuned else 4,
        serializer=serializer,
    )
    transport = FastAPIWebsocketTransport(websocket, params)
    pipeline = Pipeline(
        [
            transport.input(),
            VADProcessor(vad_analyzer=vad),
            UserTurnProcessor(user_turn_strategies=turns),
            ScriptedAgent(sound),
            transport.output(),
        ]
    )
    rates = PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ)
    worker = PipelineWorker(pipeline, params=rates, enable_rtvi=False, idle_timeout_secs=None)
    runner = WorkerRunner(handle_sigint=False)

    @transport.event_handler("on_client_disconnected")
    async def gone(_transport: Any, _websocket: Any) -> None:
        await worker.cancel()

    await runner.add_workers(worker)
    await runner.run()


def application(sound: bytes, tuned: bool) -> FastAPI:
    app = FastAPI()

    @app.websocket("/ws")
    async def media(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()  # "connected"
        stream = json.loads(await websocket.receive_text())["start"]["streamSid"]
        await lead(websocket, stream, sound, tuned)

    return app


async def serve(sound: bytes, tuned: bool) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    LocalSmartTurnAnalyzerV3()  # loaded before the first call, as a deployment would
    server = uvicorn.Server(uvicorn.Config(application(sound, tuned), log_level="error"))
    threading.Thread(target=lambda: (sys.stdin.read(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
    print(f"ws://127.0.0.1:{listener.getsockname()[1]}/ws", flush=True)
    await server.serve([listener])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sound", type=Path, required=True)
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    logger.remove()
    with wave.open(str(options.sound)) as reader:
        assert reader.getframerate() == RATE_HZ and reader.getsampwidth() == 2
        sound = reader.readframes(reader.getnframes())
    run: Any = asyncio.run
    if options.tuned:
        import uvloop

        run = uvloop.run
    with contextlib.suppress(KeyboardInterrupt):
        run(serve(sound, options.tuned))


if __name__ == "__main__":
    main()
