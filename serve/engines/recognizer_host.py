"""The host of a recognizer: links of calls, their streams, flow and formats. What understands sound is the engine.

A stream's sound is put together while the engine works and handed over at once, so an engine that is behind does less
work, not more. Beyond a bound sound is dropped, and that is said. A call that asks is told how far its sound is read,
so that it waits neither for words that will not come nor for an engine that hangs.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from offhook.actors.audio.format import AudioFormat
from offhook.actors.contracts.engine_messages import TO_RECOGNIZER, Close, Open, Refused, Sound, Words
from offhook.actors.contracts.errors import EngineAway, OptionsRefused, ProtocolFault
from offhook.actors.contracts.message import read
from offhook.actors.engines.port import RecognitionOptions
from offhook.actors.link.link import Array, Link

from .engine_server import EngineServer
from .port import Reading, RecognizerEngine, RecognizerStream
from .sound import Converter

log = logging.getLogger(__name__)

STEP_MS = 100  # sound is handed over in pieces of at least this
# A call's sound that waits for the engine (one that comes back brings 12 s); then half is dropped.
PENDING_MS_MAX = 16_000
STREAMS_MAX = 64  # open at once; a model serves about two callers who talk without a pause on one core
ANSWER_MS = 1_000  # of sound after which a call that has asked is told how far it is, even in the midst of a segment
ASKS_MAX = 16  # of one stream that wait; a call asks once a second and at the end of each talkspurt


class RecognizerHost:
    """One link a call, `open`, `sound`, `close` in, `words` and `refused` out.

    Args:
        engine: what reads.
        endpoint: where to listen (`unix:/path`); empty = a Unix socket of its own.
        token: a lasting token that calls present; empty = a new one.
        tcp: where to listen for other machines too (`tcp:host:port`); empty = nowhere.
    """

    def __init__(self, engine: RecognizerEngine, endpoint: str = "", token: str = "", tcp: str = "") -> None:
        self.engine = engine
        self._server = EngineServer("recognizer", endpoint, token, self._hello, tcp)
        self.sessions: set[asyncio.Task[None]] = set()
        self.heard_ms = 0
        self.dropped_ms = 0
        self.behind_ms_max = 0

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self.sessions)

    async def start(self) -> None:
        """Start the engine and listen. Raises: StartFault: it does not start, or an address cannot be listened at."""
        await self.engine.start()
        await self._server.open()

    async def stop(self, drain_s: float = 0.0) -> None:
        """Close every link, `drain_s` from now at the latest, end the engine after what it does then."""
        await self._server.drain(drain_s)
        await self._server.close()
        for session in self.sessions:
            session.cancel()
        await asyncio.gather(*self.sessions, return_exceptions=True)
        await self.engine.stop()

    def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self._server.address()

    def stats(self) -> dict[str, int]:
        """Counts since the start; the engine's own beside them."""
        return {
            **self.engine.stats(),
            "calls": self._server.links,
            "streams": self.streams,
            "heard_ms": self.heard_ms,
            "dropped_ms": self.dropped_ms,
            "behind_ms_max": self.behind_ms_max,
        }

    def _hello(self, link: Link, form: AudioFormat) -> None:
        _Listener(self, link, form)


class _Listener:
    """One call's link: its streams by name."""

    def __init__(self, host: RecognizerHost, link: Link, form: AudioFormat) -> None:
        self._host = host
        self._link = link
        self._format = form
        self._streams: dict[str, _Session] = {}
        link.on_message = self._on_message
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            for stream in self._streams.values():
                stream.abandon()
            self._streams.clear()
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost

    def _on_message(self, link: Link, message: Array) -> None:
        match read(message, TO_RECOGNIZER, link.newer):
            case Sound(name, coded, ask):
                stream = self._streams.get(name)
                if stream is not None:  # a frame may cross the close of its stream
                    stream.hear(coded, ask=bool(ask))
            case Open(name, origin_ms, told):
                if name in self._streams:
                    raise ProtocolFault(f"stream {name[:40]!r} is open already")
                if self._host.streams >= STREAMS_MAX:
                    link.abort(f"{STREAMS_MAX} streams are open, no more are taken here")
                    return
                options = RecognitionOptions.from_map(told if told is not None else {}, self._format)
                self._streams[name] = _Session(self._host, link, name, origin_ms, options)
            case Close(name):
                stream = self._streams.pop(name, None)
                if stream is not None:
                    stream.close()


class _Session:
    """One stream: sound waiting, and a task that hands it to the engine piece by piece."""

    def __init__(
        self, host: RecognizerHost, link: Link, name: str, origin_ms: int, options: RecognitionOptions
    ) -> None:
        self._host = host
        self._link = link
        self._name = name
        self._origin_ms = origin_ms
        self._options = options
        self._pending = bytearray()
        self._heard_bytes = 0
        self._given_ms = 0  # how much of the call's sound the engine has had, with what was dropped
        self._segments = 0  # how many were told
        self._asks: deque[int] = deque(maxlen=ASKS_MAX)  # ends of sound, in ms of the stream: tell when it was read
        self._dropped_ms = 0
        self._closed = False
        self._work = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        host.sessions.add(self._task)
        self._task.add_done_callback(host.sessions.discard)

    def hear(self, audio: bytes, ask: bool) -> None:
        """More sound of the call; `ask` = it wants to be told when this is read."""
        form = self._options.format
        self._pending += audio
        self._heard_bytes += len(audio)
        if ask:
            self._asks.append(form.ms_of(self._heard_bytes))
        self._host.heard_ms += form.ms_of(len(audio))
        behind_ms = form.ms_of(len(self._pending))
        if behind_ms > PENDING_MS_MAX:
            drop_ms = behind_ms - PENDING_MS_MAX // 2
            del self._pending[: form.bytes_of(drop_ms)]
            self._dropped_ms += drop_ms
            self._host.dropped_ms += drop_ms
            log.warning("behind by %d ms: %d ms of a call were not listened to", behind_ms, drop_ms)
        elif behind_ms >= STEP_MS:
            self._work.set()

    def close(self) -> None:
        """No more sound; the last words are still wanted."""
        self._closed = True
        self._work.set()

    def abandon(self) -> None:
        """Nobody is there to be told anything."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            stream = await self._host.engine.open(self._options, self._push)
        except OptionsRefused as fault:
            self._link.send(*Refused(self._name, str(fault)))
            return
        except Exception as error:
            self._failed(error)
            return
        done = False
        try:
            await self._listen(stream)
            done = True
        except Exception as error:
            self._failed(error)
        finally:
            if not done:
                await stream.cancel()

    async def _listen(self, stream: RecognizerStream) -> None:
        form = self._options.format
        converter = Converter(form, stream.format)
        while not self._closed:
            await self._work.wait()
            self._work.clear()
            if form.ms_of(len(self._pending)) >= STEP_MS:
                await self._give(stream, converter)
                self._answer(stream.read_ms)
        await self._give(stream, converter)
        rest = converter.finish()
        if rest:
            await stream.feed(rest)
        await stream.finish()
        self._answer(self._given_ms)

    async def _give(self, stream: RecognizerStream, converter: Converter) -> None:
        """All that waits, at once; what comes in meanwhile wakes the task again."""
        form = self._options.format
        self._host.behind_ms_max = max(self._host.behind_ms_max, form.ms_of(len(self._pending)))
        audio, dropped_ms = bytes(self._pending), self._dropped_ms
        self._pending.clear()
        self._dropped_ms = 0
        if dropped_ms:
            await stream.skip(dropped_ms)
        if audio:
            await stream.feed(converter.feed(audio))
        self._given_ms += dropped_ms + form.ms_of(len(audio))

    def _push(self, reading: Reading) -> None:
        at = self._origin_ms
        self._segments = max(self._segments, reading.segment + 1)
        words = Words(
            self._name,
            reading.segment,
            reading.text,
            reading.final,
            at + reading.started_ms,
            at + reading.ended_ms,
        )
        self._link.send(*words)

    def _answer(self, read_ms: int) -> None:
        """Tell how far the stream is read, where that was asked: at most once a piece, never in a silence."""
        asked_ms = -1
        while self._asks and (read_ms >= self._asks[0] or self._given_ms >= self._asks[0] + ANSWER_MS):
            asked_ms = self._asks.popleft()
        if asked_ms >= 0:
            at_ms = self._origin_ms + min(read_ms, asked_ms)
            self._link.send(*Words(self._name, self._segments, "", False, at_ms, at_ms))

    def _failed(self, error: Exception) -> None:
        """The call's link is closed; it comes back with a new stream, here or elsewhere."""
        if isinstance(error, EngineAway):
            log.warning("a stream is lost: %s", error)
        else:
            log.error("the recognizer failed", exc_info=error)
        self._link.abort(f"the recognizer failed: {type(error).__name__}")
