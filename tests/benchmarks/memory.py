"""What a call's process weighs beside a bare Ray actor: as many of each in one Ray, measured at the same moment.

    python tests/benchmarks/memory.py [--count 50]

PSS (proportional set size) from /proc: pages that processes share count by the share of their users, so the figure
depends on how many there are; the difference between the two kinds is what this project adds. The bare actor is a sync
one inside a method that does not return, as a call's process is. Call processes are measured as they wait, and once
more after each has led a short call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from live_calls import CLIP, HERE, Installation, percentile, processes, pss_mb

SECONDS = 12.0  # of the short calls


class Bare:
    """Nothing but a Ray actor."""

    def pid(self) -> int:
        return os.getpid()

    def run(self) -> None:
        while True:
            time.sleep(3_600)


def bare_actors(address: str, count: int) -> list[int]:
    """Start so many beside the installation; their process ids. They end with this program."""
    import ray

    ray.init(address, log_to_driver=False, logging_level="ERROR")
    kind = ray.remote(Bare).options(num_cpus=0, enable_task_events=False)
    pids: list[int] = []
    for _ in range(count):
        actor = kind.remote()
        pids.append(ray.get(actor.pid.remote()))
        _HELD.extend((actor, actor.run.remote()))
    return pids


_HELD: list[object] = []  # an actor whose handle is dropped ends


def row(pids: list[int]) -> dict[str, float]:
    """Median and worst, in MB."""
    weights = [pss_mb(pid) for pid in pids]
    return {"median": round(percentile(weights, 0.5), 1), "max": round(max(weights), 1), "processes": len(pids)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    house = Installation(options.count, slots=options.count)
    try:
        house.wait_for_spares(options.count, within_s=30 + 4 * options.count)
        running = json.loads((Path(house.folder.name) / "running.json").read_text())
        bare = bare_actors(running["ray"], options.count)
        time.sleep(3)
        waiting = processes(house.process.pid)["call process"]
        figures = {"bare Ray actor": row(bare), "call process, waiting": row(waiting)}
        _, urls = house.place(options.count)
        listing = Path(house.folder.name) / "urls"
        listing.write_text("\n".join(urls))
        busy = sorted(house.live_pids())
        command = [sys.executable, str(HERE / "probe.py"), "--urls", str(listing), "--seconds", str(SECONDS)]
        subprocess.run([*command, "--clip", str(CLIP)], stdout=subprocess.DEVNULL, check=True)
        figures["call process, after a call"] = row(busy)
        for name, figure in figures.items():
            print(f"{name:28} {figure}")
        added = figures["call process, after a call"]["median"] - figures["bare Ray actor"]["median"]
        print(f"above a bare actor           {added:.1f} MB (goal: at most 15)")
    finally:
        house.close()


if __name__ == "__main__":
    main()
