"""Media that stop in the middle of a word while the carrier's socket stays open: through the whole runtime."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.setup import Engines
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.policies.core.state import Line
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice
from swapped_call import AgentLink, Run, SwappedCall, runner
from virtual_loop import until

STALL_MS = 600  # the default


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(tmp_path, monkeypatch, 600)


async def mid_word(bench: SwappedCall, frames: int = 25) -> int:
    """The caller is heard to speak, and then nothing comes any more; when, on the call's clock."""
    await bench.phone.say([SILENCE] * 20 + voice(frames))
    await bench.until(lambda: bench.events("SpeechStarted"))
    assert bench.call.state.hearing.speaking and not bench.events("SpeechEnded")
    return bench.call.now()


@pytest.mark.parametrize("frames", [6, 25, 200])
def test_the_talkspurt_ends_within_a_second_and_silence_is_read_as_ever_to_its_end(run: Any, frames: int) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        stopped_ms = await mid_word(bench, frames)
        await bench.until(lambda: bench.events("SpeechEnded"))
        ended = bench.events("SpeechEnded")[0]
        assert STALL_MS - 40 <= ended[1] - stopped_ms <= 1_000
        assert stopped_ms - 60 <= ended[3] <= stopped_ms  # its last voice, not the moment at which it was missed
        assert not bench.call.state.hearing.speaking
        outcome = await bench.over  # nobody is there: the ladder ends the call, and says so
        assert outcome == "silence"
        assert bench.call.now() - stopped_ms < 60_000
        assert any("Goodbye" in text for text in bench.said())
        assert len(bench.events("SpeechEnded")) == 1
        assert replay(bench.records).same

    run(test)


def test_the_turn_is_answered_and_a_caller_who_comes_back_is_heard(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink("I see."))
        await bench.until(lambda: bench.said() == ["I see."])  # its greeting
        await bench.phone.listen(3_000)
        await mid_word(bench, frames=60)
        await bench.until(lambda: len(bench.said()) == 2)
        assert bench.call.state.line is Line.OPEN
        await asyncio.sleep(3)
        await bench.phone.say([SILENCE] * 20 + voice(40) + [SILENCE] * 100)
        assert len(bench.events("SpeechStarted")) == len(bench.events("SpeechEnded")) == 2

    run(test)


def test_a_line_that_sends_nothing_in_silence_costs_no_wake_up_and_ends_no_talkspurt(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        await bench.phone.say([SILENCE] * 20 + voice(40) + [SILENCE] * 12)
        await bench.until(lambda: bench.events("SpeechEnded"))
        assert bench.events("SpeechEnded")[0][1] - bench.events("SpeechEnded")[0][3] <= 300  # by the ears themselves
        await asyncio.sleep(2)
        assert bench.call.hearing._watch._armed is None
        assert len(bench.events("SpeechEnded")) == 1

    run(test)


def test_frames_arm_no_timers(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        armed: list[float] = []
        alarm = bench.call.hearing._watch._alarm

        class Counting:
            def call_later(self, delay: float, *rest: Any) -> Any:
                armed.append(delay)
                return alarm.call_later(delay, *rest)

        bench.call.hearing._watch._alarm = Counting()
        await bench.phone.say([SILENCE] * 20 + voice(150))  # three seconds
        assert 1 <= len(armed) <= 3_000 // STALL_MS + 2

    run(test)


@pytest.mark.parametrize("period_ms", [200, 400, 700, 1_000])
def test_a_carrier_that_sends_in_bursts_is_not_taken_for_one_that_stopped(run: Any, period_ms: int) -> None:
    """Its rhythm is learnt within three bursts."""

    async def test(bench: SwappedCall) -> None:
        await bench.begin()
        frames = [SILENCE] * 20 + voice(8_000 // 20)
        count = period_ms // 20
        for at in range(0, len(frames), count):
            for frame in frames[at : at + count]:
                bench.phone.send(frame)
            await asyncio.sleep(period_ms / 1_000)
            if at == 4 * count:
                learnt = len(bench.events("SpeechEnded"))
        assert len(bench.events("SpeechEnded")) == learnt <= 3
        await bench.until(lambda: len(bench.events("SpeechEnded")) > learnt)  # now it has stopped
        assert bench.call.now() - bench.events("SpeechEnded")[-1][1] < 20

    run(test)


def test_the_limit_is_the_policy_s(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(ears={"media_stall_ms": 1_500})
        stopped_ms = await mid_word(bench)
        await bench.until(lambda: bench.events("SpeechEnded"))
        assert 1_400 <= bench.events("SpeechEnded")[0][1] - stopped_ms <= 1_600

    run(test)


def test_over_the_agent_it_was_a_listeners_token_or_a_turn_but_never_endless_speech(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        await bench.begin(AgentLink("A rather long sentence that goes on for quite a while, as sentences do. " * 3))
        await bench.until(lambda: bench.events("PlaybackStarted"))
        await mid_word(bench, frames=10)
        await bench.until(lambda: bench.events("SpeechEnded"))
        await asyncio.sleep(3)
        assert not bench.call.state.hearing.speaking and bench.call.state.overlap is None

    run(test)


class Recognizer:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sound = b""
        self.link: Link
        self.server = LinkServer(self._hello)

    def _hello(self, link: Link, _grant: object, _rest: Array) -> None:
        self.link = link
        link.on_message = self._take

    def _take(self, _link: Link, message: Array) -> None:
        if message[0] == "sound":
            self.sound += message[2]


def test_the_recognizer_hears_silence_so_that_the_last_word_is_over_for_it_too(run: Any) -> None:
    async def test(bench: SwappedCall) -> None:
        recognizer = Recognizer()
        endpoint = await recognizer.server.start(f"unix:{bench.folder / 'r'}")
        recognizer.server.admit(None, "token", lasting=True)
        await bench.begin(engines=Engines(recognizer="link", recognizer_endpoints=((endpoint, "token"),)))
        await mid_word(bench)
        await bench.until(lambda: bench.events("SpeechEnded"))
        spoken = b"".join(voice(25))
        await until(lambda: len(recognizer.sound) >= 45 * 160 + 500 * 8)
        before, _, after = recognizer.sound.partition(spoken)
        assert len(after) >= 500 * 8
        assert not (before + after).strip(SILENCE[:1])
        await recognizer.server.stop()

    run(test)
