"""The link on real sockets, Unix and TCP, on both loops: what it carries, whom it refuses, what it bounds."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import uvloop
from offhook.actors.contracts.errors import LinkLost, ProtocolFault
from offhook.actors.link import link as link_module
from offhook.actors.link.link import Array, Link, LinkServer, connect

Test = Callable[[str], Awaitable[None]]


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Test], None]:
    """Run a test's coroutine on a loop, with an endpoint, within 10 s."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def runner(test: Test) -> None:
        async def limited() -> None:
            async with asyncio.timeout(60):
                await test(f"unix:{tmp_path / 's'}")

        with asyncio.Runner(loop_factory=factory) as loop:
            loop.run(limited())

    return runner


class End:
    """One end of a link, with what came in at it."""

    def __init__(self) -> None:
        self.messages: list[Array] = []
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._news = asyncio.Event()
        self.link: Link | None = None
        self.grant: Any = None
        self.hello: Array = []

    def take(self, _link: Link, message: Array) -> None:
        self.messages.append(message)
        self._news.set()

    def lost(self, _link: Link, reason: str) -> None:
        self.closed.set_result(reason)

    async def have(self, count: int) -> list[Array]:
        while len(self.messages) < count:
            self._news.clear()
            await self._news.wait()
        return self.messages


class Server(LinkServer):
    """A server whose links' ends are kept."""

    def __init__(self) -> None:
        super().__init__(self._greet)
        self.ends: list[End] = []
        self._greeted = asyncio.Event()

    def _greet(self, link: Link, grant: Any, rest: Array) -> None:
        end = End()
        end.link, end.grant, end.hello = link, grant, rest
        link.on_message, link.on_close = end.take, end.lost
        self.ends.append(end)
        self._greeted.set()

    async def end(self, number: int = 0) -> End:
        while len(self.ends) <= number:
            self._greeted.clear()
            await self._greeted.wait()
        return self.ends[number]


async def pair(endpoint: str) -> tuple[Server, Link, End, End]:
    """A server, a link to it, and the link's two ends (far, near)."""
    server, near = Server(), End()
    await server.start(endpoint)
    token = server.admit("grant")
    link = await connect(server.endpoint, token, "more", 7, on_message=near.take, on_close=near.lost)
    return server, link, await server.end(), near


def test_messages_go_both_ways_in_order_with_the_grant(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server, link, far, near = await pair(endpoint)
        assert (far.grant, far.hello) == ("grant", ["more", 7])
        sent = [["n", i, b"\x00\xff" * i, {"k": [None, True, 1.5]}, "ü"] for i in range(2_000)]
        for message in sent:
            assert link.send(*message)
        assert await far.have(2_000) == sent
        assert far.link is not None
        far.link.send("back")
        assert await near.have(1) == [["back"]]
        await server.stop()
        assert await near.closed

    run(test)
    run(lambda _endpoint: test("tcp:127.0.0.1:0"))


def test_a_frame_on_tcp_waits_for_no_other(run: Callable[[Test], None]) -> None:
    async def test(_endpoint: str) -> None:
        server, link, far, _near = await pair("tcp:127.0.0.1:0")
        for end in (link, far.link):
            assert end is not None and end._transport is not None
            sock = end._transport.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await server.stop()

    run(test)


@pytest.mark.parametrize("token", ["wrong", "", "used", "gone"])
def test_a_wrong_token_is_refused_with_the_reason_and_the_others_stay(run: Callable[[Test], None], token: str) -> None:
    async def test(endpoint: str) -> None:
        server, _link, far, near = await pair(endpoint)
        server.admit("x", "used")
        await connect(endpoint, "used", on_message=End().take)
        await server.end(1)
        server.admit("x", "gone", lasting=True)
        server.revoke("gone")
        stranger = End()
        await connect(endpoint, token, on_message=stranger.take, on_close=stranger.lost)
        reason = await stranger.closed
        assert "the peer refused" in reason and "opens nothing" in reason
        assert stranger.messages == [] and len(server.ends) == 2
        assert far.link is not None and far.link.send("still here")
        assert await near.have(1)
        await server.stop()

    run(test)


def test_a_lasting_token_opens_again_and_again(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server = Server()
        await server.start(endpoint)
        token = server.admit(1, lasting=True)
        for number in range(3):
            (await connect(endpoint, token, on_message=End().take)).close()
            await (await server.end(number)).closed
        assert len(server._links) == 0, "closed links are forgotten, whoever took them over"
        await server.stop()

    run(test)


def test_old_one_time_tokens_make_room_lasting_ones_never_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "TOKENS_MAX", 3)
    server = LinkServer(lambda *_: None)
    server.admit("engine", "lasting", lasting=True)
    for number in range(5):
        server.admit(number, f"t{number}")
    assert list(server._admitted) == ["lasting", "t3", "t4"]
    for number in (3, 4):
        server.revoke(f"t{number}")
    server.admit(1, "l1", lasting=True)
    server.admit(2, "l2", lasting=True)
    with pytest.raises(ProtocolFault, match="lasting"):
        server.admit(3)


NONSENSE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "not an array": msgpack.packb({"hello": "token"}),
    "empty array": msgpack.packb([]),
    "nil": b"\xc0",
    "no token": msgpack.packb(["hello"]),
    "token of a wrong type": msgpack.packb(["hello", ["token"]]),
    "another message first": msgpack.packb(["a", 0, b""]),
    "reserved byte": b"\xc1",
    "an array of four billion": b"\xdd\xff\xff\xff\xff",
    "a string of four billion": b"\xdb\xff\xff\xff\xff",
    "arrays in arrays": b"\xdc\xff\xff" * 20_000,
    "too deep": b"\x91" * 60_000,
    "a hello without end": msgpack.packb(["hello", "x" * 100_000]),
    "broken utf-8": b"\x92\xa5hello\xa2\xff\xfe",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
def test_strangers_who_talk_nonsense_are_told_and_cut_off(
    run: Callable[[Test], None], nonsense: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(endpoint: str) -> None:
        server, _link, far, near = await pair(endpoint)
        monkeypatch.setattr(link_module, "HELLO_MS", 200)  # what claims to go on for long is ended by it
        reader, writer = await asyncio.open_unix_connection(endpoint.removeprefix("unix:"))
        writer.write(nonsense)
        unpacker = msgpack.Unpacker()
        with pytest.raises((msgpack.OutOfData, ConnectionError)):
            unpacker.feed(await reader.read())
            answer = unpacker.unpack()
            assert answer[0] == "bye" and len(answer) == 2
            unpacker.unpack()
        writer.close()
        assert far.link is not None and far.link.send("still here")
        assert await near.have(1)
        await server.stop()

    run(test)


def test_who_says_nothing_is_cut_off(run: Callable[[Test], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "HELLO_MS", 1_000)  # all four come within it, however busy the machine is
    monkeypatch.setattr(link_module, "UNADMITTED_MAX", 2)

    async def test(endpoint: str) -> None:
        server = Server()
        await server.start(endpoint)
        path = endpoint.removeprefix("unix:")
        silent = [await asyncio.open_unix_connection(path) for _ in range(4)]
        answers = [await reader.read() for reader, _ in silent]
        assert sum(b"no hello" in answer for answer in answers) == 2
        assert sum(not answer for answer in answers) == 2
        for _, writer in silent:
            writer.close()
        end = End()
        monkeypatch.setattr(link_module, "HELLO_MS", 10_000)
        await connect(endpoint, server.admit(1), on_message=end.take)
        await server.end()
        assert server._unadmitted == 0
        await server.stop()

    run(test)


def test_after_the_hello_messages_may_be_large_in_the_same_packet(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server = Server()
        await server.start(endpoint)
        reader, writer = await asyncio.open_unix_connection(endpoint.removeprefix("unix:"))
        large = ["snapshot", b"x" * 900_000, list(range(10_000))]
        writer.write(msgpack.packb(["hello", server.admit(1)]) + msgpack.packb(large))
        assert await (await server.end()).have(1) == [large]
        writer.close()
        await server.stop()
        assert reader.at_eof() or await reader.read() == b""

    run(test)


def test_a_message_over_the_limit_is_refused_where_it_is_sent_and_where_it_arrives(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server, link, far, near = await pair(endpoint)
        with pytest.raises(ProtocolFault, match="at most"):
            link.send("x", b"x" * link_module.MESSAGE_BYTES_MAX)
        assert link.send("small") and await far.have(1)
        assert link._transport is not None
        link._transport.write(msgpack.packb(["x", b"x" * (link_module.MESSAGE_BYTES_MAX + 1)]))
        assert "limits" in await near.closed
        await server.stop()

    run(test)


def test_a_peer_that_does_not_read_is_cut_off_at_the_limit(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server = Server()
        await server.start(endpoint)
        reader, writer = await asyncio.open_unix_connection(endpoint.removeprefix("unix:"))
        writer.transport.pause_reading()
        writer.write(msgpack.packb(["hello", server.admit(1)]))
        end = await server.end()
        assert end.link is not None
        sent = 0
        while end.link.send("a", b"x" * 100_000):
            sent += 100_000
            await asyncio.sleep(0)
        assert link_module.BACKLOG_BYTES_MAX <= sent < link_module.BACKLOG_BYTES_MAX + 2_000_000
        assert "unread" in await end.closed
        assert not end.link.open and not end.link.send("more")
        assert end.link.backlog_bytes == 0
        writer.close()
        del reader
        await server.stop()

    run(test)


def test_a_flood_leaves_the_loop_its_turns(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        _server, link, far, _near = await pair(endpoint)
        link.backlog_bytes_max = 1 << 30
        for number in range(30_000):
            link.send("a", number)
        turns = 0
        while len(far.messages) < 30_000:
            turns += 1
            before = len(far.messages)
            await asyncio.sleep(0)
            # One turn of the loop: what the former one left, and what a packet brought.
            assert len(far.messages) - before <= 2 * link_module.MESSAGES_AT_ONCE
        assert turns > 30_000 // (2 * link_module.MESSAGES_AT_ONCE)
        assert [message[1] for message in far.messages] == list(range(30_000))
        await _server.stop()

    run(test)


def test_what_was_sent_before_a_close_arrives(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server, link, far, near = await pair(endpoint)
        for number in range(5_000):
            link.send("a", number, b"x" * 160)
        link.close("done")
        assert not link.open and not link.send("late")
        assert await far.closed == "closed by the peer"
        assert len(far.messages) == 5_000
        assert await near.closed == "done"
        await server.stop()

    run(test)


def test_a_message_that_cannot_be_handled_ends_its_link_only(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        server, link, far, near = await pair(endpoint)
        other = End()
        await connect(endpoint, server.admit(2), on_message=other.take)
        second = await server.end(1)
        assert far.link is not None and second.link is not None

        def fragile(_link: Link, message: Array) -> None:
            far.messages.append(message)
            raise KeyError("field")

        far.link.on_message = fragile
        link.send("one")
        link.send("two")
        assert "could not be handled: KeyError" in await near.closed
        assert far.messages == [["one"]]
        assert second.link.send("still here") and await other.have(1)
        await server.stop()

    run(test)


def test_where_nobody_listens(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        for nowhere in (endpoint, "tcp:127.0.0.1:1"):
            with pytest.raises(LinkLost, match="alive"):
                await connect(nowhere, "t", on_message=End().take)

    run(test)


@pytest.mark.parametrize(
    "endpoint", ["", "unix:", "tcp:1", "tcp:host:port", "http://x", "tcp:h:70000", "unix:/" + "x" * 108]
)
def test_what_is_not_an_endpoint(endpoint: str) -> None:
    async def test() -> None:
        with pytest.raises(ProtocolFault):
            await connect(endpoint, "t", on_message=End().take)
        with pytest.raises(ProtocolFault):
            await Server().start(endpoint)

    asyncio.run(test())


def test_the_socket_is_its_owners_and_goes_with_the_server(run: Callable[[Test], None]) -> None:
    async def test(endpoint: str) -> None:
        path = Path(endpoint.removeprefix("unix:"))
        for _ in range(2):  # a file that a dead process left is replaced
            server = Server()
            await server.start(endpoint)
            assert path.is_socket() and stat.S_IMODE(path.stat().st_mode) == 0o600  # noqa: ASYNC240
        await server.stop()
        assert not path.exists()  # noqa: ASYNC240

    run(test)
