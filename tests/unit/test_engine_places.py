"""Which engine a call dials, and by which way: pure, and as a node's shelf hands it to calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.engines.engine_places import RECOGNIZER, REPLICAS_DIALLED_MAX, SYNTHESIZER, Place, choose
from offhook.actors.node.catalog import Catalog


def place(replica: str, node: str = "n2", machine: str = "m2", **but: str) -> Place:
    told = {"kind": RECOGNIZER, "unix": f"unix:/{replica}", "tcp": f"tcp:{machine}:1", "token": f"t-{replica}", **but}
    return Place(replica=replica, node=node, machine=machine, **told)


def ways(*places: Place, node: str = "n1", machine: str = "m1", turn: int = 0) -> list[str]:
    return [endpoint for endpoint, _ in choose(places, node, machine, turn)]


def test_a_unix_socket_is_for_its_own_machine_and_tcp_for_the_others() -> None:
    here, far = place("here", "n1", "m1"), place("far")
    assert choose([far], "n1", "m1") == (("tcp:m2:1", "t-far"),)
    assert ways(far, here) == ["unix:/here", "tcp:m1:1", "tcp:m2:1"], "the nearer one first, whoever came first"
    assert ways(here, node="n3", machine="m3") == ["tcp:m1:1"]


def test_the_own_node_comes_before_the_own_machine_before_others() -> None:
    own, beside, far = place("z", "n1", "m1"), place("y", "n9", "m1"), place("x")
    assert ways(far, beside, own) == ["unix:/z", "tcp:m1:1", "unix:/y", "tcp:m1:1", "tcp:m2:1"]


def test_an_unknown_machine_is_nobody_s_own() -> None:
    assert ways(place("a", "n2", ""), machine="") == ["tcp::1"]
    assert ways(place("a", "n1", ""), machine="") == ["unix:/a", "tcp::1"], "its own node is"


def test_an_engine_that_is_not_on_the_network_is_dialled_from_its_machine_alone() -> None:
    quiet = place("a", tcp="")
    assert ways(quiet) == []
    assert ways(quiet, machine="m2") == ["unix:/a"]


def test_calls_spread_over_equals_and_always_have_the_others_behind() -> None:
    places = [place("a", machine="ma"), place("b", machine="mb"), place("c", machine="mc"), place("own", "n1", "m1")]
    orders = [ways(*places, turn=turn) for turn in range(6)]
    assert [order[2] for order in orders] == ["tcp:ma:1", "tcp:mb:1", "tcp:mc:1"] * 2
    assert {order[0] for order in orders} == {"unix:/own"}
    assert all(len(order) == 5 for order in orders)


def test_a_call_is_told_of_a_bounded_number() -> None:
    assert len(ways(*(place(f"r{n:03}") for n in range(100)))) == REPLICAS_DIALLED_MAX


@pytest.mark.parametrize("wrong", [None, {}, {"replica": "a"}, {"kind": "kettle"}, {"token": 7}, {"tcp": None}])
def test_what_is_no_place_is_refused(wrong: Any) -> None:
    raw = wrong if wrong is None or len(wrong) == 0 else {**place("a").as_map(), **wrong}
    if wrong == {"replica": "a"}:
        del raw["token"]
    with pytest.raises(ProtocolFault, match=r"place|kind"):
        Place.from_map(raw)


def test_a_place_survives_its_way_through_plain_values() -> None:
    assert Place.from_map(place("a").as_map()) == place("a")


def test_a_shelf_gives_each_call_its_order_and_recalls_it(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "memory.json", "n1", "m1")
    speaker = place("s", kind=SYNTHESIZER, machine="ms")
    places = [place("a", machine="ma").as_map(), place("b", machine="mb").as_map()]
    catalog.offer_engines(
        {"kind": "link", "places": places, "endpoints": [["tcp:fixed:1", "t"]]},
        {"kind": "link", "places": [speaker.as_map()]},
    )
    for each in (catalog, Catalog(tmp_path / "memory.json", "n1", "m1")):
        each.recall()
        first, second = each.engines_for(""), each.engines_for("")
        assert [e for e, _ in first.recognizer_endpoints] == ["tcp:mb:1", "tcp:ma:1", "tcp:fixed:1"]
        assert [e for e, _ in second.recognizer_endpoints] == ["tcp:ma:1", "tcp:mb:1", "tcp:fixed:1"]
        assert first.synthesizer_endpoints == (("tcp:ms:1", "t-s"),)
        assert [e for e, _ in each.reachable().recognizer_endpoints] == ["tcp:ma:1", "tcp:mb:1", "tcp:fixed:1"]
    catalog.offer_engines({"kind": "link"}, {"kind": "tone"})
    assert catalog.engines_for("").recognizer_endpoints == (), "calls wait to be told"
