"""A process whose supervisor never comes back ends itself, unless a call is live in it: nobody else would end it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.node_messages import Journal, Perform
from offhook.actors.link import resident as residing
from offhook.actors.link.link import Array, Link, LinkServer
from offhook.actors.link.resident import Resident


def made(endpoint: str, running: dict[str, Any]) -> Resident:
    return Resident(
        endpoint,
        "token",
        "call",
        "call-1",
        node="n1",
        own_endpoint="",
        running=lambda: running,
        on_message=lambda _message: None,
    )


def run(test: Any) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(limited())


def test_a_spare_that_finds_no_supervisor_ends_and_a_live_call_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(residing, "ORPHAN_MS", 50)

    async def test() -> None:
        endpoint = f"unix:{tmp_path / 'supervisor.sock'}"
        running: dict[str, Any] = {"call": "c1"}
        spare, live = made(endpoint, {}), made(endpoint, running)
        stays = asyncio.ensure_future(live.stay())
        assert "no supervisor for" in await spare.stay()
        assert not stays.done()
        running.clear()  # its call is over
        assert "nothing is live here" in await stays

    run(test)


def test_a_supervisor_that_comes_back_in_time_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residing, "ORPHAN_MS", 5_000)

    async def test() -> None:
        endpoint = f"unix:{tmp_path / 'supervisor.sock'}"
        spare = made(endpoint, {})
        staying = asyncio.ensure_future(spare.stay())
        for _life in range(2):
            here = asyncio.Event()
            server = LinkServer(lambda _link, _grant, _rest, here=here: here.set())
            server.admit("call-1", "token", lasting=True)
            await server.start(endpoint)
            await here.wait()
            assert spare.up and not staying.done()
            await server.stop()
        spare.end("the test is over")
        assert await staying == "the test is over"

    run(test)


def test_what_was_sent_before_it_parts_arrives_and_nothing_after_it_is_sent(tmp_path: Path) -> None:
    async def test() -> None:
        endpoint = f"unix:{tmp_path / 'supervisor.sock'}"
        said: list[Any] = []
        here, over = asyncio.Event(), asyncio.Event()

        def hello(link: Link, _grant: Any, _rest: Array) -> None:
            link.on_message = lambda _link, message: said.append(message[0])
            link.on_close = lambda _link, _reason: over.set()
            here.set()

        server = LinkServer(hello)
        server.admit("call-1", "token", lasting=True)
        await server.start(endpoint)
        leaver = made(endpoint, {"call": "c1"})
        staying = asyncio.ensure_future(leaver.stay())
        await here.wait()
        for _ in range(100):
            assert leaver.send(Journal.NAME, [b"r" * 1_000])
        await leaver.part("the test is over")
        assert not leaver.send(Perform.NAME, "too late")
        await over.wait()
        assert said.count(Journal.NAME) == 100 and Perform.NAME not in said
        await leaver.part("twice")
        assert not staying.done()  # whoever parts ends the process itself
        staying.cancel()
        await server.stop()

    run(test)
