"""`offhook up` on a cluster of two nodes with a real recognizer that Serve runs: found, reached over TCP, found again.

The nodes are of one machine; the engine's Unix socket is taken away, as it is for a call in another container.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.audio.format import FRAME_BYTES, whole_frames
from offhook.actors.audio.format import SILENT_FRAME as SILENCE
from offhook.serve.chaos.processes import listener
from offhook.serve.engines.sound import read_wav
from raylets import Raylets, until
from twilio_phone import Phone

pytestmark = [pytest.mark.ray, pytest.mark.fault, pytest.mark.timeout(240)]

MONOLOGUE = Path(__file__).resolve().parents[2] / "examples" / "policies" / "monologue"


@pytest.fixture
def cluster() -> Iterator[Raylets]:
    with Raylets(more=1) as raylets:
        raylets.up(MONOLOGUE, "--recognizer", "moonshine")
        yield raylets


def engines(cluster: Raylets) -> list[list[str]]:
    """Each node's endpoints of engines."""
    return [row["engines"] for row in cluster.api.get("/healthz").json()["nodes"].values()]


def words(cluster: Raylets, call: str) -> str:
    rows: list[dict[str, Any]] = cluster.api.get(f"/v1/calls/{call}/journal", params={"limit": 10_000}).json()[
        "records"
    ]
    events = [row["body"] for row in rows if row["kind"] == "event"]
    return " ".join(str(body[3]) for body in events if body[0] == "WordsHeard" and body[4]).lower()


def clip(path: Path) -> list[bytes]:
    coded = read_wav(path)
    coded = whole_frames(coded)
    return [coded[at : at + FRAME_BYTES] for at in range(0, len(coded), FRAME_BYTES)]


def test_calls_reach_the_engine_over_tcp_and_its_successor_after_its_death(cluster: Raylets, audio: Path) -> None:
    told = engines(cluster)
    assert len(told) == 2 and told[0] == told[1], "both nodes know the one replica"
    unix, tcp = told[0]
    assert unix.startswith("unix:") and tcp.startswith("tcp:")
    path = unix.removeprefix("unix:")
    engine = listener(path)
    shutil.rmtree(Path(path).parent)  # killed, the engine would leave its folder behind

    async def said(phone: Phone, call: str, frames: list[bytes], expected: str) -> None:
        await phone.talk(frames)
        for _ in range(40):
            await phone.talk([SILENCE] * 25)
            if expected in await asyncio.to_thread(words, cluster, call):
                return
        raise AssertionError(f"{expected!r} is not in {words(cluster, call)!r}")

    async def test() -> None:
        placed = await asyncio.to_thread(lambda: cluster.api.post("/v1/calls", json={"from": "+1"}).json())
        call = placed["call_id"]
        phone = await Phone.dial(placed["media_url"])
        phone.returns_marks = True
        phone.start()
        await said(phone, call, clip(audio / "dana" / "team.wav"), "team")

        os.kill(engine, signal.SIGKILL)

        def moved() -> bool:
            return all(any(way not in (unix, tcp) for way in node) for node in engines(cluster))

        await asyncio.gather(phone.talk([SILENCE] * 50), asyncio.to_thread(until, moved, 60))
        await said(phone, call, clip(audio / "dana" / "time.wav"), "nine")
        phone.send(phone.writer.stop())
        await phone.goodbye()

    asyncio.run(test())
