"""What a node's supervisor measures for the node's metrics, and how everything of the node is shown.

What the node's call processes have measured comes with their beats (`residents.py`) and is added up in the same
registry. Counters begin at zero with each supervisor. What parts of the supervisor count anyway is read when somebody
looks: the table FIGURES says which figure (`figures.py`) is which metric.
"""

from __future__ import annotations

from collections.abc import Callable

from offhook.policies.core.errors import CallerFault, OffhookError

from ..contracts import metrics
from ..contracts.errors import LinkLost, NoSpare, UnknownPolicy
from ..contracts.metrics import NODE, Metric
from ..contracts.node_operations import NodeFigures
from ..process.metric_registry import MetricRegistry
from ..process.open_metrics import exposition
from . import outcomes
from .catalog import Catalog

NODE_CHARS = 8  # of a node's id, as commands and logs show it

FIGURES: dict[Metric, Callable[[NodeFigures], float]] = {
    metrics.CALLS: lambda told: told.calls,
    metrics.FREE_SLOTS: lambda told: told.free_slots,
    metrics.SPARES: lambda told: told.spare,
    metrics.STARTING: lambda told: told.starting,
    metrics.LAG: lambda told: told.drift_ms / 1_000,
    metrics.LAG_WORST: lambda told: told.lag_ms_max / 1_000,
    metrics.DRAINING: lambda told: told.draining,
    metrics.JOURNAL_UP: lambda told: told.journal_up,
    metrics.HUNG: lambda told: told.hung,
    metrics.ACTS_UNKNOWN: lambda told: told.acts_unknown,
    metrics.JOURNAL_DAMAGES: lambda told: told.journal_damages,
    metrics.RECORDS: lambda told: told.records,
    metrics.RECORDS_REFUSED: lambda told: told.records_refused,
}

# What the supervisor writes as the end of a call that its process could not end, as the label has it.
OUTCOMES = {
    outcomes.DIED: "died",
    outcomes.LOST: "node_lost",
    outcomes.MOVED: "moved",
    outcomes.STOPPED: "node_stopped",
}


class NodeMetrics:
    """The metrics of one node. `figures()` are the supervisor's."""

    def __init__(self, node: str, catalog: Catalog, figures: Callable[[], NodeFigures]) -> None:
        self.registry = MetricRegistry()
        self._node = node[:NODE_CHARS]
        self._catalog = catalog
        self._figures = figures

    def refused(self, fault: OffhookError, draining: bool) -> None:
        """A call was asked for, and is not taken."""
        self.registry.count(metrics.CALLS_REFUSED, _refusal(fault, draining))

    def ended(self, outcome: str, version: str) -> None:
        """A call is over on this node."""
        policy = self._catalog.policies.get(version)
        told = "not_begun" if outcome.startswith(outcomes.NOT_BEGUN) else OUTCOMES.get(outcome, outcome)
        self.registry.count(metrics.CALLS_ENDED, told, policy.name if policy is not None else metrics.OTHER)

    def look(self) -> MetricRegistry:
        """The registry, with what the supervisor's parts count brought up to date."""
        told = self._figures()
        for metric, read in FIGURES.items():
            self.registry.set(metric, read(told))
        return self.registry

    def text(self) -> str:
        """All of it, as Prometheus reads it."""
        return exposition(self.look().series(), {NODE: self._node})


def _refusal(fault: OffhookError, draining: bool) -> str:
    match fault:
        case NoSpare():
            return "draining" if draining else "no_spare"
        case UnknownPolicy():
            return "unknown_policy"
        case LinkLost():
            return "node_gone"
        case CallerFault():
            return "wrong_request"
    return metrics.OTHER
