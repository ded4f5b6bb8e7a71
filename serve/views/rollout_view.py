"""How rollouts look on a terminal: one line a step, one line a guard. Only wording and layout."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from offhook.cluster.operations import GuardEvidence, RolloutStatus, RolloutSummary
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

STAGES = {"live": "green", "rolled back": "red", "aborted": "red", "paused": "yellow"}
GOING_ON = ("published", "shadow", "canary", "paused")
BAR = 20  # characters of a guard's way to rolling back


def rows(told: Sequence[RolloutSummary]) -> RenderableType:
    """One row a rollout."""
    if not told:
        return Text("no rollouts yet; publish a version, then: offhook rollout start VERSION", "dim")
    table = _table("rollout", "stage", "share", "from", "to", "why")
    for each in told:
        stage = Text(each.stage, STAGES.get(each.stage, ""))
        share = f"{each.share:.4g}" if each.stage == "canary" else ""
        cells = (each.baseline, each.candidate, each.reason)
        table.add_row(Text(each.name, "bold"), stage, share, *(escape(cell) for cell in cells))
    return table


def status(told: RolloutStatus) -> RenderableType:
    """One rollout: where it stands, what each step counted, how near each guard is, how it came there."""
    head = Text.assemble((told.name, "bold"), f"  {told.baseline} -> {told.candidate}  ", _stage(told))
    parts: list[RenderableType] = [head]
    if told.reason:
        parts.append(Text(f"because {told.reason}", "red"))
    if told.plan.shadow:
        found = told.shadowed
        parts.append(Text(f"shadow   {found.calls} calls, {found.diverged} diverged, {found.faulted} with faults"))
    if told.plan.steps:
        parts += [Text(), _steps(told)]
    if told.guards and told.tallies:
        parts += [Text(), _guards(told)]
    if told.swap:
        swap = told.swap
        parts.append(Text(f"running calls: {swap.swapped} of {swap.asked} went over, {swap.kept} kept theirs"))
    history = _table("at", "stage", "why")
    for note in told.history:
        at = time.strftime("%H:%M:%S", time.localtime(note.at_unix_ms / 1_000))
        history.add_row(at, note.stage, escape(note.why))
    return Group(*parts, Text(), history)


def line(told: RolloutStatus) -> str:
    """One rollout in one line: where it stands, how many calls are in, which guard is nearest."""
    words = [str(told.name), _stage(told)[0]]
    if told.stage == "shadow":
        found, wanted = told.shadowed, told.plan.shadow_calls_min
        words.append(f"{found.calls} of {wanted} calls shadowed, {found.diverged} diverged")
    elif told.tallies:
        tally = told.tallies[-1]
        words.append(f"{tally.ended[1]} of {told.plan.calls_min} calls over, {tally.ended[0]} of the baseline")
        nearest = max(told.guards, key=lambda guard: guard.evidence / guard.rolls_back_at, default=None)
        if nearest is not None and nearest.evidence > 0:
            words.append(f"nearest guard: {nearest.mark}, e^{nearest.evidence:.1f} of e^{nearest.rolls_back_at:.1f}")
    if told.reason:
        words.append(str(told.reason))
    return escape("  ".join(words))


def differences(found: list[dict[str, Any]]) -> RenderableType:
    """What shadows have found, one line each."""
    table = _table("call", "at", "what", "before", "after", "rule")
    for each in found:
        at = f"{each['at_ms'] / 1_000:.2f} s"
        cells = (each["call"], at, each["what"], each["before"] or "-", each["after"] or "-", each.get("rule", ""))
        table.add_row(*(escape(str(cell)) for cell in cells))
    return table


def _stage(told: RolloutSummary) -> tuple[str, str]:
    words = str(told.stage)
    if words == "canary":
        words += f" at {told.share:.4g} of new calls"
    return (words, STAGES.get(str(told.stage), "bold"))


def _steps(told: RolloutStatus) -> RenderableType:
    table = _table("step", "share", "may", "calls", "over", "of", *(guard.mark for guard in _live_guards(told)))
    tallies = {tally.step: tally for tally in told.tallies}
    for number, step in enumerate(told.plan.steps):
        tally = tallies.get(number)
        marks = tally.marks if tally else {}
        here = number == told.step and told.stage in ("canary", "paused")
        for arm, name in enumerate(("baseline", "candidate")):
            ended = str(tally.ended[arm]) if tally else "-"
            wanted = str(told.plan.calls_min) if arm else ""
            counts = [str(marks.get(guard.mark, (0, 0))[arm]) if tally else "-" for guard in _live_guards(told)]
            first = (f"{'>' if here else ' '} {number + 1}", f"{step.share:.2%}", step.autonomy)
            table.add_row(*(first if not arm else ("", "", "")), name, ended, wanted, *counts)
    return table


def _guards(told: RolloutStatus) -> RenderableType:
    table = _table("guard", "evidence", "rolls back at", "")
    for guard in told.guards:
        share = max(0.0, min(1.0, guard.evidence / guard.rolls_back_at))
        full = round(share * BAR)
        bar = Text("#" * full + "." * (BAR - full), "red" if share >= 1 else "yellow" if share > 0.5 else "green")
        table.add_row(guard.mark, f"e^{guard.evidence:.1f}", f"e^{guard.rolls_back_at:.1f}", bar)
    return table


def _live_guards(told: RolloutStatus) -> list[GuardEvidence]:
    return [guard for guard in told.guards if guard.mark not in ("faulted", "diverged")]


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
