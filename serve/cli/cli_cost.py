"""The command about money: what calls have cost, by policy version and tenant."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ..views import terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, show


def cost(state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """Show what calls have cost since offhook started, a minute and in all; prices: OFFHOOK_PRICES."""
    body = api_of(state_dir, api).get("/v1/cost")
    show(body, json, lambda: _shown(body))


def _shown(body: dict[str, Any]) -> RenderableType:
    lines = list(body["total"]["items"])
    table = terminal.columns("policy", "tenant", "calls", "minutes", "cents a minute", "cents", *lines)
    for row in [*body["rows"], {"policy_version": "all", "tenant": "", **body["total"]}]:
        figures = (f"{row['talk_min']:.1f}", f"{row['cents_per_minute']:.3f}", f"{row['cents']:.2f}")
        items = (f"{row['items'].get(line, 0.0):.3f}" for line in lines)
        table.add_row(Text(row["policy_version"], "bold"), row["tenant"] or "-", str(row["calls"]), *figures, *items)
    return Group(table, Text("cents by line on the right; a line without a price is not shown", "dim"))
