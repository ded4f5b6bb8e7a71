"""What a call actor does: one process of the warm pool, one live call at a time, call after call.

The process listens for links and keeps its own to the supervisor, all on one event loop. How it comes up is
`call_actor.py`'s matter, what happens inside a call `runtime.py`'s.
"""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import OffhookError

from ..contracts.message import read
from ..contracts.node_messages import TO_CALL_FROM_SUPERVISOR, Assign, Assigned, EnginesMoved, Query, Reply, Retire
from ..contracts.setup import Setup
from ..engines.engines import redirect
from ..link.link import Array, Link, LinkServer
from ..link.resident import Resident
from ..process.raylet import Raylet
from .call_tokens import Holder
from .runtime import CallRuntime
from .usage import pss_kb

log = logging.getLogger(__name__)

GC_YOUNG = 20_000  # objects: a call makes few cycles; a collection every some seconds instead of several a second


async def serve_calls(endpoint: str, token: str, name: str, node: str, leaves: bool = False) -> str:
    """What the call actor's `run` does, on the present loop: needs no Ray."""
    desk = CallDesk()
    await desk.open(endpoint, token, name, node)
    if leaves:
        Raylet().follow(desk.leave)
    try:
        return await desk.resident.stay()
    finally:
        await desk.server.stop()


class CallDesk:
    """The process's links: its own server (gateway, agents, observers come there) and the way to the supervisor."""

    resident: Resident
    server: LinkServer

    def __init__(self) -> None:
        self.runtime: CallRuntime | None = None
        self.calls = 0

    async def open(self, endpoint: str, token: str, name: str, node: str) -> None:
        """Listen, connect. The process is warm by now (`call_actor.py`): what it holds, it holds for good."""
        self.server = LinkServer(self._hello)
        own_endpoint = await self.server.start(own_endpoint_beside(endpoint, name))
        gc.collect()
        gc.freeze()  # what every call needs is never looked at again
        gc.set_threshold(GC_YOUNG, 20, 50)
        self.resident = Resident(
            endpoint,
            token,
            "call",
            name,
            node=node,
            own_endpoint=own_endpoint,
            running=self._running,
            live=lambda: self.runtime is not None,
            on_message=self._told,
            on_up=self._up,
            on_down=self._down,
        )

    async def leave(self) -> None:
        """This node is gone, and the call another's to lead: hand over what is written; nothing is ordered after it."""
        if self.runtime is not None:
            self.runtime.recorder.flush()
        await self.resident.part("the node's raylet is gone")

    def _hello(self, link: Link, grant: tuple[Holder, str, str], rest: Array) -> None:
        holder, role, name = grant
        holder.hello(link, role, name, rest)

    def _running(self) -> dict[str, Any]:
        """What is live here: enough for a restarted supervisor to know the call again."""
        runtime = self.runtime
        if runtime is None:
            return {}
        setup = runtime.setup
        return {
            "call": setup.call,
            "epoch": setup.epoch,
            "seq": runtime.recorder.seq,
            "snapshot_seq": runtime.funnel.snapshot_seq,
            "setup": {**setup.as_map(), "policy": {}, "resume": []},
        }

    def _up(self) -> None:
        if self.runtime is not None:
            self.runtime.supervisor_back()

    def _down(self) -> None:
        if self.runtime is not None:
            self.runtime.supervisor_lost()

    # --- what the supervisor says -----------------------------------------------------------------------------------

    def _told(self, array: Array) -> None:
        match message := read(array, TO_CALL_FROM_SUPERVISOR):
            case Assign(call, epoch, setup):
                self._assign(call, epoch, setup)
            case Query(number, what):
                self.resident.send(*Reply(number, self._reply(what)))
            case Retire(reason):
                self.resident.end(reason)
            case EnginesMoved(call, recognizers, synthesizers):
                self._engines_moved(call, recognizers, synthesizers)
            case None:
                pass
            case _ if self.runtime is not None:
                self.runtime.told(message)  # else it is of a call that is over here

    def _assign(self, call: str, epoch: int, raw: Mapping[str, Any]) -> None:
        refusal = ""
        if self.runtime is not None:
            refusal = f"{self.resident.name} runs call {self.runtime.setup.call}"
        else:
            try:
                runtime = CallRuntime(Setup.from_map(raw), self.resident, self.server, self._over)
            except OffhookError as error:
                refusal = f"{type(error).__name__}: {error}"
            else:
                self.runtime = runtime
                self.calls += 1
                runtime.start()
                self.resident.beat_soon()
        if refusal:
            log.error("refused call: %s", refusal, extra={"call": call})
            self.resident.send(*Assigned(call, epoch, refusal))

    def _engines_moved(self, call: str, recognizers: list[list[str]], synthesizers: list[list[str]]) -> None:
        runtime = self.runtime
        if runtime is not None and runtime.setup.call == call:
            redirect(runtime.hearing.recognizer, runtime.synthesizer, recognizers, synthesizers)

    def _over(self, _outcome: str) -> None:
        """Nothing is left of the call: this process is a spare again."""
        self.runtime = None
        gc.collect()
        self.resident.beat_soon()

    def _reply(self, what: str) -> Any:
        if what == "state":
            return self.runtime.describe() if self.runtime is not None else {}
        if what == "stats":
            return {"pid": os.getpid(), "calls": self.calls, "pss_kb": pss_kb(), "cpu_s": time.process_time()}
        return {"unknown": what}


def own_endpoint_beside(endpoint: str, name: str) -> str:
    """A Unix socket beside the supervisor's; where that listens on TCP (tests), any free port of this machine."""
    kind, _, where = endpoint.partition(":")
    if kind != "unix":
        return "tcp:127.0.0.1:0"
    return f"unix:{Path(where).with_name(f'{name}.sock')}"
