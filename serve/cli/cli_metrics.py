"""The command about metrics: what every node has measured, as a table that a person reads."""

from __future__ import annotations

from collections.abc import Sequence

from offhook.actors.contracts.metrics import Kind, MetricRow
from offhook.cluster.operations import ClusterOperations
from rich.console import RenderableType
from rich.text import Text

from ..views import terminal
from .cli_options import ApiUrl, AsJson, StateDir, api_of, show

SHARES = (0.5, 0.95)  # of a histogram's values, told as the bucket's upper bound below which they lie


def metrics(state_dir: StateDir = None, api: ApiUrl = None, json: AsJson = False) -> None:
    """Show what every node has measured since its supervisor started: counts, and durations by their shares."""
    body = api_of(state_dir, api).ask(ClusterOperations.measured)
    show(body, json, lambda: _shown(body.metrics))


def _shown(rows: Sequence[MetricRow]) -> RenderableType:
    if not rows:
        return Text("no node answers", "dim")
    table = terminal.columns("metric", "labels", "value", "mean", "half below", "95 % below")
    for row in rows:
        labels = " ".join(f"{name}={value}" for name, value in row.labels.items())
        table.add_row(Text(row.name, "bold"), labels, *_cells(row))
    return table


def _cells(row: MetricRow) -> tuple[str, ...]:
    if row.kind != Kind.HISTOGRAM:
        return f"{row.value:g}", "", "", ""
    count = sum(row.buckets)
    mean = _time(row.value / count) if count else "-"
    return str(count), mean, *(below(row.bounds, row.buckets, share) for share in SHARES)


def below(bounds: Sequence[float], buckets: Sequence[int], share: float) -> str:
    """The upper bound of the bucket in which the value lies that `share` of all values do not exceed."""
    wanted, seen = sum(buckets) * share, 0
    if not wanted:
        return "-"
    for bound, count in zip(bounds, buckets, strict=False):
        seen += count
        if seen >= wanted:
            return _time(bound)
    return f"over {_time(bounds[-1])}"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1_000:.3g} ms"
