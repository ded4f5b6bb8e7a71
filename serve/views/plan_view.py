"""How a plan looks: in the terminal, as an SVG, as a page. Wording and layout only; the figures are `cli/plan.py`'s."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SUFFIXES = (".svg", ".html")
BARS = " ▁▂▃▄▅▆▇█"
WIDE = 72  # columns of a sparkline

Row = tuple[str, str, Callable[[dict[str, Any]], float], Callable[[float], str]]


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _ms(value: float) -> str:
    return f"{value:.1f} ms"


# What is drawn over time: label, colour, value of a sample, how its peak is written.
ROWS: tuple[Row, ...] = (
    ("calls asked", "#8a8f98", lambda each: each["asked"], _whole),
    ("live calls", "#2f6fde", lambda each: each["live"], _whole),
    ("nodes", "#1d9a6c", lambda each: each["nodes"] + each["starting"] + each["draining"], _whole),
    ("spares", "#b07d12", lambda each: each["spares"], _whole),
    ("rang", "#8456c9", lambda each: each["rang"], _whole),
    ("blocked", "#d1383d", lambda each: each["blocked"] / each["asked"] if each["asked"] else 0.0, _percent),
    ("lag p99", "#57606a", lambda each: each["lag_ms"], _ms),
)


def spark(values: Sequence[float], wide: int = WIDE) -> str:
    """A line of block characters, from 0 to the largest value; a value above 0 is never invisible."""
    cells = _squeezed(values, wide)
    top = max(cells, default=0.0)
    if top <= 0.0:
        return BARS[0] * len(cells)
    steps = len(BARS) - 1
    return "".join(BARS[max(1, round(value / top * steps)) if value > 0.0 else 0] for value in cells)


def _squeezed(values: Sequence[float], wide: int) -> list[float]:
    """At most `wide` values; each is the largest of those it stands for, so that no peak is lost."""
    if len(values) <= wide:
        return list(values)
    edges = [round(number * len(values) / wide) for number in range(wide + 1)]
    return [max(values[low:high]) for low, high in pairwise(edges)]


def facts(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """The answer in a few lines: (question, answer)."""
    nodes, blocking, fixed = answer["nodes"], answer["blocking"], answer["without_scaling"]
    goal = answer["goal"]
    lines = [
        (
            "nodes",
            f"{nodes['peak']} at the peak, {nodes['mean']:.1f} on average; {goal['slots_per_node']} calls a node",
        ),
        ("blocking", f"{blocking['share']:.3%} of {answer['calls']:,} calls, goal {goal['blocking']:.3%}"),
        ("price", f"{answer['cents_per_minute']:.3f} cents a minute of talk, {answer['cents'] / 100:,.2f} in all"),
        ("live calls", f"{answer['live_peak']:,} at the peak; {answer['peak_erlangs']:,.0f} erlangs offered then"),
        ("spares", f"{answer['spare_hours']:,.1f} process hours idle, in {answer['node_hours']:,.1f} node hours"),
        ("lag p99", f"{answer['lag_ms_max']:.1f} ms at most on a node (modelled)"),
    ]
    if blocking["worst_at_s"] is not None:
        lines.insert(2, ("at worst", f"{blocking['worst_share']:.1%} blocked, at {_clock(blocking['worst_at_s'])}"))
    if blocking["rang"]:
        rang = f"{blocking['rang']:,} callers rang {blocking['rang_s_mean']:.1f} s on average for a slot"
        lines.insert(2, ("ringing", rang))
    if answer["failures"]["cut"]:
        cut, dropped = answer["failures"]["cut"], answer["failures"]["dropped"]
        lines.append(("failed nodes", f"had {cut:,} calls; {dropped:,} found no other place"))
    if nodes["scaled"]:
        lines.append(
            (
                "not scaled",
                f"{fixed['nodes']} nodes all the time: {fixed['blocking']:.3%} blocked,"
                f" {fixed['cents_per_minute']:.3f} cents a minute",
            )
        )
    return lines


def text(answer: dict[str, Any]) -> RenderableType:
    """For the terminal."""
    told = Table.grid(padding=(0, 2))
    met = answer["blocking"]["share"] <= answer["goal"]["blocking"]
    for name, said in facts(answer):
        told.add_row(Text(name, "dim"), Text(said, ("green" if met else "red") if name == "blocking" else ""))
    drawn = Table.grid(padding=(0, 2))
    samples = answer["samples"]
    for name, colour, value, written in ROWS:
        values = [value(each) for each in samples]
        top = max(values, default=0.0)
        drawn.add_row(Text(name, "dim"), Text(spark(values), colour, no_wrap=True), Text(f"max {written(top)}", "dim"))
    if samples:
        ends = f"{_clock(samples[0]['at_s'])} to {_clock(samples[-1]['at_s'])}"
        drawn.add_row("", Text(ends, "dim"), "")
    parts: list[RenderableType] = [told, Text(), drawn]
    if "drawn" in answer:
        parts += [Text(), Text(f"drawn: {answer['drawn']}", "dim")]
    return Group(*parts)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds of the trace."""
    whole = round(seconds)
    return f"{whole // 3_600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


# --- drawn ----------------------------------------------------------------------------------------------------------

LEFT, RIGHT, TOP, TALL, GAP = 110, 90, 34, 64, 14  # pixels
ACROSS = 720


def svg(answer: dict[str, Any]) -> str:
    """One panel for each quantity over time, each on its own scale from 0."""
    samples = answer["samples"]
    height = TOP + len(ROWS) * (TALL + GAP) + 26
    width = LEFT + ACROSS + RIGHT
    title = f"{answer['trace']}: {answer['nodes']['peak']} nodes, {answer['blocking']['share']:.3%} blocked, "
    title += f"{answer['cents_per_minute']:.3f} cents a minute"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="#1f2328">{html.escape(title)}</text>',
    ]
    for number, (name, colour, value, written) in enumerate(ROWS):
        parts.append(_panel(TOP + number * (TALL + GAP), name, colour, [value(each) for each in samples], written))
    if samples:
        y = height - 10
        parts.append(f'<text x="{LEFT}" y="{y}" fill="#57606a">{_clock(samples[0]["at_s"])}</text>')
        last = _clock(samples[-1]["at_s"])
        parts.append(f'<text x="{LEFT + ACROSS}" y="{y}" fill="#57606a" text-anchor="end">{last}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _panel(y: int, name: str, colour: str, values: list[float], written: Callable[[float], str]) -> str:
    top = max(values, default=0.0) or 1.0
    across = ACROSS / max(1, len(values) - 1)
    points = [f"{LEFT + number * across:.1f},{y + TALL * (1 - value / top):.1f}" for number, value in enumerate(values)]
    area = f"{LEFT},{y + TALL} {' '.join(points)} {LEFT + ACROSS},{y + TALL}"
    peak, middle = written(max(values, default=0.0)), y + TALL // 2 + 4
    return (
        f'<g><text x="{LEFT - 10}" y="{middle}" fill="#1f2328" text-anchor="end">{html.escape(name)}</text>'
        f'<polygon points="{area}" fill="{colour}" fill-opacity="0.14"/>'
        f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        f'<line x1="{LEFT}" y1="{y + TALL}" x2="{LEFT + ACROSS}" y2="{y + TALL}" stroke="#d0d7de"/>'
        f'<text x="{LEFT + ACROSS + 8}" y="{y + 10}" fill="#57606a">{html.escape(peak)}</text></g>'
    )


def page(answer: dict[str, Any]) -> str:
    """The drawing with the answer above it, as one file without anything from outside."""
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(said)}</dd>" for name, said in facts(answer))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>offhook plan: {html.escape(answer['trace'])}</title>"
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2rem auto;padding:0 1rem;color:#1f2328}"
        "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1.2rem}dt{color:#57606a}dd{margin:0}"
        "svg{width:100%;height:auto}</style>"
        f"<h1>{html.escape(answer['trace'])}</h1><dl>{rows}</dl>{svg(answer)}</html>\n"
    )
