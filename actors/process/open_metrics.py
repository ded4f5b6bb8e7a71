"""A registry as text: the OpenMetrics exposition format, version 1.0.

Source: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..contracts.metrics import Kind, Metric
from .metric_registry import Series

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def exposition(series: Iterable[Series], constant: Mapping[str, str] | None = None) -> str:
    """All series as text, those of one metric together. `constant`: labels that every one of them gets."""
    lines: list[str] = []
    shown = ""
    fixed = [_pair(name, value) for name, value in (constant or {}).items()]
    for each in series:
        metric = each.metric
        if metric.name != shown:
            shown = metric.name
            lines += _head(metric)
        labels = fixed + [_pair(label.name, value) for label, value in zip(metric.labels, each.labels, strict=True)]
        lines += _histogram(each, labels) if metric.kind is Kind.HISTOGRAM else [_sample(each, labels)]
    return "\n".join([*lines, "# EOF", ""])


def _head(metric: Metric) -> list[str]:
    head = [f"# TYPE {metric.name} {metric.kind}"]
    if metric.unit:
        head.append(f"# UNIT {metric.name} {metric.unit}")
    return [*head, f"# HELP {metric.name} {_escaped(metric.says)}"]


def _sample(each: Series, labels: list[str]) -> str:
    suffix = "_total" if each.metric.kind is Kind.COUNTER else ""
    return f"{each.metric.name}{suffix}{_braced(labels)} {each.total:.12g}"


def _histogram(each: Series, labels: list[str]) -> list[str]:
    name, below, lines = each.metric.name, 0, []
    bounds = [*(f"{bound:.12g}" for bound in map(float, each.metric.buckets)), "+Inf"]
    for bound, count in zip(bounds, each.buckets, strict=True):
        below += count
        bound = bound if "." in bound or "e" in bound or bound == "+Inf" else f"{bound}.0"
        lines.append(f"{name}_bucket{_braced([*labels, _pair('le', bound)])} {below}")
    return [*lines, f"{name}_sum{_braced(labels)} {each.total:.12g}", f"{name}_count{_braced(labels)} {below}"]


def _pair(name: str, value: str) -> str:
    return f'{name}="{_escaped(value)}"'


def _braced(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
