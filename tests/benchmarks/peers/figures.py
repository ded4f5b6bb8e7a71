"""Figures of the benchmarks against peers: kept in one JSON file, a row a side and size, so that runs add up; and
tables.

The file is `{benchmark: {side: {calls: row}}}`; measuring a row again replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keep(path: Path | None, benchmark: str, side: str, row: Mapping[str, Any]) -> None:
    """Put one row into the file; nothing where no file is wanted."""
    if path is None:
        return
    figures = json.loads(path.read_text()) if path.exists() else {}
    figures.setdefault(benchmark, {}).setdefault(side, {})[str(row["calls"])] = dict(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def show(side: str, row: Mapping[str, Any], columns: Mapping[str, str], *, first: bool) -> None:
    """One line of a Markdown table; `columns` maps a heading to a path of keys ("cough.stopped", joined by "/")."""
    if first:
        print(f"| side | {' | '.join(columns)} |")
        print(f"|---|{'---|' * len(columns)}")
    cells = [" / ".join(str(_at(row, path)) for path in paths.split("/")) for paths in columns.values()]
    print(f"| {side} | {' | '.join(cells)} |", flush=True)


def _at(row: Mapping[str, Any], path: str) -> Any:
    found: Any = row
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return "–" if found is None or found != found else found
