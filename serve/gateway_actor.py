"""The gateway as a Ray actor (one a node, detached, restarted by Ray) and the reference to it. Its work: `gateway.py`.

It listens as soon as it is constructed, so that a restarted one is reachable at the same port without being told.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import ray
from offhook.actors.refs import NAMESPACE, ActorRef
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .cluster_switchboard import ClusterSwitchboard
from .errors import StartFault
from .gateway import Gateway

GATEWAY = "gateway"  # the name of a node's gateway: gateway:<node id>
LISTEN_RETRY_S = 0.1  # a predecessor's port is free a moment after its death
LISTEN_WITHIN_S = 10.0


class GatewayActor:
    """One node's gateway. All methods run on its one event loop."""

    def __init__(self, host: str, port: int, secret: str) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
        self._switchboard = ClusterSwitchboard()
        self._gateway = Gateway(secret, self._switchboard.claim)
        self._listening = asyncio.get_running_loop().create_task(self._listen(host, port))

    async def ready(self) -> int:
        """Waits until it listens and knows whom to ask for calls; the port.

        Raises:
            StartFault: the port is taken.
        """
        await self._switchboard.prepare()
        return await asyncio.shield(self._listening)

    async def stats(self) -> dict[str, Any]:
        """See `Gateway.stats`."""
        return self._gateway.stats()

    async def stop(self) -> None:
        """Say goodbye to every socket."""
        self._listening.cancel()
        await self._gateway.stop()

    async def _listen(self, host: str, port: int) -> int:
        deadline = asyncio.get_running_loop().time() + LISTEN_WITHIN_S
        while True:
            try:
                return await self._gateway.start(host, port)
            except OSError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise StartFault(f"the media port {host}:{port} cannot be used: {error}") from error
            await asyncio.sleep(LISTEN_RETRY_S)


class GatewayRef(ActorRef):
    """A node's gateway."""

    @classmethod
    def start(cls, node: str, host: str, port: int, secret: str) -> GatewayRef:
        """The gateway of `node`, started where there is none. Blocks for a round trip to the control store."""
        name = f"{GATEWAY}:{node}"
        handle = (
            ray.remote(GatewayActor)
            .options(
                name=name,
                namespace=NAMESPACE,
                lifetime="detached",
                get_if_exists=True,
                num_cpus=0,
                max_restarts=-1,
                max_concurrency=1_000,
                enable_task_events=False,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False),
            )
            .remote(host, port, secret)
        )
        return cls(handle, name)

    @classmethod
    def find(cls, node: str) -> GatewayRef | None:
        """The gateway of `node`; None where there is none."""
        try:
            return cls(ray.get_actor(f"{GATEWAY}:{node}", namespace=NAMESPACE), f"{GATEWAY}:{node}")
        except ValueError:
            return None

    async def ready(self) -> int:
        """Waits until it listens; the port. Raises: StartFault."""
        return int(await self.ask("ready"))

    async def stats(self) -> dict[str, Any]:
        return dict(await self.ask("stats"))

    async def stop(self) -> None:
        """Close every line and end the process."""
        await self.ask("stop")
        self.kill()
