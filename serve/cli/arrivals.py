"""Traces of arrivals: CSV in, intervals out. An error names file, line and column, and says what is allowed.

    at_s,calls,holding_s
    0,120,180
    60,134,175

`at_s`: when the row's interval begins, in seconds; it ends where the next one begins, the last is as long as the one
before it. `calls`: how many arrived in it. `holding_s` (may be left out): how long they lasted on average.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path

from offhook.policies.core.errors import CallerFault
from offhook.policies.simulation.fleet import Interval

COLUMNS = ("at_s", "calls", "holding_s")
REQUIRED = ("at_s", "calls")
ROWS_MAX = 1_000_000


class TraceFault(CallerFault):
    """A trace that cannot be used. Names file, line and column, and what is allowed."""


def read(path: Path, holding_s: float) -> tuple[Interval, ...]:
    """The intervals of a trace; `holding_s` where a row does not say it.

    Raises:
        TraceFault: the file is not there, or cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise TraceFault(f"{path}: {reason}; a trace is a CSV file with the columns {', '.join(COLUMNS)}") from None
    return parse(text, str(path), holding_s)


def parse(text: str, name: str, holding_s: float) -> tuple[Interval, ...]:
    """As `read`, of a text; `name` is for the messages."""
    lines = csv.reader(text.splitlines(), strict=True)
    rows: list[tuple[int, dict[str, float]]] = []
    header: list[str] = []
    try:
        for cells in lines:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if not header:
                header = _header(cells, name, lines.line_num)
                continue
            if len(rows) == ROWS_MAX:
                raise TraceFault(f"{name}:{lines.line_num}: more than {ROWS_MAX} rows")
            rows.append((lines.line_num, _row(header, cells, f"{name}:{lines.line_num}")))
    except csv.Error as error:
        raise TraceFault(f"{name}:{lines.line_num}: not CSV: {error}") from None
    if len(rows) < 2:
        found = f"{len(rows)} rows" if header else "nothing"
        raise TraceFault(f"{name}: {found}; a trace has a header ({','.join(COLUMNS)}) and at least 2 rows")
    return _intervals(rows, name, holding_s)


def _header(cells: list[str], name: str, line: int) -> list[str]:
    header = [cell.strip() for cell in cells]
    for number, column in enumerate(header):
        if column not in COLUMNS or column in header[:number]:
            why = "is there twice" if column in COLUMNS else "is not known"
            raise TraceFault(f"{name}:{line}: column {column!r} {why}; allowed: {', '.join(COLUMNS)}")
    for column in REQUIRED:
        if column not in header:
            raise TraceFault(f"{name}:{line}: column {column!r} is missing; needed: {', '.join(REQUIRED)}")
    return header


# What a cell may hold: column -> (test, in words).
_ALLOWED: dict[str, tuple[Callable[[float], bool], str]] = {
    "at_s": (lambda value: value >= 0.0, "seconds, 0 or more"),
    "calls": (lambda value: 0.0 <= value <= 1e9, "a number of calls, 0 to 1000000000"),
    "holding_s": (lambda value: 0.0 < value <= 86_400.0, "seconds, above 0 and at most 86400"),
}


def _row(header: list[str], cells: list[str], where: str) -> dict[str, float]:
    if len(cells) != len(header):
        raise TraceFault(f"{where}: {len(cells)} cells, the header has {len(header)}: {', '.join(header)}")
    row = {}
    for column, cell in zip(header, cells, strict=True):
        if column == "holding_s" and not cell.strip():
            continue
        fits, words = _ALLOWED[column]
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and fits(value)):
            raise TraceFault(f"{where}: column {column}: {cell.strip()!r}; allowed: {words}")
        row[column] = value
    return row


def _intervals(rows: list[tuple[int, dict[str, float]]], name: str, holding_s: float) -> tuple[Interval, ...]:
    intervals = []
    span_s = 0.0
    for number, (line, row) in enumerate(rows):
        if number + 1 < len(rows):
            after, later = rows[number + 1]
            span_s = later["at_s"] - row["at_s"]
            if span_s <= 0.0:
                raise TraceFault(
                    f"{name}:{after}: column at_s: {later['at_s']:g} does not come after {row['at_s']:g} (line {line});"
                    " allowed: seconds that grow from row to row"
                )
        intervals.append(Interval(row["at_s"], span_s, row["calls"], row.get("holding_s", holding_s)))
    return tuple(intervals)
