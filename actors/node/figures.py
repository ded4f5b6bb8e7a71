"""What a supervisor tells of its node in numbers, for operators and the director. Reads all, changes nothing."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..contracts.node_operations import GatewayProcess, NodeFigures
from ..journals.damage_monitor import Damages
from ..process.clock import boot
from ..process.exporter import Exporter
from .call_pool import Standing
from .call_start import Parts
from .intake import Intake
from .options import Places
from .outbox import Outbox
from .swaps import Swaps
from .takeover import Takeovers

DRIFTS_MIN = 5  # live calls: the lag of fewer is not of their number, and a node without calls would never open again
DAMAGES_TOLD = 10  # the latest


@dataclass(frozen=True, slots=True)
class Figures:
    """Where one node's figures come from."""

    node: str
    places: Places
    parts: Parts
    intake: Intake
    takeovers: Takeovers
    swaps: Swaps
    outbox: Outbox
    damages: Damages
    exporter: Exporter
    began_unix_s: float = field(default_factory=time.time)

    def told(self) -> NodeFigures:
        """The node's figures, as of now."""
        parts, pool, residents = self.parts, self.parts.pool, self.parts.residents
        hosts, takeovers = parts.hosts, self.takeovers
        lags, engines = residents.watch.lags(), parts.catalog.reachable()

        def pid(name: str) -> int:
            resident = residents.get(name)
            return resident.pid if resident is not None else 0

        return NodeFigures(
            node=self.node,
            pid=os.getpid(),
            endpoint=self.places.endpoint,
            up_s=round(time.time() - self.began_unix_s, 1),
            calls=len(parts.table),
            starting=pool.count(Standing.STARTING),
            spare=pool.count(Standing.SPARE),
            busy=pool.count(Standing.BUSY),
            retiring=pool.count(Standing.RETIRING),
            started=pool.started,
            free_slots=0 if pool.draining else max(0, pool.sizes.slots_max - pool.count(Standing.BUSY)),
            slots=pool.sizes.slots_max,
            spares_wanted=pool.sizes.spares,
            draining=pool.draining,
            drained_by=pool.drained_by,
            hung=residents.hung,
            takeovers=takeovers.done,
            farewells=takeovers.farewells,
            escalations=takeovers.escalations,
            takeover_ms=tuple(round(ms, 1) for ms in takeovers.times_ms),
            swapped=self.swaps.swapped,
            swaps_undone=self.swaps.undone,
            records=self.intake.records,
            records_refused=self.intake.refused,
            journal_up=self.intake.journal_up,
            journal_damages=self.damages.count,
            journal_damaged=tuple(self.damages.found.values())[-DAMAGES_TOLD:],
            acts_unknown=self.outbox.unknown,
            lag_ms_max=max(lags.values(), default=0.0),
            drift_ms=round(drift_ms(residents.watch.drifts()), 1),
            policies=tuple(parts.catalog.policies),
            default_policy=parts.catalog.default,
            hosts=tuple(replace(row, pid=pid(row.host)) for row in hosts.stats()),
            gateways=tuple(GatewayProcess(name, pid(name)) for name in residents.names("gateway")),
            machine=boot(),
            metrics=self.exporter.address,
            journal=str(self.places.journal) if isinstance(self.places.journal, Path) else "",
            engines=tuple(
                endpoint for endpoint, _token in (*engines.recognizer_endpoints, *engines.synthesizer_endpoints)
            ),
            agents_given_up={f"{version}/{agent}": why for (version, agent), why in hosts.given_up.items()},
        )


def drift_ms(drifts_ms: list[float]) -> float:
    """The smoothed lag that nine in ten live processes stay below: the node is late, not one of them. 0 for too few to
    tell."""
    return sorted(drifts_ms)[-(len(drifts_ms) // 10) - 1] if len(drifts_ms) >= DRIFTS_MIN else 0.0
