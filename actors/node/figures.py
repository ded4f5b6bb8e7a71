"""What a supervisor tells of its node in numbers, for operators and the director. Reads all, changes nothing."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..process.clock import boot
from .call_pool import Standing

DRIFTS_MIN = 5  # live calls: the lag of fewer is not of their number, and a node without calls would never open again

if TYPE_CHECKING:
    from .supervisor import Supervisor


DAMAGES_TOLD = 10  # the latest


def figures(node: Supervisor) -> dict[str, Any]:
    """The node's figures, plain values. `takeover_ms`: of each takeover, from the death's notice to the new owner's
    word; `machine`: two nodes with the same one are processes of one machine; `journal`: its file, "" = in Redis (a
    URL may hold a password).
    """
    pool, residents, hosts, takeovers = node.pool, node.residents, node.hosts, node.takeovers
    lags, engines = residents.watch.lags(), node.catalog.reachable()

    def pid(name: str) -> int:
        resident = residents.get(name)
        return resident.pid if resident is not None else 0

    return {
        "node": node.node,
        "pid": os.getpid(),
        "endpoint": node.places.endpoint,
        "up_s": round(time.time() - node.began, 1),
        "calls": len(node.table),
        **{str(standing): pool.count(standing) for standing in Standing},
        "started": pool.started,
        "free_slots": 0 if pool.draining else max(0, pool.sizes.slots_max - pool.count(Standing.BUSY)),
        "slots": pool.sizes.slots_max,
        "spares_wanted": pool.sizes.spares,
        "draining": pool.draining,
        "drained_by": node.drained_by if pool.draining else "",
        "hung": residents.hung,
        "takeovers": takeovers.done,
        "farewells": takeovers.farewells,
        "escalations": takeovers.escalations,
        "takeover_ms": [round(ms, 1) for ms in takeovers.times_ms],
        "swapped": node.swaps.swapped,
        "swaps_undone": node.swaps.undone,
        "records": node.intake.records,
        "records_refused": node.intake.refused,
        "journal_up": node.intake.journal_up,
        "journal_damages": node.damages.count,
        "journal_damaged": list(node.damages.found.values())[-DAMAGES_TOLD:],
        "acts_unknown": node.outbox.unknown,
        "lag_ms_max": max(lags.values(), default=0.0),
        "drift_ms": round(drift_ms(residents.watch.drifts()), 1),
        "policies": list(node.catalog.policies),
        "default_policy": node.catalog.default,
        "hosts": [{**row, "pid": pid(str(row["host"]))} for row in hosts.stats()],
        "gateways": [{"name": name, "pid": pid(name)} for name in residents.names("gateway")],
        "machine": boot(),
        "metrics": node.exporter.address,
        "journal": str(node.places.journal) if isinstance(node.places.journal, Path) else "",
        "engines": [endpoint for endpoint, _token in (*engines.recognizer_endpoints, *engines.synthesizer_endpoints)],
        "agents_given_up": {f"{version}/{agent}": why for (version, agent), why in hosts.given_up.items()},
    }


def drift_ms(drifts_ms: list[float]) -> float:
    """The smoothed lag that nine in ten live processes stay below: the node is late, not one of them. 0 for too few to
    tell."""
    return sorted(drifts_ms)[-(len(drifts_ms) // 10) - 1] if len(drifts_ms) >= DRIFTS_MIN else 0.0
