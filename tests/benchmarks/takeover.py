"""Takeover of calls whose process is killed, or stopped, at random moments while they talk.

    python tests/benchmarks/takeover.py [--kills 100] [--stops 10] [--calls 6] [--at-once 3] [--json]

Starts `offhook up` (a monologue whose agent also orders a tool with every speech; tone voice, no recognizer), holds
the carriers' lines, interrupts the agents as the probe does, and sends SIGKILL (SIGSTOP) to the processes of up to
`--at-once` talking calls together, whenever as many spares are warm. Seen from outside, by a carrier that plays what it
has: the longest silence in the agent's speech after the kill, the time from the kill to the new owner's first order.
For stops also the time until the supervisor has found the process out and killed it (its pidfd tells).
From the journals: when the new owner led the call; whether every record is there and replays to the same decisions over
all owners; frames lost; actions ordered, finished, and carried out more than once.
It ends when all kills are done, or after `--seconds-max`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvloop
from live_calls import CLIP, EXAMPLES, Installation, percentile
from offhook.policies.replay.replay import replay
from picows import WSFrame, WSMsgType, WSTransport, ws_connect
from probe import FRAME_BYTES, FRAME_MS, Line, clip_frames

KILLS_PER_CALL_MAX = 3  # within the intensity of a call, whatever the pace
SETTLE_S = 2.5  # after a kill, until its call may be hit again: time enough for a gap to show
TALKED_S = 0.5  # the agent is heard for so long before its process is killed
TOOL_AGENT = '''

class Busy(Monologue):
    """Orders an act with every speech, each under a key of its own."""

    def propose(self, view: Mapping[str, Any], reason: str) -> list[Proposal]:
        said = super().propose(view, reason)
        stamp = ("time", f"{view['turn']}.{view['revision']}")
        return said + [
            Proposal(f"{p.id}t", self.name, Kind.TOOL, p.turn, p.basis, "", Purpose.ANSWER, action="book_meeting",
                     arguments=(stamp,), reason="busy")
            for p in said
        ]
'''


@dataclass
class Hit:
    """One kill or stop of one call's process."""

    call: str
    epoch: int  # of the owner that was hit
    at: float  # perf_counter
    unix_ms: float
    stop: bool
    first_order_ms: float = -1.0
    gap_ms: int = 0  # the longest silence in speech that began within SETTLE_S
    led_ms: float = -1.0  # until the new owner led it, by the journal
    found_out_ms: float = -1.0  # until a stopped process was killed


class Phone(Line):
    """A probe's line that knows the owner's epoch by its marks."""

    def __init__(self, call: str, clip: list[bytes], chance: random.Random) -> None:
        super().__init__(clip, {}, chance)
        self.call = call
        self.epoch = 1
        self.hit: Hit | None = None
        self.kills = 0
        self.spoke_at = 0.0  # since when the agent is heard without a pause

    @property
    def talking(self) -> bool:
        return bool(self.playout) and self.dry_ms == 0 and time.perf_counter() - self.spoke_at > TALKED_S

    def hear(self) -> None:
        gaps, was_dry = len(self.gaps), self.dry_ms != 0
        super().hear()
        if self.dry_ms == 0 and was_dry:
            self.spoke_at = time.perf_counter()
        if self.hit is not None and len(self.gaps) > gaps and time.perf_counter() - self.hit.at < SETTLE_S + 1:
            self.hit.gap_ms = max(self.hit.gap_ms, self.gaps[-1])

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.CLOSE and self.hit is not None and self.hit.first_order_ms < 0:
            message = json.loads(frame.get_payload_as_bytes())
            name = message.get("mark", {}).get("name", "")
            epoch = name.split("/")[1].split(".")[0] if name.count("/") == 2 else "0"
            if int(epoch) > self.hit.epoch:
                self.hit.first_order_ms = (time.perf_counter() - self.hit.at) * 1_000
        super().on_ws_frame(transport, frame)


@dataclass
class Bench:
    """The whole run."""

    installation: Installation
    options: argparse.Namespace
    chance: random.Random
    phones: dict[str, Phone] = field(default_factory=dict)
    over: list[str] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """All kills, then all stops, as long as the time lasts."""
        clip = clip_frames(CLIP)
        deadline = time.monotonic() + self.options.seconds_max
        async with httpx.AsyncClient(base_url=self.installation.api, timeout=30) as api:
            for sign, wanted in ((signal.SIGKILL, self.options.kills), (signal.SIGSTOP, self.options.stops)):
                done = 0
                while done < wanted and time.monotonic() < deadline:
                    await self._keep_calls(api, clip)
                    done += await self._hit(api, sign, min(self.options.at_once, wanted - done))
            await asyncio.sleep(SETTLE_S)
        for phone in self.phones.values():
            self._hang_up(phone)
        await asyncio.sleep(2)

    async def _keep_calls(self, api: httpx.AsyncClient, clip: list[bytes]) -> None:
        for call, phone in tuple(self.phones.items()):
            if phone.closed or (phone.kills >= KILLS_PER_CALL_MAX and self._settled(phone)):
                self._hang_up(phone)
                del self.phones[call]
                self.over.append(call)
        while len(self.phones) < self.options.calls:
            answer = await api.post("/v1/calls", json={})
            if answer.status_code != 201:
                return
            placed = answer.json()
            phone = Phone(placed["call_id"], clip, random.Random(self.chance.random()))
            self.phones[phone.call] = phone
            await ws_connect(lambda phone=phone: phone, placed["media_url"])
            task = asyncio.get_running_loop().create_task(self._live(phone))
            self.tasks.add(task)

    async def _live(self, phone: Phone) -> None:
        loop = asyncio.get_running_loop()
        silence = base64.b64encode(b"\xff" * FRAME_BYTES).decode()
        start, number = loop.time(), 0
        while not phone.closed:
            number += 1
            due = start + number * FRAME_MS / 1_000
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.late_ms.append((loop.time() - due) * 1_000)
            phone.tick(silence)
            if phone.onset_at and phone.mouth and time.perf_counter() - phone.onset_at > 3.0:
                phone.onset_at = 0.0

    def _settled(self, phone: Phone) -> bool:
        return phone.hit is None or time.perf_counter() - phone.hit.at > SETTLE_S

    def _hang_up(self, phone: Phone) -> None:
        if phone.transport is not None and not phone.closed:
            phone.numbered({"event": "stop", "streamSid": phone.stream, "stop": {}})
            phone.closed = "hung up"
            phone.transport.disconnect()

    async def _hit(self, api: httpx.AsyncClient, sign: signal.Signals, most: int) -> int:
        """Hit up to `most` talking calls at one moment, if there are spares for them; how many were hit."""
        await asyncio.sleep(self.chance.uniform(0.1, 0.6))
        health = (await api.get("/healthz")).json()
        spares = sum(node["spare"] for node in health["nodes"].values())
        count = self.chance.randint(1, most)
        if spares < count:
            return 0
        rows = {row["call_id"]: row for row in (await api.get("/v1/calls", params={"live": True})).json()["calls"]}
        await asyncio.sleep(self.chance.random())
        ready = [
            phone
            for call, phone in self.phones.items()
            if phone.talking and self._settled(phone) and phone.kills < KILLS_PER_CALL_MAX and call in rows
        ]
        victims = self.chance.sample(ready, min(count, len(ready)))
        for phone in victims:
            row = rows[phone.call]
            os.kill(row["pid"], sign)
            unix_ms = time.time() * 1_000
            phone.hit = Hit(phone.call, row["epoch"], time.perf_counter(), unix_ms, sign is signal.SIGSTOP)
            phone.kills += 1
            self.hits.append(phone.hit)
            if phone.hit.stop:
                watch_death(row["pid"], phone.hit)
        return len(victims)


def watch_death(pid: int, hit: Hit) -> None:
    """Note when the process is gone. Source: pidfd_open(2): it can be read from then on."""
    loop, pidfd = asyncio.get_running_loop(), os.pidfd_open(pid)

    def gone() -> None:
        hit.found_out_ms = (time.perf_counter() - hit.at) * 1_000
        loop.remove_reader(pidfd)
        os.close(pidfd)

    loop.add_reader(pidfd, gone)


def judge(bench: Bench) -> dict[str, Any]:
    """What the journals and the tools' register say."""
    api = bench.installation.api
    found = {"calls": 0, "records": 0, "records_missing": 0, "diverged": 0, "frames_lost": 0,
             "actions_ordered": 0, "actions_finished": 0, "actions_doubled": 0, "cut_short": 0}  # fmt: skip
    rows = {r["call_id"]: r for r in httpx.get(f"{api}/v1/calls", params={"limit": 1_000}, timeout=30).json()["calls"]}
    dropped = {}  # by compaction: snapshots that newer ones have replaced
    for path in Path(bench.installation.folder.name).rglob("journal-*.sqlite"):
        with sqlite3.connect(path) as journal:
            dropped |= dict(journal.execute("SELECT call, dropped FROM calls"))
    hits: dict[str, list[Hit]] = {}
    for hit in bench.hits:
        hits.setdefault(hit.call, []).append(hit)
    for call in {*hits, *bench.over, *bench.phones}:
        records = bench.installation.journal(call)
        plain = [[call, r["epoch"], r["seq"], r["at_ms"], r["kind"], r["body"]] for r in records]
        found["calls"] += 1
        found["records"] += len(records)
        found["records_missing"] += (records[-1]["seq"] if records else 0) - len(records) - dropped.get(call, 0)
        found["diverged"] += not replay(plain).same
        found["cut_short"] += rows[call]["outcome"] not in ("caller_hung_up", "")
        finished: list[str] = []
        ordered: set[str] = set()
        for _call, _epoch, _seq, at_ms, kind, body in plain:
            if kind == "commands":
                ordered |= {c[4] for c in body if c[0] == "Perform"}
            elif kind == "event" and body[0] == "ActionFinished":
                finished.append(body[2])
            elif kind == "event" and body[0] == "OwnerChanged":
                for hit in hits.get(call, []):
                    if hit.epoch == body[2] - 1:
                        hit.led_ms = rows[call]["created_unix_ms"] + at_ms - hit.unix_ms
            elif kind == "end":
                found["frames_lost"] += body.get("counts", {}).get("frames_lost", 0)
        found["actions_ordered"] += len(ordered)
        found["actions_finished"] += len(set(finished))
        found["actions_doubled"] += len(finished) - len(set(finished))
    for path in Path(bench.installation.folder.name).rglob("tools-*.sqlite"):
        with sqlite3.connect(path) as register:
            found["actions_begun_twice"] = register.execute("SELECT count(*) FROM orders WHERE tries > 1").fetchone()[0]
    return found


def spread(values: list[float]) -> dict[str, float]:
    """p50, p99 and the maximum."""
    known = [value for value in values if value >= 0]
    return {
        "n": len(known),
        "p50": round(percentile(known, 0.5), 1),
        "p99": round(percentile(known, 0.99), 1),
        "max": round(max(known, default=float("nan")), 1),
    }


def report(bench: Bench) -> dict[str, Any]:
    """One row for kills, one for stops, and what was lost."""
    found = judge(bench)
    health = httpx.get(f"{bench.house.api}/healthz", timeout=30).json()
    taken = [ms for node in health["nodes"].values() for ms in node["takeover_ms"]]
    rows: dict[str, Any] = {}
    for name, stop in (("kill -9", False), ("stopped", True)):
        hits = [hit for hit in bench.hits if hit.stop is stop]
        if hits:
            rows[name] = {
                "hits": len(hits),
                "not_taken_over": sum(hit.led_ms < 0 for hit in hits),
                **({"until_it_is_found_out_ms": spread([hit.found_out_ms for hit in hits])} if stop else {}),
                "until_the_new_owner_leads_ms": spread([hit.led_ms for hit in hits]),
                "until_its_first_order_is_on_the_wire_ms": spread([hit.first_order_ms for hit in hits]),
                "gap_in_the_agents_speech_ms": spread([float(hit.gap_ms) for hit in hits]),
                "gaps_over_200_ms": sum(hit.gap_ms > 200 for hit in hits),
            }
    late_ms = bench.late_ms
    return {
        **rows,
        "notice_to_new_owner_ms": spread(taken),
        "lost": found,
        "probe_late_ms": {"p50": round(statistics.median(late_ms), 1), "p99": round(percentile(late_ms, 0.99), 1)},
    }


def policy_in(folder: Path) -> Path:
    """The monologue, with an agent that also acts."""
    policy = folder / "monologue"
    shutil.copytree(EXAMPLES / "policies" / "monologue", policy)
    agent = policy / "agents" / "monologue.py"
    agent.write_text(agent.read_text() + TOOL_AGENT)
    text = (policy / "policy.yaml").read_text()
    (policy / "policy.yaml").write_text(text.replace("monologue.py:Monologue", "monologue.py:Busy"))
    return policy


def show(rows: dict[str, Any]) -> None:
    """A table for people."""
    for name, row in rows.items():
        print(name)
        for what, value in row.items():
            told = "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
            print(f"    {what.replace('_', ' '):44} {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--calls", type=int, default=6, help="live at a time")
    parser.add_argument("--at-once", type=int, default=3, help="killed together, at most")
    parser.add_argument("--seconds-max", type=float, default=900)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    spares = options.at_once + 2
    installation = Installation(spares, policy_in)
    try:
        installation.wait_for_spares(spares)
        bench = Bench(installation, options, random.Random(options.seed))
        gc.freeze()
        uvloop.run(bench.run())
        rows = report(bench)
        print(json.dumps(rows)) if options.json else show(rows)
    finally:
        installation.close()


if __name__ == "__main__":
    main()
