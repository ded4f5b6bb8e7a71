"""What the director measures for the metrics: figures of the fleet that it has anyway, renewed at every look.

What happens on a node is measured and shown there (`actors/node/node_metrics.py`): a silent node's series are absent,
and none of them is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping

from offhook.actors.contracts import metrics
from offhook.actors.process.metric_registry import MetricRegistry
from offhook.actors.process.open_metrics import exposition


class FleetMetrics:
    """The metrics of one cluster's director; its counters begin at zero with it."""

    def __init__(self) -> None:
        self.registry = MetricRegistry()

    def nodes(self, answering: int, silent: int, wanted: int) -> None:
        """How many nodes there are."""
        self.registry.set(metrics.NODES, answering)
        self.registry.set(metrics.NODES_SILENT, silent)
        self.registry.set(metrics.NODES_WANTED, wanted)

    def callers(self, offered_erlangs: float, waiting: int, counts: Mapping[str, int]) -> None:
        """What callers offer, and what became of those who asked: `Desk.counts` since the director's start."""
        self.registry.set(metrics.OFFERED, offered_erlangs)
        self.registry.set(metrics.WAITING, waiting)
        self.registry.set(metrics.ASKED, counts.get("asked", 0))
        for how in metrics.OVERFLOWED.labels[0].values:
            self.registry.set(metrics.OVERFLOWED, counts.get(how, 0), how)

    def cost(self, cents: float) -> None:
        """What calls have cost since the accounts began."""
        self.registry.set(metrics.CENTS, cents)

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        return exposition(self.registry.series())
