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

from .heartbeat import Heartbeat
from .recognizer import Recognizer
from .synthesizer import Synthesizer

CALLS_MAX = 100  # questions to a replica under way at once; audio is none


class _Engine:
    """What both have in common: started with the replica, announced, asked for its address, looked after."""

    engine: Recognizer | Synthesizer
    heartbeat: Heartbeat | None = None  # until it listens
    drain_s = 0.0

    async def begin(self, kind: str, engine: Recognizer | Synthesizer, drain_s: float) -> None:
        """Start it and have calls come."""
        self.engine, self.drain_s = engine, drain_s
        await engine.start()
        at, node = engine.endpoint(), this_node()
        replica = f"{kind}-{node[:8]}-{os.getpid()}"
        self.heartbeat = Heartbeat(Place(kind, replica, node, boot(), at["endpoint"], at["tcp"], at["token"]))
        await self.heartbeat.start()

    async def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, tcp, token}."""
        return self.engine.endpoint()

    async def stats(self) -> dict[str, int]:
        """Counts since the start."""
        return self.engine.stats()

    async def __del__(self) -> None:
        """Serve calls this when it stops the replica in good order, and kills it graceful_shutdown_timeout_s later."""
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        await self.engine.stop(self.drain_s)

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises."""
        if not self.engine.endpoint()["endpoint"]:
            raise EngineAway("the engine does not listen")


class RecognizerReplica(_Engine):
    """One recognizer: about two callers who talk without a pause on each core, many more who do not."""

    async def __init__(self, port: int = -1, drain_s: float = 0.0) -> None:  # type: ignore[misc]  # Serve awaits it
        await self.begin(RECOGNIZER, Recognizer(tcp=_at(port)), drain_s)


class SynthesizerReplica(_Engine):
    """One synthesizer with its programs."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, port: int = -1, drain_s: float = 0.0, programs: int = 1, voice: str = ""
    ) -> None:
        await self.begin(SYNTHESIZER, Synthesizer(programs=programs, voice=voice, tcp=_at(port)), drain_s)

    async def warm(self, texts: list[str]) -> int:
        """Make and keep these texts before a call needs them."""
        engine = self.engine
        assert isinstance(engine, Synthesizer)
        return await engine.warm(texts)


def recognizer(replicas: int = 1, **options: Any) -> serve.Application:
    """The recognizer as a Serve application.

    Args:
        port: on its node's address, for calls on other machines; 0 = any free one, -1 = only for calls on its own.
        drain_s: how long a replica that Serve stops goes on for the calls that it has; no new ones are sent there.
    """
    return _deployment(RECOGNIZER, replicas)(RecognizerReplica).bind(**options)


def synthesizer(replicas: int = 1, **options: Any) -> serve.Application:
    """The synthesizer as a Serve application; `port`, `drain_s` as above, `programs`, `voice`: see `Synthesizer`."""
    return _deployment(SYNTHESIZER, replicas)(SynthesizerReplica).bind(**options)


def _deployment(name: str, replicas: int) -> Any:
    limits = {"num_replicas": replicas, "max_ongoing_requests": CALLS_MAX}
    return serve.deployment(name=name, ray_actor_options={"num_cpus": 0}, **limits)


def _at(port: int) -> str:
    """This node's address: what Ray's own processes on other nodes reach is what calls there reach."""
    return f"tcp:{ray.util.get_node_ip_address()}:{port}" if port >= 0 else ""
