"""What a supervisor tells of its node in numbers, for operators and the director. Reads all, changes nothing."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from .pool import Standing

if TYPE_CHECKING:
    from .supervisor import Supervisor


DAMAGES_TOLD = 10  # the latest


def figures(node: Supervisor) -> dict[str, Any]:
    """The node's figures, plain values. `takeover_ms`: of each takeover, from the death's notice to the new owner's
    word."""
    pool, residents, hosts, takeovers = node.pool, node.residents, node.hosts, node.takeovers
    lags = residents.watch.lags()

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
        "free_slots": 0 if pool.draining else node.options.slots_max - pool.count(Standing.BUSY),
        "draining": pool.draining,
        "hung": residents.hung,
        "takeovers": takeovers.done,
        "farewells": takeovers.farewells,
        "takeover_ms": [round(ms, 1) for ms in takeovers.times_ms],
        "records": node.intake.records,
        "records_refused": node.intake.refused,
        "journal_up": node.intake.journal_up,
        "journal_damages": node.damages.count,
        "journal_damaged": list(node.damages.found.values())[-DAMAGES_TOLD:],
        "acts_unknown": node.outbox.unknown,
        "lag_ms_max": max(lags.values(), default=0.0),
        "policies": list(node.shelf.policies),
        "default_policy": node.shelf.default,
        "hosts": [{**row, "pid": pid(str(row["host"]))} for row in hosts.stats()],
        "agents_given_up": {f"{version}/{agent}": why for (version, agent), why in hosts.given_up.items()},
    }
