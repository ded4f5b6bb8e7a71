"""What the demo shows: a live timeline, then a table. On a terminal in colour with a panel that stays at the bottom,
elsewhere one plain line an occurrence. Where the lines come from is `call_summary.py`'s matter.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .call_summary import CallSummary, Line

MARKS = {  # what stands before a line: a sign and its colour
    "floor": ("floor", "dim"),
    "words": ("caller", "cyan"),
    "says": ("agent", "green"),
    "cut": ("cut at", "bold yellow"),
    "overlap": ("overlap", "yellow"),
    "verdict": ("gate", "white"),
    "signal": ("evidence", "magenta"),
    "action": ("action", "bold green"),
    "answer": ("answer", "magenta"),
    "debt": ("debt", "blue"),
    "failure": ("agent", "bold red"),
    "person": ("person", "bold yellow"),
    "stage": ("stage", "blue"),
    "silence": ("silence", "blue"),
    "end": ("over", "bold"),
}
HOLDERS = {"caller": "cyan", "agent": "green", "both": "bold yellow", "nobody": "dim"}
COLUMNS = (
    "call", "outcome", "actions", "answers to read-backs, debts", "onset -> hold", "turn end -> speech",
    "heard of what was cut",
)  # fmt: skip
NAME_WIDTH = 10
LOG_WIDTH = 160
COLOURED = frozenset(
    {"says", "words", "cut", "verdict", "action", "answer", "failure"}
)  # the whole line, not its mark alone


class Timeline:
    """Shows stories as they go on. Use as a context manager."""

    def __init__(self, stories: Sequence[CallSummary], out: TextIO | None = None) -> None:
        self._stories = stories
        self._console = Console(file=out or sys.stdout, highlight=False, soft_wrap=True)
        if not self._console.is_terminal:  # a log is as wide as its table needs
            self._console.width = LOG_WIDTH
        self._live: Live | None = None

    def __enter__(self) -> Timeline:
        if self._console.is_terminal:
            self._live = Live(self._panel(), console=self._console, refresh_per_second=5, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line that belongs to no call."""
        self._console.print(Text(text, style="dim"))

    def show(self, summary: CallSummary, line: Line) -> None:
        """One occurrence of one call."""
        mark, style = MARKS.get(line.kind, (line.kind, ""))
        if line.kind in ("verdict", "answer") and line.good is not None:
            style = "green" if line.good else "red"
        if line.kind == "floor":
            style = HOLDERS.get(line.text, style)
        text = Text.assemble(
            (f"{line.at_ms / 1000:7.2f} ", "dim"),
            (f"{summary.caller[:NAME_WIDTH]:<{NAME_WIDTH}} ", "bold"),
            (f"{mark:<9}", style),
            (line.text, style if line.kind in COLOURED else ""),
        )
        self._console.print(text)

    def refresh(self) -> None:
        """Bring the panel up to date."""
        if self._live is not None:
            self._live.update(self._panel())

    def _panel(self) -> Table:
        table = Table(expand=True, box=None, header_style="dim", padding=(0, 1))
        for name in ("call", "floor", "stage", "ready", "caller", "agent"):
            table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=3 if name in ("caller", "agent") else None)
        for summary in self._stories:
            floor = "over" if summary.over else summary.floor
            table.add_row(
                Text(summary.caller, "bold"),
                Text(floor, HOLDERS.get(floor, "")),
                summary.stage,
                f"{summary.readiness:.0%}",
                Text(summary.words, "cyan"),
                Text(summary.saying, "green"),
            )
        return table

    def table(self, results: Sequence[dict[str, Any]]) -> None:
        """The run's figures: one block a call, from `CallSummary.summary` and what the script expected."""
        table = Table(title="What the journal of this run says", show_lines=True, expand=self._console.is_terminal)
        for name in COLUMNS:
            table.add_column(name, overflow="fold")
        for result in results:
            table.add_row(
                Text.assemble((result["caller"], "bold"), "\n", (result["about"], "dim")),
                _outcome(result),
                Text("\n").join([_act(act) for act in result["acts"]]) or Text("-", "dim"),
                _understood(result["answers"], result["debts"]),
                _holds(result["holds"]),
                _spread(result["replies_ms"]),
                Text("\n").join([_cut(cut) for cut in result["cuts"]]) or Text("-", "dim"),
            )
        self._console.print(table, soft_wrap=False)


def _outcome(result: dict[str, Any]) -> Text:
    failures = [("\n" + failure, "red") for failure in result["failures"]]
    return Text.assemble(result["outcome"] or "-", *failures)


def _act(act: dict[str, Any]) -> Text:
    style = {"grant": "green", "deny": "red", "taken back": "red"}.get(act["answer"], "yellow")
    why = f": {act['why']}" if act["why"] else ""
    return Text.assemble((f"{act['answer']} ", style), (act["what"], "bold"), why)


def _understood(answers: Sequence[dict[str, Any]], debts: Sequence[dict[str, Any]]) -> Text:
    """How each answer to a read-back was read, and what became of what the caller was owed."""
    lines = [
        Text.assemble(
            (each["says"], "green" if each["says"] == "yes" else "yellow"), f": {each['why']}" * bool(each["why"])
        )
        for each in answers
    ]
    paid = sum(debt["ended"] == "paid" for debt in debts)
    lines += [Text(f"{paid} of {len(debts)} debts paid", "dim")] if debts else []
    lines += [Text(debt["words"], "red") for debt in debts if debt["ended"] != "paid"]
    return Text("\n").join(lines) if lines else Text("-", "dim")


def _holds(holds: Sequence[dict[str, Any]]) -> Text:
    lines = []
    for hold in holds:
        clear = f", clear after {hold['clear_us'] / 1000:.1f} ms" if hold["clear_us"] else ""
        lines.append(Text(f"{hold['hold_ms']} ms{clear} ({hold['then'] or 'open'})"))
    return Text("\n").join(lines) if lines else Text("-", "dim")


def _spread(values: Sequence[int]) -> Text:
    if not values:
        return Text("-", "dim")
    return Text(f"median {round(statistics.median(values))} ms\n{min(values)} to {max(values)} ms, {len(values)} times")


def _cut(cut: dict[str, Any]) -> Text:
    heard, said = str(cut["heard"]), str(cut["said"])
    rest = said[len(heard) :].strip() if said.startswith(heard) else ""
    return Text.assemble((heard or "(nothing)", "yellow"), (" | " + rest, "dim") if rest else "")
