"""The engines as Serve deployments: Serve places, restarts and counts them; their audio never passes through it.

Calls find an engine by `endpoint()` and talk to it over the link. Give a fixed endpoint and token, and calls find it
again by themselves after Serve has restarted it; they go on without it meanwhile.
"""

from __future__ import annotations

from typing import Any

from offhook.actors.errors import EngineAway
from ray import serve

from .recognizer import Recognizer
from .synthesizer import Synthesizer


class _Engine:
    """What both have in common: started with the replica, asked for its address, looked after."""

    engine: Recognizer | Synthesizer

    async def endpoint(self) -> dict[str, str]:
        """Where calls connect: {endpoint, token}."""
        return self.engine.endpoint()

    async def stats(self) -> dict[str, int]:
        """Counts since the start."""
        return self.engine.stats()

    async def __del__(self) -> None:
        """Serve calls this when it stops the replica in good order."""
        await self.engine.stop()

    async def check_health(self) -> None:
        """Serve restarts the replica when this raises."""
        if not self.engine.endpoint()["endpoint"]:
            raise EngineAway("the engine does not listen")


class RecognizerReplica(_Engine):
    """One recognizer: about two callers who talk without a pause on each core, many more who do not."""

    async def __init__(self, endpoint: str = "", token: str = "") -> None:  # type: ignore[misc]  # Serve awaits it
        self.engine = Recognizer(endpoint, token)
        await self.engine.start()


class SynthesizerReplica(_Engine):
    """One synthesizer with its programs."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, endpoint: str = "", token: str = "", programs: int = 1, voice: str = ""
    ) -> None:
        self.engine: Synthesizer = Synthesizer(endpoint, token, programs, voice)
        await self.engine.start()

    async def warm(self, texts: list[str]) -> int:
        """Make and keep these texts before a call needs them."""
        return await self.engine.warm(texts)


def recognizer(**options: Any) -> serve.Application:
    """The recognizer as a Serve application; options of `Recognizer`."""
    deployment = serve.deployment(name="recognizer", ray_actor_options={"num_cpus": 0}, max_ongoing_requests=100)
    return deployment(RecognizerReplica).bind(**options)


def synthesizer(**options: Any) -> serve.Application:
    """The synthesizer as a Serve application; options of `Synthesizer`."""
    deployment = serve.deployment(name="synthesizer", ray_actor_options={"num_cpus": 0}, max_ongoing_requests=100)
    return deployment(SynthesizerReplica).bind(**options)
