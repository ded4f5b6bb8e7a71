"""A node's metrics: what its figures say when somebody looks, and how calls end that no process of theirs could end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from offhook.actors.contracts.errors import LinkLost, NoSpare, UnknownPolicy
from offhook.actors.contracts.metrics import OTHER
from offhook.actors.contracts.node_operations import NodeFigures
from offhook.actors.node import outcomes
from offhook.actors.node.node_metrics import FIGURES, NodeMetrics
from offhook.policies.core.errors import CallerFault, OffhookError


def node_metrics(figures: NodeFigures | None = None) -> NodeMetrics:
    catalog = cast(Any, SimpleNamespace(policies={"v1": SimpleNamespace(name="sales")}))
    return NodeMetrics("ab12cd34ef", catalog, lambda: figures or NodeFigures())


def test_every_figure_is_a_metric_in_its_unit() -> None:
    told = NodeFigures(calls=2, free_slots=3, spare=4, draining=True, drift_ms=12.0, lag_ms_max=30.0, records=500)
    found = {row.name: row.value for row in node_metrics(told).look().rows()}
    assert set(found) == {metric.name for metric in FIGURES}
    assert (found["offhook_calls"], found["offhook_free_slots"], found["offhook_spares"]) == (2, 3, 4)
    assert (found["offhook_draining"], found["offhook_journal_up"], found["offhook_records"]) == (1, 1, 500)
    assert (found["offhook_lag_seconds"], found["offhook_lag_worst_seconds"]) == (0.012, 0.03)


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (outcomes.DIED, "died"),
        (outcomes.LOST, "node_lost"),
        (outcomes.MOVED, "moved"),
        (outcomes.STOPPED, "node_stopped"),
        (f"{outcomes.NOT_BEGUN}: its agents, all four, are away", "not_begun"),
        ("completed", "completed"),
        ("what a caller said", OTHER),
    ],
)
def test_an_ending_is_counted_in_one_word(outcome: str, label: str) -> None:
    metrics = node_metrics()
    metrics.ended(outcome, "v1")
    metrics.ended(outcome, "forgotten")
    ended = [row.labels for row in metrics.look().rows() if row.name == "offhook_calls_ended"]
    assert ended == [{"outcome": label, "policy": OTHER}, {"outcome": label, "policy": "sales"}]


@pytest.mark.parametrize(
    ("fault", "draining", "reason"),
    [
        (NoSpare("none"), False, "no_spare"),
        (NoSpare("none"), True, "draining"),
        (UnknownPolicy("none"), False, "unknown_policy"),
        (LinkLost("gone"), False, "node_gone"),
        (CallerFault("wrong"), False, "wrong_request"),
        (OffhookError("else"), False, OTHER),
    ],
)
def test_a_refusal_is_counted_by_its_reason(fault: OffhookError, draining: bool, reason: str) -> None:
    metrics = node_metrics()
    metrics.refused(fault, draining)
    (found,) = [row for row in metrics.look().rows() if row.name == "offhook_calls_refused"]
    assert (found.labels, found.value) == ({"reason": reason}, 1)
