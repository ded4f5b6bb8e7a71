"""What a call's process weighs beside a bare Ray actor: as many of each in one Ray, measured at the same moment.

    python tests/benchmarks/memory.py [--count 50]

PSS (proportional set size) from /proc: pages that processes share count by the share of their users, so the figure
depends on how many there are; the difference between the two kinds is what this project adds. The bare actor is a sync
one inside a method that does not return, as a call's process is. This program starts a Ray and a supervisor of its own
(no gateway, no Serve), so the call processes are measured as they wait, warmed up by a call that nobody has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time

from live_calls import percentile, processes, pss_mb

SETTLE_S = 5.0  # after the last one is up
START_S = 4.0  # for one process on a busy machine, at worst


class Bare:
    """Nothing but a Ray actor."""

    def pid(self) -> int:
        return os.getpid()

    def run(self) -> None:
        while True:
            time.sleep(3_600)


def row(pids: list[int]) -> dict[str, float]:
    """Median and worst, in MB."""
    weights = [pss_mb(pid) for pid in pids]
    return {"median": round(percentile(weights, 0.5), 1), "max": round(max(weights), 1), "processes": len(pids)}


async def measure(folder: str, count: int) -> dict[str, dict[str, float]]:
    """Both kinds, side by side; Ray runs already."""
    import ray
    from offhook.actors.node.supervisor import Supervisor
    from offhook.actors.refs.handles import this_node
    from offhook.actors.refs.supervisor import SupervisorRef

    options = {"state_dir": folder, "spares": count, "slots_max": count}
    supervisor = SupervisorRef.start(Supervisor, this_node(), options)
    try:
        await supervisor.ready(count, 30 + START_S * count)
        kind = ray.remote(Bare).options(num_cpus=0, enable_task_events=False)
        actors = [kind.remote() for _ in range(count)]
        bare = await asyncio.gather(*(actor.pid.remote() for actor in actors))
        running = [actor.run.remote() for actor in actors]
        await asyncio.sleep(SETTLE_S)
        calls = processes(os.getpid())["call process"]
        figures = {"bare Ray actor": row(list(bare)), "call process": row(calls)}
        del running
        return figures
    finally:
        await supervisor.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()

    from offhook.serve.config.settings import prepare_ray_environment

    prepare_ray_environment()  # before Ray is imported
    import ray
    from offhook.actors.refs.handles import NAMESPACE

    with tempfile.TemporaryDirectory(prefix="oh-mem-", dir="/tmp") as folder:  # short: Unix sockets live in it
        os.chdir(folder)
        ray.init("local", num_cpus=2, include_dashboard=False, namespace=NAMESPACE, object_store_memory=80 << 20,
                 log_to_driver=False)  # fmt: skip
        try:
            figures = asyncio.run(measure(folder, options.count))
        finally:
            ray.shutdown()
    for name, figure in figures.items():
        print(f"{name:18} {figure}")
    added = figures["call process"]["median"] - figures["bare Ray actor"]["median"]
    print(f"above a bare actor {added:.1f} MB (goal: at most 15)")


if __name__ == "__main__":
    main()
