"""What the command line shows: calls, one call, a script's record. Colours only on a terminal.

Only wording and layout; where the values come from is `cli/cli.py`'s matter. What people said on the line is shown
here, because whoever may read the journal asked for it; it is never logged.
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


def calls(rows: list[dict[str, Any]], now_s: float) -> RenderableType:
    """One row a call. `now_s`: this moment, in seconds of Unix time."""
    if not rows:
        return Text("no calls yet", "dim")
    table = columns("call", "since", "age", "state", "direction", "from", "policy", "stage", "waits", "epoch", "owner")
    for row in rows:
        progress = row.get("progress") or {}
        created_ms, ended_ms = row.get("created_unix_ms", 0), row.get("ended_unix_ms", 0)
        age = span((ended_ms or now_s * 1_000) - created_ms) if created_ms else "-"
        policy = " ".join(filter(None, (progress.get("policy"), row.get("policy_version"))))
        cells = [
            row.get("direction", ""),
            row.get("from", ""),
            policy,
            progress.get("stage", "") if row.get("live") else "",
        ]
        last = [escape(str(row.get(name, ""))) for name in ("epoch", "owner")]
        named = (escape(str(cell)) for cell in cells)
        state, waits = _state(row, progress), _waits(progress)
        table.add_row(Text(row["call_id"], "bold"), clock(created_ms), age, state, *named, waits, *last)
    return table


def _state(row: dict[str, Any], progress: dict[str, Any]) -> Text:
    if row.get("live"):
        taken_over = f", taken over {row['takeovers']} times" if row.get("takeovers") else ""
        return Text(f"live{taken_over}", "green")
    by = f" ({progress['ended_by']})" if progress.get("ended_by") else ""
    return Text(f"{row.get('outcome') or 'over'}{by}", "dim")


def _waits(progress: dict[str, Any]) -> Text:
    """What of a call waits for a person, and whose agents failed: what somebody should look at."""
    told = Text(", ".join(f"{each['action']}: a person" for each in progress.get("waiting") or ()), "yellow")
    if progress.get("failures"):
        told.append(f"{'; ' if told else ''}agents failed {progress['failures']} times, {progress['failed']}", "red")
    return told


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
        ("ended by", (state.get("progress") or {}).get("ended_by", "")),
    ):
        if value not in ("", None):
            facts.add_row(Text(name, "dim"), value if isinstance(value, Text) else escape(str(value)))
    parts: list[RenderableType] = [facts]
    if state.get("approvals"):
        table = columns("waits for a person", "what", "by agent", "with", "for", "words")
        for each in state["approvals"]:
            arguments = ", ".join(f"{name}={value}" for name, value in each.get("pii_arguments", {}).items())
            left = seconds(max(0, each["until_ms"] - int(state.get("now_ms", 0))))
            asked = (each["proposal"], each["action"], each["agent"], arguments, left, each.get("pii_text", ""))
            table.add_row(*(escape(str(cell)) for cell in asked))
        parts += [table, Text(f"offhook approve {state['call_id']} PROPOSAL, or with --no", "dim")]
    if state.get("failures"):
        table = columns("agent lost", "at", "why")
        for each in state["failures"]:
            table.add_row(escape(each["agent"]), seconds(each["at_ms"]), escape(each["reason"]))
        parts.append(table)
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


def span(ms: float) -> str:
    """How long something lasts: 42 s, 3:07 min, 2:15 h."""
    whole = max(0, int(ms // 1_000))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60}:{whole % 60:02} min" if whole < 3_600 else f"{whole // 3_600}:{whole % 3_600 // 60:02} h"


def clock(unix_ms: float) -> str:
    """A moment as the clock on the wall shows it; "-" = not known."""
    return time.strftime("%H:%M:%S", time.localtime(unix_ms / 1_000)) if unix_ms else "-"


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
