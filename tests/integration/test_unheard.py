"""A recognizer that is there and says nothing, or nonsense: another is tried, the caller is told. Core and runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.setup import Engines
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Say
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice
from scene import Scene, of, policy
from swapped_call import AgentLink, Run, SwappedCall, runner

LINE = policy().limits.unheard_line


# --- the core ---------------------------------------------------------------------------------------------------------


def lost(scene: Scene, up: bool = False) -> None:
    scene.happens(ev.HealthChanged, part="recognizer", up=up)


def said(scene: Scene) -> list[str]:
    return [say.text for say in of(scene.commands, Say)]


def speaks(scene: Scene, ms: int = 1_000) -> None:
    scene.speech_starts()
    scene.speech_goes_on(ms)
    scene.speech_ends()


def hears_out(scene: Scene) -> None:
    """What is being said is heard to its end."""
    current = scene.state.speech.current
    assert current is not None
    scene.happens(ev.PlaybackStarted, utterance=current.id)
    scene.passes(2_000)
    scene.happens(ev.PlaybackEnded, utterance=current.id, confirmed=True)


def greeted(**sections: Any) -> Scene:
    scene = Scene(policy(**sections)).answered("booking")
    scene.agent_says("Hello.")
    hears_out(scene)
    return scene


def test_a_loss_in_mid_sentence_is_told_when_the_turn_is_over_and_once() -> None:
    scene = greeted()
    scene.speech_starts()
    scene.speech_goes_on(2_000)
    lost(scene)
    assert LINE not in said(scene)
    scene.speech_goes_on(500)
    scene.speech_ends()
    scene.passes(1_500)
    assert said(scene)[-1] == LINE
    hears_out(scene)
    speaks(scene)
    scene.passes(2_000)
    assert said(scene).count(LINE) == 1


def test_a_loss_while_the_turn_is_waited_out_is_told_too() -> None:
    scene = greeted()
    speaks(scene)
    lost(scene)
    scene.passes(1_500)
    assert said(scene)[-1] == LINE


def test_after_a_loss_in_silence_the_agents_answer_as_in_any_call_without_a_recognizer() -> None:
    scene = greeted()
    lost(scene)
    scene.passes(1_000)
    speaks(scene)
    scene.passes(2_000)
    assert LINE not in said(scene)
    assert said(scene)[-1] == scene.policy.arbitration.fallback_line  # its agent has nothing to say


def test_a_cough_is_no_speech_that_anybody_missed() -> None:
    scene = greeted()
    scene.speech_starts()
    lost(scene)
    scene.speech_goes_on(200)
    scene.speech_ends()
    scene.passes(1_500)
    assert LINE not in said(scene)


def test_over_the_agent_nothing_is_told_until_the_caller_has_a_turn() -> None:
    scene = greeted()
    scene.agent_says("A long sentence.")
    scene.speech_starts()
    lost(scene)
    scene.speech_goes_on(300)
    scene.speech_ends()
    assert LINE not in said(scene)


def test_words_that_come_in_after_all_are_answered_and_nothing_is_apologized_for() -> None:
    scene = greeted()
    scene.speech_starts()
    scene.speech_goes_on(2_000)
    lost(scene)
    scene.speech_ends()
    lost(scene, up=True)
    scene.words("what does it cost")
    scene.passes(2_000)
    assert LINE not in said(scene)
    assert scene.state.unheard_since_ms == 0 and scene.state.authority.waiting == ()
    assert of(scene.commands, Say)[-1].text == scene.policy.arbitration.fallback_line  # its agent has nothing to say


def test_each_loss_is_told_once() -> None:
    scene = greeted()
    for _ in range(2):
        scene.speech_starts()
        scene.speech_goes_on(1_000)
        lost(scene)
        lost(scene)  # a second engine failed as well: the same loss
        scene.speech_ends()
        scene.passes(1_500)
        hears_out(scene)
        lost(scene, up=True)
    assert said(scene).count(LINE) == 2


@pytest.mark.parametrize("text", ["", "Pardon me?"])
def test_the_line_is_the_policy_s(text: str) -> None:
    scene = greeted(limits={"unheard_line": text})
    scene.speech_starts()
    scene.speech_goes_on(1_000)
    lost(scene)
    scene.speech_ends()
    scene.passes(1_500)
    assert said(scene)[-1] == (text or scene.policy.arbitration.fallback_line)


def test_a_call_that_never_had_a_recognizer_is_told_nothing() -> None:
    scene = Scene()
    scene.happens(ev.CallCreated, call="c1", direction="inbound", caller="+1", callee="+2", policy_version="test")
    lost(scene)
    scene.happens(ev.AgentJoined, agent="booking")
    scene.happens(ev.LineAnswered)
    scene.agent_says("Hello.")
    hears_out(scene)
    speaks(scene)
    scene.passes(2_000)
    assert LINE not in said(scene)


# --- the runtime ------------------------------------------------------------------------------------------------------


class Recognizer:
    """A recognizer of the test's: keeps what it is sent; `says` answers a stream's sound, given how much there is."""

    def __init__(self, endpoint: str, says: Callable[[Recognizer, str, int], None] | None = None) -> None:
        self.endpoint = endpoint
        self.says = says
        self.streams: dict[str, bytes] = {}
        self.origins: list[int] = []
        self.link: Link
        self.server = LinkServer(self._hello)

    async def start(self) -> Recognizer:
        await self.server.start(self.endpoint)
        self.server.admit(None, "token", lasting=True)
        return self

    def _hello(self, link: Link, _grant: object, _rest: Array) -> None:
        self.link = link
        link.on_message = self._take

    def _take(self, _link: Link, message: Array) -> None:
        kind, stream, *rest = message
        if kind == "open":
            self.streams[stream] = b""
            self.origins.append(rest[0])
        elif kind == "sound":
            self.streams[stream] += rest[0]
            if self.says is not None:
                self.says(self, stream, len(self.streams[stream]) // 8)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(tmp_path, monkeypatch, 600)


async def with_recognizers(bench: SwappedCall, *recognizers: Recognizer, **more: Any) -> None:
    for each in recognizers:
        await each.start()
    endpoints = tuple((each.endpoint, "token") for each in recognizers)
    await bench.begin(AgentLink(""), engines=Engines(recognizer="link", recognizer_endpoints=endpoints), **more)


def at(bench: SwappedCall, number: int) -> str:
    return f"unix:{bench.folder / f'r{number}'}"


def health(bench: SwappedCall) -> list[bool]:
    return [body[3] for body in bench.events("HealthChanged") if body[2] == "recognizer"]


def test_one_that_is_silent_for_ten_seconds_of_speech_is_lost_another_is_tried_and_the_caller_is_told(run: Run) -> None:
    async def test(bench: SwappedCall) -> None:
        silent, other = Recognizer(at(bench, 1)), Recognizer(at(bench, 2))
        await with_recognizers(bench, silent, other)
        await bench.phone.say([SILENCE] * 20 + voice(9 * 50))
        assert health(bench) == [] and not other.streams
        await bench.phone.say(voice(2 * 50))
        assert health(bench) == [False]
        assert len(other.streams["c1/2"]) > 9 * 8_000  # what the first one has not read
        await bench.phone.say([SILENCE] * 150)
        assert LINE in bench.said()
        assert bench.call.state.line == "open"
        other.link.send("words", "c1/2", 0, "is anybody there", True, 1_000, 9_000)
        await bench.until(lambda: health(bench) == [False, True])
        assert bench.events("WordsHeard")[-1][3] == "is anybody there"
        assert bench.said().count(LINE) == 1
        assert replay(bench.records).same

    run(test)


def test_words_of_another_in_time_are_heard_and_no_apology(run: Run) -> None:
    told: list[str] = []

    def reads(engine: Recognizer, stream: str, heard_ms: int) -> None:
        if heard_ms >= 8_000 and stream not in told:
            told.append(stream)
            end_ms = engine.origins[-1] + heard_ms
            engine.link.send("words", stream, 0, "what does it cost", True, engine.origins[-1], end_ms)

    async def test(bench: SwappedCall) -> None:
        await with_recognizers(bench, Recognizer(at(bench, 1)), Recognizer(at(bench, 2), reads))
        await bench.phone.say([SILENCE] * 20 + voice(11 * 50) + [SILENCE] * 100)
        assert health(bench) == [False, True]
        assert LINE not in bench.said() and len(bench.said()) == 1  # the fallback: its agent has nothing to say

    run(test)


def test_silence_and_pauses_are_no_speech_that_it_missed(run: Run) -> None:
    async def test(bench: SwappedCall) -> None:
        await with_recognizers(bench, Recognizer(at(bench, 1)), Recognizer(at(bench, 2)))
        for _ in range(4):
            await bench.phone.say(voice(2 * 50) + [SILENCE] * 100)
        assert health(bench) == []
        await bench.phone.say(voice(3 * 50))
        assert health(bench) == [False]

    run(test)


def test_how_long_it_may_be_silent_is_the_policy_s(run: Run) -> None:
    async def test(bench: SwappedCall) -> None:
        await with_recognizers(
            bench, Recognizer(at(bench, 1)), Recognizer(at(bench, 2)), ears={"wordless_ms": 3_000}, limits={}
        )
        await bench.phone.say([SILENCE] * 20 + voice(4 * 50))
        assert health(bench) == [False]

    run(test)


def test_one_that_reads_music_and_says_so_is_not_lost(run: Run) -> None:
    def reads_on(engine: Recognizer, stream: str, heard_ms: int) -> None:
        if heard_ms % 1_000 < 100:
            read_ms = engine.origins[-1] + heard_ms
            engine.link.send("words", stream, 0, "", False, read_ms, read_ms)

    async def test(bench: SwappedCall) -> None:
        await with_recognizers(bench, Recognizer(at(bench, 1), reads_on), Recognizer(at(bench, 2)))
        await bench.phone.say([SILENCE] * 20 + voice(30 * 50) + [SILENCE] * 100)
        assert health(bench) == []
        told = bench.events("WordsHeard")
        assert len(told) >= 25 and {(body[2], body[3], body[4]) for body in told} == {(0, "", False)}
        assert bench.call.state.hearing.segments == ()

    run(test)


GARBAGE: tuple[Array, ...] = (
    ["words"],
    ["words", "c1/1", 0, 7, True, 0, 0],
    ["words", "c1/1", 1 << 62, "x", True, 0, 0],
    ["words", "c1/1", 0, "x" * 100_000, True, 0, 0],
    ["words", "c1/1", 0, "x", True, 0, 1 << 62],
    ["words", "c1/1", 0, "x", True, [], {}],
    ["words", "c1/1", {}, [], None, None, None],
    ["lyrics", {}],
    [None],
)


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_what_are_no_words_costs_the_call_nothing(run: Run, number: int) -> None:
    async def test(bench: SwappedCall) -> None:
        engine = Recognizer(at(bench, 1))
        await with_recognizers(bench, engine)
        await bench.phone.say([SILENCE] * 20 + voice(50))
        engine.link.send(*GARBAGE[number])
        engine.link.send("words", "c1/1", 0, "hello", True, 400, 1_300)
        await bench.until(lambda: bench.events("WordsHeard"))
        assert [body[2:5] for body in bench.events("WordsHeard")] == [[0, "hello", True]]
        assert health(bench) == [] and not bench.of("fault") and bench.call.funnel.illegal == 0
        assert bench.call.hearing.recognizer.refused == 1

    run(test)


def test_one_that_says_mostly_what_are_no_words_is_lost_and_the_other_is_heard(run: Run) -> None:
    async def test(bench: SwappedCall) -> None:
        mad, other = Recognizer(at(bench, 1)), Recognizer(at(bench, 2))
        await with_recognizers(bench, mad, other)
        await bench.phone.say([SILENCE] * 20 + voice(50))
        for message in GARBAGE * 3:
            mad.link.send(*message)
        await bench.until(lambda: other.streams)
        assert health(bench) == [False]
        other.link.send("words", "c1/2", 0, "hello", True, 400, 1_300)
        await bench.until(lambda: health(bench) == [False, True])
        assert bench.events("WordsHeard")[-1][3] == "hello" and not bench.of("fault")

    run(test)


@pytest.mark.parametrize(
    "again",
    [("hello there", True), ("Hello there.", True), ("", True), ("  ", True), ("hello", False), ("", False)],
    ids=["repeated", "repeated in other writing", "empty", "blank", "late partial", "progress"],
)
def test_the_words_of_a_final_segment_stand_once_whatever_comes_after(run: Run, again: tuple[str, bool]) -> None:
    async def test(bench: SwappedCall) -> None:
        engine = Recognizer(at(bench, 1))
        await with_recognizers(bench, engine)
        await bench.phone.say([SILENCE] * 20 + voice(50))
        engine.link.send("words", "c1/1", 0, "hello there", True, 400, 1_300)
        await bench.until(lambda: bench.events("WordsHeard"))
        before = bench.call.state
        for n in range(3):
            engine.link.send("words", "c1/1", 0, *again, 400, 1_300 + n)
        engine.link.send("words", "c1/1", 1, "and", False, 1_300, 1_400)
        await bench.until(lambda: bench.events("WordsHeard")[-1][3] == "and")
        after = bench.call.state
        assert after.hearing.words in ("hello there and", "Hello there. and")
        assert [(s.sign, s.text) for s in after.ledger.signals] == [(s.sign, s.text) for s in before.ledger.signals]
        assert after.turn == before.turn

    run(test)
