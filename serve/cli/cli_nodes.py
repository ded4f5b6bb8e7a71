"""Commands about nodes: how each fares, and whether it takes calls."""

from __future__ import annotations

from typing import Annotated

import typer
from offhook.actors.contracts.operations import read
from rich.console import RenderableType
from rich.text import Text

from ..contracts.bodies import NodeList
from ..views import terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, show


def nodes(state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """List the nodes, how many calls each leads and could take, and how it fares."""
    body = api_of(state_dir, api).get("/v1/nodes")
    show(body, json, lambda: _table(read(NodeList, body, "/v1/nodes")))


def drain(
    node: Annotated[str, typer.Argument(help="the node's id, or its beginning", metavar="NODE")],
    undo: Annotated[bool, typer.Option("--undo", help="let it take calls again")] = False,
    state_dir: StateDir = None,
    api: ApiUrl = None,
    json: AsJson = False,
) -> None:
    """Give a node no new calls; those that are live there stay until they end."""
    asked = api_of(state_dir, api)
    path = f"/v1/nodes/{node}/drain"
    body = asked.delete(path) if undo else asked.post(path, {})
    told = "takes calls again" if undo else f"takes no new calls; {body['calls']} are live there"
    show(body, json, lambda: f"node {body['node'][:8]} {told}")


def _table(body: NodeList) -> RenderableType:
    table = terminal.columns("node", "calls", "room", "spares", "lag ms", "takeovers", "state")
    for row in body.nodes:
        state = Text("takes calls", "green")
        if row.draining:
            state = Text("drains", "yellow")
        elif not row.journal_up:
            state = Text("its journal is away", "red")
        cells = (row.calls, row.free_slots, row.spare, f"{row.lag_ms_max:.0f}", row.takeovers)
        table.add_row(Text(row.node[:8], "bold"), *map(str, cells), state)
    for node in body.silent:
        table.add_row(Text(node[:8], "bold"), *["-"] * 5, Text("does not answer", "red"))
    return table
