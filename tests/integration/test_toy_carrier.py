"""A carrier from a package, end to end: its played end on a real socket, the real gateway, a line, a real call link.

Its order to dial is sent to a real socket, too.
"""

from __future__ import annotations

import asyncio
import importlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.contracts.messages import Audio, Clear, Digit, Hangup, Mark, Marked, Play, Stopped, Transfer
from offhook.actors.link.link import Link, LinkServer
from offhook.serve.callers.carrier_end import CarrierEnd, Heard
from offhook.serve.carriers import registry
from offhook.serve.carriers.messages import Digit as Key
from offhook.serve.carriers.port import Capabilities, NotOffered, Outgoing, Signal
from offhook.serve.contracts.carrier_choice import CarrierChoice
from offhook.serve.contracts.claim import Claim
from offhook.serve.gateway import carrier_socket, tokens
from offhook.serve.gateway.gateway import Gateway
from toy_package import install

SECRET = "a secret of this test"
LOUD = bytes([0x10, 0x90] * 80)  # 20 ms
PACE = 10.0


class Call:
    """The call's end of the link."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.server = LinkServer(self._hello)
        self.linked: asyncio.Future[tuple[Link, list[Any]]] = asyncio.get_running_loop().create_future()
        self.heard = bytearray()
        self.said: asyncio.Queue[list[Any]] = asyncio.Queue()

    def _hello(self, link: Link, _grant: object, rest: list[Any]) -> None:
        link.on_message = lambda _link, message: self._told(message)
        link.on_close = lambda _link, reason: self.said.put_nowait(["closed", reason])
        self.linked.set_result((link, rest))

    def _told(self, message: list[Any]) -> None:
        if message[0] == Audio.NAME:
            self.heard += message[2]
        else:
            self.said.put_nowait(message)

    async def claim(self, _call: str, _lost_epoch: int) -> Claim:
        return Claim(self.server.endpoint, self.server.admit("line"), 1)


@asynccontextmanager
async def led(tmp_path: Path) -> AsyncIterator[tuple[Gateway, Call, CarrierEnd]]:
    """A call whose caller is on a line of the toy's, through the real gateway."""
    carriers = registry.load([CarrierChoice("twilio"), CarrierChoice("toy")])
    call = Call(f"unix:{tmp_path}/call")
    await call.server.start(call.endpoint)
    gateway = Gateway(SECRET, call.claim, carriers)
    port = await gateway.start("127.0.0.1", 0)
    heard: list[Heard] = []
    caller = CarrierEnd(carriers["toy"].played(), "call-1", heard.append, PACE)
    try:
        caller.say(LOUD * 10)
        await caller.dial(f"ws://127.0.0.1:{port}/media/toy/{tokens.issue(SECRET, 'call-1', time.time())}")
        yield gateway, call, caller
    finally:
        await caller.stop()
        await gateway.stop()
        await call.server.stop()


async def lead(tmp_path: Path) -> None:
    async with led(tmp_path) as (gateway, call, caller):
        link, hello = await call.linked
        assert (hello[:2], hello[-1]) == ([caller.stream.name, "mulaw8k"], True)
        caller.press("5")
        assert await call.said.get() == [Digit.NAME, "5", 0]
        link.send(Play.NAME, 1, LOUD * 5)
        link.send(Mark.NAME, 1, "u1:100")
        assert await call.said.get() == [Marked.NAME, "u1:100"]
        assert LOUD * 5 in bytes(caller.traffic.heard)
        while LOUD * 10 not in call.heard:  # noqa: ASYNC110 - the link has no event for it
            await asyncio.sleep(0.001)
        link.send(Play.NAME, 1, LOUD * 500)
        link.send(Mark.NAME, 1, "u2:10000")
        link.send(Clear.NAME, 1)
        assert await call.said.get() == [Marked.NAME, "u2:10000"]  # at once: what was buffered is dropped
        assert bytes(caller.traffic.heard).count(LOUD) < 100
        link.send(Hangup.NAME, 1, "goodbye said")
        assert await caller.closed == "the far end hung up: goodbye said"
        assert await call.said.get() == [Stopped.NAME, "goodbye said"]
        assert (gateway.stats().faults, gateway.stats().messages_dropped) == ({}, {})


async def offered_nothing(tmp_path: Path, told: list[str]) -> None:
    """The call is told that there is no transfer; one that asks all the same keeps its line."""
    async with led(tmp_path) as (_gateway, call, caller):
        link, hello = await call.linked
        assert hello[-1] is False
        link.send(Transfer.NAME, 1, "+15550199")
        caller.press("5")
        assert await call.said.get() == [Digit.NAME, "5", 0]
        assert told == ["the carrier 'toy' does not offer transfer"]
        link.send(Hangup.NAME, 1, "goodbye said")
        assert "far end hung up" not in await caller.closed
        assert await call.said.get() == [Stopped.NAME, "goodbye said"]
        assert told[1:] == ["the carrier 'toy' does not offer hang_up"]


def test_a_toy_carrier_s_caller_is_heard_and_hears_through_the_real_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", monkeypatch)

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await lead(tmp_path)

    uvloop.run(bounded())


def test_what_a_carrier_does_not_offer_is_not_ordered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch)
    load = registry.load

    def with_less(choices: Any) -> Any:
        carriers = load(choices)
        for carrier in carriers.values():
            carrier.capabilities = Capabilities(frozenset({Signal.ANSWER}))
        return carriers

    monkeypatch.setattr(registry, "load", with_less)
    told: list[str] = []
    monkeypatch.setattr(carrier_socket.log, "error", lambda _text, extra: told.append(extra["reason"]))

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await offered_nothing(tmp_path, told)

    uvloop.run(bounded())


def test_an_event_that_nobody_knows_is_dropped_as_a_fault_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", monkeypatch)

    async def main() -> None:
        async with asyncio.timeout(60), led(tmp_path) as (gateway, call, caller):
            await call.linked
            reader = importlib.import_module("toy_carrier.stream").ToyReader
            read = reader.read

            def strange(self: Any, raw: bytes, binary: bool) -> Any:
                found = read(self, raw, binary)
                return object() if isinstance(found, Key) and found.digit == "5" else found

            monkeypatch.setattr(reader, "read", strange)
            caller.press("5")
            caller.press("6")
            assert await call.said.get() == [Digit.NAME, "6", 0]
            assert gateway.stats().messages_dropped == {"bug": 1}

    uvloop.run(main())


@asynccontextmanager
async def switch(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Takes orders to dial."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = re.findall(rb"content-length: (\d+)", head.lower())
        asked.append(await reader.readexactly(int(length)))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", asked
    finally:
        server.close()


def test_a_carrier_that_dials_does_so_and_one_that_does_not_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", monkeypatch)

    async def main() -> None:
        async with switch(b'{"call": "c-9"}') as (url, asked):
            toy = registry.carrier(CarrierChoice("toy", {"dial_url": url}))
            assert await toy.dial(Outgoing("+1", "+2", "http://a")) == "c-9"
            assert b'"to":"+1"' in asked[0].replace(b" ", b"")
        with pytest.raises(NotOffered, match="'toy' does not offer dial"):
            await registry.carrier(CarrierChoice("toy")).dial(Outgoing("+1", "+2", "http://a"))
        with pytest.raises(NotOffered, match="'twilio' does not offer dial"):
            await registry.carrier(CarrierChoice("twilio")).dial(Outgoing("+1", "+2", "http://a"))

    asyncio.run(main())
