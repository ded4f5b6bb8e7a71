"""The metrics: what a registry counts, how labels stay bounded, how changes travel, the text that Prometheus reads."""

from __future__ import annotations

import re

import msgpack
import pytest
from offhook.actors.contracts import metrics
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.metrics import FLEET_METRICS, NODE_METRICS, OTHER, Kind, MetricRow
from offhook.actors.process.exporter import Exporter
from offhook.actors.process.metric_registry import CHANGES_MAX, GROWN_MAX, MetricRegistry
from offhook.actors.process.open_metrics import MEDIA_TYPE, exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

DECLARED = NODE_METRICS | FLEET_METRICS


def row(registry: MetricRegistry, name: str, **labels: str) -> MetricRow:
    (found,) = [each for each in registry.rows() if each.name == name and each.labels == labels]
    return found


def sent(registry: MetricRegistry) -> list[list[object]]:
    """What a beat carries, as it comes out of the link."""
    return list(msgpack.unpackb(msgpack.packb(registry.take())))


# --- declarations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DECLARED)
def test_a_metric_is_declared_as_openmetrics_wants_it(name: str) -> None:
    metric = DECLARED[name]
    assert metric.name == name and re.fullmatch(r"offhook_[a-z_]+", name)
    assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
    assert name.endswith(f"_{metric.unit}") or not metric.unit
    assert metric.says and "\n" not in metric.says
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


@pytest.mark.parametrize("name", DECLARED)
def test_every_label_has_a_bound_and_none_is_a_calls(name: str) -> None:
    for label in DECLARED[name].labels:
        assert bool(label.values) != bool(label.most), f"{name}: {label.name} has a list or a limit"
        assert label.most <= 64
        assert label.name not in ("call", "caller", "callee", "utterance", "tenant", metrics.NODE)


def test_all_series_of_a_node_together_fit_into_one_message() -> None:
    series = 0
    for metric in NODE_METRICS.values():
        product = 1
        for label in metric.labels:
            product *= (len(label.values) or label.most) + 1
        series += product
    assert series <= CHANGES_MAX


# --- counting ---------------------------------------------------------------------------------------------------------


def test_a_value_falls_into_the_first_bucket_that_holds_it() -> None:
    registry = MetricRegistry()
    for seconds in (0.0, 0.01, 0.0101, 99.0, -1.0):  # what runs backwards counts as 0
        registry.observe(metrics.REACTION, seconds)
    found = row(registry, "offhook_reaction_seconds")
    assert found.bounds[:2] == (0.01, 0.02)
    assert found.buckets[:2] == (3, 1)
    assert found.buckets[-1] == 1 and sum(found.buckets) == 5
    assert found.value == pytest.approx(99.0201)


def test_a_listed_label_takes_what_is_listed_and_calls_all_else_other() -> None:
    registry = MetricRegistry()
    for outcome in ("led", "no such outcome", "also none"):
        registry.count(metrics.TAKEOVERS, outcome)
    assert row(registry, "offhook_takeovers", outcome="led").value == 1
    assert row(registry, "offhook_takeovers", outcome=OTHER).value == 2


def test_an_open_label_keeps_the_first_values_and_calls_all_later_ones_other() -> None:
    registry = MetricRegistry()
    most = metrics.AGENT.most
    for number in range(most + 10):
        for _ in range(2):
            registry.count(metrics.AGENTS_LOST, f"agent-{number}")
    values = {each.labels["agent"]: each.value for each in registry.rows()}
    assert len(values) == most + 1
    assert values["agent-0"] == 2 and values[OTHER] == 20


@pytest.mark.parametrize("said", ["I want to cancel", "", "+49 30 123456", "x" * 49, "new\nline", 'quo"te', "naïve"])
def test_what_is_no_word_never_becomes_a_label(said: str) -> None:
    registry = MetricRegistry()
    registry.count(metrics.CALLS_ENDED, said, "sales")
    assert [each.labels["outcome"] for each in registry.rows()] == [OTHER]


def test_a_wrong_number_of_labels_is_a_fault_of_whoever_counts() -> None:
    with pytest.raises(ValueError, match="2 labels, not 1"):
        MetricRegistry().count(metrics.VERDICTS, "grant")


# --- travelling -------------------------------------------------------------------------------------------------------


def test_counts_outlive_a_call_and_add_up_over_processes() -> None:
    node, one, two = MetricRegistry(), MetricRegistry(), MetricRegistry()
    for process, seconds in ((one, 0.03), (two, 0.045), (one, 0.03)):  # the third is another call of the first process
        process.observe(metrics.REACTION, seconds)
        process.count(metrics.VERDICTS, "deny", "fresh")
        node.add(sent(process))
    assert sent(one) == sent(two) == []
    found = row(node, "offhook_reaction_seconds")
    assert (sum(found.buckets), found.value) == (3, pytest.approx(0.105))
    assert row(node, "offhook_verdicts", answer="deny", rule="fresh").value == 3


def test_what_did_not_arrive_is_sent_again_with_what_came_meanwhile() -> None:
    process, node = MetricRegistry(), MetricRegistry()
    process.observe(metrics.CLEAR, 0.002)
    process.count(metrics.CORE_FAULTS, by=2)
    lost = process.take()
    process.count(metrics.CORE_FAULTS)
    process.give_back(lost)
    node.add(sent(process))
    assert row(node, "offhook_core_faults").value == 3
    assert sum(row(node, "offhook_clear_seconds").buckets) == 1


def test_a_restarted_supervisor_begins_anew_and_counts_only_what_comes_from_then_on() -> None:
    process, before, after = MetricRegistry(), MetricRegistry(), MetricRegistry()
    process.count(metrics.CORE_FAULTS, by=5)
    before.add(sent(process))
    process.count(metrics.CORE_FAULTS)
    after.add(sent(process))
    assert row(after, "offhook_core_faults").value == 1


def test_a_call_that_is_taken_over_is_counted_by_both_of_its_owners() -> None:
    node, former, spare = MetricRegistry(), MetricRegistry(), MetricRegistry()
    former.count(metrics.HOLDS, "taken")
    node.add(sent(former))
    former.count(metrics.HOLDS, "noise")  # it is killed before it could tell: that is lost with it
    spare.count(metrics.HOLDS, "backchannel")
    node.add(sent(spare))
    assert {each.labels["was"]: each.value for each in node.rows()} == {"taken": 1, "backchannel": 1}


def test_labels_are_bounded_where_they_arrive_too() -> None:
    node = MetricRegistry()
    for number in range(metrics.AGENT.most + 5):
        node.add([["offhook_agents_lost", [f"agent-{number}"], 1.0, []]])
    node.add([["offhook_agents_lost", ["what somebody said"], 1.0, []]])
    assert len(node.rows()) == metrics.AGENT.most + 1


def test_an_endless_value_is_sent_as_the_most_that_can_be() -> None:
    process, node = MetricRegistry(), MetricRegistry()
    for seconds in (float("inf"), float("nan")):
        process.observe(metrics.REACTION, seconds)
    node.add(sent(process))
    assert row(node, "offhook_reaction_seconds").value == GROWN_MAX


def test_gauges_stay_where_they_are_known() -> None:
    process = MetricRegistry()
    process.set(metrics.SPARES, 4)
    assert process.take() == []


@pytest.mark.parametrize(
    "change",
    [
        ["offhook_of_the_next_release", [], 1.0, []],
        ["offhook_takeovers", ["led", "once more"], 1.0, []],
        ["offhook_reaction_seconds", [], 0.1, [1, 2]],
        ["offhook_spares", [], 4.0, []],
    ],
)
def test_what_another_release_measures_is_left_out_and_counted(change: list[object]) -> None:
    node = MetricRegistry()
    node.add([change, ["offhook_core_faults", [], 1.0, []]])
    assert [each.name for each in node.rows()] == ["offhook_core_faults"]
    assert node.unknown == 1


@pytest.mark.parametrize(
    "change",
    [
        *([], ["a"], ["a", [], "1", []], ["a", [1], 1.0, []], ["a", [], 1.0, [-1]], "a", None),
        *(["a", [], total, []] for total in (float("nan"), float("inf"), -float("inf"), -1.0, True, 1e300, 10**400)),
        *(["a", [], 1.0, [count]] for count in (True, 1.0, 2**64)),
    ],
)
def test_what_is_no_change_closes_the_link_that_sent_it_and_nothing_of_it_is_added(change: object) -> None:
    node, good = MetricRegistry(), ["offhook_core_faults", [], 1.0, []]
    with pytest.raises(ProtocolFault):
        node.add([good, change, good])
    assert node.rows() == []


def test_more_than_there_can_be_is_refused() -> None:
    with pytest.raises(ProtocolFault, match="at most"):
        MetricRegistry().add([["offhook_core_faults", [], 1.0, []]] * (CHANGES_MAX + 1))


# --- the text ---------------------------------------------------------------------------------------------------------


def filled() -> MetricRegistry:
    """A registry with every metric that there is, and two series of those that have labels."""
    registry = MetricRegistry()
    for metric in DECLARED.values():
        for value in ("one", "two"):
            labels = [value if label.most else label.values[0] for label in metric.labels]
            if metric.kind is Kind.HISTOGRAM:
                registry.observe(metric, 0.03, *labels)
            else:
                registry.set(metric, 7.5, *labels)
    return registry


def test_prometheus_own_parser_reads_every_metric() -> None:
    text = exposition(filled().series(), {"node": "ab12cd34"})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert set(families) == set(DECLARED)
    for name, family in families.items():
        assert (family.type, family.unit) == (str(DECLARED[name].kind), DECLARED[name].unit)
        assert family.documentation == DECLARED[name].says
        assert all(sample.labels["node"] == "ab12cd34" for sample in family.samples)
    verdicts = {(s.labels["answer"], s.labels["rule"]): s.value for s in families["offhook_verdicts"].samples}
    assert verdicts == {("grant", "one"): 7.5, ("grant", "two"): 7.5}


def test_buckets_are_cumulative_and_end_with_the_count() -> None:
    registry = MetricRegistry()
    for seconds in (0.005, 0.03, 0.03, 5.0):
        registry.observe(metrics.REACTION, seconds)
    (family,) = text_string_to_metric_families(exposition(registry.series()))
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name.endswith("_bucket")}
    assert (buckets["0.01"], buckets["0.03"], buckets["1.0"], buckets["+Inf"]) == (1, 3, 3, 4)
    (count,) = [s.value for s in family.samples if s.name.endswith("_count")]
    (total,) = [s.value for s in family.samples if s.name.endswith("_sum")]
    assert (count, total) == (4, pytest.approx(5.065))


def test_what_was_never_measured_is_absent_and_not_zero() -> None:
    registry = MetricRegistry()
    assert exposition(registry.series()) == "# EOF\n"
    registry.set(metrics.CALLS, 0)
    assert exposition(registry.series(), {"node": "a"}).splitlines() == [
        "# TYPE offhook_calls gauge",
        "# HELP offhook_calls live calls",
        'offhook_calls{node="a"} 0',
        "# EOF",
    ]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /metrics HTTP/1.1", "200 OK"),
        ("GET /metrics?name[]=x HTTP/1.1", "200 OK"),
        ("HEAD /metrics HTTP/1.1", "200 OK"),
        ("GET / HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("", "404 Not Found"),
        ("\x16\x03\x01", "404 Not Found"),
    ],
)
def test_the_exporter_answers_one_question(request_line: str, status: str) -> None:
    exporter = Exporter(lambda: "# EOF\n")
    answer = exporter.answer(f"{request_line}\r\nHost: x\r\n\r\n".encode("latin-1")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}\r\n")
    if status == "200 OK":
        assert f"Content-Type: {MEDIA_TYPE}" in head and "Content-Length: 6" in head
        assert body == ("" if request_line.startswith("HEAD") else "# EOF\n")
