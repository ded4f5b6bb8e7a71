"""A node's shadows over real sockets: which calls they join, what they count, who cannot be shadowed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.call_operations import CallAddress, CallList, CallSummary
from offhook.actors.contracts.errors import NoSuchCall
from offhook.actors.shadows import shadow_host
from offhook.actors.shadows.shadow_host import AT_ONCE_MAX, NICE, Order, Shadows
from recorded_calls import recorded
from shadow_stage import SALES, Stage, run, stricter, telling_seed

HANGS = (  # until the test has seen it
    "import pathlib, time\nwhile not pathlib.Path(__file__).with_name('enough').exists():\n    time.sleep(0.01)"
)


def row(call: str = "c1", **changes: Any) -> CallSummary:
    return replace(CallSummary(call, policy_version="v1", caller="+49301", callee="+1", live=True), **changes)


def order(**changes: Any) -> Order:
    plain = stricter().model_dump(mode="json")
    return Order(**{"rollout": "sales-1", "version": "v2", "baseline": "v1", "policy": plain, "bundle": "", **changes})


def test_only_live_calls_of_the_baseline_that_the_rollout_is_for_are_shadowed() -> None:
    assert order().wants(row())
    assert not order().wants(row(live=False))
    assert not order().wants(row(policy_version="v2"))
    assert not order(direction="outbound").wants(row())
    assert order(numbers="+49*").wants(row())
    assert not order(numbers="+44*").wants(row())
    half = [order(share=0.5).wants(row(f"c{number}")) for number in range(2_000)]
    assert abs(sum(half) / 2_000 - 0.5) < 0.05


def test_it_joins_counts_and_tells_what_it_has_found(tmp_path: Path) -> None:
    journal = recorded(telling_seed(), SALES)

    async def test(stage: Stage) -> None:
        async def calls(_live: bool) -> CallList:
            return CallList((row(), row("gone"), row("c2", policy_version="v0")))

        async def observe(call: str) -> CallAddress:
            if call == "gone":
                raise NoSuchCall(call)
            return CallAddress(stage.endpoint, stage.server.admit("x"), 1)

        shadows = Shadows(order(), calls, observe)
        await shadows.look()
        await stage.joined()
        assert shadows.report(-1, -1).present == 1
        await shadows.look()
        stage.funnel.tell(journal)
        stage.broadcaster.close("the call is over")
        while not shadows.counts["calls"]:  # noqa: ASYNC110  # it looks in a thread
            await asyncio.sleep(0)
        told = shadows.report(-1, -1)
        assert (told.calls, told.diverged, told.faulted) == (1, 1, 0), "a call is joined once"
        assert {each["call"] for each in told.rows} == {"c1"}
        assert len(told.trials[0]["differences"]) == len(told.rows) > 0
        last = told.rows[-1]["seq"]
        assert shadows.report(last, 1) == replace(told, present=0, rows=[], trials=[])

    run(test, tmp_path / "s")


def test_no_more_calls_than_there_is_room_for_are_shadowed_at_a_time(tmp_path: Path) -> None:
    async def test(stage: Stage) -> None:
        async def calls(_live: bool) -> CallList:
            return CallList(tuple(row(f"c{number}") for number in range(AT_ONCE_MAX + 10)))

        async def observe(_call: str) -> CallAddress:
            return CallAddress(stage.endpoint, stage.server.admit("x"), 1)

        shadows = Shadows(order(), calls, observe)
        await shadows.look()
        while shadows.report(-1, -1).present < AT_ONCE_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await shadows.look()
        assert len(shadows._tasks) == AT_ONCE_MAX

    run(test, tmp_path / "s")


@pytest.mark.parametrize(("body", "words"), [("import nowhere", "cannot be loaded"), (HANGS, "not loaded after")])
def test_a_candidate_that_cannot_be_loaded_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str
) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "one.py").write_text(body + "\nclass One:\n    topics = ()\n")
    plain = stricter().model_dump(mode="json")
    plain["agents"] = {"one": {"code": "agents/one.py:One"}}
    if body == HANGS:
        monkeypatch.setattr(shadow_host, "HUNG_S", 0.2)

    async def nothing(*_: Any) -> Any:
        raise NoSuchCall("nobody is asked")

    async def test() -> None:
        shadows = Shadows(order(policy=plain, bundle=str(tmp_path)), nothing, nothing)
        await shadows.run()
        (tmp_path / "agents" / "enough").touch()
        assert words in shadows.report(-1, -1).failed

    asyncio.run(test())


def test_every_thread_of_its_process_yields_to_live_calls() -> None:
    code = (
        "import os, threading, time; from offhook.actors.shadows.shadow_host import be_nice\n"
        "gate = threading.Event(); threading.Thread(target=gate.wait, daemon=True).start(); be_nice()\n"
        "print(*(os.getpriority(os.PRIO_PROCESS, int(t)) for t in os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert {int(each) for each in done.stdout.split()} == {max(NICE, own)}
