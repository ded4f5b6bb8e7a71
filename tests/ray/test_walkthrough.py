"""The walk-through of examples/ against a running offhook, with callers on the line: publish to roll back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from offhook.serve.bundles.policy_files import load
from phone import SILENCE
from twilio_phone import Phone

pytestmark = [pytest.mark.ray, pytest.mark.timeout(700)]

WALKTHROUGH = Path(__file__).parents[2] / "examples" / "walkthrough"
OFFHOOK = str(Path(sys.executable).with_name("offhook"))
STAGE_WITHIN_S = 270


class Walk:
    """The README's commands from its 6th part on, one after the other, in a copy of the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "walkthrough"
        shutil.copytree(WALKTHROUGH, self.folder)
        readme = (WALKTHROUGH / "README.md").read_text().partition("## 6. ")[2]
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)
        self.left = [line for language, block in blocks for line in block.strip().splitlines() if not language]
        self.environment = {
            **os.environ, "OFFHOOK_STATE_DIR": str(folder / "state"), "OFFHOOK_PORT": "0", "OFFHOOK_MEDIA_PORT": "0",
            "OFFHOOK_RING_S": "12",  # as long as carriers wait
        }  # fmt: skip

    def step(self, *begins: str) -> str:
        """The next command, which must begin with these words; what it printed."""
        words = shlex.split(self.left.pop(0))
        assert words[1 : 1 + len(begins)] == list(begins), words
        return self.offhook(*words[1:])

    def offhook(self, *words: str) -> str:
        done = subprocess.run(
            [OFFHOOK, *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        return dict(json.loads(self.offhook("rollout", "status", "front-desk", "--json")))


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    walk = Walk(tmp_path)
    yield walk
    subprocess.run([OFFHOOK, "down"], env=walk.environment, capture_output=True, timeout=100, check=False)


async def short_call(api: str) -> None:
    async with httpx.AsyncClient(base_url=api, timeout=90) as client:
        placed = await client.post("/v1/calls", json={"from": "+1", "policy": "front-desk"})
    assert placed.status_code == 201, placed.text
    phone = await Phone.dial(placed.json()["media_url"])
    phone.returns_marks = True
    phone.start()
    await phone.talk([SILENCE] * 60)
    phone.send(phone.writer.stop())
    await phone.goodbye()


def take_calls_until(walk: Walk, api: str, stage: str) -> dict[str, Any]:
    """Callers come, two at a time, until the rollout has got there."""

    async def two() -> None:
        await asyncio.gather(short_call(api), short_call(api))

    deadline = time.monotonic() + STAGE_WITHIN_S
    while (told := walk.status())["stage"] != stage:
        assert time.monotonic() < deadline, told
        assert told["stage"] != "rolled back", told
        asyncio.run(two())
    return told


def leads(walk: Walk) -> str:
    body = json.loads(walk.offhook("policy", "list", "--json"))
    return str(next(row["version"] for row in body["policies"] if row["name"] == "front-desk"))


def test_the_walk_through_as_its_readme_has_it(walk: Walk) -> None:
    first, second = (load(walk.folder / name).version for name in ("front-desk", "stricter"))
    api = json.loads(walk.step("up"))["api"]
    assert "is there for calls that ask for it" in walk.step("policy", "publish")
    listed = walk.step("policy", "list")
    assert f"{first}  leading" in listed and f"{second}  unused" in listed
    assert "hang_up" in walk.step("call")
    assert "front-desk" in walk.step("calls")
    assert "front-desk" in walk.step("show")
    assert "say greeting by guide" in walk.step("explain")
    assert "shadow" in walk.step("rollout", "start")
    assert f"front-desk-1  {first} -> {second}  shadow" in walk.step("rollout", "status")
    assert walk.step("call").count("hang_up") == 2
    take_calls_until(walk, api, "canary")
    assert "calls would have gone as they did" in walk.step("rollout", "report")
    assert f"{second}  canary" in walk.offhook("policy", "list")
    told = take_calls_until(walk, api, "live")
    assert told["tallies"][0]["ended"][1] >= 3
    listed = walk.step("policy", "list")
    assert f"{second}  leading" in listed
    assert "live" in walk.step("rollout", "status")
    assert leads(walk) == second
    assert "rolled back" in walk.step("rollout", "abort")
    assert f"{first}  leading" in walk.step("policy", "list")
    assert leads(walk) == first
    assert "has ended" in walk.step("down")
    assert walk.left == []
