"""A node is lost with all its processes while its calls talk: which go on elsewhere, after how long, with which state.

    python tests/benchmarks/node_loss.py [--calls 10] [--leave 3] [--raylet] [--json]

Three raylets on this machine over one Redis (appendfsync always), `offhook up --address`, all calls on one node. Then
the raylet and every process of that node get SIGKILL at once; with `--raylet`, only the raylet. Each carrier sees its
socket close and asks the resume webhook, as Twilio does; `--leave` of them never come back. From outside: node lost ->
first new sound. From the journals: whether each call that came back has every record, replays to the same decisions
over both owners and was in the same stage, turn and evidence before and after; and what was written of those that
stayed away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
from live_calls import EXAMPLES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice
from raylets import Raylets, until
from redis_server import RedisServer
from twilio_phone import Phone

TALK_FRAMES = 200  # 4 s before the node is lost
CLOSED_WITHIN_S = 60.0
WARM_WITHIN_S = 90.0  # spares come up one a second beside live calls
KEPT = ("stage", "turn", "ledger", "concerns", "readiness")


class Carrier:
    """One caller's carrier, and what it saw."""

    def __init__(self, cluster: Raylets, api: httpx.AsyncClient, number: int) -> None:
        self.call = f"CA{number:03d}"
        self.cluster = cluster
        self.api = api
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.silent_ms = 0.0
        self.asked = 0
        self.phone: Phone

    async def _ask(self, webhook: str) -> str:
        form = {"CallSid": self.call, "From": "+1", "To": "+2"}
        answer = await self.api.post(f"/carriers/twilio/{webhook}", data=form)
        stream = ElementTree.fromstring(answer.raise_for_status().text).find("Connect/Stream")
        return stream.attrib["url"] if stream is not None else ""

    async def _dial(self, url: str) -> None:
        self.asked += 1
        self.phone = await Phone.dial(url, f"MZ{self.call}{self.asked}")
        self.phone.returns_marks = True
        self.phone.start()

    async def state(self) -> dict[str, Any]:
        """What the API tells of the call."""
        return dict((await self.api.get(f"/v1/calls/{self.call}")).json())

    async def talk(self) -> None:
        """Be called, listen, interrupt once."""
        await self._dial(await self._ask("voice"))
        await self.phone.talk([SILENCE] * 50 + voice(30) + [SILENCE] * (TALK_FRAMES - 80))

    async def come_back(self, lost_s: float) -> None:
        """Ask where the call goes on, until there is a stream, and wait for sound."""
        await self.phone.closed
        while not (url := await self._ask("resume")):  # noqa: ASYNC110  # another process's state has no event here
            await asyncio.sleep(0.2)
        await self._dial(url)
        await self.phone.until("media")
        self.silent_ms = (time.perf_counter() - lost_s) * 1_000
        self.after = await self.state()
        await self.phone.talk([SILENCE] * 100)
        self.phone.send(self.phone.writer.stop())
        await self.phone.goodbye()


def journal(cluster: Raylets, call: str) -> list[list[Any]]:
    """All records of a call."""
    rows = cluster.api.get(f"/v1/calls/{call}/journal", params={"limit": 10_000}).json()["records"]
    return [[call, row["epoch"], row["seq"], row["at_ms"], row["kind"], row["body"]] for row in rows]


def same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether nothing that the call knew is missing. The ledger only grows, and so may what follows from it."""
    ledger = before.get("ledger", [])
    return all(after.get(name) == before.get(name) for name in KEPT if name != "ledger") and (
        after.get("ledger", [])[: len(ledger)] == ledger
    )


def warm(cluster: Raylets, doomed: str, calls: int) -> bool:
    """Whether the other nodes have their spares again: a node that drains lets them go."""
    rows = cluster.api.get("/v1/nodes").json()["nodes"]
    return sum(row["spare"] for row in rows if row["node"] != doomed) >= calls


def kill_raylet(node: Any) -> None:
    """It alone; nobody reaps it."""
    os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)


async def run(cluster: Raylets, calls: int, leave: int, raylet_only: bool) -> list[Carrier]:
    """Talk, lose the node, come back."""
    doomed = cluster.nodes[0]
    nodes = [row["node"] for row in cluster.api.get("/v1/nodes").json()["nodes"]]
    for node in nodes:
        if node != doomed.node_id:
            cluster.api.post(f"/v1/nodes/{node}/drain")
    async with httpx.AsyncClient(base_url=cluster.api.base_url, timeout=30) as api:
        carriers = [Carrier(cluster, api, number) for number in range(calls)]
        await asyncio.gather(*(carrier.talk() for carrier in carriers))
        for node in nodes:
            cluster.api.delete(f"/v1/nodes/{node}/drain")
        holding = [asyncio.create_task(carrier.phone.talk([SILENCE] * 50 * int(WARM_WITHIN_S))) for carrier in carriers]
        await asyncio.to_thread(until, lambda: warm(cluster, doomed.node_id, calls), WARM_WITHIN_S)
        for carrier in carriers:
            carrier.before = await carrier.state()
        losing = asyncio.create_task(asyncio.to_thread(kill_raylet if raylet_only else cluster.lose, doomed))
        lost_s = time.perf_counter()
        await asyncio.gather(*(carrier.come_back(lost_s) for carrier in carriers[leave:]))
        await asyncio.gather(losing, *holding)
    return carriers


def report(cluster: Raylets, carriers: list[Carrier], leave: int) -> dict[str, Any]:
    """What is known when all is over."""
    for carrier in carriers:
        until(lambda call=carrier.call: journal(cluster, call)[-1][4] == "end", CLOSED_WITHIN_S)
    resumed = carriers[leave:]
    found = {carrier.call: replay(journal(cluster, carrier.call)) for carrier in resumed}
    ends = [journal(cluster, carrier.call)[-1] for carrier in carriers[:leave]]
    silent_ms = sorted(carrier.silent_ms for carrier in resumed)
    return {
        "calls": len(carriers),
        "resumed": len(resumed),
        "silent_ms_p50": round(statistics.median(silent_ms)),
        "silent_ms_max": round(silent_ms[-1]),
        "state_same": sum(same(carrier.before, carrier.after) for carrier in resumed),
        "replays_same": sum(each.same and each.ended and each.events == each.state.revision for each in found.values()),
        "left": leave,
        "closed_with_record": sum(end[5].get("outcome") == "node lost" for end in ends),
    }


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--leave", type=int, default=3)
    parser.add_argument("--raylet", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="oh-redis-", dir="/tmp"))
    with RedisServer(folder) as redis, Raylets(more=2) as cluster:
        cluster.up(EXAMPLES / "policies" / "monologue", "--journal", redis.url, "--spares", str(options.calls))
        carriers = asyncio.run(run(cluster, options.calls, options.leave, options.raylet))
        told = report(cluster, carriers, options.leave)
    if options.json:
        print(json.dumps(told))
    else:
        print("\n".join(f"{name:<20} {value}" for name, value in told.items()))


if __name__ == "__main__":
    main()
