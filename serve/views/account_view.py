"""What `offhook explain` shows: the account of a call, line by line. Only layout; the words are those of
`policies/replay/account.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from offhook.policies.core.proposals import Verdict
from offhook.policies.replay.account import SAID, Row, account, answer_of, what_of
from rich.text import Text

from .terminal import seconds

STYLES = {
    "grant": "green", "deny": "red", "taken back": "red", "written off": "red", "wait": "yellow", "suggest": "yellow",
    "answer": "magenta", "caller": "cyan", "agent": "green", "failure": "red", "person": "yellow",
}  # fmt: skip


def rows(records: Iterable[Sequence[Any]], said: bool) -> list[Row]:
    """What happened in a call; `said` = also what people said."""
    return [row for row in account(records) if said or row.kind not in SAID]


def plain(call: str, found: Sequence[Row]) -> dict[str, Any]:
    """As JSON takes it. Verdicts stand apart from what is told in words; `at_ms` orders the two."""
    return {
        "call_id": call,
        "verdicts": [asdict(row.verdict) for row in found if row.verdict is not None],
        "told": [{"at_ms": row.at_ms, "kind": row.kind, "words": row.words} for row in found if row.verdict is None],
    }


def text(found: Sequence[Row], every_rule: bool) -> Text:
    """For a terminal, oldest first. `every_rule` = also the rules that were met."""
    if not found:
        return Text("no verdicts yet: no agent has proposed anything", "dim")
    return Text("\n").join([line for row in found for line in _lines(row, every_rule)])


def _lines(row: Row, every_rule: bool) -> list[Text]:
    if row.verdict is None:
        first, *way = row.words.splitlines() or [""]
        return [_line(row.at_ms, row.kind, first), *(Text(f"{' ' * 10}{step.strip()}", "dim") for step in way)]
    verdict = row.verdict
    lines = [_line(verdict.at_ms, answer_of(verdict), _head(verdict))]
    for rule in verdict.rules:
        if every_rule or not rule.ok:
            mark = ("+", "green") if rule.ok else ("-", "red")
            lines.append(Text.assemble(" " * 10, mark, f" {rule.rule}: needs {rule.required}, is {rule.actual}"))
    return lines


def _head(verdict: Verdict) -> Text:
    where = f"  {verdict.moment}, turn {verdict.turn}, revision {verdict.revision}, stage {verdict.stage}"
    return Text.assemble((what_of(verdict), "bold"), f" by {verdict.agent}", (where, "dim"))


def _line(at_ms: int, label: str, words: str | Text) -> Text:
    return Text.assemble((f"{seconds(at_ms):>9} ", "dim"), (f"{label:<12}", STYLES.get(label, "")), words)
