"""What a process has measured so far: one number, or one histogram, for each series of the declared metrics.

To count costs a dictionary look-up; nothing is sent. What has changed since it was last asked (`take`) travels as plain
arrays with a message that is sent anyway, and is added to the registry of whoever shows it (`add`). Labels are bounded
here, at both ends: see `contracts/metrics.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..contracts.errors import ProtocolFault
from ..contracts.metrics import FLEET_METRICS, NODE_METRICS, OTHER, WORD, Kind, Metric, MetricRow

Labels = tuple[str, ...]
CHANGES_MAX = 5_000  # series in one message: what all metrics and labels together can have
GROWN_MAX = 1e15  # of one series at once: far above what is measured between two beats, and still counted exactly


class Change(NamedTuple):
    """What one series has grown by. `buckets`: values in each bucket, the last beyond all bounds; () = a counter's."""

    name: str
    labels: Labels
    total: float  # of a counter, or the sum of a histogram's values
    buckets: tuple[int, ...] = ()

    @classmethod
    def from_fields(cls, raw: Any) -> Change:
        """Raises:
        ProtocolFault: these are not the fields of a change.
        """
        match raw:
            case [str(name), [*labels], (int() | float()) as total, [*buckets]] if (
                all(isinstance(label, str) for label in labels) and _grows(total) and all(map(_counts, buckets))
            ):
                return cls(name, tuple(labels), float(total), tuple(buckets))
        raise ProtocolFault(
            f"a change of a metric is: name, labels, total (0 to {GROWN_MAX:.0e}), buckets (whole numbers from 0 on)"
        )


def _grows(total: Any) -> bool:
    return type(total) is not bool and 0 <= total <= GROWN_MAX


def _counts(count: Any) -> bool:
    return type(count) is int and 0 <= count <= GROWN_MAX


class Series(NamedTuple):
    """One series as it stands. `buckets` as in `Change`."""

    metric: Metric
    labels: Labels
    total: float
    buckets: tuple[int, ...]


class _Cell:
    """The numbers of one series, and what of them was taken already."""

    __slots__ = ("buckets", "taken", "taken_buckets", "total")

    def __init__(self, buckets: int) -> None:
        self.total = self.taken = 0.0
        self.buckets = [0] * buckets
        self.taken_buckets = [0] * buckets


class MetricRegistry:
    """The metrics of one process, or of all processes of a node together."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, Labels], _Cell] = {}
        self._values: dict[tuple[str, str], set[str]] = {}  # (metric, label) -> the values that an open label has kept
        self.unknown = 0  # changes of metrics that are not declared here: their sender is of another release

    # --- measuring --------------------------------------------------------------------------------------------------

    def count(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """It happened once more, or `by` times."""
        self._cell(metric, labels).total += by

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """One more value of a histogram, in the metric's unit; what runs backwards counts as 0."""
        value = min(max(0.0, value), GROWN_MAX)  # an endless sum could never be sent
        cell = self._cell(metric, labels)
        cell.total += value
        cell.buckets[bisect_left(metric.buckets, value)] += 1

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """A gauge as it is now, or a counter that is counted elsewhere in this process, as far as it has come."""
        self._cell(metric, labels).total = float(value)

    def _cell(self, metric: Metric, labels: Labels) -> _Cell:
        cell = self._cells.get((metric.name, labels))
        if cell is None:
            key = (metric.name, self._bounded(metric, labels))
            cell = self._cells.get(key)
            if cell is None:
                buckets = len(metric.buckets) + 1 if metric.kind is Kind.HISTOGRAM else 0
                cell = self._cells[key] = _Cell(buckets)
        return cell

    def _bounded(self, metric: Metric, labels: Labels) -> Labels:
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has {len(metric.labels)} labels, not {len(labels)}")
        found = []
        for label, value in zip(metric.labels, labels, strict=True):
            if label.values:
                found.append(value if value in label.values else OTHER)
                continue
            kept = self._values.setdefault((metric.name, label.name), set())
            if value not in kept and len(kept) < label.most and WORD.fullmatch(value):
                kept.add(value)
            found.append(value if value in kept else OTHER)
        return tuple(found)

    # --- travelling -------------------------------------------------------------------------------------------------

    def take(self) -> list[Change]:
        """What counters and histograms have grown by since the last `take`. Gauges do not travel."""
        changes = []
        for (name, labels), cell in self._cells.items():
            if (cell.total == cell.taken and cell.buckets == cell.taken_buckets) or _is_gauge(name):
                continue
            grown = tuple(now - then for now, then in zip(cell.buckets, cell.taken_buckets, strict=True))
            changes.append(Change(name, labels, cell.total - cell.taken, grown))
            cell.taken, cell.taken_buckets = cell.total, list(cell.buckets)
        return changes

    def give_back(self, changes: list[Change]) -> None:
        """These did not arrive: the next `take` has them again."""
        for change in changes:
            cell = self._cells[change.name, change.labels]
            cell.taken -= change.total
            cell.taken_buckets = [n - grown for n, grown in zip(cell.taken_buckets, change.buckets, strict=True)]

    def add(self, raw: list[Any]) -> None:
        """What another process has `take`n: all of it, or nothing.

        Raises:
            ProtocolFault: one of these is no change, or there are more than there can be.
        """
        if len(raw) > CHANGES_MAX:
            raise ProtocolFault(f"{len(raw)} changes of metrics in one message; at most {CHANGES_MAX}")
        for change in [Change.from_fields(each) for each in raw]:
            metric = NODE_METRICS.get(change.name)
            if metric is not None and metric.kind is Kind.GAUGE:
                metric = None  # a gauge is known where it is set: no release sends one
            size = len(metric.buckets) + 1 if metric is not None and metric.kind is Kind.HISTOGRAM else 0
            if metric is None or len(change.labels) != len(metric.labels) or len(change.buckets) != size:
                self.unknown += 1
                continue
            cell = self._cell(metric, change.labels)
            cell.total += change.total
            for at, grown in enumerate(change.buckets):
                cell.buckets[at] += grown

    # --- showing ----------------------------------------------------------------------------------------------------

    def series(self) -> Iterator[Series]:
        """Everything that was measured, metric by metric in the order of their declaration."""
        found: dict[str, list[tuple[Labels, _Cell]]] = {}
        for (name, labels), cell in self._cells.items():
            found.setdefault(name, []).append((labels, cell))
        for name, metric in (NODE_METRICS | FLEET_METRICS).items():
            for labels, cell in sorted(found.get(name, ()), key=lambda each: each[0]):
                yield Series(metric, labels, cell.total, tuple(cell.buckets))

    def rows(self) -> list[MetricRow]:
        """One row a series, for those who ask by an operation."""
        return [_row(each) for each in self.series()]


def _row(each: Series) -> MetricRow:
    metric = each.metric
    return MetricRow(
        name=metric.name,
        kind=str(metric.kind),
        unit=metric.unit,
        says=metric.says,
        labels={label.name: value for label, value in zip(metric.labels, each.labels, strict=True)},
        value=each.total,
        bounds=metric.buckets,
        buckets=each.buckets,
    )


def _is_gauge(name: str) -> bool:
    metric = NODE_METRICS.get(name)
    return metric is not None and metric.kind is Kind.GAUGE
