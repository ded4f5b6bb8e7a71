"""Real processes die, or hang, under live calls: what the caller hears of it, and what is written down."""

from __future__ import annotations

import itertools
import os
import signal
import time
from typing import Any

import pytest
from installation import Installation
from offhook.policies.replay.replay import replay
from phone import Phone, voice

pytestmark = [pytest.mark.ray, pytest.mark.fault]


async def talks(phone: Phone) -> None:
    """More sound comes."""
    before = phone.played_bytes
    await phone.listen_until(lambda: phone.played_bytes > before + 4_000)


GAP_S = 3.0  # what a busy machine does to a test; a benchmark has figures


def longest_gap_s(phone: Phone, since: float) -> float:
    """Between two pieces of sound."""
    moments = [moment for moment, name, _ in phone.events if name == "play" and moment >= since]
    return max((b - a for a, b in itertools.pairwise(moments)), default=0.0)


def test_a_call_talks_on_when_its_agents_process_dies_and_the_agent_comes_back(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        phone = await installation.call("agentless", version)
        await talks(phone)
        host = next(row for row in (await installation.supervisor.stats()).hosts if row.calls)
        killed = time.perf_counter()
        os.kill(host.pid, signal.SIGKILL)
        await installation.until(lambda: installation.events("agentless", "AgentLost"))
        await talks(phone)
        assert longest_gap_s(phone, killed) < GAP_S
        joined = lambda: installation.events("agentless", "AgentJoined")  # noqa: E731
        await installation.until(lambda: _at_least(joined, 2))
        await phone.say(voice(40))
        answered = lambda: installation.events("agentless", "AgentAnswered")  # noqa: E731
        await installation.listens(
            phone, lambda: _at_least(answered, 2)
        )  # the second process, where the first was killed
        phone.hang_up()
        await installation.ended("agentless")

    installation.run(test)


async def _at_least(ask: Any, count: int) -> bool:
    return len(await ask()) >= count


def test_a_call_talks_on_when_its_supervisor_dies_and_nothing_is_missing_in_the_journal(
    installation: Installation,
) -> None:
    async def test() -> None:
        version = await installation.publish()
        phone = await installation.call("orphan", version)
        other = await installation.call("orphan2", version)
        await talks(phone)
        before = await installation.supervisor.stats()
        killed = time.perf_counter()
        os.kill(before.pid, signal.SIGKILL)
        await talks(phone)
        await phone.say(voice(40))  # an interruption while nobody keeps the journal
        await phone.listen_until(lambda: phone.count("clear"))
        after = await installation.supervisor.ready(1, 120)
        assert after.pid != before.pid
        await installation.until(lambda: _live(installation, "orphan"))
        row = await installation.row("orphan")
        assert (row.epoch, row.policy_version) == (1, version)
        assert longest_gap_s(other, killed) < GAP_S
        await talks(other)
        health = lambda: installation.events("orphan", "HealthChanged")  # noqa: E731
        await installation.listens(phone, lambda: _at_least(health, 2))
        phone.hang_up()
        await installation.ended("orphan")
        records = await installation.complete("orphan")
        found = replay(records)
        assert found.same, str(found.divergence)
        assert found.ended
        assert [event[3] for event in await health() if event[2] == "journal"] == [False, True]
        later = await installation.call("after", version)  # policies, engines and spares are there again
        await talks(later)
        for phone, name in ((other, "orphan2"), (later, "after")):
            phone.hang_up()
            await installation.ended(name)

    installation.run(test)


async def _live(installation: Installation, call: str) -> bool:
    return any(row.call == call and row.live for row in (await installation.supervisor.calls()).calls)
