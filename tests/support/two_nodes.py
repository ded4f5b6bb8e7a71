"""A cluster of two nodes on this machine, with a director and policies whose agents are written by the test.

Ray allows one cluster a process: the one that other tests share is left for the time, and joined anew afterwards.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import textwrap
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import installation
import ray
from offhook.actors.contracts.call_operations import CallSummary
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.node.bundle_archive import pack
from offhook.actors.refs.handles import NAMESPACE
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.director import start_director
from phone import Phone
from ray.cluster_utils import Cluster


@contextmanager
def two_nodes() -> Iterator[Path]:
    """Two nodes; their folder."""
    shared = ray.is_initialized()
    if shared:
        ray.shutdown()
    folder = Path(tempfile.mkdtemp(prefix="o2-", dir="/tmp"))  # short: Unix sockets live in it
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # Ray's own spelling
    before = Path.cwd()
    os.chdir(folder)
    node = {"num_cpus": 2, "object_store_memory": 80 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    ray.init(cluster.address, namespace=NAMESPACE, log_to_driver=False)
    os.chdir(before)
    try:
        yield folder
    finally:
        ray.shutdown()
        cluster.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        if shared:
            installation.start_ray.cache_clear()
            installation.start_ray()


class Fleet:
    """The director of such a cluster, and what a test asks of it. All coroutines of a test run in one `run`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="f-", dir=folder))
        self.director = start_director({"state_dir": str(self.folder), "spares": 2, "ring_ms": 60_000, **options})

    def run(self, test: Callable[[], Awaitable[None]], within_s: float = 240) -> None:
        async def limited() -> None:
            async with asyncio.timeout(within_s):
                await test()

        asyncio.run(limited())

    async def ready(self) -> None:
        """Both nodes have a supervisor with a spare."""
        while len(nodes := await self.director.nodes()) < 2:  # noqa: ASYNC110  # another process's state
            await asyncio.sleep(0.05)
        await asyncio.gather(*(SupervisorRef.find(node).ready(1, 120) for node in nodes))

    async def publish(self, version: str, code: str, lead: str = "first", memory_mb: int = 512, **policy: Any) -> str:
        """A version of the policy `desk` with one agent, the first class of `code`."""
        bundle = self.folder / f"bundle-{version}"
        (bundle / "agents").mkdir(parents=True)
        (bundle / "agents" / "one.py").write_text(textwrap.dedent(code))
        name = code.split("class ", 1)[1].split(":")[0].split("(")[0].strip()
        agents = {"talker": {"code": f"agents/one.py:{name}", "calls_per_actor": 50, "memory_mb": memory_mb}}
        plain = {"name": "desk", "agents": agents, **policy}
        await self.director.publish_policy(version, plain, pack(bundle), lead)
        return version

    async def call(self, call: str, policy: str = "desk") -> Phone:
        """A call that is answered."""
        placed = await self.director.reserve(CallRequest(call, caller="+1", callee="+2", policy=policy))
        return await Phone.pick_up(placed)

    async def row(self, call: str) -> CallSummary:
        return next(row for row in (await self.director.calls()).calls if row.call == call)

    async def until(self, true: Callable[[], Awaitable[Any]]) -> Any:
        """Asks until the answer is true; returns it."""
        while not (answer := await true()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return answer

    async def ended(self, call: str) -> CallSummary:
        async def over() -> CallSummary | None:
            row = await self.row(call)
            return None if row.live else row

        ended: CallSummary = await self.until(over)
        return ended

    def close(self) -> None:
        asyncio.run(self.director.stop())
