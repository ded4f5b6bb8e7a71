"""A spike: from 10 to 150 live calls in 20 s, with warm spares for all of them and with two; what callers and live
calls notice.

    python tests/benchmarks/spike.py [--base 10] [--peak 150] [--within 20] [--spares 150 2] [--json]

Starts `offhook up` (policy monologue, tone voice, no recognizer) once for each number of spares. A probe in a process
of its own holds `base` calls, which interrupt the agent again and again; then the others ring, evenly spread, through
the carrier's webhook. Answer time: webhook asked -> first agent audio on the line. Reaction: first frame of the
caller's speech sent -> `clear` received, of the `base` calls, before, during and after the spike.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gc
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any
from xml.etree import ElementTree

import httpx
import uvloop
from live_calls import CLIP, Installation, percentile
from picows import ws_connect
from probe import FRAME_BYTES, FRAME_MS, Line, clip_frames

SETTLE_S = 5.0  # after the last caller rang: the spike's own aftermath counts as part of it


class Timed(Line):
    """A line that knows when it reacted."""

    def __init__(self, clip: list[bytes], chance: random.Random, interrupts: bool) -> None:
        super().__init__(clip, {}, chance)
        self.at: list[tuple[float, float]] = []  # (when, ms) of each reaction
        if not interrupts:
            self.next_ms = float("inf")

    def cleared(self, now: float) -> None:
        before = len(self.reactions_ms)
        super().cleared(now)
        self.at += [(now, ms) for ms in self.reactions_ms[before:]]


class Probe:
    """All carriers' lines, and the webhook that they come through."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.clip = clip_frames(CLIP)
        self.chance = random.Random(options.seed)
        self.client = httpx.AsyncClient(base_url=options.api, timeout=30)
        self.lines: list[Timed] = []
        self.answers_ms: list[float] = []
        self.overflowed = 0
        self.late_ms: list[float] = []
        self.over = False

    async def ring(self, number: int, interrupts: bool) -> None:
        """One caller, from the webhook to the end of the run."""
        began = perf_counter()
        form = {"CallSid": f"CA{number:032x}", "From": "+15550001", "To": "+15550002"}
        answer = await self.client.post("/carriers/twilio/voice", data=form)
        stream = ElementTree.fromstring(answer.text).find("Connect/Stream")
        if stream is None:
            self.overflowed += 1
            return
        line = Timed(self.clip, random.Random(self.chance.random()), interrupts)
        self.lines.append(line)
        await ws_connect(lambda: line, stream.attrib["url"])
        await self.talk(line, began, counts=not interrupts)

    async def talk(self, line: Timed, began: float, counts: bool) -> None:
        loop = asyncio.get_running_loop()
        silence = base64.b64encode(b"\xff" * FRAME_BYTES).decode()
        start, number = loop.time(), 0
        while not self.over:
            await asyncio.sleep(max(0.0, start + number * FRAME_MS / 1_000 - loop.time()))
            self.late_ms.append(max(0.0, (loop.time() - start - number * FRAME_MS / 1_000) * 1_000))
            line.tick(silence)
            number += 1
            if counts and line.first_audio_at:
                self.answers_ms.append((line.first_audio_at - began) * 1_000)
                counts = False
        if line.transport is not None and not line.closed:
            line.numbered({"event": "stop", "streamSid": line.stream, "stop": {}})
            line.transport.disconnect()

    async def run(self) -> dict[str, Any]:
        options = self.options
        gc.freeze()
        base = [asyncio.create_task(self.ring(number, True)) for number in range(options.base)]
        await asyncio.sleep(options.before)
        spike_at = perf_counter()
        more = options.peak - options.base
        others = []
        for number in range(more):
            await asyncio.sleep(max(0.0, spike_at + number * options.within / more - perf_counter()))
            others.append(asyncio.create_task(self.ring(options.base + number, False)))
        await asyncio.sleep(SETTLE_S)
        over_at = perf_counter()
        await asyncio.sleep(options.after)
        self.over = True
        await asyncio.gather(*base, *others)
        await self.client.aclose()
        reactions = [reaction for line in self.lines for reaction in line.at]
        spans = {"before": (0.0, spike_at), "during": (spike_at, over_at), "after": (over_at, float("inf"))}
        return {
            "answered": len(self.answers_ms),
            "overflowed": self.overflowed,
            "answer_ms": quantiles(self.answers_ms, (50, 90, 99)) | {"max": round(max(self.answers_ms, default=0.0))},
            "reaction_ms": {
                name: quantiles([ms for at, ms in reactions if low <= at < high], (50, 99)) | {
                    "count": sum(low <= at < high for at, _ in reactions)}
                for name, (low, high) in spans.items()
            },
            "missed": sum(line.missed for line in self.lines),
            "gaps_share": round(sum(len(line.gaps) for line in self.lines)
                                / max(1, sum(line.utterances for line in self.lines)), 4),
            "closed": sorted({line.closed for line in self.lines if line.closed}),
            "probe_late_ms": quantiles(self.late_ms, (50, 99)),
        }  # fmt: skip


def quantiles(values: list[float], which: tuple[int, ...]) -> dict[str, float]:
    return {f"p{p}": round(percentile(values, p / 100), 1) for p in which} if values else {}


def measure(spares: int, options: argparse.Namespace) -> dict[str, Any]:
    """One installation, one spike."""
    os.environ["OFFHOOK_RING_S"] = str(options.ring)
    installation = Installation(spares)
    try:
        installation.wait_for_spares(min(spares, options.peak))
        words = [sys.executable, str(Path(__file__).resolve()), "--probe", "--api", installation.api]
        for name in ("base", "peak", "within", "before", "after", "seed"):
            words += [f"--{name}", str(getattr(options, name))]
        run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        admission = httpx.get(f"{installation.api}/healthz", timeout=30).json()["capacity"]["admission"]["counts"]
        return {"spares": spares, **json.loads(run.stdout), "admission": admission}
    finally:
        installation.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=10, help="calls before the spike")
    parser.add_argument("--peak", type=int, default=150, help="calls after it")
    parser.add_argument("--within", type=float, default=20, help="seconds of the spike")
    parser.add_argument("--before", type=float, default=20, help="seconds of talk before it")
    parser.add_argument("--after", type=float, default=20, help="seconds of talk after it")
    parser.add_argument("--spares", type=int, nargs="+", default=[150, 2], help="one run for each")
    parser.add_argument("--ring", type=float, default=12, help="seconds that a caller rings at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one line of JSON a run")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--api", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(uvloop.run(Probe(options).run())))
        return
    for spares in options.spares:
        row = measure(spares, options)
        print(json.dumps(row) if options.json else "\n".join(f"{name:14} {value}" for name, value in row.items()))
        print(flush=True)


if __name__ == "__main__":
    main()
