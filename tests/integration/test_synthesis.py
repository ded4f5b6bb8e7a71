"""The synthesis client against a real link: an engine that speaks, dies, hangs, refuses, comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from offhook.actors.audio import sound as sounds
from offhook.actors.audio.sound import Sound
from offhook.actors.engines import synthesis
from offhook.actors.engines.port import SynthesisOptions
from offhook.actors.engines.sources import ToneSource
from offhook.actors.engines.synthesis import SynthesisClient
from offhook.actors.link import reconnect
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.actors.process.clock import MonotonicClock
from offhook.policies.core.events import Event, HealthChanged
from virtual_loop import run_virtually


class Engine:
    """A speech engine in this process; what it does with an order is the test's."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.orders: list[Array] = []
        self.links: list[Link] = []
        self.on_order: Callable[[Link, Array], None] = lambda _link, _order: None
        self.server = LinkServer(self._hello)

    async def start(self) -> Engine:
        await self.server.start(self.endpoint)
        self.server.admit(None, "token", lasting=True)
        return self

    def _hello(self, link: Link, _grant: object, _rest: Array) -> None:
        self.links.append(link)
        link.on_message = self._order

    def _order(self, link: Link, order: Array) -> None:
        self.orders.append(order)
        self.on_order(link, order)


def say_words(link: Link, order: Array, words: int = 99, finish: bool = True) -> None:
    """Half a second a word."""
    if order[0] != "speak":
        return
    _, wire_id, text, _voice, _options = order
    for number, word in enumerate(text.split()[:words]):
        link.send("timing", wire_id, [[word, 500 * (number + 1)]])
        link.send("sound", wire_id, bytes([0x80 + number]) * 4_000)
    if finish:
        link.send("spoken", wire_id, 500 * len(text.split()))


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []
        self.clients: list[SynthesisClient] = []

    def engine(self, name: str = "a") -> Engine:
        return Engine(f"unix:{self.folder / name}")

    def client(self, *engines: Engine, fallback: bool = False) -> SynthesisClient:
        endpoints = [(engine.endpoint, "token") for engine in engines]
        client = SynthesisClient(
            endpoints, self.events.append, MonotonicClock(), SynthesisOptions("joe"), ToneSource() if fallback else None
        )
        self.clients.append(client)
        return client

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
    monkeypatch.setattr(synthesis, "PATIENCE_MS", 300)

    def runner(test: Callable[[Stage], Awaitable[None]]) -> None:
        async def limited() -> None:
            stage = Stage(tmp_path)
            async with asyncio.timeout(60):
                await test(stage)
            for client in stage.clients:
                client.close()
            await asyncio.sleep(0)
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [task for task in rest if not task.cancelling()], "closed, but still at work"

        run_virtually(monkeypatch, limited)

    return runner


def test_an_utterance_comes_with_its_words(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = say_words
        client, sound = on.client(engine), Sound("one two three")
        client.speak("u1", sound)  # before the link is open
        await until(lambda: sound.complete)
        assert engine.orders == [["speak", "u1", "one two three", "joe", SynthesisOptions("joe").as_map()]]
        assert (sound.total_ms, sound.heard_text(1_000), sound.failed) == (1_500, "one two", "")
        assert on.events == []

    run(test)


def test_an_engine_that_dies_in_mid_word_goes_on_with_that_word_when_it_is_back(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = lambda link, order: say_words(link, order, words=2, finish=False)
        client, sound = on.client(engine), Sound("one two three four")
        client.speak("u1", sound)
        await until(lambda: sound.length_ms == 1_000)
        engine.links[0].send("timing", "u1", [["three", 1_500]])
        engine.links[0].send("sound", "u1", b"\x90" * 2_000)  # half of "three"
        await until(lambda: sound.length_ms == 1_250)
        await engine.server.stop()
        await until(lambda: on.health == [False])
        again = await on.engine().start()
        again.on_order = say_words
        await until(lambda: sound.complete)
        assert again.orders[0][:3] == ["speak", "u1~2", "three four"]
        assert (sound.total_ms, sound.failed) == (2_000, "")
        assert sound.timed == [("one", 500), ("two", 1_000), ("three", 1_500), ("four", 2_000)]
        assert on.health == [False, True]

    run(test)


def test_the_next_engine_takes_over(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        first, second = await on.engine("a").start(), await on.engine("b").start()
        first.on_order = lambda link, order: say_words(link, order, words=1, finish=False)
        second.on_order = say_words
        client, sound = on.client(first, second), Sound("one two")
        client.speak("u1", sound)
        await until(lambda: sound.length_ms == 500)
        await first.server.stop()
        await until(lambda: sound.complete)
        assert second.orders[0][2] == "two"
        assert sound.total_ms == 1_000

    run(test)


@pytest.mark.parametrize("fallback", [True, False])
def test_an_engine_that_hangs_is_given_up_after_patience(run: Callable[..., None], fallback: bool) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = lambda link, order: say_words(link, order, words=1, finish=False)
        client, sound = on.client(engine, fallback=fallback), Sound("one two")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        if fallback:
            assert sound.heard_text(5_000) == "one two" and not sound.failed and sound.length_ms > 500
        else:
            assert "sent nothing" in sound.failed and sound.heard_text(5_000) == "one"
        await until(lambda: len(engine.orders) == 2)
        assert engine.orders[1] == ["cancel", "u1"]

    run(test)


@pytest.mark.parametrize("fallback", [True, False])
def test_no_engine_at_all(run: Callable[..., None], fallback: bool) -> None:
    async def test(on: Stage) -> None:
        client, early, late = on.client(on.engine(), fallback=fallback), Sound("one two"), Sound("three")
        client.speak("u1", early)
        await until(lambda: on.health)
        client.speak("u2", late)
        assert late.complete
        await until(lambda: early.complete)
        assert bool(early.failed) is bool(late.failed) is not fallback
        assert on.health == [False] and not client.up

    run(test)


@pytest.mark.parametrize("fallback", [True, False])
def test_a_refused_utterance(run: Callable[..., None], fallback: bool) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = lambda link, order: link.send("unspoken", order[1], "no such voice")
        client, sound = on.client(engine, fallback=fallback), Sound("one two")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        assert sound.failed == ("" if fallback else "no such voice")

    run(test)


def test_a_cancelled_utterance_takes_no_more_sound(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = lambda link, order: say_words(link, order, words=1, finish=False)
        client, sound, next_one = on.client(engine), Sound("one two"), Sound("three")
        client.speak("u1", sound)
        await until(lambda: sound.length_ms)
        client.cancel("u1")
        engine.on_order = say_words
        engine.links[0].send("sound", "u1", b"\x80" * 800)
        client.speak("u2", next_one)
        await until(lambda: next_one.complete)
        assert ["cancel", "u1"] in engine.orders
        assert sound.length_ms == 500 and not sound.complete

    run(test)


BAD: dict[str, Array] = {
    "text for sound": ["sound", "u1", "text"],
    "a number for sound": ["sound", "u1", 7],
    "a list for sound": ["sound", "u1", [1, 2]],
    "a number for words": ["timing", "u1", 7],
    "text for words": ["timing", "u1", "one two"],
    "half a word": ["timing", "u1", [["one"]]],
    "a number for a word": ["timing", "u1", [7]],
    "a word that is none": ["timing", "u1", [[7, 500]]],
    "a word without end": ["timing", "u1", [["x" * 300, 500]]],
    "a time that is none": ["timing", "u1", [["one", "soon"]]],
    "no number": ["timing", "u1", [["one", float("nan")]]],
    "endless": ["timing", "u1", [["one", float("inf")]]],
    "a time before the beginning": ["timing", "u1", [["one", -5]]],
    "a time after every end": ["timing", "u1", [["one", 1 << 60]]],
    "half right": ["timing", "u1", [["one", 500], ["two", None]]],
    "too many words": ["timing", "u1", [["x", 1]] * 5_001],
    "spoken, and nothing was": ["spoken", "u1", 1_000],
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("fallback", [True, False])
def test_a_message_that_is_none_costs_its_utterance_at_most(run: Callable[..., None], bad: str, fallback: bool) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()

        def misbehave(link: Link, order: Array) -> None:
            if order[0] == "speak" and order[1] == "u1":
                link.send(*BAD[bad])
                say_words(link, order)  # goes on as if nothing were: nobody listens any more
            else:
                say_words(link, order)

        engine.on_order = misbehave
        client, first, second = on.client(engine, fallback=fallback), Sound("one two"), Sound("three")
        client.speak("u1", first)
        await until(lambda: first.complete)
        assert bool(first.failed) is not fallback
        assert not fallback or first.heard_text(60_000) == "one two"
        assert first.timed[:1] != [("one", 500)], "half of a bad message was taken in"
        client.speak("u2", second)
        await until(lambda: second.complete)
        assert (second.failed, second.total_ms, second.timed) == ("", 500, [("three", 500)])
        assert ["cancel", "u1"] in engine.orders
        assert on.health == [] and len(engine.links) == 1 and client.refused == 1

    run(test)


def test_what_follows_a_bad_message_is_spoken_by_the_fallback_from_the_next_word(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()

        def misbehave(link: Link, order: Array) -> None:
            say_words(link, order, words=2, finish=False)
            link.send("timing", order[1], {"three": 1_500})

        engine.on_order = misbehave
        client, sound = on.client(engine, fallback=True), Sound("one two three four")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        assert not sound.failed and sound.heard_text(1_000) == "one two"
        assert [word for word, _ in sound.timed] == ["one", "two", "three", "four"]

    run(test)


@pytest.mark.parametrize(
    "nonsense",
    [["sing", "u1"], ["sing"], [7, "u1"], ["sound"], ["sound", "u1"], ["sound", ["u1"], b""], ["spoken", 7], [{}, {}]],
    ids=str,
)
def test_what_is_about_no_utterance_is_dropped_and_nobody_notices(run: Callable[..., None], nonsense: Array) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()

        def misbehave(link: Link, order: Array) -> None:
            link.send(*nonsense)
            say_words(link, order)

        engine.on_order = misbehave
        client, sound = on.client(engine), Sound("one two")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        assert (sound.failed, sound.total_ms, client.refused, on.health) == ("", 1_000, 1, [])

    run(test)


def test_an_engine_that_talks_mostly_nonsense_is_left_for_another(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        bad, good = await on.engine("a").start(), await on.engine("b").start()

        def misbehave(link: Link, _order: Array) -> None:
            for _ in range(20):
                link.send("sing")

        bad.on_order = misbehave
        good.on_order = say_words
        client, sound = on.client(bad, good), Sound("one two")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        assert (sound.failed, sound.total_ms, on.health) == ("", 1_000, [False, True])

    run(test)


def test_sound_without_end_costs_its_utterance_only(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "SOUND_MS_MAX", 60_000)

    async def test(on: Stage) -> None:
        engine = await on.engine().start()

        def misbehave(link: Link, order: Array) -> None:
            if order[:2] == ["speak", "u1"]:
                for _ in range(6):
                    link.send("sound", "u1", b"x" * 100_000)
            elif order[1] != "u1":
                say_words(link, order)

        engine.on_order = misbehave
        client, first, second = on.client(engine, fallback=True), Sound("one two"), Sound("three")
        client.speak("u1", first)
        await until(lambda: first.complete)
        client.speak("u2", second)
        await until(lambda: second.complete)
        assert (second.failed, second.total_ms, on.health) == ("", 500, [])

    run(test)


def test_after_close_nothing_is_said(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        client, sound = on.client(engine), Sound("one")
        client.speak("u1", sound)
        await until(lambda: engine.orders)
        client.close()
        await engine.server.stop()
        for _ in range(20):
            await asyncio.sleep(0)
        assert on.events == [] and not sound.complete

    run(test)


def test_other_options_speak_what_is_asked_from_now_on(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()
        engine.on_order = say_words
        client = on.client(engine)
        client.speak_by(SynthesisOptions("ann", "en-GB", tenant="t1"))
        sound = Sound("one")
        client.speak("u1", sound)
        await until(lambda: sound.complete)
        told = {"voice": "ann", "language": "en-GB", "format": "mulaw8k", "tenant": "t1"}
        assert engine.orders == [["speak", "u1", "one", "ann", told]]
        assert not sound.estimated

    run(test)


def test_times_that_the_engine_has_estimated_are_marked_so(run: Callable[..., None]) -> None:
    async def test(on: Stage) -> None:
        engine = await on.engine().start()

        def guess(link: Link, order: Array) -> None:
            link.send("sound", order[1], bytes(8_000))
            link.send("timing", order[1], [["one", 1_000]], 1)
            link.send("spoken", order[1], 1_000)

        engine.on_order = guess
        sound = Sound("one")
        on.client(engine).speak("u1", sound)
        await until(lambda: sound.complete)
        assert sound.estimated and sound.timed == [("one", 1_000)]

    run(test)
