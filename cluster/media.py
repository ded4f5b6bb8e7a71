"""Where carriers bring audio: the gateway of each node, as the director has it started and tells its address.

How a gateway works is `serve/`'s matter; here it is a thing that is started on a node and listens on a port.
Nodes that share a machine (tests, a large host with several raylets) cannot share its media port: the first one has it,
the others take any free one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

log = logging.getLogger(__name__)


class Gateway(Protocol):
    """A node's gateway; `serve/gateway/gateway_actor.py` has one."""

    async def ready(self) -> int:
        """Waits until it listens; the port."""

    async def stop(self) -> None:
        """Close every line and end the process."""


# Has the gateway of a node started where there is none; blocks for a round trip. True = with the port of the settings,
# which it has again after a restart; False = with any free one.
StartGateway = Callable[[str, bool], Gateway]


class Gateways:
    """The gateways of the cluster. Without `start` there are none: audio comes another way (tests)."""

    def __init__(self, start: StartGateway | None) -> None:
        self._start = start
        self._gateways: dict[str, Gateway] = {}
        self._hosts: dict[str, str] = {}  # node -> its machine's address
        self._ports: dict[str, int] = {}  # of those that keep theirs

    async def bring_up(self, node: str, host: str) -> None:
        """Have the gateway of a node that joined started; whether it listens, `address` tells."""
        if self._start is None or node in self._gateways:
            return
        first = host not in self._hosts.values()
        self._hosts[node] = host  # before anything is waited for: other nodes of this machine may join meanwhile
        if first:
            self._ports[node] = 0
        self._gateways[node] = await asyncio.to_thread(self._start, node, first)

    def forget(self, node: str) -> None:
        """The node is gone, and its gateway with it."""
        self._gateways.pop(node, None)
        self._hosts.pop(node, None)
        self._ports.pop(node, None)

    async def end(self, node: str) -> None:
        """End the gateway of a node that is about to leave; its last call is over."""
        gateway = self._gateways.get(node)
        self.forget(node)
        if gateway is not None:
            await _quietly(node, gateway.stop())

    async def address(self, node: str) -> tuple[str, int]:
        """Where carriers reach a node's gateway: (host, port). Host "" = all nodes share one, which the carrier knows;
        port 0 = there is no gateway.

        Raises:
            LinkLost, StartFault: it does not come up.
        """
        gateway = self._gateways.get(node)
        if gateway is None:
            return "", 0
        port = self._ports.get(node) or await gateway.ready()
        if node in self._ports:
            self._ports[node] = port
        return self._hosts[node] if len(set(self._hosts.values())) > 1 else "", port

    async def ready(self) -> None:
        """Waits until every gateway listens. Raises as `address` does."""
        await asyncio.gather(*(self.address(node) for node in tuple(self._gateways)))

    async def stop(self) -> None:
        """Say goodbye on every line."""
        await asyncio.gather(*(_quietly(node, each.stop()) for node, each in self._gateways.items()))
        self._gateways.clear()


async def _quietly(node: str, work: Coroutine[Any, Any, None]) -> None:
    """Stopping goes on past a gateway that cannot be stopped."""
    try:
        await work
    except Exception as error:
        log.info("the gateway of node %s: %s", node[:8], error)
