"""Supervised calls on real Ray: from the reservation to the journal, and what agents may not do with old evidence."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable
from typing import Any

import pytest
import ray
from installation import Installation
from offhook.actors.contracts.call_operations import TimedNotice
from offhook.actors.contracts.errors import NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.messages import Clear, Gone
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.link.link import connect
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice

pytestmark = pytest.mark.ray


PROCESSES_MAX = 6  # that wait for calls here: two spares, and those that calls which came at once have left behind


def test_the_repositorys_folders_are_no_modules_inside_a_worker(installation: Installation) -> None:
    @ray.remote(num_cpus=0)
    def found() -> list[str]:
        return [name for name in ("actors", "policies", "cluster", "serve") if importlib.util.find_spec(name)]

    assert ray.get(found.remote(), timeout=120) == []


def test_a_call_is_answered_interrupted_ended_and_its_journal_replays(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        phone = await installation.call("whole", version)
        await phone.listen_until(lambda: phone.played_bytes > 8_000)
        await phone.say(voice(40))
        await phone.listen_until(lambda: phone.count(Clear.NAME))
        assert phone.count(Clear.NAME) == 1
        state = await installation.supervisor.state("whole")
        assert state["call"] == "whole"
        assert state["epoch"] == 1
        assert state["policy_version"] == version
        assert state["last_utterance"]["cut"] or state["utterance"]["playing"] == "held"
        assert state["counts"]["reaction_us_max"] > 0
        await phone.listen(600)
        phone.hang_up()
        row = await installation.ended("whole")
        assert row.outcome
        records = await installation.complete("whole")
        assert {record[1] for record in records} == {1}
        found = replay(records)
        assert found.same, str(found.divergence)
        assert found.ended
        assert next(record[5]["what"] for record in records if record[4] == "measure") == "hold"
        assert await installation.supervisor.verdicts("whole")
        past = await installation.supervisor.state("whole")
        assert past["line"] == "closed"
        assert past["outcome"] == row.outcome

    installation.run(test)


def test_a_process_serves_call_after_call(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        served: list[tuple[str, int]] = []
        for number in range(PROCESSES_MAX + 1):  # which spare gets a call is the pool's matter
            name = f"again{number}"
            phone = await installation.call(name, version)
            await phone.listen_until(lambda phone=phone: phone.played_bytes)
            phone.hang_up()
            row = await installation.ended(name)
            served.append((row.owner, row.pid))
            if served[-1] in served[:-1]:
                break
        assert served[-1] in served[:-1], served
        assert (await installation.records(name))[0][2] == 1

    installation.run(test)


def test_a_call_is_followed_by_its_notices_to_its_end_and_its_journal_is_not_read_for_it(
    installation: Installation,
) -> None:
    async def test() -> None:
        version = await installation.publish()
        phone = await installation.call("followed", version)
        told: list[TimedNotice] = []
        after_seq = -1

        async def heard(topic: str) -> bool:
            nonlocal after_seq
            news = await installation.supervisor.follow("followed", after_seq, 0.0)
            assert not news.missed and news.live
            told.extend(news.notices)
            after_seq = news.next_after_seq
            return topic in [notice.topic for notice in told]

        await installation.listens(phone, lambda: heard("verdict"))
        await phone.say(voice(40))
        await installation.listens(phone, lambda: heard("overlap"))
        assert [notice.seq for notice in told] == list(range(1, len(told) + 1))
        verdicts = await installation.supervisor.verdicts("followed")
        assert [n.body["id"] for n in told if n.topic == "verdict"] == [v[1] for v in verdicts][: len(told)]
        phone.hang_up()
        await installation.ended("followed")
        while (news := await installation.supervisor.follow("followed", after_seq, 5.0)).live:
            after_seq = news.next_after_seq
        with pytest.raises(NoSuchCall):
            await installation.supervisor.follow("never-was", -1, 0.0)

    installation.run(test)


SLEEPER = """
import time
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Sleeper:
    topics = ()
    def __init__(self, name, spec):
        self.greeted = False
    def propose(self, view, reason):
        if reason == "answered":
            text = "Good morning, this is a rather long greeting that goes on for quite a while. " * 20
            return [Proposal("greeting", "", Kind.SAY, 0, 0, text, Purpose.GREETING)]
        time.sleep(5.0)
        # It claims to be fresh; nobody believes it.
        return [Proposal(f"late-{view['revision']}", "", Kind.SAY, 10_000, 10_000, "Where were we?", Purpose.REPAIR)]
"""


def test_a_proposal_computed_before_an_interruption_is_denied_as_stale(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish(SLEEPER)
        phone = await installation.call("stale", version)
        await phone.listen_until(lambda: phone.played_bytes > 8_000)
        await phone.say(voice(60))  # the first interruption: the agent is asked, and sleeps

        async def asked() -> list[list[Any]]:
            commands = [c for record in await installation.records("stale", "commands") for c in record[5]]
            invited = [c for c in commands if c[0] == "InviteAgents"]
            return invited if len(invited) >= 2 else []

        async def judged() -> list[Any]:
            return [v for v in await installation.supervisor.verdicts("stale") if v[2].startswith("late-")]

        invited = await installation.listens(phone, asked)
        await phone.say(voice(60))  # while it sleeps, the caller speaks again
        late = await installation.listens(phone, judged)
        first = late[0]
        assert first[6] == "deny"
        failed = {rule[0] for rule in first[12] if not rule[3]}
        assert "fresh" in failed, first
        assert int(first[2].removeprefix("late-")) == invited[1][3]  # it was computed from the view that it was sent
        phone.hang_up()
        await installation.ended("stale")

    installation.run(test)


RAISER = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Raiser:
    made = 0
    topics = ()
    def __init__(self, name, spec):
        Raiser.made += 1
        self.number = Raiser.made
    def propose(self, view, reason):
        if self.number == 1:
            raise ValueError("the first of its kind fails")
        return [Proposal("", "", Kind.SAY, 0, 0, "Here I am again, at some length. " * 10, Purpose.GREETING)]
"""


def test_an_agent_that_raises_is_made_anew_and_the_call_hears_of_both(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish(RAISER)
        phone = await installation.call("raises", version)
        await installation.until(lambda: installation.events("raises", "AgentLost"))
        lost = (await installation.events("raises", "AgentLost"))[0]
        assert lost[2] == "closer" and lost[3].startswith("ValueError at agents/")
        assert lost[5] == "the first of its kind fails"
        joined = await installation.until(lambda: at_least(installation.events("raises", "AgentJoined"), 2))
        assert len(joined) == 2
        await phone.say(voice(40))
        await phone.listen_until(lambda: phone.played_bytes)
        phone.hang_up()
        await installation.ended("raises")

    installation.run(test)


async def at_least(found: Awaitable[list[Any]], count: int) -> list[Any]:
    return rows if len(rows := await found) >= count else []


def test_an_observer_hears_what_happens_and_what_happened_just_before(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        phone = await installation.call("watched", version)
        await phone.listen_until(lambda: phone.played_bytes)
        door = await installation.supervisor.observe("watched")
        heard: list[Any] = []
        await connect(
            door.endpoint, door.token, "console", "observer", ["*"], 0, on_message=lambda _l, m: heard.append(m)
        )
        await phone.say(voice(40) + [SILENCE] * 10)
        await phone.listen_until(lambda: {"call", "floor"} <= {message[4] for message in heard})
        assert [message[1] for message in heard] == list(range(1, len(heard) + 1))
        phone.hang_up()
        await installation.ended("watched")
        async with asyncio.timeout(60):
            while heard[-1][0] != Gone.NAME:  # noqa: ASYNC110  # what comes on a link has no event here
                await asyncio.sleep(0.02)

    installation.run(test)


def test_what_cannot_be_reserved_says_why_and_leaves_nothing_behind(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        supervisor = installation.supervisor
        with pytest.raises(UnknownPolicy, match="was not published here"):
            await supervisor.reserve(CallRequest("a", policy="nowhere"))
        with pytest.raises(CallerFault, match="printable"):
            await supervisor.reserve(CallRequest("", policy=version))
        with pytest.raises(NoSuchCall):
            await supervisor.claim("a")
        with pytest.raises(PolicyError, match="agents"):
            await supervisor.publish_policy("broken", {"name": "x", "agents": {}})
        with pytest.raises(CallerFault, match="allowed are"):
            await supervisor.engines({"kind": "telepathy"}, {})
        phone = await installation.call("taken", version)
        with pytest.raises(CallerFault, match="live already"):
            await supervisor.reserve(CallRequest("taken", policy=version))
        await supervisor.drain(True)
        with pytest.raises(NoSpare, match="drains"):
            await supervisor.reserve(CallRequest("b", policy=version))
        await phone.listen_until(lambda: phone.played_bytes)  # the live call does not notice
        await supervisor.drain(False)
        phone.hang_up()
        await installation.ended("taken")
        assert all(not row.live for row in (await supervisor.calls()).calls)

    installation.run(test)


def test_calls_that_come_at_once_share_the_spares_and_wait_for_more(installation: Installation) -> None:
    async def test() -> None:
        version = await installation.publish()
        phones = await asyncio.gather(*(installation.call(f"burst{n}", version) for n in range(4)))
        owners = {(await installation.row(f"burst{n}")).owner for n in range(4)}
        assert len(owners) == 4
        for phone in phones:
            await phone.listen_until(lambda phone=phone: phone.played_bytes)
            phone.hang_up()
        for n in range(4):
            await installation.ended(f"burst{n}")

    installation.run(test)
