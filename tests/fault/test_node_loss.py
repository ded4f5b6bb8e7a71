"""A node dies with all its processes: its calls go on elsewhere with their state, or are closed with a record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis_server
from front_door import ask, drain, journal, nodes, state
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice
from raylets import Raylets, until
from redis_server import RedisServer
from twilio_phone import Phone

pytestmark = [
    pytest.mark.ray,
    pytest.mark.fault,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not redis_server.PROGRAM, reason=redis_server.ABSENT),
]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MONOLOGUE = EXAMPLES / "policies" / "monologue"
SCRIPTS = EXAMPLES / "chaos"
CALLS = 3
GAP_MS = 3_000  # as in test_chaos.py


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raylets]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis, Raylets(more=2) as raylets:
        raylets.up(MONOLOGUE, "--journal", redis.url)
        raylets.journal = redis.url
        yield raylets


def drain_all_but(cluster: Raylets, wanted: str) -> None:
    drain(cluster, *(row["node"] for row in nodes(cluster) if row["node"] != wanted))


def warm_elsewhere(cluster: Raylets, but: str, count: int) -> bool:
    """Whether so many nodes have spares, this one aside: a node that drains lets them go, and gets them back later."""
    return sum(row["spare"] > 0 for row in nodes(cluster) if row["node"] != but) >= count


def talking(cluster: Raylets) -> list[str]:
    """The calls whose lines are open."""
    calls = [row["call_id"] for row in cluster.api.get("/v1/calls", params={"live": "true"}).json()["calls"]]
    return [call for call in calls if state(cluster, call).get("line") == "open"]


async def answered(url: str, stream: str = "MZ1") -> Phone:
    phone = await Phone.dial(url, stream)
    phone.returns_marks = True
    phone.start()
    while not phone.first_audio_s:
        await phone.talk([SILENCE])
    return phone


def test_the_calls_of_a_lost_node_go_on_elsewhere_or_are_closed_with_a_record(cluster: Raylets) -> None:
    doomed = cluster.nodes[0]
    drain_all_but(cluster, doomed.node_id)

    async def before() -> tuple[Phone, Phone]:
        stays, leaves = (
            await answered(ask(cluster, "voice", "CAstays")),
            await answered(ask(cluster, "voice", "CAleaves")),
        )
        await asyncio.gather(stays.talk([SILENCE] * 60 + voice(30) + [SILENCE] * 40), leaves.talk([SILENCE] * 60))
        await stays.until("clear")  # the caller has interrupted: there is a state worth keeping
        return stays, leaves

    async def test() -> None:
        stays, leaves = await before()
        drain(cluster)
        warm = asyncio.create_task(asyncio.to_thread(until, lambda: warm_elsewhere(cluster, doomed.node_id, 2), 120))
        while not warm.done():
            await asyncio.gather(stays.talk([SILENCE] * 10), leaves.talk([SILENCE] * 10))
        await warm
        told = state(cluster, "CAstays")
        assert told["epoch"] == 1 and told["line"] == "open"
        await asyncio.to_thread(cluster.lose, doomed)
        lost_s = time.perf_counter()
        await asyncio.gather(stays.closed, leaves.closed)  # its gateway is dead: the carrier sees its socket close
        # Where nobody can take it at once the carrier is told to wait and to ask again, and does so.
        url = await asyncio.to_thread(until, lambda: ask(cluster, "resume", "CAstays"), 60)
        phone = await answered(url, "MZ2")
        print("node lost -> sound again", time.perf_counter() - lost_s)
        after = state(cluster, "CAstays")
        assert (after["epoch"], after["live"], after["owner"] != told["owner"]) == (3, True, True)
        assert after["turn"] >= told["turn"] and after["stage"] == told["stage"]
        assert after["ledger"][: len(told["ledger"])] == told["ledger"]
        await phone.talk(voice(60) + [SILENCE] * 20)
        await phone.until("clear")  # it hears, and falls silent
        phone.send(phone.writer.stop())
        await phone.goodbye()

    asyncio.run(test())
    until(lambda: not state(cluster, "CAstays")["live"])
    records = journal(cluster, "CAstays")
    assert {record[1] for record in records} == {1, 3}
    found = replay(records)
    assert found.same, str(found.divergence)
    assert found.ended
    assert found.events == found.state.revision  # compaction drops snapshots, never an event
    # The other carrier never asks: its call must not stay open for ever.
    until(lambda: journal(cluster, "CAleaves")[-1][4] == "end", within_s=180)
    end = journal(cluster, "CAleaves")[-1]
    assert (end[1], end[5]["outcome"]) == (3, "node lost")
    assert ask(cluster, "resume", "CAleaves") == ""


def test_a_node_that_joins_gets_a_supervisor_spares_and_a_gateway(cluster: Raylets) -> None:
    node = cluster.add()
    until(lambda: any(row["node"] == node.node_id for row in nodes(cluster)), 120)
    drain_all_but(cluster, node.node_id)
    media = until(lambda: ask(cluster, "voice", "CAjoins"), 120)

    async def test() -> None:
        phone = await answered(media)
        phone.send(phone.writer.stop())
        await phone.goodbye()

    asyncio.run(test())


def test_calls_are_accounted_for_while_a_node_is_killed_and_redis_holds_its_answers_back(cluster: Raylets) -> None:
    # Chaos spares the head, so no call may be there when a node is killed; its spare is for those that lose theirs.
    head = cluster.cluster.head_node.node_id
    drain(cluster, head)
    until(lambda: warm_elsewhere(cluster, head, 2), 120)
    words = ["--seed=16", "--seconds=30", f"--calls={CALLS}", "--per-minute=30", f"--gap-ms-max={GAP_MS}"]
    words += ["--fault=journal_away", "--fault=node_kill", f"--journal={cluster.journal}", f"--scripts={SCRIPTS}"]
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(cluster.chaos, *words)
        until(lambda: running.done() or len(talking(cluster)) == CALLS, 120)
        had = {row["node"][:8]: row["calls"] for row in nodes(cluster)}
        assert cluster.api.delete(f"/v1/nodes/{head}/drain").is_success
        report = running.result()
    seen = f"calls on {had} (the head is {head[:8]}); report: {report}"
    assert {struck["fault"] for struck in report["struck"] if not struck["missed"]} == {"node_kill", "journal_away"}, (
        seen
    )
    counts = report["counts"]
    # Calls of the lost node went on elsewhere.
    assert counts.get("interruptions", 0) > 0 and counts.get("takeovers", 0) > 0, seen
    assert "calls whose tools' register could not be asked" not in counts, seen
