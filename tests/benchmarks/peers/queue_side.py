"""Runs the Celery side of `task_queue.py`: its own Redis, workers, the media process; all of it ends with the run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from .environments import python_of, variables_of
from .sides import below, cpu_s, resident_mb

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "support"))  # a Redis of one's own is started as the tests start theirs

from redis_server import RedisServer  # noqa: E402

READY_S = 30.0
KEEP = ("--appendonly", "no")  # in memory only: the fastest that it can be


def run_celery(calls: int, seconds: float, seed: int, options: Any) -> dict[str, Any]:
    """One row: `calls` callers play for `seconds`."""
    python = python_of("celery", options.env)
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder, RedisServer(Path(folder), *KEEP) as broker:
        variables = {**variables_of(python), "BENCH_REDIS": broker.url}
        variables["PYTHONPATH"] += f":{HERE.parent}"
        sharded = options.queues == "sharded"
        workers = [
            subprocess.Popen(
                [
                    *(python, "-m", "celery", "-A", "peers.celery_calls", "worker", "--pool", options.pool),
                    *("-c", "1" if options.pool == "solo" else str(options.prefork), "-Q", queue, "-n", f"{queue}.{n}"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "error"),
                ],
                env=variables,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for n in range(options.workers)
            for queue in [f"calls.{n}" if sharded else "calls"]
        ]
        try:
            _await_workers(broker.url, options.workers)
            shards = options.workers if sharded else 0
            media = subprocess.Popen(
                [
                    *(python, "-m", "peers.celery_calls", "--calls", str(calls), "--seconds", str(seconds)),
                    *("--seed", str(seed), "--shards", str(shards)),
                ],
                env=variables,
                stdout=subprocess.PIPE,
                text=True,
            )
            with media:
                time.sleep(5 + calls * 0.03)
                pids = [pid for pid in below([os.getpid()]) if pid not in (os.getpid(), media.pid)]
                before, began = cpu_s(pids), time.monotonic()
                time.sleep(max(1.0, seconds - 2))
                elapsed = time.monotonic() - began
                used_s = sum(s - before.get(pid, 0.0) for pid, s in cpu_s(pids).items())
                memory_mb = sum(map(resident_mb, pids))
                try:
                    out, _ = media.communicate(timeout=seconds + 60)
                finally:
                    media.kill()
        finally:
            _end(workers)
    return {**json.loads(out), "cpu_ms_per_call_second": round(used_s * 1_000 / elapsed / calls, 1),
            "pss_mb_all": round(memory_mb)}  # fmt: skip


def _await_workers(url: str, count: int) -> None:
    """Until every worker waits at its queue: a blocked BRPOP each."""
    with redis.Redis.from_url(url) as broker:
        until = time.monotonic() + READY_S
        while sum(client.get("cmd") == "brpop" for client in broker.client_list()) < count:
            assert time.monotonic() < until, f"not all of {count} workers are up after {READY_S} s"
            time.sleep(0.1)


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(5)
        if worker.poll() is None:
            for pid in below([worker.pid]):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            worker.wait()
