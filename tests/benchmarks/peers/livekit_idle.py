"""What an idle job process of LiveKit Agents costs, without its server. Runs in LiveKit's own environment.

    python livekit_idle.py [--processes 4] [--vad]     -> one JSON line

Job processes as the worker's pool starts them (forkserver, the framework's own preload), waiting for a job; with
`--vad` each has loaded the Silero plugin's model in its prewarm function, as LiveKit's examples do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from pathlib import Path
from typing import Any

from livekit.agents import JobProcess
from livekit.agents.ipc.proc_pool import ProcPool
from livekit.agents.job import JobExecutorType

IDLE_S = 10.0


def nothing(_process: JobProcess) -> None:
    """No prewarm."""


def load_vad(process: JobProcess) -> None:
    """What LiveKit's examples prewarm."""
    from livekit.plugins import silero

    process.userdata["vad"] = silero.VAD.load()


async def entrypoint(_job: Any) -> None:
    """No job ever comes."""


def pss_mb(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def measure(count: int, vad: bool) -> dict[str, Any]:
    context = multiprocessing.get_context("forkserver")
    plugins = ["livekit.plugins.silero"] if vad else []
    context.set_forkserver_preload([*plugins, "livekit.agents.ipc._preload", "livekit.agents.ipc._preload_freeze"])
    pool = ProcPool(
        initialize_process_fnc=load_vad if vad else nothing,
        job_entrypoint_fnc=entrypoint,
        session_end_fnc=None,
        simulation_end_fnc=None,
        num_idle_processes=count,
        initialize_timeout=60.0,
        close_timeout=10.0,
        session_end_timeout=10.0,
        inference_executor=None,
        job_executor_type=JobExecutorType.PROCESS,
        mp_ctx=context,
        memory_warn_mb=0,
        memory_limit_mb=0,
        http_proxy=None,
        loop=asyncio.get_running_loop(),
    )
    began = time.monotonic()
    await pool.start()
    while len(pool.processes) < count:  # noqa: ASYNC110  # the pool has no event for it
        await asyncio.sleep(0.1)
    ready_s = time.monotonic() - began
    await asyncio.sleep(2)
    pids = [process.pid for process in pool.processes]
    before = sum(map(cpu_ticks, pids))
    await asyncio.sleep(IDLE_S)
    ticks = sum(map(cpu_ticks, pids)) - before
    memory = sorted(map(pss_mb, pids))
    await pool.aclose()
    return {
        "processes": count,
        "vad": vad,
        "pss_mb_median": round(memory[len(memory) // 2], 1),
        "pss_mb_max": round(memory[-1], 1),
        "idle_cpu_ms_per_second": round(ticks * 10 / IDLE_S / count, 2),
        "ready_s": round(ready_s, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--vad", action="store_true")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.processes, options.vad))))


if __name__ == "__main__":
    main()
