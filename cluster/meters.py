"""What Prometheus sees of the fleet: a table of meters, set from the figures that the director has anyway.

Tagged by node, never by call: a tag of its own for each call would make a time series for each. Ray puts `ray_` before
every name. `deploy/prometheus.yaml` may only name what is in this table (tests/architecture/test_deploy.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from offhook.actors.contracts.node_operations import NodeFigures

# name -> (what it says, the field of NodeFigures)
NODE_METERS: dict[str, tuple[str, str]] = {
    "offhook_calls": ("live calls", "calls"),
    "offhook_free_slots": ("calls that the node could still take", "free_slots"),
    "offhook_spares": ("warm call actors without a call", "spare"),
    "offhook_starting": ("call actors that are starting", "starting"),
    "offhook_lag_ms": ("reaction lag that nine in ten call processes stay below, ms, smoothed", "drift_ms"),
    "offhook_lag_worst_ms": ("reaction lag of the slowest call process, ms", "lag_ms_max"),
    "offhook_draining": ("1 = takes no new calls", "draining"),
    "offhook_journal_up": ("0 = irreversible actions are denied", "journal_up"),
    "offhook_takeovers_total": ("calls that went on in another process after theirs died or hung", "takeovers"),
    "offhook_acts_unknown_total": (
        "acts of which nobody knows whether they happened; a person settles them",
        "acts_unknown",
    ),
    "offhook_journal_damages_total": (
        "damages of the journal that were found; what is whole is used",
        "journal_damages",
    ),
    "offhook_hung_total": ("call processes that stopped answering and were killed", "hung"),
}
# name -> what it says; values come from the director itself
FLEET_METERS: dict[str, str] = {
    "offhook_nodes": "nodes with a supervisor",
    "offhook_nodes_wanted": "nodes that the traffic needs",
    "offhook_offered_erlangs": "load that callers offer",
    "offhook_asked_total": "calls that asked for a slot",
    "offhook_waiting": "callers that ring or queue",
    "offhook_overflowed_total": "calls that got none in time",
    "offhook_cents_total": "what calls have cost, in cents",
}


class Meter(Protocol):
    """A gauge, as `ray.util.metrics.Gauge` is one."""

    def set(self, value: float, tags: dict[str, str] | None = None) -> None:
        """Its value from now on."""


class Meters:
    """Sets the meters. `make(name, description, tag_keys)` makes one; `ray_gauge` where Ray runs."""

    def __init__(self, make: Callable[[str, str, tuple[str, ...]], Meter]) -> None:
        self._node = {name: make(name, says, ("node",)) for name, (says, _) in NODE_METERS.items()}
        self._fleet = {name: make(name, says, ()) for name, says in FLEET_METERS.items()}
        self._nodes: set[str] = set()

    def nodes(self, stats: Mapping[str, NodeFigures]) -> None:
        """Figures of every node, by its id. A node that has left shows zeros from now on."""
        for node in self._nodes - set(stats):
            for meter in self._node.values():
                meter.set(0.0, {"node": node[:8]})
        for node, told in stats.items():
            for name, (_, field) in NODE_METERS.items():
                self._node[name].set(float(getattr(told, field)), {"node": node[:8]})
        self._nodes = set(stats)
        self._fleet["offhook_nodes"].set(float(len(stats)))

    def fleet(self, **values: float) -> None:
        """Figures of the fleet, by the part of their names after `offhook_`."""
        for name, value in values.items():
            self._fleet[f"offhook_{name}"].set(float(value))


def ray_gauge(name: str, description: str, tag_keys: tuple[str, ...]) -> Meter:
    """A gauge that Ray's metrics agent exports."""
    from ray.util.metrics import Gauge

    gauge: Meter = Gauge(name, description=description, tag_keys=tag_keys)
    return gauge
