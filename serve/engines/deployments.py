"""The engines as Serve deployments: Serve places, restarts and counts them; their audio never passes through it.

Each replica tells the director where it listens (`heartbeat.py`), so calls on every node find it, and find its
successor after Serve has restarted it, wherever that runs; they go on without it meanwhile.
"""

from __future__ import annotations

import os
from typing import Any

import ray
from offhook.actors.contracts.errors import EngineAway
from offhook.actors.engines.engine_places import RECOGNIZER, SYNTHESIZER, Place
from offhook.actors.process.clock import boot
from offhook.actors.refs.handles import this_node
from ray import serve

from ..config import plug_ins
from .heartbeat import Heartbeat
from .recognizer_host import RecognizerHost
from .synthesizer_host import SynthesizerHost

CALLS_MAX = 100  # questions to a replica under way at once; audio is none
NO_PORT = -1  # only calls on its own node reach it


class _Replica:
    """What both have in common: started with the replica, announced, asked for its address, looked after."""

    host: RecognizerHost | SynthesizerHost
    heartbeat: Heartbeat | None = None  # until it listens
    drain_s = 0.0

    async def begin(self, kind: str, host: RecognizerHost | SynthesizerHost, drain_s: float) -> None:
        """Start it and have calls come."""
        self.host, self.drain_s = host, drain_s
        await host.start()
        at, node = host.endpoint(), this_node()
        replica = f"{kind}-{node[:8]}-{os.getpid()}"
        self.heartbeat = Heartbeat(Place(kind, replica, node, boot(), at["endpoint"], at["tcp"], at["token"]))
        await self.heartbeat.start()

    async def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self.host.endpoint()

    async def stats(self) -> dict[str, int]:
        """Counts since the start."""
        return self.host.stats()

    async def __del__(self) -> None:
        """Serve calls this when it stops the replica in good order, and kills it graceful_shutdown_timeout_s later."""
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        await self.host.stop(self.drain_s)

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises."""
        if not self.host.endpoint()["endpoint"]:
            raise EngineAway("the engine does not listen")


class RecognizerReplica(_Replica):
    """One recognizer; of moonshine: about two callers who talk without a pause on each core, many more who do not."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, engine: str, options: plug_ins.Options, port: int = -1, drain_s: float = 0.0
    ) -> None:
        made = plug_ins.make(plug_ins.RECOGNIZERS, engine, options)
        await self.begin(RECOGNIZER, RecognizerHost(made, tcp=_at(port)), drain_s)


class SynthesizerReplica(_Replica):
    """One synthesizer."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, engine: str, options: plug_ins.Options, port: int = -1, drain_s: float = 0.0
    ) -> None:
        made = plug_ins.make(plug_ins.SYNTHESIZERS, engine, options)
        await self.begin(SYNTHESIZER, SynthesizerHost(made, tcp=_at(port)), drain_s)

    async def warm(self, texts: list[str]) -> int:
        """Make and keep these texts before a call needs them."""
        host = self.host
        assert isinstance(host, SynthesizerHost)
        return await host.warm(texts)


def recognizer(
    engine: str, options: plug_ins.Options, replicas: int = 1, port: int = NO_PORT, drain_s: float = 0.0
) -> serve.Application:
    """A recognizer as a Serve application.

    Args:
        engine: the name of its entry point; `options` are its own.
        port: on its node's address, for calls on other machines; 0 = any free one, -1 = only for calls on its own.
        drain_s: how long a replica that Serve stops goes on for the calls that it has; no new ones are sent there.
    """
    return _deployment(RECOGNIZER, replicas)(RecognizerReplica).bind(engine, dict(options), port, drain_s)


def synthesizer(
    engine: str, options: plug_ins.Options, replicas: int = 1, port: int = NO_PORT, drain_s: float = 0.0
) -> serve.Application:
    """A synthesizer as a Serve application, as above."""
    return _deployment(SYNTHESIZER, replicas)(SynthesizerReplica).bind(engine, dict(options), port, drain_s)


def _deployment(name: str, replicas: int) -> Any:
    limits = {"num_replicas": replicas, "max_ongoing_requests": CALLS_MAX}
    return serve.deployment(name=name, ray_actor_options={"num_cpus": 0}, **limits)


def _at(port: int) -> str:
    """This node's address: what Ray's own processes on other nodes reach is what calls there reach."""
    return f"tcp:{ray.util.get_node_ip_address()}:{port}" if port >= 0 else ""
