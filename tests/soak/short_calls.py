"""Many short calls through processes that are used again and again: memory, descriptors and the store stay flat.

    python tests/soak/short_calls.py [--calls 20000] [--side-by-side 6] [--json]

A real Ray, one node's supervisor, one agent host. Each caller is greeted, says something for half a second, and hangs
up. After every twentieth of the calls: PSS and open descriptors of the call processes (the worst), the supervisor and
the agent host, and the bytes that the journal took for each call since the row before. Exit code 1 where the last
quarter is above the first quarter after the first tenth (processes warm up) by more than the limits below.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from installation import Installation, start_ray
from offhook.actors.call.usage import pss_kb
from phone import voice

PSS_MB_MAX = 2.0  # that a process may have grown by
DESCRIPTORS_MAX = 3
BYTES_SHARE_MAX = 0.05  # that a call may take more in the store
ROWS = 20
TALK_FRAMES = 25  # half a second
WITHIN_S = 60  # for one call; a process that died is started again in two seconds
GREETER = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Greeter:
    topics = ()
    def __init__(self, name, spec):
        self.spec = spec
    def propose(self, view, reason):
        return [Proposal("", "", Kind.SAY, 0, 0, "Good morning, how can I help you?", Purpose.GREETING)]
"""


@dataclass(frozen=True)
class Row:
    """What stood after so many calls. Sizes in MB, descriptors counted, `store_bytes` for each call of this row."""

    calls: int
    calls_per_s: float
    call_mb: float
    call_descriptors: int
    supervisor_mb: float
    supervisor_descriptors: int
    host_mb: float
    host_descriptors: int
    store_bytes: int


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Soak:
    """Places the calls and looks at the processes."""

    def __init__(self, installation: Installation, calls: int, side_by_side: int) -> None:
        self._installation = installation
        self._calls = calls
        self._side_by_side = side_by_side
        self.rows: list[Row] = []
        self.lost = 0

    async def run(self) -> None:
        await self._installation.publish(GREETER)
        each = max(1, self._calls // ROWS)
        stored = self._stored()
        for number in range(ROWS):
            began = time.monotonic()
            waiting = iter(range(number * each, (number + 1) * each))
            await asyncio.gather(*(self._callers(waiting) for _ in range(self._side_by_side)))
            before, stored = stored, self._stored()
            took_s = time.monotonic() - began
            self.rows.append(await self._row((number + 1) * each, each / took_s, (stored - before) // each))
            print(json.dumps(asdict(self.rows[-1])), file=sys.stderr, flush=True)

    async def _callers(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            try:
                async with asyncio.timeout(WITHIN_S):
                    await self._call(f"short-{number}")
            except Exception as error:
                self.lost += 1
                print(f"short-{number}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)

    async def _call(self, name: str) -> None:
        phone = await self._installation.call(name)
        await phone.have("play")
        await phone.say(voice(TALK_FRAMES))
        phone.hang_up()
        await phone.gone()

    def _stored(self) -> int:
        return sum(path.stat().st_size for path in self._installation.folder.glob("journal-*"))

    async def _row(self, calls: int, rate: float, store_bytes: int) -> Row:
        supervisor = self._installation.supervisor
        stats = await supervisor.stats()
        pids = [each.pid for each in await supervisor.processes()]
        host = max(each.pid for each in stats.hosts)
        return Row(
            calls=calls,
            calls_per_s=round(rate, 1),
            call_mb=round(max(map(pss_of, pids)), 1),
            call_descriptors=max(map(descriptors, pids)),
            supervisor_mb=round(pss_of(stats.pid), 1),
            supervisor_descriptors=descriptors(stats.pid),
            host_mb=round(pss_of(host), 1),
            host_descriptors=descriptors(host),
            store_bytes=store_bytes,
        )


def pss_of(pid: int) -> float:
    """PSS of a process in MB."""
    return pss_kb(pid) / 1_024


def growth(rows: list[Row]) -> list[str]:
    """What grew by more than it may; empty = all is flat."""
    warm = rows[len(rows) // 10 :]
    quarter = max(1, len(warm) // 4)
    found = []
    for name, most in (
        ("call_mb", PSS_MB_MAX),
        ("supervisor_mb", PSS_MB_MAX),
        ("host_mb", PSS_MB_MAX),
        ("call_descriptors", DESCRIPTORS_MAX),
        ("supervisor_descriptors", DESCRIPTORS_MAX),
        ("host_descriptors", DESCRIPTORS_MAX),
    ):
        first = median(getattr(row, name) for row in warm[:quarter])
        last = median(getattr(row, name) for row in warm[-quarter:])
        if last - first > most:
            found.append(f"{name}: {first:g} -> {last:g}, allowed is {most:g} more")
    first, last = (sum(row.store_bytes for row in part) / quarter for part in (warm[:quarter], warm[-quarter:]))
    if last > first * (1 + BYTES_SHARE_MAX):
        found.append(f"store_bytes of a call: {first:.0f} -> {last:.0f}, allowed is {BYTES_SHARE_MAX:.0%} more")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--side-by-side", type=int, default=6)
    parser.add_argument("--json", action="store_true", help="one line of JSON a row, on standard output")
    options = parser.parse_args()
    installation = Installation(start_ray(), spares=options.side_by_side, slots_max=options.side_by_side + 2)
    soak = Soak(installation, options.calls, options.side_by_side)
    try:
        asyncio.run(soak.run())
    finally:
        with contextlib.suppress(Exception):
            installation.close()
    grown = growth(soak.rows)
    if options.json:
        for row in soak.rows:
            print(json.dumps(asdict(row)))
    else:
        print("".join(f"{name:>24}" for name in asdict(soak.rows[0])))
        for row in soak.rows:
            print("".join(f"{value:>24}" for value in asdict(row).values()))
    if soak.lost:
        grown.append(f"{soak.lost} calls were lost")
    sys.exit("\n".join(grown) if grown else 0)


if __name__ == "__main__":
    main()
