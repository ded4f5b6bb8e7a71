"""The director's view of a rollout in shadow: has every node shadow its calls, gathers what they find.

Counts go into the rollout by way of `counts.py`; rows and trials are kept here for whoever asks, and fetched from the
nodes again after the director's death.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from offhook.actors.contracts.node_operations import ArmFigures, ArmReport, ShadowOrder, ShadowReport
from offhook.policies.fleet.rollout import Rollout

from .operations import Divergence

ROWS_MAX = 2_000  # differences that are kept of one rollout
TRIALS_MAX = 1_000  # calls in a report
FINDINGS_MAX = 10  # rollouts whose findings are kept


class ShadowFleet(Protocol):
    """What shadows need of the director."""

    async def shadow(self, order: ShadowOrder, after: Mapping[str, tuple[int, int]]) -> dict[str, ShadowReport]:
        """Node -> what its shadows found after its numbers of `after` (node -> (row, trial))."""

    async def unshadow(self, rollout: str) -> None:
        """Let the shadows of a rollout leave, on every node."""


@dataclass(slots=True)
class Findings:
    """What was found for one rollout."""

    rows: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=ROWS_MAX))
    trials: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=TRIALS_MAX))
    seen: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # node -> (since, row, trial)
    seq: int = 0
    present: int = 0  # calls that are being shadowed


class Shadowing:
    """Shadows of all rollouts."""

    def __init__(self, fleet: ShadowFleet) -> None:
        self._fleet = fleet
        self._findings: dict[str, Findings] = {}

    async def look(self, rollout: Rollout) -> tuple[dict[str, ArmReport], str]:
        """One look at a rollout in shadow: what nodes count, as `Counts.taken` reads it, and why it must end ("" = it
        need not)."""
        plan = rollout.plan
        order = ShadowOrder(
            rollout=rollout.name,
            version=rollout.candidate,
            baseline=rollout.baseline,
            share=plan.shadow_share,
            direction=plan.direction,
            numbers=plan.numbers,
        )
        found = self._of(rollout)
        after = {node: (row, trial) for node, (_, row, trial) in found.seen.items()}
        counts: dict[str, ArmReport] = {}
        failed = ""
        found.present = 0
        for node, report in (await self._fleet.shadow(order, after)).items():
            if not report.since:
                continue
            failed = failed or report.failed
            found.present += report.present
            self._take(found, node, report)
            arm = ArmFigures(report.calls, 0, {"diverged": report.diverged, "faulted": report.faulted})
            counts[f"shadow:{node}"] = ArmReport(report.since, {f"{rollout.name}/shadow": arm})
        return counts, failed

    def _take(self, found: Findings, node: str, report: ShadowReport) -> None:
        since, row, trial = found.seen.get(node, (0, -1, -1))
        if since != report.since:
            row = trial = -1  # another host: its numbers begin anew
        for each in report.rows:
            if each["seq"] > row:
                row = each["seq"]
                found.seq += 1
                found.rows.append({**each, "seq": found.seq, "node": node[:8]})
        for each in report.trials:
            if each["seq"] > trial:
                trial = each["seq"]
                found.trials.append({key: value for key, value in each.items() if key != "seq"})
        found.seen[node] = (report.since, row, trial)

    async def end(self, rollout: Rollout) -> None:
        """It is in shadow no more."""
        if rollout.plan.shadow:
            self._of(rollout).present = 0
            await self._fleet.unshadow(rollout.name)

    def told(self, rollout: Rollout, after: int, limit: int) -> Divergence:
        """What was found after row `after`."""
        found = self._of(rollout)
        rows = [row for row in found.rows if row["seq"] > after][:limit]
        return Divergence(
            rollout=rollout.name,
            rows=rows,
            next_after=rows[-1]["seq"] if rows else after,
            shadowing=found.present,
            over=rollout.stage != "shadow",
            trials=list(found.trials),
        )

    def _of(self, rollout: Rollout) -> Findings:
        if rollout.name not in self._findings:
            self._findings[rollout.name] = Findings()
            while len(self._findings) > FINDINGS_MAX:
                del self._findings[next(iter(self._findings))]
        return self._findings[rollout.name]
