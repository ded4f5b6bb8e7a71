"""The API's addresses for nodes: how each fares, and whether it takes calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Path
from offhook.actors.contracts.metrics import NODE
from offhook.actors.node.node_metrics import NODE_CHARS
from offhook.policies.core.errors import CallerFault

from ..client.control_client import ControlClient

NodeId = Annotated[str, Path(pattern=r"^[0-9a-f]{4,64}$", description="a node's id, or its beginning")]

# What of `Supervisor.stats` is told of a node.
FIGURES = (
    "calls", "spare", "starting", "free_slots", "lag_ms_max", "takeovers", "hung", "journal_up", "draining", "up_s",
    "metrics",
)  # fmt: skip


def add_nodes(app: FastAPI, control_client: ControlClient) -> None:
    """Add the addresses under /v1/nodes."""

    @app.get("/v1/nodes", tags=["nodes"])
    async def nodes() -> dict[str, Any]:
        """One row a node; a silent one has not answered when it was asked last."""
        stats = await control_client.stats()
        told = stats.get("nodes", {})
        rows = [{"node": node, **{name: told[node].get(name) for name in FIGURES}} for node in told]
        return {"nodes": rows, "silent": stats.get("silent", []), "unled_calls": stats.get("unled", 0)}

    @app.get("/v1/metrics", tags=["nodes"])
    async def measured() -> dict[str, Any]:
        """What every node has measured, a row a series; a node that does not answer has none. For people and scripts:
        Prometheus reads each node's own address (`metrics` of /v1/nodes)."""
        told = await control_client.measured()
        rows = [
            {**row, "labels": {NODE: node[:NODE_CHARS], **row["labels"]}}
            for node, measured in told["nodes"].items()
            for row in measured
        ]
        return {"metrics": [*rows, *told["fleet"]]}

    @app.post("/v1/nodes/{node}/drain", status_code=202, tags=["nodes"])
    async def drain(node: NodeId) -> dict[str, Any]:
        """Give a node no new calls, and let its spares go; its live calls stay until they end."""
        return await _drained(control_client, node, on=True)

    @app.delete("/v1/nodes/{node}/drain", status_code=202, tags=["nodes"])
    async def undrain(node: NodeId) -> dict[str, Any]:
        """Let a node take calls again."""
        return await _drained(control_client, node, on=False)


async def _drained(control_client: ControlClient, written: str, *, on: bool) -> dict[str, Any]:
    known = list((await control_client.stats()).get("nodes", {}))
    found = [node for node in known if node.startswith(written)]
    if len(found) != 1:
        what = "is the beginning of more than one node" if found else "is no node's"
        raise CallerFault(f"{written!r} {what}; nodes are {', '.join(node[:8] for node in known)}")
    told = await control_client.drain(found[0], on)
    return {"node": found[0], "draining": bool(told["draining"]), "calls": told["calls"]}
