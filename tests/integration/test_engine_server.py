"""An engine's entrance on its Unix socket and on TCP: one token, the link's limits on both, each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgpack
import pytest
from offhook.actors.audio.format import LINEAR16, TELEPHONE, AudioFormat
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.messages import PROTOCOL
from offhook.actors.link import link as link_module
from offhook.actors.link.link import Link, connect
from offhook.serve.contracts.errors import StartFault
from offhook.serve.engines.engine_server import EngineServer


class Engine:
    """An entrance, and who came in."""

    def __init__(self, tcp: str = "tcp:127.0.0.1:0") -> None:
        self.links: list[Link] = []
        self.formats: list[AudioFormat] = []
        self.server = EngineServer("kettle", "", "", self._hello, tcp)

    def _hello(self, link: Link, form: AudioFormat) -> None:
        self.formats.append(form)
        self.links.append(link)
        link.on_message = lambda back, message: back.send(*message) and None


def run(test: Callable[[Engine], Awaitable[None]], engine: Callable[[], Engine] = Engine) -> None:
    async def bounded() -> None:
        made = engine()
        await made.server.open()
        try:
            async with asyncio.timeout(10):
                await test(made)
        finally:
            await made.server.close()

    asyncio.run(bounded())


async def echoed(endpoint: str, token: str) -> None:
    back: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
    link = await connect(endpoint, token, on_message=lambda _link, message: back.set_result(message))
    link.send("sound", b"\x55" * 160)
    assert await back == ["sound", b"\x55" * 160]
    link.close()


async def refusal(endpoint: str, token: str) -> str:
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    await connect(endpoint, token, on_message=lambda *_: None, on_close=lambda _link, reason: closed.set_result(reason))
    return await closed


def test_one_token_opens_both_ways() -> None:
    async def test(engine: Engine) -> None:
        at = engine.server.address()
        assert at["endpoint"].startswith("unix:") and at["tcp"].startswith("tcp:127.0.0.1:")
        for endpoint in (at["endpoint"], at["tcp"]):
            await echoed(endpoint, at["token"])
        assert len(engine.links) == 2

    run(test)


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_token_on_tcp_opens_nothing_and_is_told_so(token: str) -> None:
    async def test(engine: Engine) -> None:
        at = engine.server.address()
        assert "opens nothing" in await refusal(at["tcp"], token)
        assert "opens nothing" in await refusal(at["endpoint"], token)
        assert not engine.links and engine.server.links == 0
        await echoed(at["tcp"], at["token"])

    run(test)


def test_what_is_too_large_on_tcp_is_refused_before_and_after_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(engine: Engine) -> None:
        at = engine.server.address()
        host, _, port = at["tcp"].removeprefix("tcp:").rpartition(":")
        hello = msgpack.packb(["hello", at["token"]])
        huge = msgpack.packb(["sound", "s", b"\x55" * (link_module.MESSAGE_BYTES_MAX + 1)])
        for sent in (msgpack.packb(["hello", "x" * (link_module.HELLO_BYTES_MAX + 1)]), hello + huge):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(sent)
            said = await reader.read()  # to its end: the engine closes
            assert msgpack.unpackb(said)[0] == "bye"
            writer.close()
        await echoed(at["tcp"], at["token"])

    run(test)


def test_strangers_on_tcp_do_not_keep_this_machine_s_calls_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "UNADMITTED_MAX", 2)

    async def test(engine: Engine) -> None:
        at = engine.server.address()
        host, _, port = at["tcp"].removeprefix("tcp:").rpartition(":")
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        with pytest.raises((LinkLost, ConnectionError, asyncio.IncompleteReadError)):
            reader, writer = await asyncio.open_connection(host, int(port))
            await reader.readexactly(1)
        await echoed(at["endpoint"], at["token"])
        for _, writer in silent:
            writer.close()

    run(test)


def test_draining_waits_for_the_last_call_and_no_longer_than_it_may() -> None:
    async def test(engine: Engine) -> None:
        at, server = engine.server.address(), engine.server
        await server.drain(60)  # nobody is here
        await echoed(at["tcp"], at["token"])
        stays = await connect(at["tcp"], at["token"], on_message=lambda *_: None)
        while len(engine.links) < 2 or server.links != 1:  # noqa: ASYNC110 - this one has come, the other one left
            await asyncio.sleep(0)
        await server.drain(0)
        draining = asyncio.create_task(server.drain(60))
        await asyncio.sleep(0)
        assert not draining.done() and stays.open
        stays.close()
        await draining
        assert server.links == 0

    run(test)


def test_nothing_is_opened_to_the_network_unasked_and_nothing_is_left() -> None:
    left: list[Path] = []

    async def test(engine: Engine) -> None:
        at = engine.server.address()
        assert at["tcp"] == ""
        left.append(Path(at["endpoint"].removeprefix("unix:")))
        assert left[0].is_socket()

    run(test, lambda: Engine(tcp=""))
    assert not left[0].parent.exists()


def test_a_port_that_is_taken_is_said_with_its_address() -> None:
    async def test(engine: Engine) -> None:
        taken = engine.server.address()["tcp"]
        other = Engine(taken)
        with pytest.raises(StartFault, match=f"kettle: {taken} cannot be listened at"):
            await other.server.open()
        await other.server.close()

    run(test)


def test_the_hello_names_the_format_and_telephone_audio_is_meant_where_it_names_none() -> None:
    async def test(engine: Engine) -> None:
        at = engine.server.address()
        for hello in ((), ("mulaw8k",), ("linear16-16k", PROTOCOL + 1, "and what a later release adds")):
            await connect(at["endpoint"], at["token"], *hello, on_message=lambda *_: None)
        while len(engine.formats) < 3:  # noqa: ASYNC110 - the entrance tells no event
            await asyncio.sleep(0)
        assert engine.formats == [TELEPHONE, TELEPHONE, AudioFormat(LINEAR16, 16_000)]

    run(test)


def test_a_format_that_is_none_is_refused_by_its_name() -> None:
    async def test(engine: Engine) -> None:
        closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        at = engine.server.address()
        await connect(
            at["endpoint"], at["token"], "opus48k",
            on_message=lambda *_: None, on_close=lambda _link, reason: closed.set_result(reason),
        )  # fmt: skip
        assert "opus48k" in await closed and engine.server.links == 0

    run(test)
