"""The deployment files: fields that exist, and figures that hold together."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest
import yaml
from offhook.actors.contracts.metrics import FLEET_METRICS, NODE, NODE_METRICS, Kind
from offhook.cluster.scaling import SLOT
from offhook.policies.core.policy import Limits
from offhook.serve.config.settings import Settings
from source_tree import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # Ray declares its schemas the old way

DEPLOY = ROOT / "cluster" / "deploy"

# KubeRay, ray-operator/apis/ray/v1/raycluster_types.go (1.4 to 1.7). A strict API server refuses every other name.
SPEC = {
    "upgradeStrategy", "authOptions", "suspend", "managedBy", "autoscalerOptions", "headServiceAnnotations",
    "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec", "rayVersion", "workerGroupSpecs",
}  # fmt: skip
AUTOSCALER = {
    "resources", "image", "imagePullPolicy", "securityContext", "idleTimeoutSeconds", "upscalingMode", "version", "env",
    "envFrom", "volumeMounts",
}  # fmt: skip
GCS = {"redisUsername", "redisPassword", "externalStorageNamespace", "redisAddress"}
HEAD = {"template", "headService", "enableIngress", "rayStartParams", "serviceType"}
WORKERS = {
    "suspend", "groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds", "rayStartParams",
    "template", "scaleStrategy", "numOfHosts",
}  # fmt: skip
POD = {
    "restartPolicy", "terminationGracePeriodSeconds", "topologySpreadConstraints", "containers", "volumes", "affinity",
    "nodeSelector", "tolerations", "serviceAccountName", "initContainers",
    "enableServiceLinks",
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all((DEPLOY / name).read_text()) if each]


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    (found,) = [each for each in documents("raycluster.yaml") if each["kind"] == "RayCluster"]
    spec: dict[str, Any] = found["spec"]
    assert found["apiVersion"] == "ray.io/v1"
    return spec


@pytest.fixture(scope="module")
def workers(cluster: dict[str, Any]) -> dict[str, Any]:
    (group,) = cluster["workerGroupSpecs"]
    found: dict[str, Any] = group
    return found


def container(group: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = group["template"]["spec"]["containers"][0]
    return first


def environment(group: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container(group)["env"]}


def test_every_field_is_one_of_the_crd(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    for fields, allowed in (
        (cluster, SPEC),
        (cluster["autoscalerOptions"], AUTOSCALER),
        (cluster["gcsFaultToleranceOptions"], GCS),
        (cluster["headGroupSpec"], HEAD),
        (workers, WORKERS),
        (cluster["headGroupSpec"]["template"]["spec"], POD),
        (workers["template"]["spec"], POD),
    ):
        assert not set(fields) - allowed
    for group in (cluster["headGroupSpec"], workers):
        params = group["rayStartParams"]
        assert all(isinstance(value, str) for value in params.values()), "rayStartParams is a map of texts"
        assert all(isinstance(each.get("value", ""), str) for each in container(group)["env"]), "values are texts"


def test_the_autoscaler_is_the_second_one_and_pods_do_not_restart_in_place(cluster: dict[str, Any]) -> None:
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group["template"]["spec"]["restartPolicy"] == "Never"
        assert group["template"]["spec"]["enableServiceLinks"] is False, "a Service called offhook sets OFFHOOK_PORT"


def test_the_cluster_is_of_the_newest_ray_that_is_supported(cluster: dict[str, Any]) -> None:
    below = re.search(r'"ray\[serve\]>=\d+\.\d+,<(\d+)\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert below is not None and cluster["rayVersion"].startswith(f"{below[1]}.{int(below[2]) - 1}.")


def test_a_pod_outlives_the_longest_call(workers: dict[str, Any]) -> None:
    limits = Limits()
    longest_s = (limits.call_ms + limits.grace_ms) / 1_000
    drain_s = float(environment(workers)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert drain_s >= longest_s
    assert workers["template"]["spec"]["terminationGracePeriodSeconds"] > drain_s + 30, "room for the goodbye after it"


def test_live_calls_do_not_yield_to_others(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    for group in (cluster["headGroupSpec"], workers):
        assert environment(group)["RAY_worker_niceness"] == "0"
        resources = container(group)["resources"]
        assert resources["requests"] == resources["limits"], "not guaranteed: a lent core is taken back"
        assert group["template"]["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_nodes_offer_call_slots_and_the_head_offers_nothing(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert "resources" not in cluster["headGroupSpec"]["rayStartParams"]
    raw = workers["rayStartParams"]["resources"]
    # The very way in which Ray's KubeRay configuration reads it (autoscaler/_private/kuberay/autoscaling_config.py).
    assert json.loads(raw[1:-1].replace("\\", ""))[SLOT] >= 1
    assert 1 <= workers["minReplicas"] <= workers["replicas"] <= workers["maxReplicas"]


def test_the_director_asks_for_no_more_than_there_may_be(workers: dict[str, Any]) -> None:
    """The autoscaler grants all of a request or nothing."""
    told = dict(re.findall(r"OFFHOOK_(\w+)=(\d+)", (DEPLOY / "raycluster.yaml").read_text()))
    assert int(told["NODES_MAX"]) == workers["maxReplicas"]
    assert int(told["NODES_MIN"]) == workers["minReplicas"]
    raw = workers["rayStartParams"]["resources"]
    assert int(told["SLOTS_PER_NODE"]) == json.loads(raw[1:-1].replace("\\", ""))[SLOT]


def test_the_head_may_be_away(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    assert cluster["gcsFaultToleranceOptions"]["redisAddress"]
    assert "secretKeyRef" in cluster["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"], "no password in a file"
    assert int(environment(workers)["RAY_gcs_rpc_server_reconnect_timeout_s"]) >= 600


def test_evictions_keep_the_nodes_that_calls_need(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    budgets = {
        each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]: each
        for each in documents("raycluster.yaml")
        if each["kind"] == "PodDisruptionBudget"
    }
    for component, group, least in (("calls", workers, workers["minReplicas"]), ("head", cluster["headGroupSpec"], 1)):
        budget = budgets[component]
        assert budget["apiVersion"] == "policy/v1"
        assert set(budget["spec"]) == {"minAvailable", "selector"}, "for an operator's pods only minAvailable counts"
        assert budget["spec"]["minAvailable"] == least
        labels = group["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_volumes_and_secrets_are_there(workers: dict[str, Any]) -> None:
    volumes = {each["name"]: each for each in workers["template"]["spec"]["volumes"]}
    assert {each["name"] for each in container(workers)["volumeMounts"]} == set(volumes)


# --- Serve ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def applications() -> list[Any]:
    from ray.serve.schema import ServeDeploySchema

    (raw,) = documents("serve.yaml")
    return list(ServeDeploySchema.model_validate(raw).applications)


def test_serve_applications_can_be_built(applications: list[Any]) -> None:
    for application in applications:
        module, _, name = application.import_path.partition(":")
        builder = getattr(importlib.import_module(module), name)
        (kind,) = (each for key, each in _hints(builder).items() if key != "return")
        built = builder(kind.model_validate(application.args))
        assert [each.name for each in application.deployments] == [built._bound_deployment.name]


def test_an_engine_is_not_taken_from_a_call(applications: list[Any]) -> None:
    for application in applications:
        for deployment in application.deployments:
            assert deployment.graceful_shutdown_timeout_s > application.args["drain_s"] > Limits().call_ms / 1_000
            assert deployment.max_ongoing_requests > 5, "Serve's default"


def _hints(function: Any) -> dict[str, Any]:
    import typing

    return typing.get_type_hints(function)


# --- Prometheus -------------------------------------------------------------------------------------------------------


def series() -> set[str]:
    """The names under which Prometheus has what is declared."""
    found: set[str] = set()
    for name, metric in (NODE_METRICS | FLEET_METRICS).items():
        suffixes = {Kind.COUNTER: ("_total",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
        found |= {f"{name}{suffix}" for suffix in suffixes[metric.kind]}
    return found


def asked_for(expression: str) -> set[str]:
    return set(re.findall(r"\boffhook_[a-z_]+", expression))


def grouped_by(expression: str) -> set[str]:
    found = re.findall(r"\bby \(([^)]*)\)", expression)
    return {label.strip() for labels in found for label in labels.split(",")}


LABELS = {label.name for metric in NODE_METRICS.values() for label in metric.labels} | {NODE, "le"}


def test_rules_name_only_metrics_and_labels_that_are_there() -> None:
    (rules,) = [each for each in documents("prometheus.yaml") if each["kind"] == "PrometheusRule"]
    used: set[str] = set()
    for group in rules["spec"]["groups"]:
        assert set(group) == {"name", "rules"}
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "record", "expr", "for", "labels", "annotations"}
            assert ("alert" in rule) != ("record" in rule)
            assert grouped_by(rule["expr"]) <= LABELS
            used |= asked_for(rule["expr"])
    assert used <= series(), f"no such metrics: {used - series()}"
    assert len(used) >= 12


def test_a_recorded_name_is_made_before_it_is_used() -> None:
    (rules,) = [each for each in documents("prometheus.yaml") if each["kind"] == "PrometheusRule"]
    made: set[str] = set()
    for group in rules["spec"]["groups"]:
        for rule in group["rules"]:
            assert set(re.findall(r"\boffhook:[a-z0-9_:]+", rule["expr"])) <= made
            made.add(rule.get("record", ""))


def test_prometheus_scrapes_the_pods_that_are_deployed(cluster: dict[str, Any], workers: dict[str, Any]) -> None:
    (monitor,) = [each for each in documents("prometheus.yaml") if each["kind"] == "PodMonitor"]
    head, worker = (
        {each["name"]: each["containerPort"] for each in container(group)["ports"]}
        for group in (cluster["headGroupSpec"], workers)
    )
    for group in (cluster["headGroupSpec"], workers):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= group["template"]["metadata"]["labels"].items()
    ends = {end["port"] for end in monitor["spec"]["podMetricsEndpoints"]}
    assert ends == {"offhook-metrics", "offhook-fleet", "metrics"}
    assert all(len(end) <= 15 for end in ends), "Kubernetes refuses a longer name of a port"
    assert ends <= set(head) and ends - set(worker) == {"offhook-fleet"}, "the director lives on the head"
    assert head["offhook-metrics"] == worker["offhook-metrics"] == Settings().metrics_port
    assert head["offhook-fleet"] == Settings().metrics_port + 1


# --- Grafana ----------------------------------------------------------------------------------------------------------

# Grafana's dashboard model (kinds/dashboard, schemaVersion 39): what a panel and a target of Prometheus must have.
PANEL = {"id", "type", "title", "description", "datasource", "gridPos", "fieldConfig", "targets"}
UNITS = {"short", "s", "percentunit", "reqps"}


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana.json").read_text())
    return found


def test_the_dashboard_is_one_that_grafana_reads(dashboard: dict[str, Any]) -> None:
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time", "refresh"} <= set(dashboard)
    (source,) = dashboard["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in (panel for panel in panels if panel["type"] != "row"):
        assert set(panel) == PANEL
        assert panel["type"] in ("timeseries", "stat")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"].endswith(".")
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C", "D"][: len(panel["targets"])]


def test_no_panel_lies_on_another(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_metric_is_drawn_and_nothing_else(dashboard: dict[str, Any]) -> None:
    drawn: set[str] = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            drawn |= asked_for(target["expr"])
            assert grouped_by(target["expr"]) <= LABELS
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= LABELS
    assert drawn <= series(), f"no such metrics: {drawn - series()}"
    metrics = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in drawn}
    assert metrics == {*NODE_METRICS, *FLEET_METRICS}
