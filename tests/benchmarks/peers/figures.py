"""Figures of the benchmarks against peers: kept in one JSON file, a row a side and size, so that runs add up.

    python tests/benchmarks/peers/figures.py [FILE]      -> all that the file holds, as Markdown tables

The file is `{benchmark: {side: {calls: row}}}`; measuring a row again replaces it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "plots" / "figures.json"

# Heading -> where its cells are in a row: keys joined by ".", several cells by "/".
LIVE = {
    "calls": "calls",
    "onset → `clear`, p50 / p95 / p99 ms": "onset_to_clear_ms.50/onset_to_clear_ms.95/onset_to_clear_ms.99",
    "missed / of": "missed/interruptions",
    "stops at mm-hm / of": "mm-hm.stopped/mm-hm.heard",
    "at a cough / of": "cough.stopped/cough.heard",
    "then silent, p50 / p95 ms": "silent_after_false_stop_ms.50/silent_after_false_stop_ms.95",
    "gaps in 100 utterances": "gaps_per_100_utterances",
    "CPU ms per call-second, all / leading": "cpu_ms_per_call_second/leading_cpu_ms",
    "PSS MB per call, all / leading": "pss_mb_per_call/leading_pss_mb",
    "probe late, p99 ms": "probe_late_ms_p99",
}
GROWTH = {heading: path for heading, path in LIVE.items() if not heading.startswith(("stops", "at a", "then"))}
QUEUE = {
    "calls": "calls",
    "due → action, p50 / p95 / p99 ms": "act_ms.50/act_ms.95/act_ms.99",
    "onset → silenced, p50 / p95 / p99 ms": "hold_ms.50/hold_ms.95/hold_ms.99",
    "actions": "acted",
    "mistimed / in 100": "mistimed/mistimed_of_100",
    "done / of due": "done_in_time/due",
    "CPU ms per call-second": "cpu_ms_per_call_second",
    "played late, p99 ms": "played_late_ms_p99",
}
TABLES = {"live": LIVE, "growth": GROWTH, "queue": QUEUE}


def keep(path: Path | None, benchmark: str, side: str, row: Mapping[str, Any]) -> None:
    """Put one row into the file; nothing where no file is wanted."""
    if path is None:
        return
    figures = json.loads(path.read_text()) if path.exists() else {}
    figures.setdefault(benchmark, {}).setdefault(side, {})[str(row["calls"])] = dict(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def show(benchmark: str, side: str, row: Mapping[str, Any], *, first: bool) -> None:
    """One line of a Markdown table, below its head where it is the first."""
    columns = TABLES[benchmark]
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


def main() -> None:
    figures = json.loads((Path(sys.argv[1]) if len(sys.argv) > 1 else KEPT).read_text())
    figures["growth"] = {"offhook": figures.get("live", {}).get("offhook", {})}
    for benchmark in TABLES:
        first = True
        for side, rows in figures.get(benchmark, {}).items():
            for _, row in sorted(rows.items(), key=lambda item: int(item[0])):
                show(benchmark, side, row, first=first)
                first = False
        print()
    for side, rows in figures.get("idle", {}).items():
        print(f"{side}: {json.dumps(rows['0'])}")


if __name__ == "__main__":
    main()
