"""The recognizer behind its link, with a model of the test's own: times, renewal, falling behind, failing.

What the real model understands is in tests/engines.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

from offhook.actors.audio import mulaw
from offhook.actors.audio.format import SILENCE
from offhook.actors.contracts.engine_messages import Close, Open, Sound, Words
from offhook.actors.link.link import Array, Link, connect
from offhook.serve.engines import recognizer_host as module
from offhook.serve.engines import sound
from offhook.serve.engines.moonshine import decoder as decoding
from offhook.serve.engines.moonshine.decoder import Decoder
from offhook.serve.engines.moonshine.engine import MoonshineRecognizer
from offhook.serve.engines.moonshine.readings import Line
from offhook.serve.engines.recognizer_host import RecognizerHost

QUIET = SILENCE
LOUD = mulaw.encode(b"\x00\x40")


def quiet(ms: int) -> bytes:
    return QUIET * (8 * ms)


def loud(ms: int) -> bytes:
    return LOUD * (8 * ms)


class Stream:
    """Takes every run of loud samples for one segment, whose text says how long it was; final 300 ms after its end."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.samples: list[int] = []
        self.told = 0

    def feed(self, samples: sound.Samples) -> list[Line]:
        self.model.gate.wait(10)
        if self.model.broken:
            raise RuntimeError("broken")
        self.model.fed.append(len(samples) // 8)
        self.samples.extend(samples.tolist())
        return self._lines(False)

    def finish(self) -> list[Line]:
        self.model.finished += 1
        return self._lines(True)

    def _lines(self, last: bool) -> list[Line]:
        runs, start = [], -1
        for n, value in enumerate([*self.samples, 0]):
            if value and start < 0:
                start = n
            elif not value and start >= 0:
                runs.append((start, n))
                start = -1
        over = [run for run in runs if last or len(self.samples) - run[1] >= 2_400]
        fresh, self.told = over[self.told :], max(self.told, len(over))
        return [Line(a, f"run of {(b - a) // 8}", a / 8_000, (b - a) / 8_000, True) for a, b in fresh]


class Model:
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.opened = self.finished = 0
        self.fed: list[int] = []
        self.broken = False

    def open(self, rate_hz: int) -> Stream:
        assert rate_hz == 8_000
        self.opened += 1
        return Stream(self)


async def passed(met: Callable[[], bool]) -> None:
    """Turns of the loop until something is so; bounded by the test's own timeout."""
    while not met():  # noqa: ASYNC110 - the engine has no event for this, on purpose
        await asyncio.sleep(0)


class Call:
    """One call's end of the link."""

    def __init__(self) -> None:
        self.words: list[Array] = []
        self.news = asyncio.Event()
        self.link: Link

    async def connect(self, engine: RecognizerHost) -> Call:
        address = engine.endpoint()
        self.link = await connect(address["endpoint"], address["token"], on_message=self._take)
        return self

    def _take(self, _link: Link, message: Array) -> None:
        self.words.append(message)
        self.news.set()

    async def until(self, count: int) -> list[Array]:
        while len(self.words) < count:
            self.news.clear()
            await self.news.wait()
        return self.words

    def hear(self, stream: str, coded: bytes, piece_ms: int = 100) -> None:
        for at in range(0, len(coded), piece_ms * 8):
            self.link.send(Sound.NAME, stream, coded[at : at + piece_ms * 8])


def run(test: Callable[[RecognizerHost, Model], Awaitable[None]]) -> None:
    async def bounded() -> None:
        model = Model()
        engine = RecognizerHost(MoonshineRecognizer(lambda: model))
        await engine.start()
        try:
            async with asyncio.timeout(60):
                await test(engine, model)
        finally:
            model.gate.set()
            await engine.stop()

    asyncio.run(bounded())


def decode(decoder: Decoder, coded: bytes, dropped_ms: int = 0, last: bool = False) -> list[tuple[str, int, int, int]]:
    told = []
    for at in range(0, max(len(coded), 1), 800):
        if dropped_ms and not at:
            told += decoder.skip(dropped_ms)
        told += decoder.decode(sound.decode(coded[at : at + 800]))
    told += decoder.finish() if last else []
    return [(reading.text, reading.segment, reading.started_ms, reading.ended_ms) for reading in told]


def test_words_carry_the_calls_clock() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 5_000)
        call.hear("s", quiet(500) + loud(800) + quiet(500))
        (words,) = await call.until(1)
        assert words == [Words.NAME, "s", 0, "run of 800", True, 5_500, 6_300]

    run(test)


def test_closing_a_stream_tells_its_last_words() -> None:
    async def test(engine: RecognizerHost, model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", loud(900))
        call.link.send(Close.NAME, "s")
        (words,) = await call.until(1)
        assert words[3] == "run of 900"
        await passed(lambda: not engine.streams)
        assert model.finished == 1

    run(test)


def test_an_engine_that_is_behind_decodes_what_waits_at_once() -> None:
    async def test(engine: RecognizerHost, model: Model) -> None:
        call = await Call().connect(engine)
        model.gate.clear()
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", quiet(200) + loud(800) + quiet(1_000))
        await passed(lambda: engine.heard_ms >= 2_000)
        model.gate.set()
        await call.until(1)
        assert len(model.fed) <= 3
        assert sum(model.fed) == 2_000

    run(test)


def test_too_far_behind_it_drops_the_older_half_and_keeps_time() -> None:
    async def test(engine: RecognizerHost, model: Model) -> None:
        call = await Call().connect(engine)
        model.gate.clear()
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", quiet(100))
        await passed(lambda: bool(engine.behind_ms_max))  # the engine has it, and is not done with it
        call.hear("s", quiet(module.PENDING_MS_MAX + 2_900) + loud(800) + quiet(500))
        total_ms = module.PENDING_MS_MAX + 4_300
        await passed(lambda: engine.heard_ms >= total_ms)
        model.gate.set()
        (words,) = await call.until(1)
        assert engine.dropped_ms > 0
        assert words[5:] == [module.PENDING_MS_MAX + 3_000, module.PENDING_MS_MAX + 3_800]
        assert engine.stats()["dropped_ms"] == engine.dropped_ms

    run(test)


def test_calls_share_one_worker_in_turn() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        calls = [await Call().connect(engine) for _ in range(5)]
        for n, call in enumerate(calls):
            call.link.send(Open.NAME, "s", n * 1_000)
            call.hear("s", loud(800) + quiet(400))
        for n, call in enumerate(calls):
            (words,) = await call.until(1)
            assert words[5] == n * 1_000

    run(test)


def test_a_lost_call_closes_its_stream() -> None:
    async def test(engine: RecognizerHost, model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", loud(500))
        await passed(lambda: bool(model.opened))
        call.link.abort("the call process died")
        await passed(lambda: not engine.streams)
        assert model.finished == 1

    run(test)


def test_a_model_that_fails_costs_that_link_and_no_other() -> None:
    async def test(engine: RecognizerHost, model: Model) -> None:
        bad, good = await Call().connect(engine), await Call().connect(engine)
        bad.link.send(Open.NAME, "s", 0)
        model.broken = True
        bad.hear("s", quiet(100))
        await passed(lambda: not bad.link.open)
        model.broken = False
        good.link.send(Open.NAME, "s", 0)
        good.hear("s", loud(800) + quiet(400))
        await good.until(1)
        await passed(lambda: engine.streams <= 1)

    run(test)


def progress(words: list[Array]) -> list[int]:
    """How far it said to be, where it told no words."""
    return [message[6] for message in words if message[1:5] == ["s", message[2], "", False]]


def test_a_call_that_asks_is_told_once_all_of_it_is_read_and_holds_no_word() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 5_000)
        call.hear("s", quiet(1_000))
        call.link.send(Sound.NAME, "s", b"", 1)
        call.hear("s", quiet(5_000), piece_ms=50)
        await call.until(1)
        call.link.send(Close.NAME, "s")
        await passed(lambda: engine.heard_ms == 6_000 and not engine.streams)
        assert call.words == [[Words.NAME, "s", 0, "", False, 6_000, 6_000]]  # and in the silence after it no more

    run(test)


def test_who_does_not_ask_is_not_told() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", quiet(4_000) + loud(800) + quiet(4_000))
        call.link.send(Close.NAME, "s")
        await passed(lambda: engine.heard_ms == 8_800 and not engine.streams)
        await call.until(1)
        assert [message[3] for message in call.words] == ["run of 800"]

    run(test)


def test_words_come_before_it_is_told_that_there_are_no_more() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 0)
        call.hear("s", quiet(300) + loud(800) + quiet(100))
        call.link.send(Sound.NAME, "s", quiet(60), 1)
        call.hear("s", quiet(2_000))
        words = await call.until(2)
        assert [(message[2], message[3], message[4]) for message in words] == [(0, "run of 800", True), (1, "", False)]
        assert words[0][5:] == [300, 1_100] and words[1][6] == 1_260

    run(test)


def test_in_the_midst_of_a_segment_it_is_as_far_as_the_segment_s_beginning() -> None:
    decoder = Decoder(Model(), 8_000)
    readings = decoder._readings
    decode(decoder, quiet(1_000))
    assert (decoder.read_ms, decoder.segments) == (1_000 - decoding.READ_LAG_MS, 0)
    readings.read(Line(1, "it was", 0.5, 0.3, False))
    decode(decoder, quiet(3_000))
    assert decoder.read_ms == 500 - decoding.START_SLACK_MS
    readings.read(Line(1, "", 0.5, 3.4, True))
    assert decoder.read_ms == 4_000 - decoding.READ_LAG_MS
    decode(decoder, quiet(100), last=True)
    assert decoder.read_ms == 4_100


def test_a_call_that_asks_in_the_midst_of_a_segment_is_answered_all_the_same() -> None:
    """Endless music is read as one segment without agreed words: its recognizer must not pass for silent."""

    class Music(Stream):
        def _lines(self, last: bool) -> list[Line]:
            return [Line(1, f"la {len(self.samples)}", 0.4, len(self.samples) / 8_000, last)]

    async def test(engine: RecognizerHost, model: Model) -> None:
        model.open = lambda _rate_hz: Music(model)  # type: ignore[method-assign]
        call = await Call().connect(engine)
        call.link.send(Open.NAME, "s", 0)
        for n in range(1, 5):
            call.hear("s", quiet(1_000))
            call.link.send(Sound.NAME, "s", b"", 1)
            await passed(lambda n=n: engine.heard_ms == 1_000 * n)
        call.hear("s", quiet(module.ANSWER_MS + 100))
        await passed(lambda: len(progress(call.words)) >= 1)
        assert set(progress(call.words)) == {200}
        assert {message[3] for message in call.words} <= {"", "la"}

    run(test)


def test_nonsense_closes_the_link() -> None:
    async def test(engine: RecognizerHost, _model: Model) -> None:
        for message in (["sing", "s"], [Open.NAME, "s", "now"], [Sound.NAME, "s", "text"]):
            call = await Call().connect(engine)
            call.link.send(*message)
            link = call.link
            await passed(lambda link=link: not link.open)

    run(test)


def test_the_models_stream_is_renewed_in_a_pause_and_numbers_and_times_go_on() -> None:
    model = Model()
    decoder = Decoder(model, 8_000)
    told = decode(decoder, loud(800) + quiet(decoding.RENEW_MS - 800))
    assert (model.opened, model.finished) == (1, 1)
    told += decode(decoder, quiet(2_000) + loud(900) + quiet(400))
    assert model.opened == 2
    start_ms = decoding.RENEW_MS + 2_000
    assert told == [("run of 800", 0, 0, 800), ("run of 900", 1, start_ms, start_ms + 900)]


def test_a_word_that_begins_at_the_renewal_is_not_lost() -> None:
    model = Model()
    decoder = Decoder(model, 8_000)
    decode(decoder, loud(800) + quiet(decoding.RENEW_MS - 800 - 100))
    told = decode(decoder, quiet(100))
    assert model.finished == 1
    told += decode(decoder, loud(900) + quiet(400))
    assert told == [("run of 900", 1, decoding.RENEW_MS, decoding.RENEW_MS + 900)]


def test_what_was_dropped_lies_between_two_streams_of_the_model() -> None:
    model = Model()
    decoder = Decoder(model, 8_000)
    told = decode(decoder, loud(800)) + decode(decoder, loud(700) + quiet(400), dropped_ms=5_000)
    assert model.opened == 2
    assert told == [("run of 800", 0, 0, 800), ("run of 700", 1, 5_800, 6_500)]
