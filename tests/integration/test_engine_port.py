"""Engines behind their port: the suites on the stock ones with a model of the test's own; what the hosts add to any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from offhook.actors.audio.format import LINEAR16, TELEPHONE, AudioFormat
from offhook.actors.contracts.engine_messages import Close, Open, Refused, Sound, Speak, Spoken, Timing, Unspoken, Words
from offhook.actors.contracts.errors import EngineAway, OptionsRefused, ProtocolFault
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions
from offhook.actors.link.link import Array, connect
from offhook.policies.core.policy import Speech as SpeechPolicy
from offhook.serve.engines import sound
from offhook.serve.engines.moonshine.engine import MoonshineRecognizer
from offhook.serve.engines.moonshine.readings import Line
from offhook.serve.engines.phrases.engine import PhraseSynthesizer
from offhook.serve.engines.phrases.phrasing import Phoneme
from offhook.serve.engines.phrases.program import Rendered
from offhook.serve.engines.port import Reading, Speech
from offhook.serve.engines.recognizer_host import RecognizerHost
from offhook.serve.engines.synthesizer_host import SynthesizerHost
from offhook.testing.engine_conformance import RecognizerConformance, SynthesizerConformance, passed

WIDE = AudioFormat(LINEAR16, 16_000)


def tone(ms: int, form: AudioFormat = TELEPHONE) -> bytes:
    waves = 0.3 * np.sin(2 * np.pi * 400 * np.arange(form.rate_hz * ms // 1_000) / form.rate_hz)
    return sound.audio_of(waves.astype(np.float32), form)


class LoudModel:
    """Reads every stretch of loud sound as "loud", once 300 ms of quiet have followed it."""

    def open(self, rate_hz: int) -> LoudStream:
        return LoudStream(rate_hz)


class LoudStream:
    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.samples = np.zeros(0, np.int16)
        self.told = 0

    def feed(self, samples: sound.Samples) -> list[Line]:
        self.samples = np.concatenate((self.samples, samples))
        return self._lines(0.3)

    def finish(self) -> list[Line]:
        return self._lines(0.0)

    def _lines(self, quiet_s: float) -> list[Line]:
        loud = np.flatnonzero(np.abs(self.samples.astype(int)) > 2_000) / self.rate_hz
        stretches = np.split(loud, np.flatnonzero(np.diff(loud) > 0.2) + 1) if loud.size else []
        over = [each for each in stretches if self.samples.size / self.rate_hz - each[-1] >= quiet_s]
        fresh, self.told = over[self.told :], max(self.told, len(over))
        return [
            Line(n + 1_000 * self.told, "loud", float(each[0]), float(each[-1] - each[0]), True)
            for n, each in enumerate(fresh)
        ]


class Hummer:
    """A program that hums a letter for 40 ms."""

    def __init__(self, tells: bool = True) -> None:
        self.tells = tells

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def render(self, text: str) -> Rendered:
        waves = np.full(len(text) * 640, 0.1, np.float32)
        return Rendered(waves, 16_000, tuple(Phoneme(symbol, 0.04) for symbol in text) if self.tells else ())


class TestMoonshineWithALoudModel(RecognizerConformance):
    speech, says = tone(900), "loud"

    def make(self) -> MoonshineRecognizer:
        return MoonshineRecognizer(LoudModel)


class TestPhrasesWithAHummer(SynthesizerConformance):
    voice = "hum"

    def make(self) -> PhraseSynthesizer:
        return PhraseSynthesizer("hummer", Hummer, 2, ("hum",), ("en",))


class TestPhrasesOfAProgramThatTellsNoDurations(SynthesizerConformance):
    voice = "hum"

    def make(self) -> PhraseSynthesizer:
        return PhraseSynthesizer("hummer", lambda: Hummer(tells=False), 2, ("hum",), ("en",))


# --- options --------------------------------------------------------------------------------------------------------


def test_options_survive_the_link_and_what_a_later_release_adds_is_ignored() -> None:
    heard = RecognitionOptions("de-AT", ("Huber", "Wien"), WIDE, "t1")
    said = SynthesisOptions("joe", "de", WIDE, "t1")
    assert RecognitionOptions.from_map(heard.as_map() | {"mood": 7}) == heard
    assert SynthesisOptions.from_map(said.as_map() | {"mood": 7}) == said


def test_an_option_is_added_by_one_line() -> None:
    @dataclass(frozen=True, slots=True)
    class Tomorrow(RecognitionOptions):
        mood: str = field(default="calm", metadata={"most": 5})

    assert Tomorrow.from_map(Tomorrow(mood="glad").as_map()) == Tomorrow(mood="glad")
    assert Tomorrow.from_map(RecognitionOptions().as_map()).mood == "calm"
    assert RecognitionOptions.from_map(Tomorrow(mood="glad").as_map()) == RecognitionOptions()
    with pytest.raises(ProtocolFault, match="the option mood is a text of 5 characters at most"):
        Tomorrow.from_map({"mood": "furious"})


def test_a_release_that_sends_no_options_gets_the_usual_ones_and_the_links_format() -> None:
    assert RecognitionOptions.from_map({}, WIDE) == RecognitionOptions(format=WIDE)
    assert SynthesisOptions.from_map({}, WIDE, "joe") == SynthesisOptions("joe", format=WIDE)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        [],
        {"language": 7},
        {"language": "x" * 36},
        {"hints": "a"},
        {"hints": [7]},
        {"hints": ["x"] * 201},
        {"hints": ["x" * 101]},
        {"format": "opus48k"},
        {"tenant": b"t"},
    ],
)
def test_options_of_the_wrong_form_are_a_fault_of_the_peer(raw: object) -> None:
    with pytest.raises(ProtocolFault):
        RecognitionOptions.from_map(raw)


def test_a_policy_says_what_is_asked_for() -> None:
    speech = SpeechPolicy(language="en-GB", voice="ann", hints=("Acme",))
    assert RecognitionOptions.of(speech, "t1") == RecognitionOptions("en-GB", ("Acme",), TELEPHONE, "t1")
    assert SynthesisOptions.of(speech, "t1", "joe") == SynthesisOptions("ann", "en-GB", TELEPHONE, "t1")
    assert SynthesisOptions.of(SpeechPolicy(), "", "joe").voice == "joe"


# --- the hosts ------------------------------------------------------------------------------------------------------


class Parrot:
    """A recognizer that reads 16 kHz, and tells how much it was fed."""

    format = WIDE

    def __init__(self) -> None:
        self.fed = b""
        self.cancelled = False
        self.asked: list[RecognitionOptions] = []
        self.fails: Exception | None = None
        self.read_ms = 0
        self.push: Callable[[Reading], None] = lambda _reading: None

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def open(self, options: RecognitionOptions, push: Callable[[Reading], None]) -> Parrot:
        self.asked.append(options)
        if options.language != "en":
            raise OptionsRefused(f"a parrot reads en, not {options.language!r}")
        self.push = push
        return self

    async def feed(self, audio: bytes) -> None:
        if self.fails is not None:
            raise self.fails
        self.fed += audio
        self.read_ms = WIDE.ms_of(len(self.fed))

    async def skip(self, ms: int) -> None: ...

    async def finish(self) -> None:
        self.push(Reading(0, f"fed {round(self.read_ms, -1)}", True, 0, self.read_ms))

    async def cancel(self) -> None:
        self.cancelled = True

    def stats(self) -> dict[str, int]:
        return {"seeds": 3}


class Whistler:
    """A synthesizer of 22.05 kHz whose pieces are the test's; a text "!" breaks it."""

    def __init__(self, pieces: Sequence[Speech] = ()) -> None:
        self.pieces = pieces
        self.asked: list[SynthesisOptions] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def speak(self, text: str, options: SynthesisOptions) -> AsyncGenerator[Speech, None]:
        self.asked.append(options)
        if text == "!":
            raise RuntimeError("out of breath")
        for piece in self.pieces:
            yield piece

    async def warm(self, _texts: Sequence[str]) -> int:
        return 0

    def stats(self) -> dict[str, int]:
        return {}


def through(
    host: RecognizerHost | SynthesizerHost, *messages: tuple[object, ...], until: str, form: str = TELEPHONE.name
) -> list[Array]:
    """What the host answers to these messages, up to and with the first of a kind ("" = until the link is closed)."""
    got: list[Array] = []

    async def bounded() -> None:
        over = asyncio.Event()

        def take(_link: object, message: Array) -> None:
            got.append(message)
            if message[0] == until:
                over.set()

        await host.start()
        at = host.endpoint()
        async with asyncio.timeout(20):
            link = await connect(
                at["endpoint"], at["token"], form, on_message=take, on_close=lambda _link, _reason: over.set()
            )
            for message in messages:
                link.send(*message)
            await over.wait()
            await host.stop()

    asyncio.run(bounded())
    return got


def test_the_host_converts_to_what_the_stream_takes_and_keeps_times() -> None:
    parrot = Parrot()
    pieces = [(Sound.NAME, "s", tone(1_000)[at : at + 300]) for at in range(0, 8_000, 300)]
    got = through(RecognizerHost(parrot), (Open.NAME, "s", 500), *pieces, (Close.NAME, "s"), until=Words.NAME)
    assert got == [[Words.NAME, "s", 0, "fed 1000", True, 500, 1_500]]
    heard = sound.waves_of(parrot.fed, WIDE)
    assert np.max(np.abs(heard - sound.waves_of(tone(1_000, WIDE), WIDE))[300:-300]) < 0.02
    assert parrot.asked == [RecognitionOptions()]


def test_a_link_that_names_its_format_is_heard_in_it() -> None:
    parrot = Parrot()
    got = through(
        RecognizerHost(parrot),
        (Open.NAME, "s", 0, {"tenant": "t1"}),
        (Sound.NAME, "s", tone(1_000, WIDE)),
        (Close.NAME, "s"),
        until=Words.NAME,
        form=WIDE.name,
    )
    assert got[0][3] == "fed 1000" and parrot.fed == tone(1_000, WIDE)
    assert parrot.asked == [RecognitionOptions(format=WIDE, tenant="t1")]


def test_a_stream_that_cannot_be_read_is_refused_and_the_link_stays() -> None:
    host = RecognizerHost(Parrot())
    refused, words = through(
        host,
        (Open.NAME, "a", 0, {"language": "de"}),
        (Sound.NAME, "a", tone(200)),
        (Open.NAME, "b", 0),
        (Sound.NAME, "b", tone(200)),
        (Close.NAME, "b"),
        until=Words.NAME,
    )
    assert refused == [Refused.NAME, "a", "a parrot reads en, not 'de'"]
    assert words[:2] == [Words.NAME, "b"] and not host.sessions
    assert host.stats()["seeds"] == 3


@pytest.mark.parametrize("fault", [EngineAway("gone"), RuntimeError("broken")])
def test_a_stream_that_is_lost_closes_the_calls_link_and_is_cancelled(fault: Exception) -> None:
    parrot = Parrot()
    parrot.fails = fault
    assert through(RecognizerHost(parrot), (Open.NAME, "s", 0), (Sound.NAME, "s", tone(200)), until="") == []
    assert parrot.cancelled


def test_a_lost_call_cancels_its_stream() -> None:
    async def test() -> None:
        parrot = Parrot()
        host = RecognizerHost(parrot)
        await host.start()
        at = host.endpoint()
        link = await connect(at["endpoint"], at["token"], on_message=lambda *_: None)
        link.send(Open.NAME, "s", 0)
        link.send(Sound.NAME, "s", tone(200))
        await passed(lambda: bool(parrot.fed))
        link.abort("the call process died")
        await passed(lambda: parrot.cancelled and not host.sessions)
        await host.stop()

    asyncio.run(test())


CD = AudioFormat(LINEAR16, 22_050)


def test_the_host_of_a_synthesizer_converts_and_times_come_before_their_sound() -> None:
    whole = tone(1_000, CD)
    pieces = [Speech(whole[:20_000], CD, (("one", 400),)), Speech(whole[20_000:], CD, (("two", 1_000),))]
    got = through(SynthesizerHost(Whistler(pieces)), (Speak.NAME, "u", "one two", ""), until=Spoken.NAME)
    assert got[0] == [Timing.NAME, "u", [["one", 400]], 0]
    assert [Timing.NAME, "u", [["two", 1_000]], 0] in got and got[-1] == [Spoken.NAME, "u", 1_000]
    heard = sound.waves_of(b"".join(message[2] for message in got if message[0] == Sound.NAME), TELEPHONE)
    assert np.max(np.abs(heard - sound.waves_of(tone(1_000), TELEPHONE))[300:-300]) < 0.02


def test_words_of_which_nothing_is_told_are_estimated_and_marked() -> None:
    host = SynthesizerHost(Whistler([Speech(tone(800, CD), CD)]))
    got = through(host, (Speak.NAME, "u", "aaa bbb", ""), until=Spoken.NAME)
    assert got[-2] == [Timing.NAME, "u", [["aaa", 400], ["bbb", 800]], 1]


def test_times_that_an_engine_estimates_are_marked() -> None:
    host = SynthesizerHost(Whistler([Speech(tone(800), TELEPHONE, (("aaa", 790),), estimated=True)]))
    assert through(host, (Speak.NAME, "u", "aaa", ""), until=Spoken.NAME)[0] == [Timing.NAME, "u", [["aaa", 790]], 1]


def test_options_reach_the_engine_whichever_way_a_call_says_them() -> None:
    whistler = Whistler([Speech(tone(800), TELEPHONE)])
    options = SynthesisOptions("ann", "en-GB", TELEPHONE, "t1")
    through(
        SynthesizerHost(whistler),
        (Speak.NAME, "u", "aaa", "joe"),  # as the release before says it
        (Speak.NAME, "v", "aaa", "ann", options.as_map()),
        (Speak.NAME, "w", "!", ""),
        until=Unspoken.NAME,
    )
    assert whistler.asked[:2] == [SynthesisOptions("joe"), options]


def test_an_engine_that_breaks_costs_that_utterance() -> None:
    host = SynthesizerHost(Whistler([Speech(tone(800), TELEPHONE)]))
    got = through(host, (Speak.NAME, "u", "!", ""), (Speak.NAME, "v", "aaa", ""), until=Spoken.NAME)
    assert got[0] == [Unspoken.NAME, "u", "the synthesizer failed: RuntimeError"] and got[-1][1] == "v"


def test_options_that_are_refused_are_told_as_they_are() -> None:
    host = SynthesizerHost(PhraseSynthesizer("hummer", Hummer, voices=("hum",)))
    got = through(host, (Speak.NAME, "u", "Hello.", "ann"), until=Unspoken.NAME)
    assert got == [[Unspoken.NAME, "u", "hummer has no voice 'ann'; it has hum"]]
