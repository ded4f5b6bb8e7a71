"""A shadow on real sockets: it finds what a backtest of the same call finds, and a slow one is cut off."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgpack
import pytest
from offhook.actors.call.broadcaster import Bounds
from offhook.actors.shadows.shadow import Shadow
from offhook.actors.shadows.trial import agents_of
from offhook.policies.replay.backtest import backtest
from offhook.policies.replay.differences import Difference
from offhook.policies.replay.recording import read
from recorded_calls import recorded
from shadow_stage import SALES, Stage, run, stricter, telling_seed


@pytest.mark.parametrize("seed", [5, telling_seed(), 2])
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
        assert bool(heard) is (seed == telling_seed())
        assert shadow.findings.left

    run(test, tmp_path / "s")


def test_events_are_sent_to_nobody_who_did_not_ask_for_them(tmp_path: Path) -> None:
    async def test(stage: Stage) -> None:
        from offhook.actors.link.link import connect

        heard: list[Any] = []
        token = stage.server.admit("x")
        await connect(stage.endpoint, token, "o", "observer", ["*"], on_message=lambda _link, m: heard.append(m))
        await stage.joined()
        stage.funnel.tell(recorded(5, SALES))
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

    recorded_once = recorded(telling_seed(), SALES)
    run(test, tmp_path / "s", Bounds(soft_bytes=8_192))
