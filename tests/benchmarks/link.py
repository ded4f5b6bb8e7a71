"""The link, measured between two processes: how fast, how late, how much CPU. `python tests/benchmarks/link.py --help`

Round trips are one message at a time; the stream is one way, as fast as the loop goes; "calls" is what a gateway does
for n live calls: a frame of 20 ms to each, fifty times a second, echoed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from offhook.actors.link.link import Array, Link, LinkServer, connect
from own_cpu import cpu_s

FRAME = b"\x55" * 160
BATCH = b"\x55" * 800  # what a recognizer is sent at once: 100 ms
TOKEN = "benchmark"


def share(sorted_values: list[float], part: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(part * len(sorted_values)))]


class Echo:
    """The other process: sends back what comes with "echo", counts the rest, tells its CPU time when asked."""

    def __init__(self) -> None:
        self.count = 0

    def hello(self, link: Link, _grant: Any, _rest: Array) -> None:
        link.on_message = self.take

    def take(self, link: Link, message: Array) -> None:
        if message[0] == "echo":
            link.send("a", message[1], message[2])
        elif message[0] == "ask":
            link.send("told", self.count, cpu_s())
            self.count = 0
        else:
            self.count += 1


def serve(endpoint: str, pipe: Connection) -> None:
    async def main() -> None:
        echo = Echo()
        server = LinkServer(echo.hello)
        server.admit(None, TOKEN, lasting=True)
        pipe.send(await server.start(endpoint))
        while not pipe.poll():  # noqa: ASYNC110 - a benchmark; an event would be part of what is measured
            await asyncio.sleep(0.05)

    uvloop.run(main())


class Probe:
    """This end of a link."""

    def __init__(self) -> None:
        self.link: Link
        self.answers: asyncio.Queue[Array] = asyncio.Queue()
        self.late_us: list[float] = []

    async def open(self, endpoint: str, timed: bool = False) -> Probe:
        self.link = await connect(endpoint, TOKEN, on_message=self._timed if timed else self._queued)
        return self

    def _queued(self, _link: Link, message: Array) -> None:
        self.answers.put_nowait(message)

    def _timed(self, _link: Link, message: Array) -> None:
        self.late_us.append((time.perf_counter_ns() - message[1]) / 1_000)


async def round_trips(endpoint: str, count: int, body: bytes = FRAME) -> dict[str, float]:
    probe = await Probe().open(endpoint)
    loop = asyncio.get_running_loop()
    took: list[float] = []
    left = count
    done: asyncio.Future[None] = loop.create_future()

    def back(link: Link, message: Array) -> None:
        nonlocal left
        took.append((time.perf_counter_ns() - message[1]) / 1_000)
        left -= 1
        if left:
            link.send("echo", time.perf_counter_ns(), body)
        else:
            done.set_result(None)

    probe.link.on_message = back
    cpu = cpu_s()
    probe.link.send("echo", time.perf_counter_ns(), body)
    await done
    took.sort()
    result = {
        "p50_us": share(took, 0.5),
        "p99_us": share(took, 0.99),
        "p999_us": share(took, 0.999),
        "cpu_us": (cpu_s() - cpu) / count * 1e6,
    }
    probe.link.close()
    return result


async def stream(endpoint: str, count: int, size: int) -> dict[str, float]:
    probe = await Probe().open(endpoint)
    probe.link.backlog_bytes_max = 1 << 30
    body = b"\x55" * size
    probe.link.send("ask")
    _, _, far_before = await probe.answers.get()
    cpu, start = cpu_s(), time.perf_counter()
    for number in range(count):
        probe.link.send("a", number, body)
        if number % 200 == 199:
            await asyncio.sleep(0)
            while probe.link.backlog_bytes > 1 << 18:  # noqa: ASYNC110 - a benchmark; an event would be part of what is measured
                await asyncio.sleep(0)
    sent_cpu = cpu_s() - cpu
    probe.link.send("ask")
    _, arrived, far_after = await probe.answers.get()
    took = time.perf_counter() - start
    assert arrived == count
    probe.link.close()
    return {
        "messages_per_s": count / took,
        "mb_per_s": count * size / took / 1e6,
        "send_us": sent_cpu / count * 1e6,
        "receive_us": (far_after - far_before) / count * 1e6,
    }


async def calls(endpoint: str, count: int, seconds: float) -> dict[str, float]:
    probes = [await Probe().open(endpoint, timed=True) for _ in range(count)]
    loop = asyncio.get_running_loop()
    cpu, start = cpu_s(), loop.time()
    beats = int(seconds * 50)
    for beat in range(beats):
        for number, probe in enumerate(probes):
            # Calls do not beat together: each has its place within the 20 ms.
            loop.call_at(
                start + beat * 0.02 + 0.02 * number / count,
                lambda p=probe: p.link.send("echo", time.perf_counter_ns(), FRAME),
            )
        await asyncio.sleep(max(0.0, start + (beat + 1) * 0.02 - loop.time()))
    await asyncio.sleep(0.2)
    late = sorted(us for probe in probes for us in probe.late_us)
    for probe in probes:
        probe.link.close()
    return {
        "p50_us": share(late, 0.5),
        "p99_us": share(late, 0.99),
        "p999_us": share(late, 0.999),
        "frames": len(late),
        "lost": beats * count - len(late),
        "cpu_share": (cpu_s() - cpu) / (loop.time() - start),
    }


async def measure(endpoint: str, seconds: float) -> dict[str, dict[str, float]]:
    return {
        "round trip, 20 ms frame": await round_trips(endpoint, int(4_000 * seconds)),
        "round trip, 100 ms of sound": await round_trips(endpoint, int(4_000 * seconds), BATCH),
        "stream, 20 ms frames": await stream(endpoint, int(50_000 * seconds), 160),
        "stream, 4 kB": await stream(endpoint, int(10_000 * seconds), 4_096),
        "200 calls": await calls(endpoint, 200, seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement, roughly")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, where in (("unix", f"unix:{folder}/s"), ("tcp", "tcp:127.0.0.1:0")):
            here, there = multiprocessing.get_context("spawn").Pipe()
            process = multiprocessing.get_context("spawn").Process(target=serve, args=(where, there), daemon=True)
            process.start()
            figures[kind] = uvloop.run(measure(here.recv(), chosen.seconds))
            here.send("stop")
            process.join(5)
            for name, values in figures[kind].items():
                print(f"{kind:5} {name:27}", "  ".join(f"{key} {value:,.1f}" for key, value in values.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
