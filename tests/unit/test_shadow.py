"""A shadow on real sockets: it finds what a backtest of the same call finds, and a slow one is cut off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
import uvloop
from offhook.actors.broadcaster import Bounds, Broadcaster
from offhook.actors.link import LinkServer
from offhook.actors.shadow import Shadow
from offhook.actors.trial import agents_of
from offhook.policies.backtest import backtest
from offhook.policies.codec import encode
from offhook.policies.differences import Difference
from offhook.policies.policy import Policy
from offhook.policies.recording import read
from offhook.policies.state import CallState
from offhook.serve.policy_files import load
from recorded_calls import recorded

SALES = load(Path(__file__).parents[2] / "examples" / "policies" / "sales").policy


def stricter() -> Policy:
    actions = dict(SALES.gate.actions)
    actions["book_meeting"] = actions["book_meeting"].model_copy(update={"readiness_share": 0.9})
    return SALES.model_copy(update={"gate": SALES.gate.model_copy(update={"actions": actions})})


class Told:
    """A funnel whose events come from a journal."""

    follower: Callable[[list[Any], list[Any], int, int], None] | None = None

    def __init__(self) -> None:
        self.state = CallState()

    def encoded(self) -> list[Any]:
        return encode(self.state)

    def tell(self, journal: list[list[Any]]) -> None:
        assert self.follower is not None
        for number, record in enumerate(journal):
            if record[4] == "event":
                after = journal[number + 1]
                self.follower(record[5], after[5] if after[4] == "commands" else [], 1, 1)


class Stage:
    def __init__(self, path: Path, bounds: Bounds | None = None) -> None:
        self.left: list[str] = []
        self.broadcaster = Broadcaster(lambda _subscriber, reason: self.left.append(reason), bounds)
        self.funnel = Told()
        self.broadcaster.follow(self.funnel)
        self.server = LinkServer(lambda link, _grant, rest: self.broadcaster.join(link, *rest) and None)
        self.endpoint = f"unix:{path}"

    async def joined(self) -> None:
        while not self.broadcaster.stats()["subscribers"]:  # noqa: ASYNC110
            await asyncio.sleep(0)


def run(test: Any, path: Path, bounds: Bounds | None = None) -> None:
    async def limited() -> None:
        stage = Stage(path, bounds)
        await stage.server.start(stage.endpoint)
        async with asyncio.timeout(20):
            try:
                await test(stage)
            finally:
                await stage.server.stop()

    uvloop.run(limited())


@pytest.mark.parametrize("seed", [3, 116, 2])
def test_it_finds_what_a_backtest_finds(tmp_path: Path, seed: int) -> None:
    journal = recorded(seed, SALES)
    expected = backtest(read(journal), stricter(), agents_of(stricter(), ""))

    async def test(stage: Stage) -> None:
        heard: list[Difference] = []
        shadow = Shadow("c1", stricter(), agents_of(stricter(), ""), lambda _call, found: heard.extend(found), 40)
        await shadow.join(stage.endpoint, stage.server.admit("x"))
        await stage.joined()
        stage.funnel.tell(journal)
        stage.broadcaster.close("the call is over")
        await shadow.over.wait()
        assert shadow.findings.differences == heard
        assert sorted(heard, key=lambda each: (each.at_ms, each.kind)) == sorted(
            expected.differences, key=lambda each: (each.at_ms, each.kind)
        )
        assert bool(heard) is (seed == 116)
        assert shadow.findings.left

    run(test, tmp_path / "s")


def test_events_are_sent_to_nobody_who_did_not_ask_for_them(tmp_path: Path) -> None:
    async def test(stage: Stage) -> None:
        from offhook.actors.link import connect

        heard: list[Any] = []
        token = stage.server.admit("x")
        await connect(stage.endpoint, token, "o", "observer", ["*"], on_message=lambda _link, m: heard.append(m))
        await stage.joined()
        stage.funnel.tell(recorded(3, SALES))
        stage.broadcaster.publish("turn", {"number": 1}, 1, 1)
        while not heard:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert [message[4] for message in heard] == ["turn"]

    run(test, tmp_path / "s")


def test_a_shadow_that_does_not_read_is_cut_off_and_the_call_goes_on(tmp_path: Path) -> None:
    async def test(stage: Stage) -> None:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.connect(stage.endpoint.removeprefix("unix:"))
        deaf.sendall(msgpack.packb(["hello", stage.server.admit("x"), "shadow", "observer", ["events"]]))
        await stage.joined()
        for _ in range(200):
            stage.funnel.tell(recorded_once)
            if stage.left:
                break
            await asyncio.sleep(0)
        assert stage.left == ["cut off: it does not keep up with the call's events"]
        assert stage.broadcaster.cut_off == 1
        deaf.close()

    recorded_once = recorded(116, SALES)
    run(test, tmp_path / "s", Bounds(soft_bytes=8_192))
