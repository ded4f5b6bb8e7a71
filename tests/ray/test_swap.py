"""Live calls swapped to another policy version on real Ray: under talk, with versions that are no good, over deaths."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from typing import Any

import pytest
from installation import Installation
from offhook.actors.contracts.errors import UnknownPolicy
from offhook.actors.contracts.node_operations import CallRequest, SwapOutcome
from offhook.policies.core.errors import CallerFault
from offhook.policies.replay.replay import replay
from phone import voice

pytestmark = pytest.mark.ray

AGENT = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

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


async def swap(
    installation: Installation, to: str, calls: list[str], ms: int = 90_000, then: str = "keep"
) -> SwapOutcome:
    return await installation.supervisor.swap_policy(to, "", calls, ms, then)


async def said(installation: Installation, call: str) -> list[str]:
    """What was granted to be said, in order."""
    commands = await installation.records(call, "commands")
    return [str(c[2]) for record in commands for c in record[5] if c[0] == "Say"]


async def says_more(installation: Installation, call: str, than: int) -> bool:
    return len(await said(installation, call)) > than


async def whole(installation: Installation, call: str) -> list[list[Any]]:
    """The journal of a call that is over: nothing is missing, and it replays to the same decisions."""
    await installation.ended(call)
    records = await installation.records(call)
    found = replay(records)
    assert found.same, str(found.divergence)
    assert found.events == found.state.revision  # compaction drops snapshots, never an event
    assert found.ended
    return records


async def talk(phone: Any, until: asyncio.Task[Any]) -> None:
    """A lively caller, until something is over."""
    while not until.done():
        await phone.say(voice(25))
        await phone.listen(600)


def test_a_call_is_swapped_under_talk_and_its_whole_journal_replays(installation: Installation) -> None:
    async def test() -> None:
        former, latter = await installation.publish(FORMER + MEMORY), await installation.publish(LATTER + MEMORY)
        phone = await installation.call("talk", former)
        await phone.listen_until(lambda: phone.played_bytes)
        swapping = asyncio.create_task(swap(installation, latter, ["talk"]))
        await talk(phone, swapping)
        assert replace(await swapping, seated_ms=0) == SwapOutcome(asked=1, swapped=1)
        assert (await installation.row("talk")).policy_version == latter
        assert (await installation.supervisor.state("talk"))["policy_version"] == latter
        before = len(await said(installation, "talk"))
        await phone.say(voice(40))

        async def answered() -> bool:
            return len(await said(installation, "talk")) > before

        await installation.listens(phone, answered)
        texts = await said(installation, "talk")
        phone.hang_up()
        records = await whole(installation, "talk")
        (policy,) = [record for record in records if record[4] == "policy"]
        assert policy[5]["version"] == latter
        first = next(n for n, text in enumerate(texts) if text.startswith("Latter"))
        assert all(text.startswith("Former") for text in texts[:first])
        assert all(text.startswith("Latter") for text in texts[first:])
        assert texts[first].startswith(f"Latter, turn 1, known {{'turns': {first}}}"), texts
        stats = await installation.supervisor.stats()
        assert all(host.calls == 0 for host in stats.hosts), stats.hosts

        with pytest.raises(CallerFault, match="at_deadline"):
            await swap(installation, latter, [], then="never")
        await installation.supervisor.withdraw_policy(former)
        with pytest.raises(UnknownPolicy):
            await installation.supervisor.reserve(CallRequest("late", policy=former))

        async def forgotten() -> bool:
            told = await installation.supervisor.stats()
            return former not in told.policies and not any(host.policy == former for host in told.hosts)

        await installation.until(forgotten)

    installation.run(test)


def test_a_version_that_raises_hangs_or_cannot_be_loaded_costs_no_call_anything(installation: Installation) -> None:
    async def test() -> None:
        former = await installation.publish(FORMER)
        bad = [await installation.publish(RAISES), await installation.publish(HANGS), "unloadable"]
        lacking = {"name": "test", "agents": {"closer": {"code": "agents/none.py:None_"}}}
        await installation.supervisor.publish_policy("unloadable", lacking, str(installation.folder / bad[0]))
        names = ["raises", "hangs", "lacks"]
        phones = [await installation.call(name, former) for name in names]
        for phone in phones:
            await phone.listen_until(lambda phone=phone: phone.played_bytes)
        told = await asyncio.gather(*(swap(installation, v, [n], 0, "force") for v, n in zip(bad, names, strict=True)))
        whys = [answer.refused[name] for answer, name in zip(told, names, strict=True)]
        assert "agent closer fails: ValueError" in whys[0], whys
        assert "agent closer has not answered" in whys[1], whys
        assert "agent closer" in whys[2], whys
        for phone, name in zip(phones, names, strict=True):
            assert (await installation.row(name)).policy_version == former
            before = len(await said(installation, name))
            await phone.say(voice(40))
            await installation.listens(
                phone, lambda name=name, before=before: says_more(installation, name, before)
            )  # as before
            phone.hang_up()
            assert not [record for record in await whole(installation, name) if record[4] == "policy"]

    installation.run(test)


def test_the_calls_process_is_killed_during_a_swap_and_after_it(installation: Installation) -> None:
    async def test() -> None:
        longer = FORMER.replace("text = ", "text = 6 * ")
        former, latter = await installation.publish(longer), await installation.publish(LATTER)
        line = await installation.line("killed", former)
        await line.listen_until(lambda: line.played_bytes)
        swapping = asyncio.create_task(swap(installation, latter, ["killed"], 120_000))

        async def offered() -> bool:
            stats = await installation.supervisor.stats()
            return any(host.policy == latter and host.calls for host in stats.hosts)

        await installation.until(offered)
        os.kill((await installation.row("killed")).pid, signal.SIGKILL)  # while the utterance is heard
        await line.owned(2)
        assert (await installation.row("killed")).policy_version == former
        while not swapping.done():
            await line.listen(100)
        assert replace(await swapping, seated_ms=0) == SwapOutcome(asked=1, swapped=1)
        os.kill((await installation.row("killed")).pid, signal.SIGKILL)
        await line.owned(3)
        row = await installation.row("killed")
        assert (row.policy_version, row.epoch) == (latter, 3)
        before = len(await said(installation, "killed"))
        await line.say(voice(40))
        await installation.listens(line, lambda: says_more(installation, "killed", before))
        line.leave()
        texts = await said(installation, "killed")
        assert texts[-1].startswith("Latter"), texts
        records = await whole(installation, "killed")
        assert {record[1] for record in records} == {1, 2, 3}
        assert [record[5]["version"] for record in records if record[4] == "policy"] == [latter]

    installation.run(test)
