"""The synthesizer behind its link, with a program of the test's own: order, sharing, keeping, cancelling, failing.

What the real program does is in tests/engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from offhook.actors.contracts.engine_messages import Cancel, Sound, Speak, Spoken, Timing, Unspoken
from offhook.actors.contracts.errors import EngineAway
from offhook.actors.link.link import Array, Link, connect
from offhook.serve.engines import synthesizer_host as module
from offhook.serve.engines.phrases import phrase_queue
from offhook.serve.engines.phrases.engine import PhraseSynthesizer
from offhook.serve.engines.phrases.phrasing import Phoneme
from offhook.serve.engines.phrases.program import Rendered
from offhook.serve.engines.synthesizer_host import SynthesizerHost


class Program:
    """Makes 100 ms of sound a character when it is let; `fail` names texts over which it dies, and how often."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.fail: dict[str, int] = {}
        self.asked = asyncio.Event()

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def render(self, text: str) -> Rendered:
        self.made.append(text)
        self.asked.set()
        await self.open.wait()
        if self.fail.get(text, 0):
            self.fail[text] -= 1
            raise EngineAway("it died")
        waves = np.full(len(text) * 800, 0.1, np.float32)
        return Rendered(waves, 8_000, tuple(Phoneme(symbol, 0.1) for symbol in text))


async def passed(met: Callable[[], bool]) -> None:
    """Turns of the loop until something is so; bounded by the test's own timeout."""
    while not met():  # noqa: ASYNC110 - the engine has no event for this, on purpose
        await asyncio.sleep(0)


class Caller:
    """One call's end of the link."""

    def __init__(self) -> None:
        self.got: list[Array] = []
        self.news = asyncio.Event()
        self.link: Link

    async def connect(self, engine: SynthesizerHost) -> Caller:
        address = engine.endpoint()
        self.link = await connect(address["endpoint"], address["token"], on_message=self._take)
        return self

    def _take(self, _link: Link, message: Array) -> None:
        self.got.append(message)
        self.news.set()

    async def until(self, kind: str, count: int = 1) -> None:
        while sum(message[0] == kind for message in self.got) < count:
            self.news.clear()
            await self.news.wait()

    def kinds(self) -> list[tuple[str, str]]:
        return [(message[0], message[1]) for message in self.got]


def run(test: Callable[[SynthesizerHost, Program], Awaitable[None]]) -> None:
    async def bounded() -> None:
        program = Program()
        engine = SynthesizerHost(PhraseSynthesizer("test", lambda: program))
        await engine.start()
        try:
            async with asyncio.timeout(60):
                await test(engine, program)
        finally:
            await engine.stop()

    asyncio.run(bounded())


def test_timing_comes_before_the_sound_it_tells_of_and_offsets_add_up() -> None:
    async def test(engine: SynthesizerHost, _program: Program) -> None:
        caller = await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u1", "ab cd. efg.", "")
        await caller.until(Spoken.NAME)
        assert caller.kinds() == [(kind, "u1") for kind in ("timing", "sound", "timing", "sound", "spoken")]
        first, second = (message[2] for message in caller.got if message[0] == Timing.NAME)
        sounds = [message[2] for message in caller.got if message[0] == Sound.NAME]
        assert [word for word, _ in first + second] == ["ab", "cd.", "efg."]
        assert first[0][1] == 200
        assert all(len(each) % 160 == 0 for each in sounds)
        assert second[0][1] == len(sounds[0]) // 8 + 300
        assert caller.got[-1][2] == sum(map(len, sounds)) // 8

    run(test)


def test_a_phrase_is_made_once_for_all_who_wait_and_kept() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.open.clear()
        callers = [await Caller().connect(engine) for _ in range(3)]
        for caller in callers:
            caller.link.send(Speak.NAME, "u", "Hello.", "")
        await program.asked.wait()
        program.open.set()
        for caller in callers:
            await caller.until(Spoken.NAME)
        callers[0].link.send(Speak.NAME, "v", "Hello.", "")
        await callers[0].until(Spoken.NAME, 2)
        assert program.made == ["Hello."]
        assert engine.stats() == {"calls": 3, "made": 1, "kept": 1}

    run(test)


def test_first_phrases_come_before_anybodys_second_ones() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.open.clear()
        one, two = await Caller().connect(engine), await Caller().connect(engine)
        one.link.send(Speak.NAME, "long", "A. Bb is a. Cc is a. Dd is a.", "")
        await program.asked.wait()
        two.link.send(Speak.NAME, "short", "Xx is a. Yy is a.", "")
        two.link.send("cancel", "nothing")  # and a round trip, so that the engine has taken both
        await passed(lambda: engine.stats()["calls"] == 2 and bool(program.made))
        for _ in range(50):
            await asyncio.sleep(0)
        program.open.set()
        await one.until(Spoken.NAME)
        await two.until(Spoken.NAME)
        assert program.made.index("Xx is a.") < program.made.index("Cc is a.")

    run(test)


def test_a_cancelled_utterance_is_neither_finished_nor_made() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.open.clear()
        caller = await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u1", "Aa is a. Bb is a.", "")
        await program.asked.wait()
        caller.link.send(Cancel.NAME, "u1")
        caller.link.send(Speak.NAME, "u2", "Cc is a.", "")
        for _ in range(50):
            await asyncio.sleep(0)
        program.open.set()
        await caller.until(Spoken.NAME)
        assert caller.kinds() == [("timing", "u2"), ("sound", "u2"), ("spoken", "u2")]
        assert "Bb is a." not in program.made

    run(test)


def test_a_lost_call_leaves_no_work_behind() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.open.clear()
        caller, other = await Caller().connect(engine), await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u1", "Aa is a. Bb is a. Cc is a.", "")
        await program.asked.wait()
        caller.link.abort("the call process died")
        await passed(lambda: engine.stats()["calls"] <= 1)
        program.open.set()
        other.link.send(Speak.NAME, "u", "Dd is a.", "")
        await other.until(Spoken.NAME)
        assert program.made == ["Aa is a.", "Dd is a."]

    run(test)


def test_a_phrase_over_which_the_program_died_is_tried_once_more() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.fail = {"Once.": 1, "Twice.": 2}
        caller = await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u1", "Once.", "")
        await caller.until(Spoken.NAME)
        caller.link.send(Speak.NAME, "u2", "Good. Twice.", "")
        await caller.until(Unspoken.NAME)
        assert caller.got[-1] == [Unspoken.NAME, "u2", "it died"]
        assert (Sound.NAME, "u2") in caller.kinds()  # what could be made was sent
        caller.link.send(Speak.NAME, "u3", "Twice.", "")
        await caller.until(Spoken.NAME, 2)  # a failure is not kept

    run(test)


def test_what_cannot_be_spoken_is_refused_at_once() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.open.clear()
        caller = await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u1", "  ", "")
        caller.link.send(Speak.NAME, "u2", "x" * (module.TEXT_CHARS_MAX + 1), "")
        for n in range(module.UTTERANCES_PER_CALL_MAX + 1):
            caller.link.send(Speak.NAME, f"v{n}", "Aa is a.", "")
        caller.link.send(Speak.NAME, "v0", "Aa is a.", "")
        await caller.until(Unspoken.NAME, 4)
        assert [message[1] for message in caller.got] == ["u1", "u2", f"v{module.UTTERANCES_PER_CALL_MAX}", "v0"]

    run(test)


def test_nonsense_closes_that_link_only() -> None:
    async def test(engine: SynthesizerHost, _program: Program) -> None:
        bad, good = await Caller().connect(engine), await Caller().connect(engine)
        bad.link.send("sing", "u1")
        await passed(lambda: not bad.link.open)
        good.link.send(Speak.NAME, "u", "Hello.", "")
        await good.until(Spoken.NAME)

    run(test)


def test_what_is_kept_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(phrase_queue, "CACHE_BYTES_MAX", 20_000)

    async def test(engine: SynthesizerHost, program: Program) -> None:
        caller = await Caller().connect(engine)
        for n, text in enumerate(("Aa is a.", "Bb is a.", "Cc is a.", "Cc is a.", "Aa is a.")):
            caller.link.send(Speak.NAME, f"u{n}", text, "")
            await caller.until(Spoken.NAME, n + 1)
        assert program.made == ["Aa is a.", "Bb is a.", "Cc is a.", "Aa is a."]

    run(test)


def test_warming_makes_what_a_call_then_finds() -> None:
    async def test(engine: SynthesizerHost, program: Program) -> None:
        program.fail = {"Bad.": 2}
        assert await engine.warm(["Hello. You.", "Bad."]) == 2
        caller = await Caller().connect(engine)
        caller.link.send(Speak.NAME, "u", "Hello. You.", "")
        await caller.until(Spoken.NAME)
        assert sorted(program.made) == ["Bad.", "Bad.", "Hello.", "You."]

    run(test)
