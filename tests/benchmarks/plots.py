"""Draws the two plots that the README shows, from the figures that the benchmarks against peers have kept.

    python tests/benchmarks/plots.py [--figures tests/benchmarks/plots/figures.json] [--to tests/benchmarks/plots]

`latency.svg`: reaction against the number of calls, on a logarithmic scale: onset -> `clear` of offhook and Pipecat,
and signal -> order to fall silent of offhook and Celery, p99 as a line and p50 as a thin one. `cost.svg`: memory and
CPU per call. Plain SVG without a library; colours are readable on a light and on a dark page.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
COLOURS = (
    "#2f81f7",
    "#e3742f",
    "#bf8700",
    "#a371f7",
    "#db61a2",
    "#3fb950",
    "#1f9cb0",
)  # over 3:1 on white and on #0d1117
WIDTH, HEIGHT = 880, 420
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #6e7781 } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #8b949e; stroke-opacity: .3 } .goal { stroke: #8b949e; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) { text { fill: #c9d1d9 } }
"""
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a panel: from `low` at `start` to `high` at `end` (pixels)."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    def at(self, value: float) -> float:
        scale: Callable[[float], float] = math.log10 if self.logarithmic else float
        share = (scale(max(value, self.low)) - scale(self.low)) / (scale(self.high) - scale(self.low))
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        if not self.logarithmic:
            step = 10 ** math.floor(math.log10(self.high / 2))
            step *= next(k for k in (1, 2, 5, 10) if self.high / (k * step) <= 6)
            return [step * n for n in range(int(self.high / step) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        return [tick for decade in decades for k in (1, 2, 5) if self.low <= (tick := k * 10.0**decade) <= self.high]


def panel(left: float, width: float, title: str, lines: Iterable[tuple[str, str, float, Points]], top: float,
          low: float, high: float, goal: float = 0.0) -> list[str]:  # fmt: skip
    """One chart: axes, grid, lines of (series, colour, width, points) on a logarithmic number of calls."""
    across = Axis(1, 200, left + 48, left + width - 16, logarithmic=True)
    up = Axis(low, high, HEIGHT - 58 - top, 44, logarithmic=low > 0)
    out = [f'<text class="title" x="{left + 48}" y="24">{title}</text>']
    for tick in up.ticks():
        y = up.at(tick)
        out.append(f'<line class="grid" x1="{across.start}" x2="{across.end}" y1="{y}" y2="{y}"/>')
        out.append(f'<text x="{across.start - 8}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    foot = up.start + 20
    sizes = (1, 5, 10, 20, 50, 100, 200)
    out += [f'<text x="{across.at(calls)}" y="{foot}" text-anchor="middle">{calls}</text>' for calls in sizes]
    out.append(f'<text x="{(across.start + across.end) / 2}" y="{up.start + 38}" text-anchor="middle">calls</text>')
    if goal:
        out.append(f'<line class="goal" x1="{across.start}" x2="{across.end}" y1="{up.at(goal)}" y2="{up.at(goal)}"/>')
    for _, colour, stroke, points in lines:
        placed = [(across.at(x), up.at(min(y, high))) for x, y in points]
        path = " ".join(f"{x},{y}" for x, y in placed)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{stroke}"/>')
        if stroke > 1:
            out += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in placed]
    return out


def legend(names: list[str], colours: dict[str, str]) -> list[str]:
    """The series, two columns at the foot."""
    out = []
    for place, name in enumerate(names):
        x, y = 48 + place % 2 * 420, HEIGHT - 14 - (math.ceil(len(names) / 2) - 1 - place // 2) * 20
        out.append(f'<rect x="{x}" y="{y - 9}" width="18" height="4" fill="{colours[name]}"/>')
        out.append(f'<text x="{x + 26}" y="{y - 2}">{name}</text>')
    return out


def series(rows: dict[str, Any], path: str) -> Points:
    """(calls, value) of one side's rows, in order; what was not measured is left out."""
    points = []
    for calls, row in sorted(rows.items(), key=lambda item: int(item[0])):
        value: Any = row
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) and value == value:
            points.append((float(calls), float(value)))
    return points


def signalled(figures: dict[str, Any]) -> dict[str, Any]:
    """The rows of `task_queue.py`: they count from the signal, after voice activity has confirmed the caller."""
    return {f"{side}, from the signal": rows for side, rows in figures.get("queue", {}).items()}


def document(parts: list[str], label: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def draw_latency(figures: dict[str, Any], colours: dict[str, str]) -> str:
    lines = []
    for what, sides in (("onset_to_clear_ms", figures.get("live", {})), ("hold_ms", signalled(figures))):
        for side, rows in sides.items():
            if rows:
                lines += [(side, colours[side], 2.5, series(rows, f"{what}.99")),
                          (side, colours[side], 1, series(rows, f"{what}.50"))]  # fmt: skip
    names = list(dict.fromkeys(name for name, *_ in lines))
    foot = 20 * math.ceil(len(names) / 2)
    title = "From the caller's voice to the agent's silence, ms (thick: p99, thin: p50; dashed: 150 ms)"
    parts = panel(0, WIDTH, title, lines, foot, 1, 10_000, goal=150)
    return document(parts + legend(names, colours), title)


def draw_cost(figures: dict[str, Any], colours: dict[str, str]) -> str:
    live = figures.get("live", {})
    names = list(live)
    foot = 20 * math.ceil(len(names) / 2)
    memory = [(side, colours[side], 2.5, series(rows, "pss_mb_per_call")) for side, rows in live.items()]
    work = [(side, colours[side], 2.5, series(rows, "cpu_ms_per_call_second")) for side, rows in live.items()]
    parts = panel(0, WIDTH / 2, "Memory per call, MB, all processes", memory, foot, 10, 2_000)
    parts += panel(WIDTH / 2, WIDTH / 2, "CPU per call-second, ms, all processes", work, foot, 0, 150)
    return document(parts + legend(names, colours), "Memory and CPU per call against the number of calls")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=HERE / "plots" / "figures.json")
    parser.add_argument("--to", type=Path, default=HERE / "plots")
    options = parser.parse_args()
    figures = json.loads(options.figures.read_text())
    sides = [*figures.get("live", {}), *signalled(figures)]
    ordered = sorted(sides, key=lambda side: (not side.startswith("offhook"), side.startswith("celery"), side))
    colours = {side: COLOURS[place % len(COLOURS)] for place, side in enumerate(ordered)}
    options.to.mkdir(parents=True, exist_ok=True)
    (options.to / "latency.svg").write_text(draw_latency(figures, colours))
    (options.to / "cost.svg").write_text(draw_cost(figures, colours))
    print(f"drawn: {options.to}/latency.svg, {options.to}/cost.svg")


if __name__ == "__main__":
    main()
