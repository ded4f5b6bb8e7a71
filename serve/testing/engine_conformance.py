"""What every speech engine has to hold to, whoever makes it: suites to be inherited by a test of the engine.

    class TestAcme(RecognizerConformance):
        speech, says = clip, "hello"

        def make(self):
            return AcmeRecognizer(...)

An engine is driven through its port alone (`serve/engines/port.py`); what the host adds to it has tests of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest
from offhook.actors.audio.format import LINEAR16, TELEPHONE, AudioFormat
from offhook.actors.contracts.errors import EngineAway, OptionsRefused
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions
from offhook.serve.engines.port import (
    Reading,
    RecognizerEngine,
    RecognizerStream,
    Speech,
    SynthesizerEngine,
)
from offhook.serve.engines.sound import convert

WITHIN_S = 60.0  # a real model on a busy machine
PIECE_MS = 100
WIDE = AudioFormat(LINEAR16, 16_000)
NO_LANGUAGE = "tlh"  # Klingon has a tag, and no engine
TEXT = "Good morning, how are you? I can offer you Tuesday."


class RecognizerConformance:
    """`speech`: telephone sound in which words of `says` are said; `options`: of a stream that reads it."""

    speech: bytes
    says: str
    options = RecognitionOptions()

    def make(self) -> RecognizerEngine:
        """A new engine."""
        raise NotImplementedError

    def test_silence_holds_no_word_and_is_read_to_its_end(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            heard = await Heard.open(engine, self.options)
            await heard.feed(TELEPHONE.silence(3_000))
            assert 0 <= heard.stream.read_ms <= 3_000
            await heard.stream.finish()
            assert heard.text == ""

        self._run(test)

    def test_speech_is_read_with_times_inside_of_it(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            heard = await Heard.open(engine, self.options)
            await heard.feed(self._line())
            await heard.stream.finish()
            heard.check(TELEPHONE.ms_of(len(self._line())))
            assert self.says in heard.text.lower()

        self._run(test)

    def test_words_come_while_it_listens_and_read_ms_goes_on(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            heard = await Heard.open(engine, self.options)
            await heard.feed(self._line())
            await passed(lambda: bool(heard.readings))
            before_ms = heard.stream.read_ms
            await heard.feed(TELEPHONE.silence(3_000))
            await passed(lambda: heard.stream.read_ms > before_ms)
            await heard.stream.finish()

        self._run(test)

    @pytest.mark.parametrize("form", [TELEPHONE, AudioFormat(LINEAR16, 8_000), WIDE], ids=str)
    def test_every_option_is_taken(self, form: AudioFormat) -> None:
        async def test(engine: RecognizerEngine) -> None:
            options = replace(self.options, hints=("Acme", "Zoe"), tenant="t1", format=form)
            heard = await Heard.open(engine, options)
            await heard.feed(convert(self._line(), TELEPHONE, form))
            await heard.stream.finish()
            heard.check(TELEPHONE.ms_of(len(self._line())))
            assert self.says in heard.text.lower()

        self._run(test)

    def test_a_language_that_it_does_not_read_is_refused_by_its_name(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            with pytest.raises(OptionsRefused, match=NO_LANGUAGE):
                heard = await Heard.open(engine, replace(self.options, language=NO_LANGUAGE))
                await heard.stream.finish()

        self._run(test)

    def test_streams_do_not_hear_each_other(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            speaks, silent = [await Heard.open(engine, self.options) for _ in range(2)]
            line = self._line()
            await asyncio.gather(speaks.feed(line), silent.feed(TELEPHONE.silence(TELEPHONE.ms_of(len(line)))))
            await asyncio.gather(speaks.stream.finish(), silent.stream.finish())
            assert self.says in speaks.text.lower() and silent.text == ""

        self._run(test)

    def test_what_is_missing_lies_between_what_is_read_before_and_after(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            heard = await Heard.open(engine, self.options)
            await heard.feed(self._line())
            await heard.stream.skip(60_000)
            await heard.feed(self._line())
            await heard.stream.finish()
            spoken = [reading for reading in heard.last.values() if reading.text]
            gap_ms = TELEPHONE.ms_of(len(self._line()))
            assert {reading.started_ms > 60_000 for reading in spoken} == {True, False}
            assert all(not gap_ms < reading.started_ms < 60_000 for reading in spoken)

        self._run(test)

    def test_a_cancelled_stream_is_silent_and_costs_no_other(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            gone, stays = [await Heard.open(engine, self.options) for _ in range(2)]
            feeding = asyncio.create_task(gone.feed(self._line()))
            await asyncio.sleep(0)
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await gone.stream.cancel()
            told = len(gone.readings)
            await stays.feed(self._line())
            await stays.stream.finish()
            assert len(gone.readings) == told and self.says in stays.text.lower()

        self._run(test)

    def test_it_counts_and_stops_with_nothing_left_to_do(self) -> None:
        async def test(engine: RecognizerEngine) -> None:
            assert all(isinstance(value, int) for value in engine.stats().values())

        self._run(test)

    def _line(self) -> bytes:
        """The speech on an open line."""
        return TELEPHONE.silence(600) + self.speech + TELEPHONE.silence(1_500)

    def _run(self, test: Callable[[RecognizerEngine], Awaitable[None]]) -> None:
        run(self.make, test)


class Heard:
    """A stream, and what was pushed of it."""

    stream: RecognizerStream

    def __init__(self, form: AudioFormat) -> None:
        self.form = form
        self.readings: list[Reading] = []

    @classmethod
    async def open(cls, engine: RecognizerEngine, options: RecognitionOptions) -> Heard:
        heard = cls(options.format)
        heard.stream = await engine.open(options, heard.readings.append)
        return heard

    async def feed(self, audio: bytes) -> None:
        """As a host feeds it: in pieces, converted to what the stream takes."""
        size = self.form.bytes_of(PIECE_MS)
        for at in range(0, len(audio), size):
            await self.stream.feed(convert(audio[at : at + size], self.form, self.stream.format))

    @property
    def last(self) -> dict[int, Reading]:
        """The last reading of each segment."""
        return {reading.segment: reading for reading in self.readings}

    @property
    def text(self) -> str:
        return " ".join(self.last[segment].text for segment in sorted(self.last)).strip()

    def check(self, length_ms: int) -> None:
        assert self.readings
        for reading in self.readings:
            assert 0 <= reading.started_ms <= reading.ended_ms <= length_ms + 500, reading
            assert 0 <= reading.segment <= len(self.readings), reading
        assert all(reading.final for reading in self.last.values()), "when it is over, all of it is final"


class SynthesizerConformance:
    """`voice`: a name that it has besides ""; `timed`: it tells when words end."""

    voice = ""
    timed = True
    options = SynthesisOptions()

    def make(self) -> SynthesizerEngine:
        """A new engine."""
        raise NotImplementedError

    @pytest.mark.parametrize("form", [TELEPHONE, WIDE], ids=str)
    def test_a_text_becomes_sound_with_its_words_in_order(self, form: AudioFormat) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            self._check(await spoken(engine, TEXT, replace(self.options, format=form)))

        self._run(test)

    def test_every_option_is_taken(self) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            self._check(await spoken(engine, TEXT, replace(self.options, voice=self.voice, tenant="t1")))

        self._run(test)

    @pytest.mark.parametrize(("field", "value"), [("voice", "nobody's"), ("language", NO_LANGUAGE)])
    def test_options_that_it_cannot_do_are_refused_by_their_value(self, field: str, value: str) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            chosen: Any = {field: value}
            with pytest.raises(OptionsRefused, match=value):
                await spoken(engine, TEXT, replace(self.options, **chosen))

        self._run(test)

    def test_texts_are_spoken_at_the_same_time(self) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            texts = ("One two three.", TEXT, "Thank you.")
            for text, pieces in zip(
                texts, await asyncio.gather(*(spoken(engine, text, self.options) for text in texts)), strict=True
            ):
                self._check(pieces, text)

        self._run(test)

    def test_what_is_cut_off_costs_nothing_else(self) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            async with aclosing(engine.speak(TEXT * 5, self.options)) as pieces:
                async for _ in pieces:
                    break
            asked = asyncio.create_task(spoken(engine, TEXT, self.options))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            self._check(await spoken(engine, TEXT, self.options))

        self._run(test)

    def test_when_it_stops_nobody_waits_for_ever(self) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            asked = asyncio.create_task(spoken(engine, TEXT * 5, self.options))
            await asyncio.sleep(0)
            await engine.stop()
            with suppress(EngineAway):
                await asked

        self._run(test, stops=True)

    def test_it_warms_what_it_can(self) -> None:
        async def test(engine: SynthesizerEngine) -> None:
            assert await engine.warm([TEXT]) >= 0
            assert all(isinstance(value, int) for value in engine.stats().values())
            self._check(await spoken(engine, TEXT, self.options))

        self._run(test)

    def _check(self, pieces: list[Speech], text: str = TEXT) -> None:
        (form,) = {piece.format for piece in pieces}
        size = sum(len(piece.audio) for piece in pieces)
        assert all(not len(piece.audio) % form.step_bytes for piece in pieces)
        assert form.ms_of(size) > 50 * len(text.split()), "nobody speaks so fast"
        words = [word for piece in pieces for word in piece.words]
        if self.timed:
            assert [word for word, _ in words] == text.split()
            ends = [end_ms for _, end_ms in words]
            assert ends == sorted(ends) and ends[0] > 0 and ends[-1] <= form.ms_of(size) + 50
        else:
            assert not words

    def _run(self, test: Callable[[SynthesizerEngine], Awaitable[None]], stops: bool = False) -> None:
        run(self.make, test, stops)


async def spoken(engine: SynthesizerEngine, text: str, options: SynthesisOptions) -> list[Speech]:
    """All pieces of a text."""
    async with aclosing(engine.speak(text, options)) as pieces:
        return [piece async for piece in pieces]


async def passed(met: Callable[[], bool]) -> None:
    """Turns of the loop until something is so; bounded by the suite's own limit."""
    while not met():  # noqa: ASYNC110 - an engine tells no event of this
        await asyncio.sleep(0.001)


def run(make: Callable[[], Any], test: Callable[[Any], Awaitable[None]], stops: bool = False) -> None:
    """One test with an engine that is started before it and, unless it `stops` it itself, stopped after it."""

    async def bounded() -> None:
        engine = make()
        async with asyncio.timeout(WITHIN_S):
            await engine.start()
            try:
                await test(engine)
            finally:
                if not stops:
                    await engine.stop()

    asyncio.run(bounded())
