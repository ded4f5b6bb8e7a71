"""Runs offhook's side of `task_queue.py`: real Ray, a supervisor with its journal, real call actors and agent hosts.

Events go the way of an operator's word: over a link to the supervisor, and on its link to the call's actor. Acts are
seen where they are carried out: `clear` on the line of the call (a gateway's link), actions as a notice to an observer.
The callers' media process is this one.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
from offhook.actors.contracts.messages import Clear, Hangup, Notice, Stopped
from offhook.actors.contracts.node_messages import Told
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.link.link import Array, Link, LinkServer, connect
from offhook.actors.node.supervisor import Supervisor
from offhook.actors.refs.handles import NAMESPACE, this_node
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode

from .script import POLICY, Call, Play
from .sides import below, cpu_s, resident_mb

HERE = Path(__file__).resolve().parent
RING_S = 300.0


class SignalSupervisor(Supervisor):
    """A supervisor that also takes events from this benchmark, over a link, and passes them to the call's owner."""

    async def signals(self) -> tuple[str, str]:
        """Where, and under which token."""
        self._signals = LinkServer(self._signal_link)
        token = secrets.token_urlsafe()
        self._signals.admit("signals", token)
        path = self.places.endpoint.removeprefix("unix:")
        return await self._signals.start(f"unix:{Path(path).with_name('signals.sock')}"), token

    def _signal_link(self, link: Link, _grant: Any, _rest: Array) -> None:
        link.on_message = self._signal

    def _signal(self, _link: Link, message: Array) -> None:
        row = self.table.get(message[1])
        if row is not None:
            self.tell(row, *message)


class Line:
    """One caller's line and an observer beside it."""

    def __init__(self, call: Call) -> None:
        self.call = call

    async def open(self, supervisor: SupervisorRef, name: str) -> None:
        door = await supervisor.claim(name)
        self.line = await connect(door.endpoint, door.token, "MZ1", "mulaw8k", on_message=self._ordered)
        seat = await supervisor.observe(name)
        hello = ("bench", "observer", ["action"])
        self.notices = await connect(seat.endpoint, seat.token, *hello, on_message=self._noticed)

    def _ordered(self, link: Link, message: Array) -> None:
        if message[0] == Clear.NAME:
            self.call.held()
        elif message[0] == Hangup.NAME:
            link.send(Stopped.NAME, message[2])

    def _noticed(self, _link: Link, message: Array) -> None:
        if message[0] == Notice.NAME and message[5].get("what") == "performing":
            self.call.acted(message[5]["action"])

    def close(self) -> None:
        self.line.send(Stopped.NAME, "the caller hung up")
        self.notices.close()


class Actors:
    """Ray and one node of offhook with a warm spare for each of `spares` calls."""

    def __init__(self, spares: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="oh-", dir="/tmp"))  # short: Unix sockets live in it
        ray.init("local", num_cpus=2, include_dashboard=False, namespace=NAMESPACE, object_store_memory=80 << 20,
                 log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": str(HERE.parent)}})  # fmt: skip
        options = {"state_dir": str(self.folder), "spares": spares, "slots_max": spares, "ring_ms": int(RING_S * 1_000)}
        node = this_node()
        name = f"supervisor:{node}"
        where = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "num_cpus": 0}
        handle = ray.remote(SignalSupervisor).options(**where, max_concurrency=1_000).remote(node, options)
        self.handle = handle
        self.supervisor = SupervisorRef(handle, name)
        self._spares = spares
        self._runs = 0

    def run(self, calls: int, seconds: float, seed: int) -> dict[str, Any]:
        """One row: `calls` callers play for `seconds`."""
        return asyncio.run(self._run(calls, seconds, seed))

    async def _run(self, calls: int, seconds: float, seed: int) -> dict[str, Any]:
        if not self._runs:
            await self.supervisor.publish_policy("clerk", POLICY, str(HERE / "clerk"))
            await self.supervisor.engines({"kind": "none"}, {"kind": "tone"})
            await self.supervisor.ready(self._spares, RING_S)
            self.door = await self.handle.signals.remote()
        self._runs += 1
        signals = await connect(*self.door, on_message=lambda _link, _message: None)
        names = [f"r{self._runs}-{number}" for number in range(calls)]

        def send(call: Call, event: ev.Event) -> None:
            signals.send(Told.NAME, names[call.number], encode(event))

        play = Play(calls, seconds, seed, send)
        lines = [Line(call) for call in play.calls]
        for name, line in zip(names, lines, strict=True):
            await self.supervisor.reserve(CallRequest(name, caller="+1", callee="+2"))
            await line.open(self.supervisor, name)
        began_ms = {row.call: row.created_unix_ms for row in (await self.supervisor.calls()).calls}
        for call, name in zip(play.calls, names, strict=True):
            call.zero = time.perf_counter() - (time.time() - began_ms[name] / 1_000)
        await asyncio.sleep(2)
        used = asyncio.get_running_loop().create_task(_cpu(seconds))
        await play.run()
        await asyncio.sleep(3)
        for line in lines:
            line.close()
        used_s, elapsed, memory_mb = await used
        await asyncio.sleep(1)
        signals.close()
        return {**play.result(), "cpu_ms_per_call_second": round(used_s * 1_000 / elapsed / calls, 1),
                "pss_mb_all": round(memory_mb)}  # fmt: skip

    def close(self) -> None:
        asyncio.run(self.supervisor.stop())
        ray.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


async def _cpu(seconds: float) -> tuple[float, float, float]:
    """CPU seconds of everything but this media process, the time that it was counted, and its memory."""
    own = os.getpid()
    pids = [pid for pid in below([own]) if pid != own]
    before, began = cpu_s(pids), time.monotonic()
    await asyncio.sleep(max(1.0, seconds - 2))
    after, elapsed = cpu_s(pids), time.monotonic() - began
    memory_mb = sum(mb for pid in pids if (mb := resident_mb(pid)) == mb)
    return sum(s - before.get(pid, 0.0) for pid, s in after.items()), elapsed, memory_mb
