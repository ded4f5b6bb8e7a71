"""A recognizer and a synthesizer that stand elsewhere: words over a WebSocket, sound over HTTP as it is made.

The protocol is this example's own (`speech_server.py` plays the other side); a provider's is another, and the rest of
this file stays. Nothing here knows of calls: streams, formats, limits and links are the host's matter.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import httpx
from offhook.serve.engines.port import (
    LINEAR16,
    AudioFormat,
    EngineAway,
    Options,
    OptionsRefused,
    Reading,
    RecognitionOptions,
    Speech,
    StartFault,
    SynthesisOptions,
    check_options,
)
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

FORMAT = AudioFormat(LINEAR16, 16_000)  # what the server hears
ANSWER_S = 5.0  # for it to take a stream, or to begin to speak
LAST_WORDS_S = 10.0  # for it to read the rest after the last sound
FEED_S = 10.0  # for the network to take more; then the stream is lost
UNSENT_BYTES = 32_000  # a second that the network has not taken: no more is fed until half of it is gone


def make_recognizer(options: Options) -> NetworkRecognizer:
    """Option: `url` (ws://host:port)."""
    check_options("network", options, ("url",))
    return NetworkRecognizer(options.get("url", "ws://127.0.0.1:8901"))


def make_synthesizer(options: Options) -> NetworkSynthesizer:
    """Option: `url` (http://host:port)."""
    check_options("network", options, ("url",))
    return NetworkSynthesizer(options.get("url", "http://127.0.0.1:8902"))


class NetworkRecognizer:
    """A `RecognizerEngine`: one WebSocket a stream."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._streams = 0

    async def start(self) -> None:
        """Raises: StartFault: nobody listens there."""
        stream = NetworkStream(lambda _reading: None)
        try:
            await stream.connect(self._url)
        except EngineAway as fault:
            raise StartFault(f"network recognizer: {fault}") from fault
        await stream.cancel()

    async def stop(self) -> None:
        """Streams are cancelled before."""

    async def open(self, options: RecognitionOptions, push: Callable[[Reading], None]) -> NetworkStream:
        """See `RecognizerEngine`."""
        stream = NetworkStream(push)
        await stream.connect(self._url)
        try:
            await stream.begin(options)
        except BaseException:
            await stream.cancel()
            raise
        self._streams += 1
        return stream

    def stats(self) -> dict[str, int]:
        """See `RecognizerEngine`."""
        return {"opened": self._streams}


class NetworkStream(WSListener):  # type: ignore[misc]
    """A `RecognizerStream`. The server tells words, and how far it has read; times are those of its sound."""

    format = FORMAT

    def __init__(self, push: Callable[[Reading], None]) -> None:
        self._push: Callable[[Reading], None] | None = push
        self._transport: WSTransport | None = None
        self._fed_ms = 0
        self._skipped: list[tuple[int, int]] = []  # (ms of the server's sound, ms that are missing there)
        self.read_ms = 0
        self._lost = ""
        self._taken: asyncio.Future[str] = asyncio.get_running_loop().create_future()  # "" or why it was refused
        self._over = asyncio.Event()
        self._room = asyncio.Event()  # the network takes more
        self._room.set()

    async def connect(self, url: str) -> None:
        """Raises: EngineAway: nobody listens there."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self._transport, _ = await ws_connect(lambda: self, url, enable_auto_pong=True)
        except (OSError, WSError, TimeoutError) as error:
            raise EngineAway(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error
        self._transport.underlying_transport.set_write_buffer_limits(UNSENT_BYTES, UNSENT_BYTES // 2)

    async def begin(self, options: RecognitionOptions) -> None:
        """Say what is wanted, and wait until it is taken. Raises: OptionsRefused, EngineAway."""
        self._send(
            {
                "language": options.language,
                "hints": list(options.hints),
                "tenant": options.tenant,
                "rate": FORMAT.rate_hz,
            }
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                refused = await self._taken
        except TimeoutError:
            raise EngineAway(f"the server said nothing for {ANSWER_S:g} s") from None
        if refused:
            raise OptionsRefused(refused)

    async def feed(self, audio: bytes) -> None:
        """See `RecognizerStream`: what waits here, the host puts together, and feeds as one piece."""
        self._check()
        assert self._transport is not None
        self._transport.send(WSMsgType.BINARY, audio)
        self._fed_ms += FORMAT.ms_of(len(audio))
        await asyncio.sleep(0)  # the loop's other work has its turn
        try:
            async with asyncio.timeout(FEED_S):
                await self._room.wait()
        except TimeoutError:
            raise EngineAway(f"the server read nothing for {FEED_S:g} s") from None
        self._check()

    async def skip(self, ms: int) -> None:
        """See `RecognizerStream`: the server ends the segment, and its later times are put off."""
        self._send({"skip": True})
        self._skipped.append((self._fed_ms, ms))

    async def finish(self) -> None:
        """See `RecognizerStream`."""
        self._send({"end": True})
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self._over.wait()
        except TimeoutError:
            raise EngineAway(f"the last words did not come within {LAST_WORDS_S:g} s") from None
        finally:
            await self.cancel()

    async def cancel(self) -> None:
        """See `RecognizerStream`."""
        self._push = None
        if self._transport is not None:
            self._transport.disconnect()
            self._transport = None
        self._room.set()  # a `feed` that waits ends

    def pause_writing(self) -> None:
        """The server does not read as fast as it is fed."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._room.set()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """What the server says, one JSON object a message."""
        if frame.msg_type == WSMsgType.CLOSE:
            self._ended("the server closed the stream")
            transport.disconnect()
            return
        try:
            self._told(json.loads(frame.get_payload_as_utf8_text()))
        except (ValueError, KeyError, TypeError) as error:
            self._ended(f"the server said what is no message: {type(error).__name__}")
            transport.disconnect()

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """The network, or the server, is gone."""
        self._ended("the connection was lost")

    def _told(self, said: dict[str, Any]) -> None:
        if not self._taken.done():
            self._taken.set_result(str(said.get("refused", "")))
        if "text" in said and self._push is not None:
            from_ms, to_ms = int(said["from_ms"]), int(said["to_ms"])
            started_ms = self._at(from_ms + 1) - 1  # what begins where something is missing lies behind it
            self._push(
                Reading(int(said["segment"]), str(said["text"]), bool(said["final"]), started_ms, self._at(to_ms))
            )
        if "read_ms" in said:
            self.read_ms = max(self.read_ms, self._at(int(said["read_ms"])))
        if said.get("over"):
            self._over.set()

    def _at(self, ms: int) -> int:
        """A time of the server's sound in that of the call."""
        return ms + sum(missing for place, missing in self._skipped if ms > place)

    def _send(self, said: dict[str, Any]) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, json.dumps(said).encode())

    def _ended(self, why: str) -> None:
        self._lost = self._lost or why
        if not self._taken.done():
            self._taken.set_exception(EngineAway(why))
            self._taken.exception()  # looked at: nobody may be waiting
        self._over.set()
        self._room.set()

    def _check(self) -> None:
        """Raises: EngineAway: nobody hears what is fed."""
        if self._transport is None or self._lost:
            raise EngineAway(self._lost or "the stream is over")


class NetworkSynthesizer:
    """A `SynthesizerEngine`: one request an utterance, whose answer is sound as it is made, a JSON object a line."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: httpx.AsyncClient | None = None
        self._asked = 0

    async def start(self) -> None:
        """Raises: StartFault: nobody listens there."""
        self._client = httpx.AsyncClient(base_url=self._url, timeout=ANSWER_S)
        try:
            (await self._client.get("/")).raise_for_status()
        except httpx.HTTPError as error:
            raise StartFault(f"network synthesizer: {self._url}: {type(error).__name__}: {error}") from error

    async def stop(self) -> None:
        """Close the connections; who waits for sound is told."""
        if self._client is not None:
            await self._client.aclose()

    async def speak(self, text: str, options: SynthesisOptions) -> AsyncGenerator[Speech, None]:
        """See `SynthesizerEngine`."""
        assert self._client is not None
        self._asked += 1
        asked = {"text": text, "voice": options.voice, "language": options.language, "tenant": options.tenant}
        try:
            async with self._client.stream("POST", "/speak", json=asked) as answer:
                if answer.status_code == 422:
                    raise OptionsRefused((await answer.aread()).decode())
                answer.raise_for_status()
                form = AudioFormat.named(answer.headers["x-audio-format"])
                async for line in answer.aiter_lines():
                    piece = json.loads(line)
                    words = tuple((str(word), int(end_ms)) for word, end_ms in piece["words"])
                    yield Speech(b64decode(piece["audio"]), form, words)
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: the client was closed
            raise EngineAway(f"{self._url}: {type(error).__name__}: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise EngineAway(f"{self._url} answered with what is no sound: {type(error).__name__}") from error

    async def warm(self, texts: Sequence[str]) -> int:
        """Nothing is kept here."""
        del texts
        return 0

    def stats(self) -> dict[str, int]:
        """See `SynthesizerEngine`."""
        return {"asked": self._asked}
