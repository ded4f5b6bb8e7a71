"""The network engine of examples/engines: the suites, and a call's own clients through the real hosts on real links."""

from __future__ import annotations

import asyncio
import importlib
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest
from offhook.actors.audio.format import TELEPHONE
from offhook.actors.audio.sound import Sound
from offhook.actors.contracts.errors import EngineAway
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions
from offhook.actors.engines.recognition import RecognitionClient
from offhook.actors.engines.synthesis import SynthesisClient
from offhook.actors.process.clock import MonotonicClock
from offhook.policies.core.events import HealthChanged, WordsHeard
from offhook.serve.config import plug_ins
from offhook.serve.contracts.errors import StartFault
from offhook.serve.engines import sound
from offhook.serve.engines.recognizer_host import RecognizerHost
from offhook.serve.engines.synthesizer_host import SynthesizerHost
from offhook.testing.engine_conformance import RecognizerConformance, SynthesizerConformance, passed
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

FOLDER = Path(__file__).parents[2] / "examples" / "engines" / "network"
SPEECH = sound.audio_of((0.3 * np.sin(np.arange(8_000) / 3)).astype(np.float32), TELEPHONE)  # a second


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The example as it is installed: on the path, with the entry points of its pyproject.toml; its server runs."""
    installed = tmp_path_factory.mktemp("installed")
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]
    lines = [f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in names.items()) for group, names in points.items()]
    about = installed / "network_engine-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (about / "entry_points.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        patch.syspath_prepend(installed)
        running = importlib.import_module("speech_server").SpeechServer()
        ready, stop = Event(), Event()

        async def serve() -> None:
            await running.start()
            ready.set()
            await asyncio.to_thread(stop.wait)
            await running.stop()

        thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(30)
        Running.at = running
        yield running
        stop.set()
        thread.join(30)


class Running:
    """The server, for suites that make engines without a fixture."""

    at: Any


def recognizer() -> Any:
    return plug_ins.make(plug_ins.RECOGNIZERS, "network", {"url": Running.at.listens_at})


def synthesizer() -> Any:
    return plug_ins.make(plug_ins.SYNTHESIZERS, "network", {"url": Running.at.speaks_at})


class TestRecognizer(RecognizerConformance):
    speech, says = SPEECH, "loud"
    options = RecognitionOptions("de-AT")

    def make(self) -> Any:
        return recognizer()


class TestSynthesizer(SynthesizerConformance):
    voice = "buzz"

    def make(self) -> Any:
        return synthesizer()


@pytest.mark.parametrize("group", [plug_ins.RECOGNIZERS, plug_ins.SYNTHESIZERS])
def test_a_server_that_is_not_there_is_told_at_the_start(group: str) -> None:
    url = "ws://127.0.0.1:9" if group == plug_ins.RECOGNIZERS else "http://127.0.0.1:9"
    with pytest.raises(StartFault, match=url):
        asyncio.run(plug_ins.make(group, "network", {"url": url}).start())


class Deaf(WSListener):  # type: ignore[misc]
    """A server that takes a stream and reads nothing of it until it is told to."""

    heard = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            transport.send(WSMsgType.TEXT, b'{"taken": true}')
            transport.underlying_transport.pause_reading()
        elif frame.msg_type == WSMsgType.BINARY:
            self.heard += len(frame.get_payload_as_bytes())


async def fed_to_the_brim(deaf: Deaf) -> tuple[Any, asyncio.Task[None], int]:
    """A stream, the `feed` of it that waits, and the bytes that it was fed with."""
    server = await ws_create_server(lambda _request: deaf, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    stream = await plug_ins.make(plug_ins.RECOGNIZERS, "network", {"url": url}).open(
        RecognitionOptions("en"), lambda _reading: None
    )
    piece = bytes(320_000)
    for count in range(1, 1_000):  # the network's own buffers take some megabytes
        feeding = asyncio.create_task(stream.feed(piece))
        for _ in range(5):
            await asyncio.sleep(0)
        if not feeding.done():
            return stream, feeding, count * len(piece)
    raise AssertionError("it never waits for who does not read")


def test_a_feed_waits_until_the_server_reads_and_loses_nothing() -> None:
    async def test() -> None:
        deaf = Deaf()
        stream, feeding, fed = await fed_to_the_brim(deaf)
        deaf.transport.underlying_transport.resume_reading()
        await feeding
        await passed(lambda: deaf.heard == fed)
        await stream.cancel()

    run(test)


def test_who_never_reads_costs_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        monkeypatch.setattr(importlib.import_module("network_engine"), "FEED_S", 0.01)
        stream, feeding, _ = await fed_to_the_brim(Deaf())
        with pytest.raises(EngineAway, match=r"the server read nothing for 0\.01 s"):
            await feeding
        await stream.cancel()

    run(test)


def test_a_feed_that_waits_ends_with_its_stream() -> None:
    async def test() -> None:
        stream, feeding, _ = await fed_to_the_brim(Deaf())
        await stream.cancel()
        with pytest.raises(EngineAway, match="the stream is over"):
            await feeding

    run(test)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def endpoints(host: RecognizerHost | SynthesizerHost) -> list[tuple[str, str]]:
    at = host.endpoint()
    return [(at["endpoint"], at["token"])]


def test_a_call_hears_words_through_the_host_and_goes_on_when_the_host_is_another() -> None:
    async def test() -> None:
        events: list[Any] = []
        first, second = RecognizerHost(recognizer()), RecognizerHost(recognizer())
        await first.start()
        await second.start()
        client = RecognitionClient(endpoints(first), events.append, MonotonicClock(), "c1", RecognitionOptions("en"))

        def feed(audio: bytes, at_ms: int) -> int:
            for at in range(0, len(audio), TELEPHONE.frame_bytes):
                at_ms += 20
                client.feed(audio[at : at + TELEPHONE.frame_bytes], at_ms)
            return at_ms

        def final() -> list[tuple[int, str]]:
            return [(each.segment, each.text) for each in events if isinstance(each, WordsHeard) and each.final]

        now_ms = feed(TELEPHONE.silence(500) + SPEECH + TELEPHONE.silence(1_000), 0)
        await passed(lambda: final() == [(0, "loud")])
        word = next(each for each in events if isinstance(each, WordsHeard) and each.final)
        assert abs(word.started_ms - 500) <= 40 and abs(word.ended_ms - 1_500) <= 40
        client.redirect(endpoints(second))
        await first.stop()
        feed(SPEECH + TELEPHONE.silence(1_000), now_ms)
        await passed(lambda: final() == [(0, "loud"), (1, "loud")])
        client.close()
        await second.stop()

    run(test)


def test_a_language_that_the_server_does_not_read_costs_the_call_its_words_and_no_more() -> None:
    async def test() -> None:
        events: list[Any] = []
        host = RecognizerHost(recognizer())
        await host.start()
        client = RecognitionClient(endpoints(host), events.append, MonotonicClock(), "c1", RecognitionOptions("tlh"))
        client.feed(SPEECH, 1_000)
        await passed(lambda: any(isinstance(each, HealthChanged) and not each.up for each in events))
        assert client.refused == 0 and not any(isinstance(each, WordsHeard) for each in events)
        client.close()
        await host.stop()

    run(test)


def test_a_call_speaks_through_the_host_with_the_servers_word_times() -> None:
    async def test() -> None:
        host = SynthesizerHost(synthesizer())
        await host.start()
        client = SynthesisClient(endpoints(host), lambda _event: None, MonotonicClock(), SynthesisOptions("buzz"))
        spoken = Sound("Good morning to you.")
        client.speak("u1", spoken)
        await passed(lambda: spoken.complete)
        assert not spoken.failed and not spoken.estimated
        assert spoken.timed == [("Good", 250), ("morning", 550), ("to", 850), ("you.", 1_150)]
        assert abs(spoken.total_ms - 1_200) <= 20
        refused = Sound("Hello.")
        client.speak_by(SynthesisOptions("nobody"))
        client.speak("u2", refused)
        await passed(lambda: refused.complete)
        assert refused.failed == "no voice nobody; it has hum, buzz"
        client.close()
        await host.stop()

    run(test)
