"""The command about money: what calls have cost, by policy version and tenant."""

from __future__ import annotations

from dataclasses import replace

from offhook.cluster.operations import ClusterOperations, Cost
from rich.console import Group, RenderableType
from rich.text import Text

from ..views import terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, show


def cost(state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """Show what calls have cost since offhook started, a minute and in all; prices: OFFHOOK_PRICES."""
    body = api_of(state_dir, api).ask(ClusterOperations.cost)
    show(body, json, lambda: _shown(body))


def _shown(body: Cost) -> RenderableType:
    lines = list(body.total.items)
    table = terminal.columns("policy", "tenant", "calls", "minutes", "cents a minute", "cents", *lines)
    for row in (*body.rows, replace(body.total, policy_version="all")):
        figures = (f"{row.talk_min:.1f}", f"{row.cents_per_minute:.3f}", f"{row.cents:.2f}")
        items = (f"{row.items.get(line, 0.0):.3f}" for line in lines)
        table.add_row(Text(row.policy_version, "bold"), row.tenant or "-", str(row.calls), *figures, *items)
    return Group(table, Text("cents by line on the right; a line without a price is not shown", "dim"))
