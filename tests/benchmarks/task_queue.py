"""Event-driven calls beside a task queue: the same callers, the same decisions (one core), in real time.

    python tests/benchmarks/task_queue.py [--sides offhook celery] [--calls 1 10 50 100 200] [--seconds 30]
        [--json FILE] [--workers 2] [--pool solo] [--queues sharded] [--env FOLDER]

offhook: real call actors, agent hosts, supervisor and journal on Ray. Celery: one task an event on a Redis of its own;
see `peers/celery_calls.py`. From outside both: moment at which the agent should act (end of the caller's patience) ->
its authorized action; onset of an interruption -> the order to fall silent; and mistimed actions, those carried out
after the caller had already begun to take them back. `peers/script.py` is the workload and the judge.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from offhook.serve.config.settings import prepare_ray_environment
from peers.environments import DEFAULT
from peers.figures import keep, show
from peers.sides import end_orderly

HOPELESS_MS = 2_000  # p50 of an action: the queue grows without end, more calls show nothing new


def actors(options: argparse.Namespace) -> None:
    """offhook: one installation a size, so that no idle spare stands beside the calls."""
    prepare_ray_environment()  # before Ray is imported
    from peers.actor_side import Actors

    for place, calls in enumerate(options.calls):
        side = Actors(calls)
        try:
            tell("offhook", side.run(calls, options.seconds, options.seed), options, first=place == 0)
        finally:
            side.close()


def queue(options: argparse.Namespace) -> None:
    """Celery, until it is hopeless."""
    from peers.queue_side import run_celery

    name = f"celery, {options.workers} {options.pool} workers, {options.queues} queues"
    for place, calls in enumerate(options.calls):
        row = run_celery(calls, options.seconds, options.seed, options)
        tell(name, row, options, first=place == 0 and "offhook" not in options.sides)
        if (row["act_ms"]["50"] or HOPELESS_MS) >= HOPELESS_MS:
            break


def tell(side: str, row: dict[str, Any], options: argparse.Namespace, *, first: bool) -> None:
    keep(options.json, "queue", side, row)
    show("queue", side, row, first=first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=("offhook", "celery"), default=["offhook", "celery"])
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 10, 50, 100, 200])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pool", choices=("solo", "prefork"), default="solo")
    parser.add_argument("--prefork", type=int, default=2, help="processes of each worker, with --pool prefork")
    parser.add_argument("--queues", choices=("sharded", "shared"), default="sharded")
    parser.add_argument("--env", type=Path, default=DEFAULT)
    options = parser.parse_args()
    end_orderly()
    if "offhook" in options.sides:
        actors(options)
    if "celery" in options.sides:
        queue(options)


if __name__ == "__main__":
    main()
