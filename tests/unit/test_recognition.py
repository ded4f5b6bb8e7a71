"""The recognition client against a real link: audio out, words in, and what a lost recognizer costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from offhook.actors import redial
from offhook.actors.clock import MonotonicClock
from offhook.actors.link import Link, LinkServer, Message
from offhook.actors.live import recognition
from offhook.actors.live.recognition import NoRecognizer, RecognitionClient
from offhook.policies.events import Event, HealthChanged, WordsHeard
from virtual_loop import run_virtually

FRAME = b"\x55" * 160


class Engine:
    """A recognizer that keeps what it is sent; its words are the test's."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.opened: list[Message] = []
        self.closed: list[str] = []
        self.sound: dict[str, bytes] = {}
        self.link: Link | None = None
        self.server = LinkServer(self._hello)

    async def start(self) -> Engine:
        await self.server.start(self.endpoint)
        self.server.admit(None, "token", lasting=True)
        return self

    def _hello(self, link: Link, _grant: object, _rest: Message) -> None:
        self.link = link
        link.on_message = self._take

    def _take(self, _link: Link, message: Message) -> None:
        kind, stream, *rest = message
        if kind == "open":
            self.opened.append(message)
            self.sound[stream] = b""
        elif kind == "sound":
            self.sound[stream] += rest[0]
        else:
            self.closed.append(stream)

    def words(self, *fields: object) -> None:
        assert self.link is not None
        self.link.send("words", *fields)

    @property
    def heard(self) -> bytes:
        """Of the last stream."""
        return self.sound[str(self.opened[-1][1])] if self.opened else b""


class Stage:
    def __init__(self, folder: Path) -> None:
        self.endpoint = f"unix:{folder / 's'}"
        self.events: list[Event] = []
        self.at_ms = 1_000
        self.client = RecognitionClient([(self.endpoint, "token")], self.events.append, MonotonicClock(), "c1")

    def engine(self) -> Engine:
        return Engine(self.endpoint)

    def feed(self, frames: int, flush: bool = True) -> None:
        for _ in range(frames):
            self.at_ms += 20
            self.client.feed(FRAME, self.at_ms)
        if flush:
            self.client.flush()

    @property
    def words(self) -> list[tuple[int, str, bool]]:
        return [(event.segment, event.text, event.final) for event in self.events if isinstance(event, WordsHeard)]

    @property
    def health(self) -> list[bool]:
        return [event.up for event in self.events if isinstance(event, HealthChanged)]


async def until(what: Callable[[], object]) -> None:
    """Let the loop turn until something is so."""
    while not what():  # noqa: ASYNC110 - what is waited for is the product's, it tells no test
        await asyncio.sleep(0.001)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    monkeypatch.setattr(redial, "PAUSE_MS_FIRST", 5)

    def runner(test: Callable[[Stage], Awaitable[None]]) -> None:
        async def limited() -> None:
            stage = Stage(tmp_path)
            async with asyncio.timeout(60):
                await test(stage)
            stage.client.close()

        run_virtually(monkeypatch, limited)

    return runner


def test_audio_goes_out_in_batches_and_words_come_in(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        await until(lambda: engine.link)
        on.feed(4, flush=False)
        await asyncio.sleep(0.005)
        assert engine.opened == []  # not a batch yet
        on.feed(1, flush=False)
        await until(lambda: len(engine.heard) == 800)
        assert engine.opened == [["open", "c1/1", 1_000]]
        on.feed(1)
        await until(lambda: len(engine.heard) == 960)
        engine.words("c1/1", 0, "too exp", False, 1_020, 1_080)
        engine.words("c1/1", 0, "too expensive", True, 1_020, 1_120)
        await until(lambda: len(on.words) == 2)
        assert on.words == [(0, "too exp", False), (0, "too expensive", True)]
        event = on.events[-1]
        assert isinstance(event, WordsHeard) and (event.started_ms, event.ended_ms) == (1_020, 1_120)
        on.client.close()
        await until(lambda: engine.closed == ["c1/1"])

    run(test)


def test_a_lost_recognizer_costs_no_word_and_no_number_twice(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(100)
        await until(lambda: len(engine.heard) == 16_000)
        engine.words("c1/1", 0, "it is", True, 1_000, 1_600)
        engine.words("c1/1", 1, "too exp", False, 1_700, 2_400)
        await until(lambda: len(on.words) == 2)
        await engine.server.stop()
        await until(lambda: on.health == [False])
        on.feed(50)
        again = await on.engine().start()
        await until(lambda: again.opened)
        # From the end of what was final, with what came meanwhile.
        assert again.opened == [["open", "c1/2", 1_600]]
        await until(lambda: len(again.heard) == (4_000 - 1_600) * 8)
        assert on.health == [False, True]
        again.words("c1/1", 0, "a ghost", True, 0, 0)
        again.words("c1/2", 0, "too expensive", True, 1_700, 2_600)
        again.words("c1/2", 1, "for us", True, 2_700, 3_000)
        await until(lambda: len(on.words) == 4)
        assert on.words[2:] == [(1, "too expensive", True), (2, "for us", True)]

    run(test)


def test_what_is_kept_is_bounded(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognition, "KEPT_MS", 1_000)

    async def test(on: Stage) -> None:
        on.feed(1_000)  # 20 s without a recognizer
        engine = await on.engine().start()
        await until(lambda: engine.opened)
        assert engine.opened[0][2] == on.at_ms - 1_000
        await until(lambda: len(engine.heard) == 8_000)
        on.feed(1_000)
        await until(lambda: len(engine.heard) == 8_000 + 160_000)  # a live stream loses nothing

    run(test)


def test_gaps_in_the_carriers_audio_keep_times_true(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        await until(lambda: engine.link)
        on.feed(10)
        on.at_ms += 300  # jitter
        on.feed(10)
        on.at_ms += 1_000  # frames were lost
        on.feed(10)
        await until(lambda: len(engine.heard) == (600 + 1_300) * 8)
        assert engine.heard.count(b"\xff") == 1_300 * 8
        on.at_ms += 60_000  # the line was away
        on.feed(10)
        await until(lambda: len(engine.opened) == 2)
        assert engine.opened[1] == ["open", "c1/2", on.at_ms - 200]
        assert engine.closed == ["c1/1"]

    run(test)


@pytest.mark.parametrize(
    "nonsense",
    [
        ["words", "c1/1"],
        ["sing"],
        ["words", "c1/1", "0", "x", True, 0, 0],
        ["words", "c1/1", 0, b"x", True, 0, 0],
        ["words", "c1/1", -1, "x", True, 0, 0],
        ["words", "c1/1", 0, "x", True, "a", 0],
    ],
    ids=["too short", "unknown", "segment", "text", "negative", "time"],
)
def test_a_recognizer_that_talks_nonsense_is_left(run: Callable[..., None], nonsense: Message) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(5)
        await until(lambda: engine.opened)
        assert engine.link is not None
        engine.link.send(*nonsense)
        await until(lambda: on.health[:1] == [False])
        await until(lambda: len(engine.opened) == 2)  # and dialled again
        assert on.words == [] and on.health == [False, True]

    run(test)


def test_without_a_recognizer_nothing_waits_for_words() -> None:
    events: list[Event] = []
    none = NoRecognizer(events.append, MonotonicClock())
    none.feed(FRAME, 20)
    none.flush()
    none.close()
    (event,) = events
    assert isinstance(event, HealthChanged) and (event.part, event.up) == ("recognizer", False)
