"""The journal, measured: how many records a second, how late they are safe, what the loop and the CPU pay.

`python tests/benchmarks/journal.py --help`. "calls" writes what n live calls write (ten records a second each, in
twos); "flat out" hands in as fast as records are taken; "an hour" reads back what a call of an hour left behind, as a
takeover from nothing but the journal would. SQLite against a Redis that is started for this; its CPU is not counted in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from offhook.actors.journals.journal import Journal, Retention
from offhook.actors.journals.sqlite_journal import SqliteJournal

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import redis_server
from own_cpu import cpu_s

BODY = ["SpeechMeasured", 123_456, 123_000, 456, -23.5, 14.25, 121.0]  # a usual event, as the codec writes it
PER_CALL_S = 10
HOUR_RECORDS = 17_000  # of a lively call


@dataclass(frozen=True)
class Store:
    """A store in one setting; `database` tells the runs of one Redis apart."""

    kind: str
    power_safe: bool
    folder: Path
    url: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} {'fsync' if self.power_safe else 'no fsync'}"

    def open(self, run: int, retention: Retention | None = None) -> Journal:
        if self.url:
            from offhook.actors.journals.redis_journal import RETENTION, RedisJournal

            return RedisJournal(f"{self.url[:-1]}{run}", retention=retention or RETENTION)
        path = self.folder / f"{run}-{self.power_safe}.db"
        return SqliteJournal(path, retention=retention, power_safe=self.power_safe)


@contextmanager
def stores(folder: Path) -> Iterator[list[Store]]:
    found = [Store("sqlite", power_safe, folder) for power_safe in (True, False)]
    if not redis_server.PROGRAM:
        print(redis_server.ABSENT, file=sys.stderr)
        yield found
        return
    safe = redis_server.RedisServer(folder / "redis-always")
    fast = redis_server.RedisServer(folder / "redis-everysec", "--appendfsync", "everysec")
    with safe, fast:
        yield [*found, Store("redis", True, folder, safe.url), Store("redis", False, folder, fast.url)]


def share(values: list[float], part: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, int(part * len(values)))]


class Writer:
    """Appends and notes when it was safe."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.safe_ms: list[float] = []
        self.append_us: list[float] = []
        self.open = 0
        self.faults = 0
        self._seq: dict[str, int] = {}

    def append(self, call: str, count: int) -> None:
        seq = self._seq.get(call, 0)
        records = [[call, 1, seq + step, (seq + step) * 20, "event", BODY] for step in range(count)]
        self._seq[call] = seq + count
        start = time.perf_counter()

        def done(fault: object) -> None:
            self.open -= 1
            self.faults += fault is not None
            self.safe_ms.append((time.perf_counter() - start) * 1_000)

        self.open += 1
        self.journal.append(records, done)
        self.append_us.append((time.perf_counter() - start) * 1e6)

    async def settle(self) -> None:
        while self.open:  # noqa: ASYNC110 - a benchmark; an event would be part of what is measured
            await asyncio.sleep(0.001)


async def lag(stop: asyncio.Event) -> float:
    """The loop's worst delay, in ms."""
    worst = 0.0
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        due = loop.time() + 0.002
        await asyncio.sleep(0.002)
        worst = max(worst, loop.time() - due)
    return worst * 1_000


async def live_calls(
    store: Store, run: int, calls: int, seconds: float, retention: Retention | None = None
) -> dict[str, float]:
    journal = store.open(run, retention)
    writer, stop = Writer(journal), asyncio.Event()
    watch = asyncio.ensure_future(lag(stop))
    loop = asyncio.get_running_loop()
    start, cpu = loop.time(), cpu_s()
    step_s = 2 / PER_CALL_S / calls
    for number in range(int(seconds / step_s)):
        delay = start + number * step_s - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        writer.append(f"call-{number % calls}", 2)
    await writer.settle()
    took, used = loop.time() - start, cpu_s() - cpu
    stop.set()
    worst = await watch
    await journal.close()
    return figures(writer, took, used, 2) | {"loop_lag_max_ms": worst}


async def flat_out(store: Store, run: int, seconds: float) -> dict[str, float]:
    journal = store.open(run)
    writer = Writer(journal)
    loop = asyncio.get_running_loop()
    start, cpu = loop.time(), cpu_s()
    number = 0
    while loop.time() - start < seconds:
        for _ in range(20):
            writer.append(f"call-{number % 200}", 10)
            number += 1
        while writer.open > 1_000:  # noqa: ASYNC110 - a benchmark; an event would be part of what is measured
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
    await writer.settle()
    took, used = loop.time() - start, cpu_s() - cpu
    read_at = loop.time()
    read = 0
    for call in range(20):
        read += len(await journal.read(f"call-{call}", limit=1_000_000))
    reading = loop.time() - read_at
    await journal.close()
    return figures(writer, took, used, 10) | {"read_per_s": read / reading}


async def an_hour(store: Store, run: int) -> dict[str, float]:
    """A call's whole journal from the store, among those of twenty others, and its last record."""
    journal = store.open(run)
    writer = Writer(journal)
    for _ in range(HOUR_RECORDS // 100):
        for call in range(20):
            writer.append(f"call-{call}", 5)
        writer.append("hour", 100)
        await writer.settle()
    await journal.close()
    journal = store.open(run)
    whole, last, tail = [], [], []
    for _ in range(7):
        start = time.perf_counter()
        after, count = -1, 0
        while records := await journal.read("hour", after, 2_000):
            after, count = records[-1][2], count + len(records)
        assert count == HOUR_RECORDS
        whole.append((time.perf_counter() - start) * 1_000)
        start = time.perf_counter()
        assert await journal.last("hour") is not None
        last.append((time.perf_counter() - start) * 1_000)
        start = time.perf_counter()
        assert len(await journal.read("hour", HOUR_RECORDS - 201, 1_000)) == 200
        tail.append((time.perf_counter() - start) * 1_000)
    await journal.close()
    return {
        "whole_hour_p50_ms": share(whole, 0.5),
        "whole_hour_max_ms": max(whole),
        "last_200_p50_ms": share(tail, 0.5),
        "last_p50_ms": share(last, 0.5),
        "faults": writer.faults,
    }


def figures(writer: Writer, took: float, used: float, per_append: int) -> dict[str, float]:
    records = len(writer.safe_ms) * per_append
    return {
        "records_per_s": records / took,
        "safe_p50_ms": share(writer.safe_ms, 0.5),
        "safe_p99_ms": share(writer.safe_ms, 0.99),
        "safe_max_ms": max(writer.safe_ms),
        "append_p50_us": share(writer.append_us, 0.5),
        "append_p99_us": share(writer.append_us, 0.99),
        "cpu_us_per_record": used / records * 1e6,
        "faults": writer.faults,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="per measurement")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, stores(Path(folder)) as each:
        for store in each:
            for run, calls in enumerate((1, 20, 200)):
                found[f"{calls} calls, {store.name}"] = uvloop.run(live_calls(store, run, calls, chosen.seconds))
            found[f"flat out, {store.name}"] = uvloop.run(flat_out(store, 3, chosen.seconds))
            found[f"an hour, {store.name}"] = uvloop.run(an_hour(store, 4))
    for name, values in found.items():
        print(f"{name:26}", "  ".join(f"{key} {value:,.1f}" for key, value in values.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
