"""The report of a backtest: many trials summed up, as plain values, for a terminal and as a page.

What was said on the line is in it (the page's reader may read the journal too); it never goes into a log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape as html_escape
from typing import Any

from offhook.policies.replay.differences import RANK, TIMES, quantile
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from . import terminal

SHOWN_MAX = 200  # differences in full, the most consequential first; the counts are of all
LINES_MAX = 20  # of them on a terminal

WORDS = {
    "fault": "faults of the candidate",
    "act_gained": "acts gained",
    "act_lost": "acts lost",
    "ending_gained": "calls ended otherwise",
    "ending_lost": "calls not ended",
    "act_flipped": "verdicts on acts",
    "speech_flipped": "verdicts on speech",
    "said_otherwise": "said otherwise",
    "said_gained": "said in addition",
    "said_lost": "left unsaid",
    "floor": "held, cut or resumed otherwise",
}
TIME_WORDS = {
    "reply": "caller's end to the agent's start",
    "hold": "onset to hold",
    "decide": "onset to cut or resume",
    "silence": "silence after the agent",
}


def summary(trials: Sequence[dict[str, Any]], name: str, version: str, took_s: float) -> dict[str, Any]:
    """Trials (`actors/shadows/trial.py`) as one report: counts, times before and after, differences by consequence."""
    readable = [each for each in trials if "unreadable" not in each]
    found = [{"call": each["call"], **one} for each in readable for one in each["differences"]]
    found.sort(key=lambda one: (-one["rank"], one["call"], one["at_ms"]))
    rules: Counter[tuple[str, str, str, str]] = Counter(
        (one["what"], one["before"], one["after"], one.get("rule", ""))
        for one in found
        if one["kind"].endswith("flipped")
    )
    known_ms = sum(each["known_until_ms"] for each in readable)
    lasted_ms = sum(each["end_ms"] for each in readable)
    return {
        "policy": name,
        "version": version,
        "calls": len(trials),
        "unreadable": [each for each in trials if "unreadable" in each],
        "same": sum(not each["differences"] for each in readable),
        "diverged": sum(each["divergence"] is not None for each in readable),
        "known_share": round(known_ms / lasted_ms, 4) if lasted_ms else 1.0,
        "talk_s": lasted_ms // 1_000,
        "events": sum(each["events"] for each in readable),
        "verdicts_compared": sum(each["verdicts"] for each in readable),
        "answers_unknown": sum(each["unknown"] for each in readable),
        "took_s": round(took_s, 2),
        "calls_a_minute": round(len(trials) / took_s * 60) if took_s else 0,
        "counts": {kind: count for kind in RANK if (count := sum(one["kind"] == kind for one in found))},
        "flips": [
            {"what": what, "before": before, "after": after, "rule": rule, "times": times}
            for (what, before, after, rule), times in rules.most_common()
        ],
        "times_ms": {kind: _times(readable, kind) for kind in TIMES},
        "differences": found[:SHOWN_MAX],
        "differences_left_out": max(0, len(found) - SHOWN_MAX),
    }


def _times(trials: Sequence[dict[str, Any]], kind: str) -> dict[str, dict[str, int]]:
    told = {}
    for side in ("before", "after"):
        values = [value for each in trials for value in each[side][kind]]
        told[side] = {"n": len(values), "p50": quantile(values, 0.5), "p95": quantile(values, 0.95)}
    return told


def text(report: dict[str, Any]) -> RenderableType:
    """For a terminal."""
    lines: list[RenderableType] = [Text.from_markup(f"[bold]{escape(line)}[/bold]") for line in _head(report)[:1]]
    lines += [Text(line, "dim") for line in _head(report)[1:]]
    if report["counts"]:
        counts = terminal.columns("differences", "times")
        for kind, count in report["counts"].items():
            counts.add_row(WORDS[kind], str(count))
        lines += [Text(), counts]
    if report["flips"]:
        flips = terminal.columns("verdicts flipped", "before", "after", "by the rule", "times")
        for each in report["flips"]:
            flips.add_row(*(escape(str(each[name])) for name in ("what", "before", "after", "rule", "times")))
        lines += [Text(), flips]
    times = terminal.columns("ms", "before p50", "p95", "after p50", "p95")
    for kind, sides in report["times_ms"].items():
        times.add_row(TIME_WORDS[kind], *(str(sides[s][q]) for s in ("before", "after") for q in ("p50", "p95")))
    lines += [Text(), times]
    if report["differences"]:
        ranked = terminal.columns("call", "at", "what", "before", "after", "why")
        for each in report["differences"][:LINES_MAX]:
            ranked.add_row(*(escape(cell) for cell in _cells(each)))
        lines += [Text(), ranked]
        left = len(report["differences"]) - LINES_MAX + report["differences_left_out"]
        if left > 0:
            lines.append(Text(f"and {left} more, of less consequence", "dim"))
    return Group(*lines)


def page(report: dict[str, Any]) -> str:
    """As one HTML file without scripts or anything from elsewhere."""
    head = _head(report)
    parts = [f"<h1>{html_escape(head[0])}</h1>", *(f"<p>{html_escape(line)}</p>" for line in head[1:])]
    parts.append(_rows(("difference", "times"), [(WORDS[kind], count) for kind, count in report["counts"].items()]))
    names = ("what", "before", "after", "rule", "times")
    parts.append("<h2>Verdicts flipped</h2>")
    parts.append(_rows(names, [tuple(each[name] for name in names) for each in report["flips"]]))
    parts.append("<h2>Times in ms</h2>")
    times = [
        (TIME_WORDS[kind], *(sides[s][q] for s in ("before", "after") for q in ("n", "p50", "p95")))
        for kind, sides in report["times_ms"].items()
    ]
    parts.append(_rows(("", "before: n", "p50", "p95", "after: n", "p50", "p95"), times))
    parts.append("<h2>Differences, the most consequential first</h2>")
    parts.append(_rows(("call", "at", "what", "before", "after", "why"), [_cells(e) for e in report["differences"]]))
    return _PAGE.format(title=html_escape(head[0]), body="\n".join(parts))


def _head(report: dict[str, Any]) -> list[str]:
    calls = report["calls"]
    head = [
        f"{report['policy']} {report['version']}: {report['same']} of {calls} calls would have gone as they did",
        f"{report['diverged']} diverge so that the caller would have noticed; what the caller did after that may have "
        f"been another, and is not judged: {report['known_share']:.0%} of {report['talk_s'] / 3600:.1f} hours is known",
        f"{report['verdicts_compared']} verdicts compared, {report['events']} events, {report['took_s']:g} s "
        f"({report['calls_a_minute']} calls a minute)",
    ]
    if report["answers_unknown"]:
        head.append(f"{report['answers_unknown']} times agents would have been asked what nobody recorded an answer to")
    if report["unreadable"]:
        head.append(f"{len(report['unreadable'])} calls cannot be read: {report['unreadable'][0]['unreadable']}")
    return head


def _cells(each: dict[str, Any]) -> tuple[str, ...]:
    why = ""
    if each.get("rule"):
        why = f"{each['rule']}: needs {each['required']}, is {each['actual']}"
    elif each.get("pii_before") or each.get("pii_after"):
        why = " → ".join(f"“{each.get(key, '')}”" for key in ("pii_before", "pii_after") if each.get(key))
    at = f"{each['at_ms'] / 1_000:.2f} s"
    return (each["call"], at, each["what"], each["before"] or "-", each["after"] or "-", why)


def _rows(heads: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{html_escape(each)}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{html_escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }}
h1 {{ font-size: 1.3rem }} h2 {{ font-size: 1.05rem; margin-top: 2rem }} p {{ color: #555; margin: .2rem 0 }}
table {{ border-collapse: collapse; margin-top: .6rem }}
th, td {{ text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #e5e5e5 }}
th {{ color: #777; font-weight: normal }} td {{ font-variant-numeric: tabular-nums }}
</style></head><body>
{body}
</body></html>
"""
