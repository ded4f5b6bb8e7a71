"""The synthesizer with the real program: sound early, words in time, death survived, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from offhook.actors.contracts.engine_messages import Sound, Speak, Spoken, Timing, Unspoken
from offhook.actors.link.link import Array, Link, connect
from offhook.serve.engines import sound
from offhook.serve.engines.phrases.engine import PhraseSynthesizer
from offhook.serve.engines.phrases.program import Rendered
from offhook.serve.engines.piper.program import PiperProgram
from offhook.serve.engines.piper.voice_file import stock_voice, with_durations
from offhook.serve.engines.synthesizer_host import SynthesizerHost

LONG = (
    "The trial is free for thirty days, and after that it is $49 a month, which you can cancel at any time. "
    "I would set it up with you, your colleague, and whoever else is there. Would you like to try it?"
)


class Caller:
    """One call's end of the link."""

    def __init__(self) -> None:
        self.got: list[Array] = []
        self.made: Callable[[], int] = lambda: 0  # phrases that the program has made by now ...
        self.made_at_first = 0  # ... and by the time at which the first sound came
        self.over = asyncio.Event()
        self.link: Link

    def take(self, _link: Link, message: Array) -> None:
        if message[0] == Sound.NAME and not any(each[0] == Sound.NAME for each in self.got):
            self.made_at_first = self.made()
        self.got.append(message)
        if message[0] in (Spoken.NAME, Unspoken.NAME):
            self.over.set()

    async def speak(self, text: str) -> bytes:
        self.got.clear()
        self.over.clear()
        self.link.send(Speak.NAME, "u", text, "")
        await self.over.wait()
        assert self.got[-1][0] == Spoken.NAME, self.got[-1]
        return b"".join(message[2] for message in self.got if message[0] == Sound.NAME)

    @property
    def ends(self) -> list[tuple[str, int]]:
        return [(word, end) for message in self.got if message[0] == Timing.NAME for word, end in message[2]]


class Counted(PiperProgram):
    """The real program; counts the phrases that it was asked for, and those that it has made."""

    asked = made = 0

    async def render(self, text: str) -> Rendered:
        self.asked += 1
        rendered = await super().render(text)
        self.made += 1
        return rendered


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Caller, Counted]]:
    program = Counted(stock_voice())
    engine = SynthesizerHost(PhraseSynthesizer("piper", lambda: program))
    await engine.start()
    caller = Caller()
    address = engine.endpoint()
    caller.link = await connect(address["endpoint"], address["token"], on_message=caller.take)
    try:
        yield caller, program
    finally:
        await engine.stop()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(250):
            await test()

    asyncio.run(bounded())


def loudness(coded: bytes, from_ms: int, until_ms: int) -> float:
    piece = sound.decode(coded[from_ms * 8 : until_ms * 8]).astype(float)
    return float(np.sqrt(np.mean(np.square(piece)))) if piece.size else 0.0


def test_the_first_sound_comes_long_before_the_last_and_words_end_where_the_pauses_are() -> None:
    async def test() -> None:
        async with running() as (caller, program):
            caller.made = lambda: program.made
            before = program.made
            coded = await caller.speak(LONG)
            made = program.made
            assert made > before + 1 and caller.made_at_first < made, "it is sent while the rest is being made"
            assert [word for word, _ in caller.ends] == LONG.split()
            assert caller.got[-1][2] == len(coded) // 8
            speech = loudness(coded, 0, len(coded) // 8)
            for word, end_ms in caller.ends:
                if word[-1] in ".?!":  # after a sentence it is silent, before its end it is not
                    assert loudness(coded, end_ms + 100, end_ms + 160) < 0.1 * speech, word
                    assert loudness(coded, end_ms - 160, end_ms) > 0.2 * speech, word
            assert await caller.speak(LONG) == coded
            assert program.made == made  # it was kept

    run(test)


def test_a_killed_program_is_started_again_and_the_utterance_is_spoken() -> None:
    async def test() -> None:
        async with running() as (caller, program):
            await caller.speak("Hello.")
            first, before = program.pid, program.asked
            os.kill(first, signal.SIGSTOP)  # it is not done before it is killed
            asked = asyncio.create_task(caller.speak("This sentence was never said before in this place."))
            async with asyncio.timeout(60):
                while program.asked == before:  # noqa: ASYNC110  # a program of its own tells no event
                    await asyncio.sleep(0.002)
            os.kill(first, signal.SIGKILL)
            coded = await asked
            assert len(coded) > 8_000
            assert program.starts == 2
            assert program.pid != first

    run(test)


def test_nothing_is_left_when_it_stops() -> None:
    async def test() -> None:
        async with running() as (caller, program):
            await caller.speak("Hello.")
            assert program._folder is not None
            left.extend([Path(f"/proc/{program.pid}"), Path(program._folder.name)])
            assert all(each.is_dir() for each in left)

    left: list[Path] = []
    run(test)
    assert not any(each.exists() for each in left)


def test_the_voice_is_told_to_tell_its_durations_once(tmp_path: Path) -> None:
    voice = stock_voice()
    assert with_durations(voice, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes().startswith(voice.read_bytes()[:1_000])
    assert (tmp_path / "a.onnx").stat().st_size - voice.stat().st_size < 100
    assert not with_durations(tmp_path / "a.onnx", tmp_path / "b.onnx")
