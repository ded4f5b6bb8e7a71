"""The API's addresses for nodes: how each fares, and whether it takes calls."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Path
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import Principal

from ..client.control_client import ControlClient
from ..contracts.bodies import Drained, NodeList
from .principals import AskedBy

NodeId = Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$", description="a node's id, or its beginning")]


def add_nodes(app: FastAPI, control_client: ControlClient) -> None:
    """Add the addresses under /v1/nodes."""

    @app.get("/v1/nodes", tags=["nodes"])
    async def nodes() -> NodeList:
        """How each node fares."""
        stats = await control_client.stats()
        return NodeList(tuple(stats.nodes.values()), stats.silent, stats.unled)

    @app.post("/v1/nodes/{node}/drain", status_code=202, tags=["nodes"])
    async def drain(node: NodeId, by: AskedBy) -> Drained:
        """Give a node no new calls, and let its spares go; its live calls stay until they end."""
        return await _drained(control_client, node, by, on=True)

    @app.delete("/v1/nodes/{node}/drain", status_code=202, tags=["nodes"])
    async def undrain(node: NodeId, by: AskedBy) -> Drained:
        """Let a node take calls again."""
        return await _drained(control_client, node, by, on=False)


async def _drained(control_client: ControlClient, written: str, by: Principal, *, on: bool) -> Drained:
    known = list((await control_client.stats()).nodes)
    found = [node for node in known if node.startswith(written)]
    if len(found) != 1:
        what = "is the beginning of more than one node" if found else "is no node's"
        raise CallerFault(f"{written!r} {what}; nodes are {', '.join(node[:8] for node in known)}")
    told = await control_client.drain(found[0], on, by)
    return Drained(found[0], told.draining, told.calls)
