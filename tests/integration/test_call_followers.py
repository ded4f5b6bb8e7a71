"""Following a call from outside: notices kept and resumed by number, over its owners; with real broadcasters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.call.broadcaster import Bounds, Broadcaster
from offhook.actors.contracts.call_operations import News, TimedNotice
from offhook.actors.contracts.errors import NoSuchCall
from offhook.actors.contracts.messages import SubscriberHello
from offhook.actors.link.link import Link, LinkServer
from offhook.actors.node import call_followers
from offhook.actors.node.call_followers import NOTICES_MAX, CallFollowers
from offhook.actors.node.call_table import CallRow


class Owner:
    """A process that leads the call: its broadcaster behind a link server."""

    def __init__(self, path: Path) -> None:
        self.left: list[str] = []
        self.subscribed = 0
        self.broadcaster = Broadcaster(lambda subscriber, _reason: self.left.append(subscriber.name), Bounds())
        self.server = LinkServer(self._hello)
        self.endpoint = f"unix:{path}"

    def _hello(self, link: Link, _grant: Any, rest: list[Any]) -> None:
        self.subscribed += 1
        hello = SubscriberHello.from_fields(rest)
        self.broadcaster.join(link, hello.subscriber, hello.kind, hello.topics, hello.since_seq)

    async def start(self) -> Owner:
        await self.server.start(self.endpoint)
        self.server.admit("observer", "token", lasting=True)
        return self

    def tell(self, *topics: str) -> None:
        for topic in topics:
            self.broadcaster.publish(topic, {"what": topic}, 7, 2)


class Node:
    """As much of a node as followers ask: who leads the call, and how often somebody asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.owner: Owner | None = None
        self.owners: list[Owner] = []
        self.followers = CallFollowers(self._find)

    async def lead(self) -> Owner:
        """Another process leads the call from now on."""
        self.owner = await Owner(self.folder / f"{len(self.owners)}.sock").start()
        self.owners.append(self.owner)
        return self.owner

    async def _find(self, call: str) -> CallRow:
        if self.owner is None or call == "nobody":
            raise NoSuchCall(f"call {call!r} is over")
        row = CallRow(call, len(self.owners), "call-1", 0, "v", "inbound", "", "", 0)
        row.endpoint, row.observer_token = self.owner.endpoint, "token"
        return row

    async def news(self, after_seq: int = -1, wait_s: float = 20.0) -> News:
        return await self.followers.follow("c1", after_seq, wait_s)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def runner(test: Callable[[Node], Awaitable[None]]) -> None:
        async def limited() -> None:
            node = Node(tmp_path)
            async with asyncio.timeout(60):
                try:
                    await test(node)
                finally:
                    node.followers.close()
                    for owner in node.owners:
                        await owner.server.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(limited())

    return runner


async def until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110  # the other end of a link has no event here
        await asyncio.sleep(0)


def topics(news: News) -> list[str]:
    return [notice.topic for notice in news.notices]


async def all_of(node: Node, count: int, after_seq: int = -1) -> list[TimedNotice]:
    """Asks as a console does until it has so many notices."""
    found: list[TimedNotice] = []
    while len(found) < count:
        news = await node.news(after_seq)
        found += news.notices
        after_seq = news.next_after_seq
    return found


def test_what_a_call_told_before_and_tells_now_comes_in_order_and_once(run: Any) -> None:
    async def test(node: Node) -> None:
        owner = await node.lead()
        owner.tell("stage", "verdict")
        found = await all_of(node, 2)
        assert [(each.seq, each.topic, each.revision, each.turn) for each in found] == [
            (1, "stage", 7, 2),
            (2, "verdict", 7, 2),
        ]
        waiting = asyncio.ensure_future(node.news(after_seq=2))
        await asyncio.sleep(0)
        owner.tell("floor")
        news = await waiting
        assert (topics(news), news.next_after_seq, news.missed, news.live) == (["floor"], 3, False, True)
        assert owner.subscribed == 1, "one link a call, however often somebody asks"

    run(test)


def test_who_never_waits_follows_too(run: Any) -> None:
    async def test(node: Node) -> None:
        (await node.lead()).tell("a")
        while not (news := await node.news(wait_s=0)).notices:
            pass
        assert topics(news) == ["a"]

    run(test)


def test_two_who_follow_one_call_share_its_link_and_go_on_each_where_it_was(run: Any) -> None:
    async def test(node: Node) -> None:
        owner = await node.lead()
        owner.tell("a", "b", "c")
        await all_of(node, 3)
        assert topics(await node.news(after_seq=1)) == ["b", "c"]
        assert topics(await node.news(after_seq=2)) == ["c"]
        both = [asyncio.ensure_future(node.news(after_seq=3)) for _ in range(2)]
        await asyncio.sleep(0)
        owner.tell("d")
        assert [topics(news) for news in await asyncio.gather(*both)] == [["d"], ["d"]]
        assert owner.subscribed == 1

    run(test)


def test_who_asks_without_waiting_is_told_that_nothing_is_new(run: Any) -> None:
    async def test(node: Node) -> None:
        (await node.lead()).tell("a")
        await all_of(node, 1)
        assert await node.news(after_seq=1, wait_s=0.01) == News((), 1, missed=False, live=True)

    run(test)


def test_the_buffer_is_bounded_and_who_is_too_late_is_told_so(run: Any) -> None:
    async def test(node: Node) -> None:
        owner = await node.lead()
        owner.tell("first")
        await all_of(node, 1)
        newest = 1
        while newest < NOTICES_MAX + 50:
            owner.tell(*["more"] * 50)
            newest += 50
            await all_of(node, 50, newest - 50)
        news = await node.news(after_seq=1)
        assert len(news.notices) == NOTICES_MAX and news.missed
        assert not (await node.news(after_seq=newest - 10)).missed

    run(test)


def test_a_call_that_is_taken_over_is_followed_on_from_its_last_notice(run: Any) -> None:
    async def test(node: Node) -> None:
        former = await node.lead()
        former.tell("a", "b")
        await all_of(node, 2)
        waiting = asyncio.ensure_future(node.news(after_seq=2))
        await asyncio.sleep(0)
        owner = await node.lead()
        owner.broadcaster.go_on(3, [(3, 8, 2, "told before the death", {})])
        await former.server.stop()  # its links close with it
        news = await waiting
        assert topics(news) == ["told before the death"] and not news.missed
        owner.tell("c")
        assert topics(await node.news(after_seq=3)) == ["c"]

    run(test)


def test_numbers_that_a_new_owner_uses_again_are_told_as_missed(run: Any) -> None:
    async def test(node: Node) -> None:
        former = await node.lead()
        former.tell("a", "b", "c")
        await all_of(node, 3)
        waiting = asyncio.ensure_future(node.news(after_seq=3))
        await asyncio.sleep(0)
        owner = await node.lead()
        owner.broadcaster.go_on(1, [])  # the last two had not been written down
        await former.server.stop()
        await until(lambda: owner.subscribed)
        owner.tell("again")
        news = await waiting
        assert topics(news) == ["again"] and news.missed and news.next_after_seq == 2

    run(test)


def test_the_end_of_a_call_is_told_to_those_who_follow_it_and_nobody_begins_to(run: Any) -> None:
    async def test(node: Node) -> None:
        owner = await node.lead()
        owner.tell("a")
        await all_of(node, 1)
        waiting = asyncio.ensure_future(node.news(after_seq=1))
        await asyncio.sleep(0)
        owner.tell("last")
        owner.broadcaster.close("the call is over")
        found = await waiting
        assert topics(found) == ["last"]
        over = await node.news(after_seq=2)
        assert (over.notices, over.live) == ((), False)
        with pytest.raises(NoSuchCall):
            await node.followers.follow("nobody", -1, 0)

    run(test)


def test_a_node_follows_so_many_calls_and_the_one_asked_for_least_lately_gives_way(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_followers, "FOLLOWED_MAX", 2)

    async def test(node: Node) -> None:
        owner = await node.lead()
        owner.tell("a")
        for call in ("c1", "c2", "c3"):
            assert topics(await node.followers.follow(call, -1, 20.0)) == ["a"]
        await until(lambda: owner.left)
        assert len(owner.left) == 1
        assert topics(await node.followers.follow("c3", -1, 0)) == ["a"]

    run(test)
