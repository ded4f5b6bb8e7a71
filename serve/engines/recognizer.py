"""The recognizer: telephone sound in over the link, words out as they are understood, with times on the call's clock.

An engine for many calls. Decoding runs in one worker thread (the model takes one caller at a time, and releases
Python while it works), never on the loop; what comes in meanwhile is put together and decoded at once, so an engine
that is behind does less work, not more. Beyond a bound sound is dropped, and that is said. A call that asks is told how
far its sound is read, so that it waits neither for words that will not come nor for an engine that hangs. Which
readings are worth telling is `readings.py`'s matter. The engine is moonshine (MIT, its English weights are in its
wheel).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.actors.audio.format import BYTES_PER_MS, RATE_HZ
from offhook.actors.contracts import wire
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.link.link import Link, Message

from ..contracts.errors import StartFault
from . import sound
from .engine_server import EngineServer
from .readings import Line, Reading, Readings

log = logging.getLogger(__name__)

STEP_MS = 100  # sound is decoded in pieces of at least this
UPDATE_S = 0.2  # how often a segment is read anew
PENDING_MS_MAX = (
    16_000  # a call's sound that waits to be decoded (one that comes back brings 12 s); then half is dropped
)
STREAMS_MAX = 64  # open at once; the model serves about two callers who talk without a pause on one core
RENEW_MS = 15_000  # a model stream keeps all its sound: it is renewed in a pause after this long
QUIET_MS = 1_000  # ... that has lasted this long
OVERLAP_MS = 400  # ... and the new one is given this much of what went before: the beginning of a word may be in it
READ_LAG_MS = 500  # of sound that was decoded: a segment that began longer ago is open by now (measured: 450 at most)
START_SLACK_MS = 200  # by which the model may put a segment's beginning earlier once it has read more (measured: 128)
ANSWER_MS = 1_000  # of sound after which a call that has asked is told how far it is, even in the midst of a segment
ASKS_MAX = 16  # of one stream that wait; a call asks once a second and at the end of each talkspurt

# Measured (docs): first text 0.26 to 0.44 s after a segment's start, final text 0.07 to 0.19 s after its end.
MOONSHINE_OPTIONS = {
    "transcription_interval": UPDATE_S,
    "vad_window_duration": 0.15,
    "vad_look_behind_sample_count": 4_096,
    "return_audio_data": "false",  # else every update copies all of the call's sound into Python lists
}


class Stream(Protocol):
    """One call's sound in a model. Used from the worker thread only."""

    def feed(self, samples: sound.Samples) -> list[Line]:
        """More sound; the lines that changed."""
        ...

    def finish(self) -> list[Line]:
        """No more sound; the lines that changed. The stream is gone afterwards."""
        ...


class Model(Protocol):
    """Loaded once, opens streams. Used from the worker thread only."""

    def open(self) -> Stream: ...


@dataclass(slots=True)
class _Chunk:
    """What a worker is to do next for one stream."""

    coded: bytes
    dropped_ms: int
    last: bool


class Recognizer:
    """The engine: one link a call, `open`, `sound`, `close` in, `words` out.

    Args:
        endpoint: where to listen (`unix:/path`); empty = a Unix socket of its own.
        token: a lasting token that calls present; empty = a new one.
        load: loads the model (in the worker thread); the installed moonshine unless given.
        tcp: where to listen for other machines too (`tcp:host:port`); empty = nowhere.
    """

    def __init__(
        self, endpoint: str = "", token: str = "", load: Callable[[], Model] | None = None, tcp: str = ""
    ) -> None:
        self._server = EngineServer("recognizer", endpoint, token, self._hello, tcp)
        self._load = load or Moonshine
        self._worker = ThreadPoolExecutor(1, "recognizer")
        self._model: Model | None = None
        self.streams = 0
        self.heard_ms = 0
        self.dropped_ms = 0
        self.behind_ms_max = 0

    async def start(self) -> None:
        """Load the model and listen.

        Raises:
            StartFault: the model is not installed or cannot be loaded, or an address cannot be listened at.
        """
        self._model = await asyncio.get_running_loop().run_in_executor(self._worker, self._load)
        await self._server.open()

    async def stop(self, drain_s: float = 0.0) -> None:
        """Close every link, `drain_s` from now at the latest, end the worker after what it does then."""
        await self._server.drain(drain_s)
        await self._server.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self._server.address()

    def stats(self) -> dict[str, int]:
        """Counts since the start."""
        return {
            "calls": self._server.links,
            "streams": self.streams,
            "heard_ms": self.heard_ms,
            "dropped_ms": self.dropped_ms,
            "behind_ms_max": self.behind_ms_max,
        }

    async def work(self, task: Callable[..., Any], *arguments: Any) -> Any:
        """Run something in the worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, task, *arguments)

    def _hello(self, link: Link) -> None:
        assert self._model is not None
        _Listener(self, self._model, link)


class _Listener:
    """One call's link: its streams by name."""

    def __init__(self, engine: Recognizer, model: Model, link: Link) -> None:
        self._engine = engine
        self._model = model
        self._link = link
        self._ears: dict[str, _Ear] = {}
        link.on_message = self._on_message
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            for ear in self._ears.values():
                ear.close(tell=False)
            self._ears.clear()
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost

    def _on_message(self, link: Link, message: Message) -> None:
        match message:
            case [wire.SOUND, str(name), bytes(coded), *ask]:
                ear = self._ears.get(name)
                if ear is not None:  # a frame may cross the close of its stream
                    ear.hear(coded, ask=bool(ask and ask[0]))
            case [wire.OPEN, str(name), int(origin_ms), *_]:
                if name in self._ears:
                    raise ProtocolFault(f"stream {name[:40]!r} is open already")
                if self._engine.streams >= STREAMS_MAX:
                    link.abort(f"{STREAMS_MAX} streams are open, no more are taken here")
                    return
                self._ears[name] = _Ear(self._engine, self._model, link, name, origin_ms)
            case [wire.CLOSE, str(name), *_]:
                ear = self._ears.pop(name, None)
                if ear is not None:
                    ear.close(tell=True)
            case _:
                raise ProtocolFault(f"a recognizer takes open, sound, close, not {str(message[0])[:40]!r} in this form")


class _Ear:
    """One stream: sound waiting, at most one piece of it being decoded."""

    def __init__(self, engine: Recognizer, model: Model, link: Link, name: str, origin_ms: int) -> None:
        self._engine = engine
        self._link = link
        self._name = name
        self._origin_ms = origin_ms
        self._decoder = Decoder(model)
        self._pending = bytearray()
        self._heard_bytes = 0
        self._asks: deque[int] = deque(maxlen=ASKS_MAX)  # ends of sound, in ms of the stream: tell when it was read
        self._dropped_ms = 0
        self._busy = False
        self._closed = False
        self._tell = True
        engine.streams += 1

    def hear(self, coded: bytes, ask: bool) -> None:
        self._pending += coded
        self._heard_bytes += len(coded)
        if ask:
            self._asks.append(self._heard_bytes // BYTES_PER_MS)
        self._engine.heard_ms += len(coded) // BYTES_PER_MS
        behind_ms = len(self._pending) // BYTES_PER_MS
        if behind_ms > PENDING_MS_MAX:
            drop_ms = behind_ms - PENDING_MS_MAX // 2
            del self._pending[: drop_ms * BYTES_PER_MS]
            self._dropped_ms += drop_ms
            self._engine.dropped_ms += drop_ms
            log.warning("behind by %d ms: %d ms of a call were not listened to", behind_ms, drop_ms)
        elif behind_ms >= STEP_MS:
            self._next()

    def close(self, tell: bool) -> None:
        """No more sound. `tell` = the last words are still wanted."""
        self._closed, self._tell = True, tell
        self._next()

    def _next(self) -> None:
        if self._busy or (len(self._pending) < STEP_MS * BYTES_PER_MS and not self._closed):
            return
        self._busy = True
        self._engine.behind_ms_max = max(self._engine.behind_ms_max, len(self._pending) // BYTES_PER_MS)
        chunk = _Chunk(bytes(self._pending) if self._tell else b"", self._dropped_ms, self._closed)
        self._pending.clear()
        self._dropped_ms = 0
        asyncio.ensure_future(self._decode(chunk))  # noqa: RUF006 - kept alive by the worker's future

    async def _decode(self, chunk: _Chunk) -> None:
        try:
            readings: list[Reading] = await self._engine.work(self._decoder.decode, chunk)
        except Exception as error:
            log.exception("decoding failed; the call's link is closed, it will come back with a new stream")
            self._link.abort(f"the recognizer failed: {type(error).__name__}")
            readings, chunk.last = [], True
        for reading in readings if self._tell else ():
            at = self._origin_ms
            self._link.send(
                wire.WORDS,
                self._name,
                reading.segment,
                reading.text,
                reading.final,
                at + reading.started_ms,
                at + reading.ended_ms,
            )
        self._answer()
        self._busy = False
        if chunk.last:
            self._engine.streams -= 1
        else:
            self._next()

    def _answer(self) -> None:
        """Tell how far the stream is read, where that was asked: at most once a piece, never in a silence."""
        read_ms, now_ms = self._decoder.read_ms, self._decoder.now_ms
        asked_ms = -1
        while self._asks and (read_ms >= self._asks[0] or now_ms >= self._asks[0] + ANSWER_MS):
            asked_ms = self._asks.popleft()
        if asked_ms >= 0 and self._tell:
            at_ms = self._origin_ms + min(read_ms, asked_ms)
            self._link.send(wire.WORDS, self._name, self._decoder.segments, "", False, at_ms, at_ms)


class Decoder:
    """One call's sound in the model, renewed in pauses; runs in the worker thread."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._stream: Stream | None = None
        self._readings = Readings()
        self._base_ms = 0  # where the model stream's beginning lies in the call's sound
        self.now_ms = 0  # how much of the call's sound was decoded
        self._spoken_ms = 0  # end of the last line
        self._recent = b""

    @property
    def segments(self) -> int:
        """How many were told."""
        return self._readings.count

    @property
    def read_ms(self) -> int:
        """How far the sound is read: of what lies before, nothing more is to come."""
        if self._readings.open:
            return max(0, self._readings.open_from_ms - START_SLACK_MS)
        return self.now_ms if self._stream is None else max(0, self.now_ms - READ_LAG_MS)

    def decode(self, chunk: _Chunk) -> list[Reading]:
        """Readings that are worth telling after this piece."""
        told: list[Reading] = []
        if chunk.dropped_ms:  # the model must not glue together what does not belong together
            told += self._finish()
            self.now_ms += chunk.dropped_ms
            self._recent = b""
        if chunk.coded:
            if self._stream is None:
                self._open()
            assert self._stream is not None
            told += self._read(self._stream.feed(sound.decode(chunk.coded)))
            self.now_ms += len(chunk.coded) // BYTES_PER_MS
            self._recent = (self._recent + chunk.coded)[-OVERLAP_MS * BYTES_PER_MS :]
        quiet = not self._readings.open and self.now_ms - self._spoken_ms >= QUIET_MS
        if chunk.last or (quiet and self.now_ms - self._base_ms >= RENEW_MS):
            told += self._finish()
        return told

    def _open(self) -> None:
        self._stream = self._model.open()
        self._readings.forget_ids()
        self._base_ms = self.now_ms - len(self._recent) // BYTES_PER_MS
        if self._recent:
            self._stream.feed(sound.decode(self._recent))

    def _finish(self) -> list[Reading]:
        if self._stream is None:
            return []
        stream, self._stream = self._stream, None
        return self._read(stream.finish())

    def _read(self, lines: list[Line]) -> list[Reading]:
        told = []
        for line in lines:
            self._spoken_ms = self._base_ms + round((line.start_s + line.duration_s) * 1_000)
            reading = self._readings.read(line, self._base_ms)
            if reading is not None:
                told.append(reading)
        return told


class Moonshine:
    """moonshine-voice 0.0.73, tiny English: 44 MB of weights, 200 MB resident."""

    def __init__(self) -> None:
        try:
            from moonshine_voice.moonshine_api import ModelArch
            from moonshine_voice.transcriber import Transcriber
            from moonshine_voice.utils import get_model_path
        except (ImportError, OSError) as error:
            needed = "pip install 'offhook[speech]', or start with --recognizer none"
            raise StartFault(f"the recognizer moonshine cannot be loaded ({error}): {needed}") from error
        self._transcriber = Transcriber(
            str(get_model_path("tiny-en")), ModelArch.TINY, update_interval=UPDATE_S, options=MOONSHINE_OPTIONS
        )

    def open(self) -> Stream:
        return _MoonshineStream(self._transcriber)


class _MoonshineStream:
    def __init__(self, transcriber: Any) -> None:
        self._changed: list[Line] = []
        self._stream = transcriber.create_stream(UPDATE_S)
        self._stream.add_listener(self._on_event)
        self._stream.start()

    def feed(self, samples: sound.Samples) -> list[Line]:
        self._stream.add_audio((samples / 32_768).tolist(), RATE_HZ)
        return self._take()

    def finish(self) -> list[Line]:
        self._stream.stop()
        self._stream.close()
        return self._take()

    def _take(self) -> list[Line]:
        changed, self._changed = self._changed, []
        return changed

    def _on_event(self, event: Any) -> None:
        kind = type(event).__name__
        if kind in ("LineTextChanged", "LineCompleted") and event.line is not None:
            line = event.line
            final = kind == "LineCompleted"
            if final or not line.is_complete:  # a completed line comes as both; once is enough
                self._changed.append(Line(line.line_id, line.text or "", line.start_time, line.duration, final))
