"""A call fails again and again, whoever leads it: a simple policy gets it, then a person."""

from __future__ import annotations

import itertools
import os
import signal

import pytest
from caller import Caller
from installation import Installation

pytestmark = [pytest.mark.ray, pytest.mark.fault]


async def talks(caller: Caller) -> None:
    """More sound comes."""
    before = caller.played_bytes
    await caller.listen_until(lambda: caller.played_bytes > before + 4_000)


async def fails_until(installation: Installation, caller: Caller, figure: str, first_epoch: int) -> int:
    """Kill its process again and again, until the supervisor counts one more of `figure`; the epoch then."""
    before = getattr(await installation.supervisor.stats(), figure)
    await installation.supervisor.ready(4, 120)
    for epoch in itertools.count(first_epoch):
        await installation.supervisor.ready(1, 60)
        os.kill((await installation.row(caller.call)).pid, signal.SIGKILL)
        await caller.owned(epoch)
        if getattr(await installation.supervisor.stats(), figure) > before:
            return epoch
        await talks(caller)
    raise AssertionError("unreachable")


async def led_by(installation: Installation, call: str, version: str) -> bool:
    return bool((await installation.row(call)).policy_version == version)


def test_a_call_that_fails_again_and_again_is_led_by_the_safe_policy_and_then_handed_to_a_person(
    installation: Installation,
) -> None:
    async def test() -> None:
        person = {"transfer_to": "+15550199", "transfer_line": "One moment."}
        safe = await installation.publish(name="safe", limits={"escalation": person})
        version = await installation.publish(limits={"escalation": {"policy": "safe"}})
        await installation.supervisor.keep(
            5
        )  # one for each failure within half a minute, however long a new process takes
        caller = await installation.line("fails", version)
        await talks(caller)
        epoch = await fails_until(installation, caller, "escalations", 2)
        assert epoch == 5  # three takeovers are allowed; the fourth is the escalation's
        await installation.until(lambda: led_by(installation, "fails", safe))
        swapped = await installation.until(
            lambda: installation.records("fails", "policy")
        )  # its row knows before the file has it
        assert swapped[-1][5]["version"] == safe
        await talks(caller)
        assert await fails_until(installation, caller, "farewells", 6) == 9
        await caller.listen_until(lambda: caller.closed)
        assert caller.closed == "transferred"
        ended = await installation.ended("fails")
        assert ended.outcome.startswith("transferred, because it failed: 4 restarts within")
        records = await installation.complete("fails")
        orders = [c for r in records if r[4] == "commands" for c in r[5] if c[0] == "TransferCall"]
        assert [order[2] for order in orders] == ["+15550199"]

    installation.run(test)
