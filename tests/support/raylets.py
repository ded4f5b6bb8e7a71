"""A cluster of several raylets on this machine with an offhook on it, for tests that lose nodes or the control store.

Nobody in the test's own process joins that Ray: what is asked goes through the API, as an operator's or a carrier's
question does.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from offhook.serve.chaos.processes import children
from ray.cluster_utils import Cluster

OFFHOOK = str(Path(sys.executable).with_name("offhook"))
STORE_BYTES = 80 << 20
READY_S = 120.0
CHAOS_S = 300.0


class Raylets:
    """A head and `more` nodes; `up` starts an offhook there."""

    def __init__(self, more: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="oh-", dir="/tmp"))  # short: Unix sockets live in it
        os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # Ray's own spelling
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, **_SMALL})
        self.nodes = [self.add() for _ in range(more)]
        self.offhook: subprocess.Popen[str] | None = None
        self.api = httpx.Client(timeout=30)
        self.journal = ""

    def add(self) -> Any:
        """One more node."""
        return self.cluster.add_node(num_cpus=2, **_SMALL)

    def up(self, policy: Path, *more: str) -> dict[str, Any]:
        """Start offhook on all nodes; its ready line."""
        words = ["up", "--address", self.cluster.address, "--policy", str(policy), "--json", "--spares", "1"]
        words += ["--port", "0", "--media-port", "0", "--recognizer", "none", "--voice", "tone"]
        words += ["--state-dir", str(self.folder / "state"), *more]
        pipe = subprocess.PIPE
        self.offhook = subprocess.Popen(
            [OFFHOOK, *words], stdout=pipe, stderr=pipe, text=True, cwd=self.folder, env={**os.environ, **_OFFHOOK}
        )
        assert self.offhook.stdout is not None and self.offhook.stderr is not None
        line = self.offhook.stdout.readline()
        assert line, self.offhook.stderr.read()
        ready = json.loads(line)
        self.api = httpx.Client(base_url=ready["api"], timeout=30)
        return dict(ready)

    def chaos(self, *words: str) -> dict[str, Any]:
        """Run `offhook chaos` against it; its report. Nothing may be violated."""
        command = [OFFHOOK, "chaos", "--yes", "--json", "--state-dir", str(self.folder / "state"), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CHAOS_S, check=False, cwd=self.folder)
        assert done.stdout, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["violations"] == [], f"{report['struck']}; again: {report['repeat']}"
        assert done.returncode == 0, done.stderr
        return report

    def lose(self, node: Any) -> None:
        """As when the power goes: the raylet and every process on that node at once."""
        raylet = node.all_processes["raylet"][0].process.pid
        for pid in [*children(raylet), raylet]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.cluster.remove_node(node, allow_graceful=False)

    def close(self) -> None:
        """End offhook, then the cluster."""
        if self.offhook is not None:
            self.offhook.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.offhook.communicate(timeout=60)
            self.offhook.kill()
        self.cluster.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Raylets:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


_SMALL = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
# A carrier that comes back must find somebody within RESUME_S: a new process, too, where all spares are taken.
_OFFHOOK = {"OFFHOOK_RING_S": "12", "OFFHOOK_RESUME_S": "10"}


def until(true: Callable[[], Any], within_s: float = 90.0) -> Any:
    """Asks until the answer is true; returns it."""
    deadline = time.monotonic() + within_s
    while not (answer := true()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s"
        time.sleep(0.05)
    return answer
