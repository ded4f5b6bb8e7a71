"""Real processes die, or hang, under live calls: what the caller hears of it, and what is written down."""

from __future__ import annotations

import itertools
import os
import signal
import time
from typing import Any

import pytest
from house import House
from offhook.policies.replay import replay
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


def test_a_call_talks_on_when_its_agents_process_dies_and_the_agent_comes_back(house: House) -> None:
    async def test() -> None:
        version = await house.publish()
        phone = await house.call("agentless", version)
        await talks(phone)
        host = next(row for row in (await house.supervisor.stats())["hosts"] if row["calls"])
        killed = time.perf_counter()
        os.kill(host["pid"], signal.SIGKILL)
        await house.until(lambda: house.events("agentless", "AgentLost"))
        await talks(phone)
        assert longest_gap_s(phone, killed) < GAP_S
        joined = lambda: house.events("agentless", "AgentJoined")  # noqa: E731
        await house.until(lambda: _at_least(joined, 2))
        await phone.say(voice(40))
        answered = lambda: house.events("agentless", "AgentAnswered")  # noqa: E731
        await house.listens(phone, lambda: _at_least(answered, 2))  # the second process, where the first was killed
        phone.hang_up()
        await house.ended("agentless")

    house.run(test)


async def _at_least(ask: Any, count: int) -> bool:
    return len(await ask()) >= count


def test_a_call_talks_on_when_its_supervisor_dies_and_nothing_is_missing_in_the_journal(house: House) -> None:
    async def test() -> None:
        version = await house.publish()
        phone = await house.call("orphan", version)
        other = await house.call("orphan2", version)
        await talks(phone)
        before = await house.supervisor.stats()
        killed = time.perf_counter()
        os.kill(before["pid"], signal.SIGKILL)
        await talks(phone)
        await phone.say(voice(40))  # an interruption while nobody keeps the journal
        await phone.listen_until(lambda: phone.count("clear"))
        after = await house.supervisor.ready(1, 120)
        assert after["pid"] != before["pid"]
        await house.until(lambda: _live(house, "orphan"))
        row = await house.row("orphan")
        assert (row["epoch"], row["policy_version"]) == (1, version)
        assert longest_gap_s(other, killed) < GAP_S
        await talks(other)
        health = lambda: house.events("orphan", "HealthChanged")  # noqa: E731
        await house.listens(phone, lambda: _at_least(health, 2))
        phone.hang_up()
        await house.ended("orphan")
        records = await house.complete("orphan")
        found = replay(records)
        assert found.same, str(found.divergence)
        assert found.ended
        assert [event[3] for event in await health() if event[2] == "journal"] == [False, True]
        later = await house.call("after", version)  # policies, engines and spares are there again
        await talks(later)
        for phone, name in ((other, "orphan2"), (later, "after")):
            phone.hang_up()
            await house.ended(name)

    house.run(test)


async def _live(house: House, call: str) -> bool:
    return any(row["call"] == call and row["live"] for row in await house.supervisor.calls())
