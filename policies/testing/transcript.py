"""A call in lines for people: who said what, what was done, denied and why. From a call's records, and nothing else.

0.00 s  agent       Hello, this is the front desk. What can I do for you?
4.10 s  caller      can somebody call me back
9.35 s  deny        book_callback by guide
                    consent: needs a plain yes to the read-back, is no
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..core.proposals import Answer, Kind, Verdict
from ..replay.account import Row, account, answer_of, what_of

_INDENT = " " * 24


def transcript(records: Iterable[Sequence[Any]]) -> str:
    """The whole of it. `records`: a call's journal, `[call, epoch, seq, at_ms, kind, body]`, in order."""
    return "\n".join(line for row in account(records) for line in _lines(row))


def failing(verdict: Verdict) -> list[str]:
    """The rules that a verdict fails, with what each needs and what is."""
    return [f"{rule.rule}: needs {rule.required}, is {rule.actual}" for rule in verdict.rules if not rule.ok]


def _lines(row: Row) -> list[str]:
    if row.verdict is None:
        first, *more = row.words.splitlines() or [""]
        return [_line(row.at_ms, row.kind, first), *(f"{_INDENT}{line}" for line in more)]
    verdict = row.verdict
    if verdict.answer is Answer.GRANT and verdict.kind is Kind.SAY:
        return []  # it is said, and stands there with its words
    head = _line(verdict.at_ms, answer_of(verdict), f"{what_of(verdict)} by {verdict.agent}")
    return [head, *(f"{_INDENT}{rule}" for rule in failing(verdict))]


def _line(at_ms: int, label: str, words: str) -> str:
    return f"{at_ms / 1_000:9.2f} s  {label:<12}{words}"
