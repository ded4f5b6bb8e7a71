"""What the command line shows: calls, one call, a script's record. Colours only on a terminal.

Only wording and layout; where the values come from is `cli.py`'s matter. What people said on the line is shown here,
because whoever may read the journal asked for it; it is never logged.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

HOLDERS = {"agent": "blue", "caller": "yellow", "both": "red", "nobody": "dim"}
WIDE = 240  # columns


def out() -> Console:
    """For what was asked for."""
    return _console(sys.stdout.isatty(), stderr=False)


def err() -> Console:
    """For everything else: progress, errors."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(terminal: bool, stderr: bool) -> Console:
    """In a file or a pipe nothing is folded to a width that nobody has."""
    return Console(stderr=stderr, highlight=False, soft_wrap=not terminal, width=None if terminal else WIDE)


def progress(what: str) -> None:
    """A line about what is being done."""
    err().print(f"[dim]offhook[/dim] {escape(what)}")


def line_of_json(value: Any) -> None:
    """One line of JSON on standard output, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def calls(rows: list[dict[str, Any]]) -> RenderableType:
    """One row a call."""
    if not rows:
        return Text("no calls yet", "dim")
    table = columns("call", "since", "state", "direction", "from", "policy", "epoch", "owner")
    for row in rows:
        state = Text("live", "green") if row.get("live") else Text(row.get("outcome") or "over", "dim")
        created_s = row.get("created_unix_ms", 0) / 1_000
        since = time.strftime("%H:%M:%S", time.localtime(created_s)) if created_s else "-"
        cells = [row.get(name, "") for name in ("direction", "from", "policy_version", "epoch", "owner")]
        table.add_row(Text(row["call_id"], "bold"), since, state, *(escape(str(cell)) for cell in cells))
    return table


def call(state: dict[str, Any]) -> RenderableType:
    """All that is worth knowing of one call at a glance."""
    floor = str(state.get("floor", ""))
    facts = Table.grid(padding=(0, 2))
    readiness = f"{float(state.get('readiness') or 0):.0%}"
    for name, value in (
        ("call", Text(str(state["call_id"]), "bold")),
        ("line", state.get("line", "")),
        ("floor", Text(floor, HOLDERS.get(floor, ""))),
        ("stage", state.get("stage", "")),
        ("readiness", f"{readiness}{' (ready)' if state.get('ready') else ''}"),
        ("turn", f"{state.get('turn', '')}, revision {state.get('revision', '')}"),
        ("policy", f"{state.get('policy', '')} {state.get('policy_version', '')}"),
        ("owner", f"{state.get('owner', '')}, epoch {state.get('epoch', '')}"),
        ("caller says", state.get("pii_words", "")),
        ("agent says", _utterance(state.get("utterance"))),
        ("agent said", _utterance(state.get("last_utterance"))),
        ("outcome", state.get("outcome", "")),
    ):
        if value not in ("", None):
            facts.add_row(Text(name, "dim"), value if isinstance(value, Text) else escape(str(value)))
    parts: list[RenderableType] = [facts]
    if state.get("concerns"):
        table = columns("concern", "standing", "answers", "words")
        for each in state["concerns"]:
            cells = (each["topic"], each["standing"], each.get("answers", 0), each.get("pii_text", ""))
            table.add_row(*(escape(str(cell)) for cell in cells))
        parts.append(table)
    if state.get("ledger"):
        table = columns("at", "evidence", "strength", "words")
        for signal in state["ledger"]:
            style = "dim" if signal.get("stands") is False else ""
            name = " ".join(filter(None, (signal["sign"], signal.get("topic", ""))))
            at, strength = seconds(signal["at_ms"]), f"{signal['strength']:.2f}"
            table.add_row(at, escape(name), strength, escape(str(signal.get("pii_text", ""))), style=style)
        parts.append(table)
    return Group(*parts)


def record(record: dict[str, Any]) -> RenderableType:
    """How a scripted call went, as the caller's side knows it."""
    table = columns("step", "began", "took")
    for step in record["steps"]:
        took = seconds(step["ended_ms"] - step["began_ms"])
        table.add_row(f"{step['kind']} (line {step['line']})", seconds(step["began_ms"]), took)
    ended = Text(f"ended after {seconds(record['duration_ms'])}: {record['ended']}", "dim")
    failures = [Text(f"failed: {failure}", "red") for failure in record["failures"]]
    return Group(table, ended, *failures)


def simulated(body: dict[str, Any]) -> RenderableType:
    """What was played, how it ended, and what must never be."""
    talk = f"{body['calls']} calls, {body['events']} events, {body['talk_s'] / 3_600:.1f} hours of talk"
    ends = ", ".join(f"{name or 'none'} {count}" for name, count in body["outcomes"].items())
    violations = [Text(line, "red") for line in body["violations"]]
    verdict = Text("nothing that must never be", "green") if not violations else Text(f"{len(violations)} violations")
    return Group(Text(talk), Text(f"outcomes: {ends}", "dim"), verdict, *violations)


def seconds(ms: float) -> str:
    """Milliseconds as people read them."""
    return f"{ms / 1_000:.2f} s"


def _utterance(utterance: dict[str, Any] | None) -> str:
    if not utterance:
        return ""
    said = f"{utterance.get('pii_text', '')} [{utterance.get('playing', '')}]"
    return f"{said} heard: {utterance.get('pii_heard', '')}" if utterance.get("cut") else said


def columns(*heads: str) -> Table:
    """A table as all commands draw it."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=number == 0)  # the first names the row: it is copied whole
    return table
