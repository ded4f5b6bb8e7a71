"""A spike on Ray's real autoscaler (v2, fake nodes), run by tests/fault/test_autoscaler.py on a machine of its own.

The director asks the autoscaler for nodes, nodes appear, calls are placed on them and talk, nodes that are not needed
drain and leave; a node with a live call stays, one that is to be taken away stays until its call has ended. Prints one
line of JSON: what happened, in seconds since the start.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import own_machine

SLOTS = 2  # calls that a node carries
CALLS = 5  # of the spike: three nodes' worth
WITHIN_S = 180.0

POLICY = {"name": "spike", "agents": {"closer": {"code": "agents/one.py:Greeter", "calls_per_actor": 50}}}
GOALS = {
    # What is live counts here, not what may come: a reserve would take nodes that the test would have to wait for.
    "blocking_share": 0.95,
    "burst_share": 0.0,
    "slots_per_node": SLOTS,
    "nodes_min": 1,
    "nodes_max": 3,
    "nodes_lost": 0,
    "spares_min": 1,
    "holding_s": 3.0,
    "calm_ms": 4_000,
}
RULES = {"scale": True, "goals": GOALS, "admission": {"ring_ms": 60_000, "late_ms": 10_000}, "spares_min": 1,
         "spares_max": 1}  # fmt: skip


class Diary:
    """What happened when."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.told: dict[str, Any] = {}

    def note(self, what: str, value: Any = None) -> None:
        at_s = round(time.monotonic() - self.began, 1)
        self.told[what] = at_s if value is None else value
        print(f"{at_s:7.1f} s  {what} {'' if value is None else value}", file=sys.stderr, flush=True)


async def until(what: str, true: Callable[[], Any], diary: Diary) -> Any:
    """Asks until the answer is true; raises after `WITHIN_S`."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            diary.note(what)
            return answer
        assert time.monotonic() < deadline, f"not within {WITHIN_S} s: {what}; {diary.told}"
        await asyncio.sleep(0.25)


def workers() -> set[str]:
    """Nodes that are alive and carry calls."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("call_slot")}


async def spike(folder: Path, diary: Diary) -> None:
    from caller import Exchange
    from installation import GREETER
    from offhook.actors.contracts.node_operations import CallRequest
    from offhook.actors.contracts.operations import plain
    from offhook.actors.node.bundle_archive import pack
    from offhook.cluster.director import start_director
    from offhook.serve.contracts.claim import Claim

    director = start_director({"state_dir": str(folder), "spares": 1}, capacity=RULES)
    bundle = folder / "bundle"
    (bundle / "agents").mkdir(parents=True)
    (bundle / "agents" / "one.py").write_text(GREETER)
    await director.publish_policy("v1", POLICY, pack(bundle))
    await director.engines({"kind": "none"}, {"kind": "tone"})
    await until("the first node is there", lambda: len(workers()) == 1, diary)

    async def claim(call: str, lost_epoch: int) -> Claim:
        door = await (await director.supervisor(call)).claim(call, lost_epoch)
        return Claim(door.endpoint, door.token, door.epoch)

    exchange = Exchange(claim)
    placed: dict[str, str] = {}
    lines: dict[str, Any] = {}
    listening: dict[str, asyncio.Task[None]] = {}

    async def ring(number: int) -> None:
        call = f"spike-{number}"
        door = await director.reserve(CallRequest(call, policy="v1", wait_s=150))
        placed[call] = door.node
        line = lines[call] = exchange.dial(call, f"MZ{number}")
        await line.listen_until(lambda: line.played_bytes)
        listening[call] = asyncio.create_task(line.listen(10 * 60_000))

    rings = asyncio.gather(*(ring(number) for number in range(CALLS)))
    try:
        await rings
    except BaseException:
        diary.note("capacity", plain((await director.stats()).capacity))
        raise
    diary.note("all calls talk")
    diary.note("nodes that have calls", len(set(placed.values())))
    diary.note("most calls on a node", max(list(placed.values()).count(node) for node in placed.values()))

    stays = next(iter(placed))
    diary.note("lost", [call for call, line in lines.items() if line.closed])
    for call in set(placed) - {stays}:
        listening.pop(call).cancel()
        lines[call].leave()
    await until("two nodes have left", lambda: workers() == {placed[stays]}, diary)
    await still_talks(director, lines[stays])
    diary.note("the live call talks on")

    take_away(placed[stays])  # as a cloud does: a notice that the node will be preempted
    diary.note("the last node is to be taken away")
    # The director looks at the nodes every two seconds: until then it may still give that node a call.
    await until("the director gives it no calls", lambda: takes_no_calls(director, placed[stays]), diary)
    heir = await until("another node is there", lambda: workers() - {placed[stays]}, diary)
    door = await director.reserve(CallRequest("later", policy="v1", wait_s=150))
    assert door.node in heir, "a node that is to be taken away got a call"
    await still_talks(director, lines[stays])
    diary.note("the live call talks on there too")
    listening.pop(stays).cancel()
    lines[stays].leave()
    await until("it leaves once its call has ended", lambda: placed[stays] not in workers(), diary)
    diary.note("gaps", sum(len(line.gaps) for line in lines.values()))
    cost = await director.cost()
    diary.note("calls on the account", cost.total.calls)
    await director.stop()


async def still_talks(director: Any, line: Any) -> None:
    """The line is open and has an owner, and the call is a live one that takes in what is said."""
    assert not line.closed, line.closed
    assert line.line.attached, "the line has no owner"
    rows = {row.call: row for row in (await director.calls()).calls}
    assert rows[line.call].live, rows[line.call].outcome
    supervisor = await director.supervisor(line.call)
    before = (await supervisor.state(line.call))["counts"]["frames"]
    deadline = time.monotonic() + WITHIN_S
    while (await supervisor.state(line.call))["counts"]["frames"] <= before:
        assert time.monotonic() < deadline, "what the caller says does not arrive"
        await asyncio.sleep(0.05)


async def takes_no_calls(director: Any, node: str) -> bool:
    """Whether the node's supervisor has been told to take none."""
    return bool((await director.stats()).nodes[node].draining)


def take_away(node: str) -> None:
    """A preemption notice of ten minutes."""
    from offhook.cluster import ray_private

    refusal = ray_private.drain_node(node, "the cloud wants it back", int(time.time() * 1_000) + 600_000)
    assert not refusal, refusal


def main() -> None:
    own_machine.settle()
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent)  # the autoscaler finds its cloud there
    os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from fake_cloud import Cloud
    from offhook.actors.refs.handles import NAMESPACE

    calls = {"resources": {"CPU": 1, "call_slot": SLOTS, "object_store_memory": 80 << 20}, "node_config": {},
             "min_workers": 0, "max_workers": 3}  # fmt: skip
    head = {"CPU": 1, "object_store_memory": 80 << 20}
    cluster = Cloud(head, {"calls": calls}, autoscaler_v2=True, idle_timeout_minutes=0.1, max_workers=3)
    diary = Diary()
    cluster.start()
    diary.note("Ray is up")
    ended = 1
    try:
        ray.init("auto", namespace=NAMESPACE, log_to_driver=False)
        folder = Path(tempfile.mkdtemp(prefix="oh-", dir=own_machine.RAY_FOLDER))  # short, and gone with this machine
        asyncio.run(spike(folder, diary))
        ended = 0
    except BaseException:
        traceback.print_exc()
        tell_logs()
    print(json.dumps(diary.told), flush=True)
    sys.stderr.flush()
    os._exit(ended)  # this is the machine's first process: all others end with it


def tell_logs() -> None:
    """What a failure is understood by: what the autoscaler and the director have written last."""
    logs = own_machine.RAY_FOLDER / "session_latest" / "logs"
    for log in (*logs.glob("monitor.log"), *logs.glob("worker-*.err")):
        text = log.read_text(errors="replace")
        if log.name == "monitor.log" or "capacity" in text or "node " in text:
            print(f"--- {log.name}\n{text[-2_500:]}", file=sys.stderr)


if __name__ == "__main__":
    main()
