"""Live calls swapped to another policy version on real Ray: under talk, with versions that are no good, over deaths."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest
from house import House
from offhook.actors.errors import UnknownPolicy
from offhook.policies.errors import CallerFault
from offhook.policies.replay import replay
from phone import voice

pytestmark = pytest.mark.ray

AGENT = """
from offhook.policies.proposals import Kind, Proposal, Purpose

class Agent:
    topics = ()
    def __init__(self, name, spec):
        self.turns = 0
        self.known = {}
    def propose(self, view, reason):
        self.turns += 1
        text = "%s, turn %%d, known %%s." %% (self.turns, self.known)
        return [Proposal("", "", Kind.SAY, 0, 0, text, Purpose.ANSWER)]
"""
FORMER, LATTER = AGENT % "Former", AGENT % "Latter"
MEMORY = """
    def remember(self):
        return {"turns": self.turns}
    def upgrade(self, memory):
        self.known = memory
"""
RAISES = (
    "class Agent:\n    def __init__(self, name, spec): pass\n    def propose(self, view, reason): raise ValueError\n"
)
HANGS = """
import time

class Agent:
    def __init__(self, name, spec): pass
    def propose(self, view, reason): time.sleep(60)
"""


async def swap(house: House, to: str, calls: list[str], ms: int = 20_000, then: str = "keep") -> dict[str, Any]:
    return await house.supervisor.swap_policy(to, "", calls, ms, then)


async def said(house: House, call: str) -> list[str]:
    """What was granted to be said, in order."""
    commands = await house.records(call, "commands")
    return [str(c[2]) for record in commands for c in record[5] if c[0] == "Say"]


async def whole(house: House, call: str) -> list[list[Any]]:
    """The journal of a call that is over: nothing is missing, and it replays to the same decisions."""
    await house.ended(call)
    records = await house.records(call)
    assert [record[2] for record in records] == list(range(1, len(records) + 1))
    found = replay(records)
    assert found.same, str(found.divergence)
    assert found.ended
    return records


async def talk(phone: Any, until: asyncio.Task[Any]) -> None:
    """A lively caller, until something is over."""
    while not until.done():
        await phone.say(voice(25))
        await phone.listen(600)


def test_a_call_is_swapped_under_talk_and_its_whole_journal_replays(house: House) -> None:
    async def test() -> None:
        former, latter = await house.publish(FORMER + MEMORY), await house.publish(LATTER + MEMORY)
        phone = await house.call("talk", former)
        await phone.listen_until(lambda: phone.played_bytes)
        swapping = asyncio.create_task(swap(house, latter, ["talk"]))
        await talk(phone, swapping)
        assert await swapping == {"asked": 1, "swapped": 1, "kept": 0, "refused": {}}
        assert (await house.row("talk"))["policy_version"] == latter
        assert (await house.supervisor.state("talk"))["policy_version"] == latter
        before = len(await said(house, "talk"))
        await phone.say(voice(40))

        async def answered() -> bool:
            return len(await said(house, "talk")) > before

        for _ in range(40):
            if await answered():
                break
            await phone.listen(200)
        texts = await said(house, "talk")
        phone.hang_up()
        records = await whole(house, "talk")
        (policy,) = [record for record in records if record[4] == "policy"]
        assert policy[5]["version"] == latter
        first = next(n for n, text in enumerate(texts) if text.startswith("Latter"))
        assert all(text.startswith("Former") for text in texts[:first])
        assert all(text.startswith("Latter") for text in texts[first:])
        assert texts[first].startswith(f"Latter, turn 1, known {{'turns': {first}}}"), texts
        stats = await house.supervisor.stats()
        assert all(host["calls"] == 0 for host in stats["hosts"]), stats["hosts"]

    house.run(test)
