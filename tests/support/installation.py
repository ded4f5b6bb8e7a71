"""A whole node for tests: real Ray, a supervisor, policies whose agents are written by the test."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import shutil
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import ray
from caller import Caller, Exchange
from offhook.actors.contracts.call_operations import CallSummary
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.journals.journal import Kept, unexplained
from offhook.actors.node.supervisor import Supervisor
from offhook.actors.refs.handles import NAMESPACE, this_node
from offhook.actors.refs.supervisor import SupervisorRef
from phone import Phone

GREETER = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Greeter:
    topics = ()
    def __init__(self, name, spec):
        self.spec = spec
    def propose(self, view, reason):
        text = "Good morning, this is a rather long greeting that goes on for quite a while. " * 20
        return [Proposal("", "", Kind.SAY, 0, 0, text, Purpose.GREETING)]
"""


@functools.cache
def start_ray() -> Path:
    """Ray on this machine with few resources, started once, outside of the repository; returns its folder."""
    folder = Path(tempfile.mkdtemp(prefix="oh-", dir="/tmp"))  # short: Unix sockets live in it
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  # Ray's own spelling
    before = Path.cwd()
    os.chdir(folder)
    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        namespace=NAMESPACE,
        object_store_memory=80 << 20,
        log_to_driver=False,
    )
    os.chdir(before)
    return folder


class Installation:
    """One node's supervisor and what a test asks of it. All coroutines of a test run in one `run`."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="h-", dir=folder))
        self.options = {"state_dir": str(self.folder), "spares": 2, "ring_ms": 60_000, **options}
        self.node = this_node()
        self.supervisor = SupervisorRef.start(Supervisor, self.node, self.options)
        self._policies = 0

    def run(self, test: Callable[[], Awaitable[None]], within_s: float = 240) -> None:
        async def limited() -> None:
            async with asyncio.timeout(within_s):
                await test()

        asyncio.run(limited())

    async def publish(self, code: str = GREETER, agent: str = "closer", spec: Any = None, **policy: Any) -> str:
        """A policy with one agent whose class is the first of `code`; returns its version, with its host up."""
        self._policies += 1
        version = f"v{self._policies}"
        bundle = self.folder / version
        (bundle / "agents").mkdir(parents=True)
        (bundle / "agents" / "one.py").write_text(textwrap.dedent(code))
        name = code.split("class ", 1)[1].split(":")[0].split("(")[0].strip()
        agents = {agent: {"code": f"agents/one.py:{name}", "calls_per_actor": 50, **(spec or {})}}
        await self.supervisor.publish_policy(version, {"name": "test", "agents": agents, **policy}, str(bundle))
        await self.supervisor.engines({"kind": "none"}, {"kind": "tone"})
        await self.supervisor.ready(1, 120)
        return version

    async def call(self, call: str, version: str = "") -> Phone:
        """A call that is answered."""
        reserved = await self.supervisor.reserve(CallRequest(call, caller="+1", callee="+2", policy=version))
        return await Phone.pick_up(reserved)

    async def line(self, call: str, version: str = "") -> Caller:
        """A call that is answered, on a line that outlives its process."""
        await self.supervisor.reserve(CallRequest(call, caller="+1", callee="+2", policy=version))
        return Exchange.of(self.supervisor).dial(call)

    async def row(self, call: str) -> CallSummary:
        return next(row for row in (await self.supervisor.calls()).calls if row.call == call)

    async def ended(self, call: str) -> CallSummary:
        """Waits until a call is over."""
        while (row := await self.row(call)).live:  # noqa: ASYNC110  # another process's state has no event here
            await asyncio.sleep(0.02)
        return row

    async def records(self, call: str, kind: str = "") -> list[list[Any]]:
        records = await self.supervisor.journal(call, -1, 10_000)
        return [record for record in records if not kind or record[4] == kind]

    async def complete(self, call: str) -> list[list[Any]]:
        """A call's records; none is missing but what compaction has dropped."""
        records = await self.records(call)
        noted = await self.supervisor.kept(call)
        assert not unexplained(records, Kept(**noted)), [record[2] for record in records]
        return records

    async def events(self, call: str, name: str) -> list[list[Any]]:
        return [record[5] for record in await self.records(call, "event") if record[5][0] == name]

    async def listens(self, phone: Phone, true: Callable[[], Awaitable[Any]]) -> Any:
        """As `until`, while the caller is silent."""
        while not (answer := await true()):
            await phone.listen(40)
        return answer

    async def until(self, true: Callable[[], Awaitable[Any]]) -> Any:
        """Asks until the answer is true; returns it."""
        while not (answer := await true()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        return answer

    def write(self, name: str, body: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(body))
        return path

    def close(self) -> None:
        asyncio.run(self.supervisor.stop())
        shutil.rmtree(self.folder, ignore_errors=True)
