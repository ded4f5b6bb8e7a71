"""What a carrier and an operator ask of a cluster of raylets, by its API."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from raylets import Raylets


def ask(cluster: Raylets, webhook: str, call: str) -> str:
    """What the carrier is told for a call: a media URL, or ""."""
    answer = cluster.api.post(f"/carriers/twilio/{webhook}", data={"CallSid": call, "From": "+1", "To": "+2"})
    assert answer.status_code == 200, answer.text
    found = ElementTree.fromstring(answer.text).find("Connect/Stream")
    return found.attrib["url"] if found is not None else ""


def state(cluster: Raylets, call: str) -> dict[str, Any]:
    """A call's view."""
    return dict(cluster.api.get(f"/v1/calls/{call}").json())


def journal(cluster: Raylets, call: str) -> list[list[Any]]:
    """A call's records."""
    rows = cluster.api.get(f"/v1/calls/{call}/journal", params={"limit": 10_000}).json()["records"]
    return [[call, row["epoch"], row["seq"], row["at_ms"], row["kind"], row["body"]] for row in rows]


def nodes(cluster: Raylets) -> list[dict[str, Any]]:
    """The figures of every node."""
    return list(cluster.api.get("/v1/nodes").json()["nodes"])


def drain(cluster: Raylets, *drained: str) -> None:
    """These nodes take no calls, all others do."""
    for row in nodes(cluster):
        answer = (cluster.api.post if row["node"] in drained else cluster.api.delete)(f"/v1/nodes/{row['node']}/drain")
        assert answer.is_success, answer.text


def processes(cluster: Raylets, node: str) -> list[int]:
    """A node's supervisor, its gateways, and the processes of the cluster's live calls."""
    figures = cluster.api.get("/healthz").json()["nodes"][node]
    calls = cluster.api.get("/v1/calls", params={"live": "true"}).json()["calls"]
    return [int(row["pid"]) for row in (figures, *figures["gateways"], *calls)]
