"""A raylet dies alone and nobody reaps it: what it has started ends at once, and its calls go on elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
import redis_server
from front_door import ask, drain, journal, nodes, processes, state
from offhook.actors.node.residents import lives
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice
from raylets import Raylets, until
from redis_server import RedisServer
from twilio_phone import Phone

pytestmark = [
    pytest.mark.ray,
    pytest.mark.fault,
    pytest.mark.timeout(120),
    pytest.mark.skipif(not redis_server.PROGRAM, reason=redis_server.ABSENT),
]

MONOLOGUE = Path(__file__).resolve().parents[2] / "examples" / "policies" / "monologue"
CALLS = ("CAone", "CAtwo")
ALONE_S = 8.0  # Ray itself lets the processes of a raylet that nobody has reaped go on for 40 s and more


async def answered(url: str, stream: str) -> Phone:
    phone = await Phone.dial(url, stream)
    phone.returns_marks = True
    phone.start()
    return phone


async def talking(cluster: Raylets, call: str) -> Phone:
    """A call whose caller has interrupted the agent: there is a state worth keeping."""
    phone = await answered(await asyncio.to_thread(ask, cluster, "voice", call), f"MZ{call}")
    await phone.talk([SILENCE] * 60 + voice(30) + [SILENCE] * 40)
    await phone.until("clear")
    return phone


async def goes_on(cluster: Raylets, call: str) -> Phone:
    """The carrier asks where its call goes on, until it is told, and hears it there."""
    url = await asyncio.to_thread(until, lambda: ask(cluster, "resume", call), 20)
    phone = await answered(url, f"MZ{call}2")
    await phone.until("media")
    return phone


def test_what_a_dead_raylet_has_started_leaves_at_once_and_its_calls_go_on_elsewhere(tmp_path: Path) -> None:
    async def test(cluster: Raylets) -> None:
        doomed = cluster.nodes[0]
        others = [row["node"] for row in nodes(cluster) if row["node"] != doomed.node_id]
        drain(cluster, *others)
        phones = await asyncio.gather(*(talking(cluster, call) for call in CALLS))
        drain(cluster)
        await asyncio.to_thread(
            until, lambda: all(row["spare"] for row in nodes(cluster) if row["node"] in others), 60
        )  # a node that drains lets them go
        before = {call: state(cluster, call) for call in CALLS}
        pids = processes(cluster, doomed.node_id)
        assert len(pids) == 4 and all(map(lives, pids))
        os.kill(doomed.all_processes["raylet"][0].process.pid, signal.SIGKILL)  # its parent, this process, leaves it so
        killed_s = time.perf_counter()
        async with asyncio.timeout(ALONE_S):
            await asyncio.gather(*(phone.closed for phone in phones))
        print("raylet killed -> streams closed", time.perf_counter() - killed_s)
        phones = await asyncio.gather(*(goes_on(cluster, call) for call in CALLS))
        print("raylet killed -> sound again", time.perf_counter() - killed_s)
        await asyncio.to_thread(until, lambda: not any(map(lives, pids)), ALONE_S)
        print("raylet killed -> its processes seen gone", time.perf_counter() - killed_s)
        for call, phone in zip(CALLS, phones, strict=True):
            was, now = before[call], state(cluster, call)
            assert now["live"] and now["epoch"] > was["epoch"] and now["owner"] != was["owner"]
            assert now["stage"] == was["stage"] and now["turn"] >= was["turn"]
            assert now["ledger"][: len(was["ledger"])] == was["ledger"]
            phone.send(phone.writer.stop())
            await phone.goodbye()

    with RedisServer(tmp_path) as redis, Raylets(more=1) as cluster:
        cluster.up(MONOLOGUE, "--journal", redis.url)
        asyncio.run(test(cluster))
        until(lambda: not any(state(cluster, call)["live"] for call in CALLS))
        for call in CALLS:
            records = journal(cluster, call)
            found = replay(records)
            assert found.same and found.ended, str(found.divergence)
            assert found.events == found.state.revision
            assert [record[4] for record in records].count("end") == 1  # the node that left had not closed it
