"""From settings to what the director keeps capacity by (`cluster/capacity_rules.py`), as plain values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import tables
from .settings import Settings

LATE_TO_CALM = 0.5  # a node takes calls again at half of the lag at which it closed: hysteresis


def rules_of(settings: Settings) -> dict[str, Any]:
    """Goals, admission and prices.

    Raises:
        TableFault: a file that is named cannot be used.
    """
    admission: dict[str, Any] = {
        "ring_ms": round(settings.ring_s * 1_000),
        "then": settings.overflow,
        "queue_ms": round(settings.queue_s * 1_000),
        "redirect_to": settings.redirect_to,
        "late_ms": settings.late_ms,
        "calm_ms": settings.late_ms * LATE_TO_CALM,
    }
    if settings.admission:
        admission = tables.read_admission(Path(settings.admission), **admission)
    prices = tables.read_prices(Path(settings.prices) if settings.prices else None)
    return {
        "goals": {
            "blocking_share": settings.blocking,
            "burst_share": settings.burst,
            "slots_per_node": settings.slots_per_node,
            "nodes_min": settings.nodes_min,
            "nodes_max": max(1, settings.nodes_max),
            "nodes_lost": settings.nodes_lost,
            "spares_min": settings.spares,
            "holding_s": settings.holding_s,
            "calm_ms": round(settings.calm_s * 1_000),
        },
        "admission": admission,
        "prices": prices.model_dump(),
        "scale": settings.nodes_max > 0,
        "spares_min": settings.spares,
        "spares_max": settings.spares_max,
    }
