"""A call's process and its node's supervisor die at the same moment: whoever has the line gets the call back."""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest
from caller import Caller
from installation import Installation
from offhook.policies.replay.replay import replay

pytestmark = [pytest.mark.ray, pytest.mark.fault]


async def talks(caller: Caller, within_ms: int = 60_000) -> None:
    """More sound comes."""
    before = caller.played_bytes
    await caller.listen_until(lambda: caller.played_bytes > before + 4_000, within_ms)


async def live(installation: Installation, call: str) -> bool:
    return any(row.call == call and row.live for row in (await installation.supervisor.calls()).calls)


async def killed_together(installation: Installation, *calls: str) -> None:
    pids = [(await installation.supervisor.stats()).pid, *[(await installation.row(call)).pid for call in calls]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


async def whole(installation: Installation, call: str) -> list[list[Any]]:
    records = await installation.complete(call)
    assert all(one[1] <= two[1] for one, two in itertools.pairwise(records))
    found = replay(records)
    assert found.same, str(found.divergence)
    assert found.ended
    return records


def test_a_call_that_died_with_its_supervisor_goes_on_while_its_line_is_held(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        dies, lives = await installation.line("dies", version), await installation.line("lives", version)
        await talks(dies)
        await talks(lives)
        await installation.supervisor.ready(2, 120)
        await killed_together(installation, "dies")
        await dies.owned(2)
        await talks(dies)
        await installation.until(lambda: live(installation, "lives"))
        assert (await installation.row("lives")).epoch == 1  # its process had never been away
        row = await installation.row("dies")
        assert (row.epoch, row.caller, row.callee, row.policy_version) == (2, "+1", "+2", version)
        for caller, call in ((dies, "dies"), (lives, "lives")):
            caller.leave()
            assert (await installation.ended(call)).outcome == "caller_hung_up"
            await whole(installation, call)
        stopped = await installation.events("dies", "OwnerChanged")
        assert [event[2] for event in stopped] == [2]

    installation.run(test)


def test_a_call_that_died_with_its_supervisor_and_whose_line_is_gone_is_closed_with_a_record(
    installation: Installation,
) -> None:
    async def test() -> None:
        version = await installation.publish()
        await installation.supervisor.ready(2, 120)
        caller = await installation.line("gone", version)
        await talks(caller)
        caller.line.lost("the carrier's socket closed")  # no gateway holds it, nobody will claim it
        await installation.until(lambda: installation.events("gone", "LineLost"))
        await killed_together(installation, "gone")
        await installation.until(lambda: installation.records("gone", "end"))
        records = await installation.complete("gone")
        assert records[-1][5]["outcome"] == "call process died"
        assert "no line claims it" in records[-1][5]["why"]

    installation.run(test)
