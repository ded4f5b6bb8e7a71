"""The broadcaster on real Unix sockets: who hears what, and what becomes of those who do not listen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import uvloop
from offhook.actors.call.broadcaster import Bounds, Broadcaster, Subscriber
from offhook.actors.contracts.messages import Gone, Invite, Notice
from offhook.actors.link.link import Link, LinkServer, connect

BODY = {"text": "x" * 1_000}


class Stage:
    """A broadcaster behind a real link server; subscribers say hello as the wire wants it."""

    def __init__(self, path: Path, bounds: Bounds | None) -> None:
        self.left: list[tuple[str, str]] = []
        self.broadcaster = Broadcaster(self._left, bounds)
        self.server = LinkServer(self._hello)
        self.path = path
        self.joined = 0

    def _hello(self, link: Link, _grant: Any, rest: list[Any]) -> None:
        self.broadcaster.join(link, *rest)
        self.joined += 1

    def _left(self, subscriber: Subscriber, reason: str) -> None:
        self.left.append((subscriber.name, reason))

    async def subscribe(self, *hello: Any) -> list[Any]:
        """What this subscriber hears, from now on."""
        heard: list[Any] = []
        before = self.joined
        token = self.server.admit("x")
        await connect(f"unix:{self.path}", token, *hello, on_message=lambda _link, m: heard.append(m))
        await self.until(lambda: self.joined > before)
        return heard

    async def deaf(self, *hello: Any) -> socket.socket:
        """A subscriber that says hello and never reads."""
        before = self.joined
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(str(self.path))
        deaf.sendall(msgpack.packb(["hello", self.server.admit("x"), *hello]))
        await self.until(lambda: self.joined > before)
        return deaf

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():  # noqa: ASYNC110  # whatever the test wishes for
            await asyncio.sleep(0)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def runner(test: Callable[[Stage], Awaitable[None]], bounds: Bounds | None = None) -> None:
        async def limited() -> None:
            stage = Stage(tmp_path / "b.sock", bounds)
            await stage.server.start(f"unix:{stage.path}")
            async with asyncio.timeout(60):
                try:
                    await test(stage)
                finally:
                    await stage.server.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(limited())

    return runner


def test_a_subscriber_hears_its_topics_in_order_with_revision_and_turn(run: Any) -> None:
    async def test(stage: Stage) -> None:
        floor = await stage.subscribe("a", "observer", ["floor"])
        everything = await stage.subscribe("b", "observer", ["*"])
        stage.broadcaster.publish("floor", {"holder": "caller"}, 7, 2)
        stage.broadcaster.publish("words", {"text": "hi"}, 8, 2)
        await stage.until(lambda: len(everything) == 2)
        assert floor == [[Notice.NAME, 1, 7, 2, "floor", {"holder": "caller"}]]
        assert [notice[1] for notice in everything] == [1, 2]

    run(test)


def test_a_late_subscriber_gets_the_recent_notices_that_it_asks_for(run: Any) -> None:
    async def test(stage: Stage) -> None:
        for number in range(6):
            stage.broadcaster.publish("t", {"n": number}, number, 0)
        late = await stage.subscribe("late", "observer", ["*"], 4)
        await stage.until(lambda: len(late) == 2)
        assert [notice[1] for notice in late] == [5, 6]
        whole = await stage.subscribe("whole", "observer", ["*"], 0)
        await stage.until(lambda: len(whole) == 4)  # the ring keeps four
        assert [notice[1] for notice in whole] == [3, 4, 5, 6]
        assert await stage.subscribe("new", "observer", ["*"]) == []

    run(test, Bounds(recent_max=4))


def test_a_deaf_observer_is_conflated_then_cut_off_and_delays_nobody(run: Any) -> None:
    async def test(stage: Stage) -> None:
        _deaf = await stage.deaf("deaf", "observer", ["*"])
        listens = await stage.subscribe("listens", "observer", ["*"])
        for number in range(2_000):
            stage.broadcaster.publish(f"topic{number % 3}", BODY, number, 0)
            await asyncio.sleep(0)
        await stage.until(lambda: len(listens) == 2_000)
        assert stage.broadcaster.conflated > 0
        while not stage.left:
            stage.broadcaster.publish("topic0", BODY, 0, 0)
            await asyncio.sleep(0)
        assert stage.left[0][0] == "deaf"
        assert "has not read for 20 ms" in stage.left[0][1]
        assert stage.broadcaster.cut_off == 1

    run(test, Bounds(soft_bytes=8_192, hard_bytes=1 << 20, stall_ms=20))


def test_a_conflated_observer_that_reads_again_gets_the_newest_of_each_topic(run: Any) -> None:
    async def test(stage: Stage) -> None:
        slow = await stage.deaf("slow", "observer", ["*"])
        for number in range(900):
            stage.broadcaster.publish(f"topic{number % 3}", {**BODY, "n": number}, number, 0)
        assert stage.broadcaster.conflated
        unpacker = msgpack.Unpacker()
        slow.setblocking(False)
        seen: list[Any] = []
        while not seen or seen[-1][1] < 900:  # the last is sent once the backlog is read, without another publish
            await asyncio.sleep(0)
            try:
                unpacker.feed(slow.recv(1 << 16))
            except BlockingIOError:
                continue
            seen += list(unpacker)
        assert [notice[5]["n"] for notice in seen[-3:]] == [897, 898, 899]
        assert len(seen) < 900

    run(test, Bounds(soft_bytes=8_192))


def test_over_the_hard_limit_a_subscriber_is_cut_off_at_once(run: Any) -> None:
    async def test(stage: Stage) -> None:
        _deaf = await stage.deaf("agent", "agent", [])
        for number in range(1_000):  # a socket's own buffers take some hundred kB before the backlog grows
            stage.broadcaster.invite(("agent",), 0, number, "turn_ended", 0, BODY)
        await stage.until(lambda: stage.left)
        assert "unread" in stage.left[0][1]
        assert stage.broadcaster.invite(("agent",), 0, 0, "turn_ended", 0, BODY) == ("agent",)  # nobody to be asked

    run(test, Bounds(soft_bytes=1_024, hard_bytes=8_192))


def test_an_agent_that_joins_again_takes_the_place_of_its_older_link(run: Any) -> None:
    async def test(stage: Stage) -> None:
        old = await stage.subscribe("booking", "agent", [])
        new = await stage.subscribe("booking", "agent", [])
        assert stage.broadcaster.invite(("booking", "closing"), 1, 9, "turn_ended", 150, {}) == ("closing",)
        await stage.until(lambda: new)
        assert new == [[Invite.NAME, 1, 9, "turn_ended", 150, {}]]
        assert old == []
        assert stage.left == []

    run(test)


@pytest.mark.parametrize(
    "hello",
    [("x", "spy", ["*"]), ("x", "observer", "floor"), ("x", "observer", [1]), ("x", "observer", ["t"] * 65)],
)
def test_a_hello_that_makes_no_sense_joins_nobody(run: Any, hello: Any) -> None:
    async def test(stage: Stage) -> None:
        closed: list[str] = []
        token = stage.server.admit("x")
        await connect(
            f"unix:{stage.path}",
            token,
            *hello,
            on_message=lambda _l, _m: None,
            on_close=lambda _l, why: closed.append(why),
        )
        await stage.until(lambda: closed)
        assert stage.joined == 0

    run(test)


def test_there_is_a_limit_to_subscribers(run: Any) -> None:
    async def test(stage: Stage) -> None:
        await stage.subscribe("a", "observer", [])
        closed: list[str] = []
        await connect(
            f"unix:{stage.path}",
            stage.server.admit("x"),
            *("b", "observer", []),
            on_message=lambda _l, _m: None,
            on_close=lambda _l, why: closed.append(why),
        )
        await stage.until(lambda: closed)
        assert stage.joined == 1

    run(test, Bounds(subscribers_max=1))


def test_at_the_end_everybody_is_told(run: Any) -> None:
    async def test(stage: Stage) -> None:
        heard = await stage.subscribe("a", "observer", [])
        stage.broadcaster.close("the call is over")
        await stage.until(lambda: heard)
        assert heard == [[Gone.NAME, "the call is over"]]

    run(test)
