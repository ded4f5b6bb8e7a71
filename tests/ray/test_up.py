"""`offhook up` as its users have it: a process that starts everything, an API, a carrier's stream, and an end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from phone import SILENCE, voice
from twilio_phone import Phone

pytestmark = [pytest.mark.ray, pytest.mark.timeout(500)]

OFFHOOK = str(Path(sys.executable).with_name("offhook"))
MONOLOGUE = Path(__file__).resolve().parents[2] / "examples" / "policies" / "monologue"
ENDED_WITHIN_S = 90


@dataclass
class Up:
    """A running installation."""

    ready: dict[str, Any]
    state_dir: Path
    process: subprocess.Popen[str]

    def offhook(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [OFFHOOK, *words, "--state-dir", str(self.state_dir)]
        return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    state_dir = tmp_path_factory.mktemp("state")
    words = ["up", "--port", "0", "--media-port", "0", "--spares", "2", "--policy", str(MONOLOGUE), "--json"]
    words += ["--recognizer", "none", "--voice", "tone", "--state-dir", str(state_dir)]
    elsewhere = tmp_path_factory.mktemp("cwd")
    rings = {**os.environ, "OFFHOOK_RING_S": "12"}  # as long as carriers wait
    process = subprocess.Popen(
        [OFFHOOK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=elsewhere, env=rings
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield Up(json.loads(line), state_dir, process)
    finally:
        process.terminate()
        process.communicate(timeout=90)


def place(up: Up) -> tuple[str, str]:
    answer = httpx.post(f"{up.ready['api']}/v1/calls", json={"from": "+1"}, timeout=90)
    assert answer.status_code == 201, answer.text
    return answer.json()["call_id"], answer.json()["media_url"]


def state(up: Up, call: str) -> dict[str, Any]:
    return dict(httpx.get(f"{up.ready['api']}/v1/calls/{call}", timeout=90).json())


def test_the_ready_line_tells_where_everything_is(up: Up) -> None:
    assert {"api", "media", "console"} <= set(up.ready)
    assert httpx.get(up.ready["console"]).status_code == 200
    assert httpx.get(f"{up.ready['api']}/healthz").json()["status"] == "ok"
    media = up.ready["media"].replace("ws://", "http://").removesuffix("/media")
    assert httpx.get(f"{media}/healthz").text == "ok\n"


def test_a_caller_is_greeted_interrupts_and_hangs_up(up: Up) -> None:
    call, media_url = place(up)

    async def converse() -> None:
        phone = await Phone.dial(media_url)
        phone.returns_marks = True
        phone.start()
        while not phone.first_audio_s:
            await phone.talk([SILENCE])
        await phone.talk([SILENCE] * 50)
        talking = asyncio.create_task(phone.talk(voice(60) + [SILENCE] * 25))
        await phone.until("clear")
        await talking
        phone.send(phone.writer.stop())
        assert (await phone.goodbye())[0] == 1000

    asyncio.run(converse())
    deadline = time.monotonic() + ENDED_WITHIN_S
    while not (shown := state(up, call)).get("outcome") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (shown["call_id"], shown["line"], shown["live"]) == (call, "closed", False)
    assert {"floor", "stage", "readiness", "ledger", "concerns", "owner", "epoch", "policy_version"} <= set(shown)

    records = httpx.get(f"{up.ready['api']}/v1/calls/{call}/journal", timeout=90).json()["records"]
    kinds = [record["kind"] for record in records]
    assert (kinds[0], kinds[-1]) == ("start", "end")
    seqs = [record["seq"] for record in records]
    assert seqs == sorted(set(seqs))

    explained = up.offhook("explain", call, "--all")
    assert explained.returncode == 0, explained.stderr
    assert "grant" in explained.stdout
    assert "fresh" in explained.stdout
    replayed = up.offhook("replay", call, "--json")
    assert json.loads(replayed.stdout)["same"], replayed.stdout
    assert json.loads(up.offhook("show", call[:12], "--json").stdout)["call_id"] == call
    assert call in up.offhook("calls").stdout


def test_a_wrong_token_and_a_broken_stream_leave_a_live_call_alone(up: Up) -> None:
    call, media_url = place(up)
    _, other_url = place(up)

    async def converse() -> None:
        phone = await Phone.dial(media_url)
        phone.start()
        await phone.until("media")
        forged = await Phone.dial(media_url[:-1] + ("A" if media_url[-1] != "A" else "B") + "x")
        assert (await forged.goodbye())[0] == 1008
        broken = await Phone.dial(other_url)
        broken.start()
        await broken.until("media")
        broken.send(b"no json at all")  # one of them costs itself
        await broken.until("media")
        broken.send(*[b"no json at all"] * 100)
        assert (await broken.goodbye())[0] == 1007
        await phone.talk([SILENCE] * 25)
        assert not phone.closed.done()
        assert state(up, call)["line"] == "open"
        assert up.offhook("hangup", call).returncode == 0
        assert (await phone.goodbye())[0] == 1000

    asyncio.run(converse())


def test_twilio_s_webhook_leads_to_a_stream_that_speaks(up: Up) -> None:
    form = {"CallSid": f"CA{time.time_ns()}", "From": "+15550001", "To": "+15550002"}
    answer = httpx.post(f"{up.ready['api']}/carriers/twilio/voice", data=form, timeout=90)
    stream = ElementTree.fromstring(answer.text).find("Connect/Stream")
    assert stream is not None

    async def converse() -> None:
        phone = await Phone.dial(stream.attrib["url"])
        phone.start()
        await phone.until("media")
        async with httpx.AsyncClient(base_url=up.ready["api"], timeout=90) as api:
            assert "<Stream" in (await api.post("/carriers/twilio/resume", data=form)).text
        phone.send(phone.writer.stop())
        await phone.goodbye()

    asyncio.run(converse())
    deadline = time.monotonic() + ENDED_WITHIN_S
    while state(up, form["CallSid"])["live"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "<Hangup/>" in httpx.post(f"{up.ready['api']}/carriers/twilio/resume", data=form, timeout=90).text


def test_a_second_one_is_refused_and_down_ends_the_first(up: Up) -> None:
    again = up.offhook("up", "--policy", str(MONOLOGUE))
    assert again.returncode == 1
    assert "already runs" in again.stderr
    done = up.offhook("down", "--json")
    assert json.loads(done.stdout) == {"stopped": up.ready["pid"]}, done.stderr
    assert up.process.wait(timeout=90) == 0
    assert not (up.state_dir / "running.json").exists()
    assert up.offhook("calls").returncode == 1
    with pytest.raises(ProcessLookupError):
        os.kill(up.ready["pid"], 0)
