"""A link that comes back: to whom, when those who listen move, and while nobody has said where."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from offhook.actors.engines.recognition import KEPT_MS
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.actors.link.reconnect import LOST_MS, PAUSE_MS_FIRST, Endpoint, Reconnect


class Listener:
    """Somebody who listens; its links as they come."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.server = LinkServer(self._hello)

    async def at(self, endpoint: str) -> Endpoint:
        self.server.admit(None, "token", lasting=True)
        return await self.server.start(endpoint), "token"

    def _hello(self, link: Link, _grant: Any, _rest: Array) -> None:
        self.links.append(link)


class Caller:
    """One that redials, and what it has noticed."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.lost: list[str] = []
        self.opened = 0
        self.reconnect = Reconnect(endpoints, self._opened, lambda _link, _message: None, self.lost.append)
        self.reconnect.start()

    def _opened(self, _link: Link) -> None:
        self.opened += 1


async def until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110 - sockets are turned by the loop; bounded by the test's own timeout
        await asyncio.sleep(0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


def test_without_an_endpoint_it_is_lost_until_one_is_named() -> None:
    async def test() -> None:
        caller, listener = Caller(), Listener()
        await until(lambda: caller.lost)
        assert "is it deployed" in caller.lost[0] and not caller.reconnect.up
        caller.reconnect.redirect([await listener.at("tcp:127.0.0.1:0")])
        await until(lambda: caller.opened and listener.links)
        assert caller.reconnect.up and len(caller.lost) == 1
        caller.reconnect.stop()
        await listener.server.stop()

    run(test)


def test_one_that_listens_nowhere_any_more_is_left_for_where_its_successor_does(tmp_path: Path) -> None:
    async def test() -> None:
        first, second = Listener(), Listener()
        caller = Caller(await first.at(f"unix:{tmp_path / 'first'}"))
        await until(lambda: first.links)
        await first.server.stop()
        await until(lambda: caller.lost)
        caller.reconnect.redirect([await second.at("tcp:127.0.0.1:0")])
        await until(lambda: caller.opened == 2 and second.links)
        caller.reconnect.stop()
        await second.server.stop()

    run(test)


def test_a_link_that_is_open_stays_whatever_is_said_and_the_new_place_is_for_afterwards(tmp_path: Path) -> None:
    async def test() -> None:
        first, second = Listener(), Listener()
        caller = Caller(await first.at(f"unix:{tmp_path / 'first'}"))
        await until(lambda: first.links)
        caller.reconnect.redirect([await second.at(f"unix:{tmp_path / 'second'}")])
        assert caller.reconnect.link is not None and caller.reconnect.link.send("still here")
        assert not second.links and not caller.lost
        first.links[0].close("drained")
        await until(lambda: second.links)
        caller.reconnect.stop()
        await first.server.stop()
        await second.server.stop()

    run(test)


def test_an_endpoint_that_is_none_keeps_no_call_from_the_next_one() -> None:
    async def test() -> None:
        listener = Listener()
        caller = Caller(("pipe:nowhere", "token"), await listener.at("tcp:127.0.0.1:0"))
        await until(lambda: listener.links and caller.opened)
        caller.reconnect.stop()
        await listener.server.stop()

    run(test)


def test_a_unix_socket_that_is_not_here_costs_nothing_and_tcp_is_next(tmp_path: Path) -> None:
    async def test() -> None:
        listener = Listener()
        caller = Caller((f"unix:{tmp_path / 'in-another-container'}", "token"), await listener.at("tcp:127.0.0.1:0"))
        await until(lambda: listener.links and caller.opened)
        assert caller.reconnect.up and not caller.lost
        link = caller.reconnect.link
        assert link is not None and link._transport is not None
        sock = link._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == LOST_MS < KEPT_MS
        caller.reconnect.stop()
        await listener.server.stop()

    run(test)


def test_one_that_is_left_is_dialled_after_the_others_and_is_as_good_as_any_once_it_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        first, second = Listener(), Listener()
        places = await first.at(f"unix:{tmp_path / 'first'}"), await second.at(f"unix:{tmp_path / 'second'}")
        caller = Caller(*places)
        await until(lambda: first.links and caller.opened)
        caller.reconnect.leave("it does not do its work")
        await until(lambda: caller.opened == 2)
        assert (len(first.links), len(second.links), caller.lost) == (1, 1, ["it does not do its work"])
        assert caller.reconnect._preferred() == 1
        caller.reconnect.leave("nor does this one")
        await until(lambda: caller.opened == 3)
        assert len(first.links) == 2 and caller.reconnect._preferred() == 0  # nobody else is left
        caller.reconnect.keep()
        assert caller.reconnect._left == {places[1]}
        caller.reconnect.redirect([places[0]])
        assert caller.reconnect._left == set()  # one that is gone need not be remembered
        caller.reconnect.stop()
        caller.reconnect.leave("there is no link")
        await first.server.stop()
        await second.server.stop()

    run(test)


def test_the_only_one_there_is_dialled_again_after_a_pause(tmp_path: Path) -> None:
    async def test() -> None:
        listener = Listener()
        caller = Caller(await listener.at(f"unix:{tmp_path / 'only'}"))
        for count in range(1, 4):
            await until(lambda count=count: caller.opened == count)
            began_s = asyncio.get_running_loop().time()
            caller.reconnect.leave("useless")
        await until(lambda: caller.opened == 4)
        assert asyncio.get_running_loop().time() - began_s >= 4 * PAUSE_MS_FIRST / 1_000  # it has doubled twice
        caller.reconnect.stop()
        await listener.server.stop()

    run(test)
