"""Ray's control store (GCS) dies: live calls keep talking, spares still take calls, and all is well when it is back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis_server
from phone import SILENCE
from raylets import OFFHOOK, Raylets, until
from redis_server import RedisServer
from twilio_phone import Phone

pytestmark = [
    pytest.mark.ray,
    pytest.mark.fault,
    pytest.mark.timeout(500),
    pytest.mark.skipif(not redis_server.PROGRAM, reason=redis_server.ABSENT),
]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MONOLOGUE = EXAMPLES / "policies" / "monologue"
AWAY_FRAMES = 300  # 6 s: several of the director's looks at its nodes


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Raylets]:
    with RedisServer(tmp_path / "redis") as redis:
        monkeypatch.setenv("RAY_REDIS_ADDRESS", f"127.0.0.1:{redis.port}")  # without it Ray's store forgets all
        monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "120")
        with Raylets(more=0) as raylets:
            monkeypatch.delenv("RAY_REDIS_ADDRESS")
            raylets.up(MONOLOGUE, "--spares", "3")
            yield raylets


def place(cluster: Raylets) -> tuple[str, str]:
    answer = cluster.api.post("/v1/calls", json={"from": "+1"})
    assert answer.status_code == 201, answer.text
    return answer.json()["call_id"], answer.json()["media_url"]


def state(cluster: Raylets, call: str) -> dict[str, Any]:
    return dict(cluster.api.get(f"/v1/calls/{call}").json())


def spares(cluster: Raylets) -> int:
    return sum(int(row["spare"]) for row in cluster.api.get("/v1/nodes").json()["nodes"])


async def answered(url: str) -> Phone:
    phone = await Phone.dial(url)
    phone.returns_marks = True
    phone.start()
    await phone.until("media")
    return phone


def media(phone: Phone) -> int:
    """How many pieces of sound came since it was asked last."""
    count = 0
    while not phone.messages.empty():
        count += phone.messages.get_nowait()["event"] == "media"
    return count


async def talks_on(phone: Phone, pieces: int) -> None:
    """So many pieces of sound come, or came since `media` was asked."""
    async with asyncio.timeout(90):
        while (pieces := pieces - media(phone)) > 0:
            await phone.talk([SILENCE] * 5)


def test_calls_go_on_and_begin_while_the_control_store_is_away(cluster: Raylets) -> None:
    until(lambda: spares(cluster) >= 3, 120)  # while the store is away no other can be started

    async def test() -> None:
        before, url = place(cluster)
        talking = await answered(url)
        store = cluster.cluster.head_node
        await asyncio.to_thread(store.kill_gcs_server, check_alive=False)
        await talking.talk([SILENCE] * AWAY_FRAMES)
        await talks_on(talking, AWAY_FRAMES // 20)
        during, url = await asyncio.to_thread(place, cluster)
        fresh = await answered(url)
        assert state(cluster, during)["live"] and state(cluster, before)["epoch"] == 1
        os.kill(state(cluster, before)["pid"], signal.SIGKILL)  # not even a takeover needs the store
        taken = asyncio.create_task(asyncio.to_thread(until, lambda: state(cluster, before)["epoch"] == 2))
        while not taken.done():
            await talking.talk([SILENCE] * 5)
        await taken
        media(talking)
        await talks_on(talking, 10)
        await asyncio.to_thread(store.start_gcs_server)
        await asyncio.to_thread(until, lambda: spares(cluster) >= 3, 150)  # new processes can be started again
        again, url = await asyncio.to_thread(place, cluster)
        last = await answered(url)
        for phone in (talking, fresh, last):
            phone.send(phone.writer.stop())
            await phone.goodbye()
        for call in (before, during, again):
            await asyncio.to_thread(until, lambda call=call: not state(cluster, call)["live"])

    asyncio.run(test())


def test_chaos_kills_the_control_store_of_a_ray_of_its_own_and_calls_are_accounted_for(tmp_path: Path) -> None:
    words = ["--seed=5", "--seconds=22", "--calls=2", "--per-minute=30", "--gap-ms-max=3000", "--json"]
    words += ["--policy", str(MONOLOGUE), "--recognizer=none", "--voice=tone", "--scripts", str(EXAMPLES / "chaos")]
    words += ["--fault=store_kill"]
    with RedisServer(tmp_path / "redis") as redis:
        env = {**os.environ, "RAY_REDIS_ADDRESS": f"127.0.0.1:{redis.port}"}
        done = subprocess.run(
            [OFFHOOK, "chaos", *words], capture_output=True, text=True, timeout=400, check=False, env=env, cwd=tmp_path
        )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["violations"] == [] and done.returncode == 0, report
    assert [(struck["fault"], struck["missed"]) for struck in report["struck"]] == [("store_kill", "")]
    assert report["counts"].get("keys pressed") and "interruptions" not in report["counts"], report
