"""The recognition client against a real link: audio out, words in, and what a lost recognizer costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from offhook.actors.contracts.messages import PROTOCOL
from offhook.actors.engines import recognition
from offhook.actors.engines.port import STOCK_RECOGNITION, RecognitionOptions
from offhook.actors.engines.recognition import NoRecognizer, RecognitionClient
from offhook.actors.link import reconnect
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.actors.process.clock import MonotonicClock
from offhook.policies.core.events import Event, HealthChanged, WordsHeard
from virtual_loop import run_virtually

FRAME = b"\x55" * 160


class Engine:
    """A recognizer that keeps what it is sent; its words are the test's."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.opened: list[Array] = []
        self.closed: list[str] = []
        self.sound: dict[str, bytes] = {}
        self.hello: Array = []
        self.asked = 0  # how often it was to tell how far it is
        self.link: Link | None = None
        self.server = LinkServer(self._hello)

    async def start(self) -> Engine:
        await self.server.start(self.endpoint)
        self.server.admit(None, "token", lasting=True)
        return self

    def _hello(self, link: Link, _grant: object, rest: Array) -> None:
        self.hello = rest
        self.link = link
        link.on_message = self._take

    def _take(self, _link: Link, message: Array) -> None:
        kind, stream, *rest = message
        if kind == "open":
            self.opened.append(message)
            self.sound[stream] = b""
        elif kind == "sound":
            self.sound[stream] += rest[0]
            self.asked += len(rest) > 1 and bool(rest[1])
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
    monkeypatch.setattr(reconnect, "PAUSE_MS_FIRST", 5)

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
        assert engine.opened == [["open", "c1/1", 1_000, STOCK_RECOGNITION.as_map()]]
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
        assert again.opened == [["open", "c1/2", 1_600, STOCK_RECOGNITION.as_map()]]
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
        assert engine.opened[1] == ["open", "c1/2", on.at_ms - 200, STOCK_RECOGNITION.as_map()]
        assert engine.closed == ["c1/1"]

    run(test)


FAR = 1 << 40
NONSENSE: dict[str, Array] = {
    "too short": ["words", "c1/1"],
    "empty of fields": ["words"],
    "unknown": ["sing"],
    "a number": [7],
    "stream": ["words", 1, 0, "x", True, 0, 0],
    "segment": ["words", "c1/1", "0", "x", True, 0, 0],
    "half a segment": ["words", "c1/1", 0.5, "x", True, 0, 0],
    "a yes for a segment": ["words", "c1/1", True, "x", True, 0, 0],
    "negative": ["words", "c1/1", -1, "x", True, 0, 0],
    "segment without end": ["words", "c1/1", FAR, "x", True, 0, 0],
    "text": ["words", "c1/1", 0, b"x", True, 0, 0],
    "no text": ["words", "c1/1", 0, None, True, 0, 0],
    "a list for a text": ["words", "c1/1", 0, ["x"], True, 0, 0],
    "text without end": ["words", "c1/1", 0, "x " * 3_000, True, 0, 0],
    "final": ["words", "c1/1", 0, "x", "no", 0, 0],
    "a number for final": ["words", "c1/1", 0, "x", 7, 0, 0],
    "time": ["words", "c1/1", 0, "x", True, "a", 0],
    "no time": ["words", "c1/1", 0, "x", True, 0, None],
    "a list for a time": ["words", "c1/1", 0, "x", True, [], 0],
    "ends before it starts": ["words", "c1/1", 0, "x", True, 900, 800],
    "in the far future": ["words", "c1/1", 0, "x", True, 900, 90_000],
    "time without end": ["words", "c1/1", 0, "x", True, 0, FAR],
    "no number": ["words", "c1/1", 0, "x", True, 0.0, float("nan")],
    "endless": ["words", "c1/1", 0, "x", True, 0.0, float("inf")],
    "before everything": ["words", "c1/1", 0, "x", True, -FAR, 0],
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_what_are_no_words_is_dropped_and_counted_and_the_recognizer_is_heard_on(
    run: Callable[..., None], nonsense: str
) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(5)
        await until(lambda: engine.opened)
        assert engine.link is not None
        engine.words("c1/1", 0, "it is", False, 1_000, 1_050)
        engine.link.send(*NONSENSE[nonsense])
        engine.words("c1/1", 0, "it is too much", True, 1_000, 1_100)
        await until(lambda: len(on.words) == 2)
        assert on.words == [(0, "it is", False), (0, "it is too much", True)]
        assert on.client.refused == 1
        assert on.health == [] and len(engine.opened) == 1

    run(test)


def test_a_recognizer_that_says_mostly_what_are_no_words_is_left_until_words_come(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(5)
        await until(lambda: engine.opened)
        for n, nonsense in enumerate(NONSENSE.values()):
            assert engine.link is not None
            engine.link.send(*nonsense)
            if n % 3 == 0:
                engine.words("c1/1", 0, f"word {n}", False, 1_000, 1_100)
        await until(lambda: len(engine.opened) == 2)  # left, and dialled again, since there is no other
        assert on.health == [False]
        assert engine.opened[1][1] == "c1/2"
        engine.words("c1/2", 0, "hello", True, 1_000, 1_100)
        await until(lambda: on.health == [False, True])
        assert on.words[-1] == (0, "hello", True)

    run(test)


# --- a recognizer that says nothing -----------------------------------------------------------------------------------


class Two:
    """Two recognizers, and a client that knows both."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = Engine(f"unix:{folder / '1'}"), Engine(f"unix:{folder / '2'}")
        self.events: list[Event] = []
        self.at_ms = 1_000
        self.client: RecognitionClient

    async def start(self) -> None:
        await self.first.start()
        await self.second.start()
        endpoints = [(each.endpoint, "token") for each in (self.first, self.second)]
        self.client = RecognitionClient(endpoints, self.events.append, MonotonicClock(), "c1")

    async def speak(self, ms: int, onset_ms: int = 1_000, voiced_ms: int = 0) -> int:
        """The caller's voice for so long, told of as the ears do; returns how much there was of this talkspurt."""
        for _ in range(ms // 100):
            for _ in range(5):
                self.at_ms += 20
                self.client.feed(FRAME, self.at_ms)
            voiced_ms += 100
            self.client.speech(onset_ms, voiced_ms)
            await asyncio.sleep(0.01)
        return voiced_ms

    @property
    def health(self) -> list[bool]:
        return [event.up for event in self.events if isinstance(event, HealthChanged)]


@pytest.fixture
def run_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Two], Awaitable[None]]], None]:
    monkeypatch.setattr(reconnect, "PAUSE_MS_FIRST", 5)

    def runner(test: Callable[[Two], Awaitable[None]]) -> None:
        async def limited() -> None:
            two = Two(tmp_path)
            await two.start()
            async with asyncio.timeout(600):
                await test(two)
            two.client.close()

        run_virtually(monkeypatch, limited)

    return runner


def test_one_that_says_nothing_for_ten_seconds_of_speech_is_left_for_another(run_two: Callable[..., None]) -> None:
    async def test(on: Two) -> None:
        await until(lambda: on.first.link)
        voiced_ms = await on.speak(recognition.WORDLESS_MS - 100)
        assert on.health == [] and not on.second.opened
        await on.speak(100, voiced_ms=voiced_ms)
        await until(lambda: on.second.opened)
        assert on.health == [False]  # and not back, until the other one has shown that it reads
        await until(lambda: len(on.second.heard) == recognition.WORDLESS_MS * 8)  # no word of it is lost
        assert on.second.opened == [["open", "c1/2", 1_000, STOCK_RECOGNITION.as_map()]]
        on.second.words("c1/2", 0, "is anybody there", True, 1_000, 5_000)
        await until(lambda: on.health == [False, True])
        assert on.events[-1] == WordsHeard(on.events[-1].at_ms, 0, "is anybody there", True, 1_000, 5_000)
        await asyncio.sleep(reconnect.STEADY_MS / 1_000)
        on.second.link.abort("died")  # type: ignore[union-attr]
        await until(lambda: len(on.second.opened) == 2)
        assert len(on.first.opened) == 1  # the one that was left is not the preferred one any more

    run_two(test)


def test_talkspurts_add_up_and_pauses_do_not_count(run_two: Callable[..., None]) -> None:
    async def test(on: Two) -> None:
        await until(lambda: on.first.link)
        for n in range(19):
            await on.speak(500, onset_ms=n)
            on.at_ms += 20_000  # of silence
        assert on.health == []
        await on.speak(500, onset_ms=99)
        await until(lambda: on.health == [False])

    run_two(test)


@pytest.mark.parametrize(
    "words",
    [("yes", True), ("yes and", False), ("", True), ("", False)],
    ids=["final", "partial", "took it back", "read on, found nothing"],
)
def test_one_that_says_anything_now_and_then_is_not_silent(
    run_two: Callable[..., None], words: tuple[str, bool]
) -> None:
    async def test(on: Two) -> None:
        await until(lambda: on.first.link)
        voiced_ms = 0
        for n in range(6):
            voiced_ms = await on.speak(recognition.WORDLESS_MS - 1_000, voiced_ms=voiced_ms)
            on.first.words("c1/1", n, *words, on.at_ms - 500, on.at_ms)
            await until(lambda: not on.client._unread)
        assert on.health == [] and not on.second.opened

    run_two(test)


def test_while_nobody_can_be_reached_nobody_is_silent(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        await until(lambda: on.health == [False])
        for n in range(300):
            on.feed(5)
            on.client.speech(1_000, 100 * n)
        engine = await on.engine().start()
        await until(lambda: on.health == [False, True])
        await until(lambda: engine.opened)
        assert len(engine.opened) == 1

    run(test)


def test_it_is_asked_how_far_it_is_while_it_says_nothing_and_when_the_caller_stops(
    run_two: Callable[..., None],
) -> None:
    async def test(on: Two) -> None:
        await until(lambda: on.first.link)
        await on.speak(900)
        assert on.first.asked == 0
        await on.speak(100, voiced_ms=900)
        await until(lambda: on.first.asked == 1)
        await on.speak(1_000, voiced_ms=1_000)
        await until(lambda: on.first.asked == 2)
        on.client.flush()
        await until(lambda: on.first.asked == 3)
        assert len(on.first.heard) == 2_000 * 8

    run_two(test)


# --- how far it has read ----------------------------------------------------------------------------------------------


def test_how_far_it_has_read_is_told_under_a_number_at_which_nothing_stands(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(100)
        await until(lambda: engine.opened)
        engine.words("c1/1", 0, "", False, 1_500, 1_500)
        engine.words("c1/1", 0, "hello", True, 1_600, 2_000)
        engine.words("c1/1", 1, "are", False, 2_100, 2_300)
        engine.words("c1/1", 2, "", False, 2_600, 2_600)
        engine.words("c1/1", 2, "  ", False, 2_600, 2_600)  # nothing new
        engine.words("c1/1", 2, "", False, 2_500, 2_500)
        engine.words("c1/1", 1, "are you", True, 2_100, 2_700)
        await until(lambda: len(on.words) == 5)
        assert on.words == [(0, "", False), (0, "hello", True), (1, "are", False), (2, "", False), (1, "are you", True)]
        assert [event.ended_ms for event in on.events if isinstance(event, WordsHeard)] == [
            1_500, 2_000, 2_300, 2_600, 2_700,
        ]  # fmt: skip
        assert on.client.place() == (2_700, 1, -1)

    run(test)


def test_progress_is_told_a_few_times_a_second_at_most(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(200)
        await until(lambda: engine.opened)
        for n in range(400):
            engine.words("c1/1", 0, "", False, 1_000, 1_000 + n)
        engine.words("c1/1", 0, "done", True, 1_000, 2_000)
        await until(lambda: on.words and on.words[-1][1])
        assert len(on.words) == recognition.PROGRESS_MAX + 1

    run(test)


def test_a_segment_that_is_final_is_told_once_and_again_only_where_it_is_corrected(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(100)
        await until(lambda: engine.opened)
        engine.words("c1/1", 0, "hello", True, 1_000, 1_500)
        for text, final in (("hell", False), ("hello", True), ("Hello!", True), ("", True), ("", False)):
            engine.words("c1/1", 0, text, final, 1_000, 1_400)
        engine.words("c1/1", 0, "", True, 1_000, 2_000)  # but it says that it was read so far
        engine.words("c1/1", 0, "yellow", True, 1_000, 1_500)
        await until(lambda: len(on.words) == 3)
        assert on.words == [(0, "hello", True), (1, "", False), (0, "yellow", True)]
        assert on.client.place() == (1_500, 0, -1)

    run(test)


def test_without_a_recognizer_nothing_waits_for_words() -> None:
    events: list[Event] = []
    none = NoRecognizer(events.append, MonotonicClock())
    none.feed(FRAME, 20)
    none.flush()
    none.close()
    (event,) = events
    assert isinstance(event, HealthChanged) and (event.part, event.up) == ("recognizer", False)


def test_the_link_names_the_format_and_a_stream_its_options(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.client.read_by(RecognitionOptions("en-GB", ("Acme", "Zoe"), tenant="t1"))
        on.feed(10)
        await until(lambda: engine.opened)
        assert engine.hello == ["mulaw8k", PROTOCOL]
        told = {"language": "en-GB", "hints": ["Acme", "Zoe"], "format": "mulaw8k", "tenant": "t1"}
        assert engine.opened == [["open", "c1/1", 1_000, told]]

    run(test)


def test_other_options_read_what_is_not_final_anew(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(50)
        await until(lambda: len(engine.heard) == 50 * len(FRAME))
        engine.words("c1/1", 0, "guten", True, 1_000, 1_400)
        await until(lambda: on.words)
        on.client.read_by(STOCK_RECOGNITION)  # the same: nothing changes
        on.client.read_by(RecognitionOptions("de"))
        on.feed(1)
        await until(lambda: len(engine.opened) == 2)
        assert engine.closed == ["c1/1"]
        assert engine.opened[1][1:3] == ["c1/2", 1_400] and engine.opened[1][3]["language"] == "de"
        await until(lambda: len(engine.heard) == 31 * len(FRAME))
        engine.words("c1/1", 1, "late", True, 1_400, 1_500)  # of the former stream: not heard
        engine.words("c1/2", 0, "tag", True, 1_400, 1_600)
        await until(lambda: len(on.words) == 2)
        assert on.words == [(0, "guten", True), (1, "tag", True)]

    run(test)


def test_one_that_refuses_the_options_is_left_and_counts_as_lost_until_words_come(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        on.feed(10)
        await until(lambda: engine.opened)
        assert engine.link is not None
        engine.link.send("refused", "c1/1", "no such language")
        await until(lambda: on.health)
        await until(lambda: len(engine.opened) == 2)  # dialled again, for another may stand there by now
        assert on.health == [False] and on.client.refused == 0
        engine.words("c1/2", 0, "hello", True, 1_000, 1_100)
        await until(lambda: on.words)
        assert on.health == [False, True]

    run(test)
