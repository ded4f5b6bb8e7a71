"""Scaling: orders from figures, what is remembered between looks, and that no node with a call is let go."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from offhook.cluster.scaling import BUNDLES_MAX, SLOT, Node, Orders, Scaling, decide
from offhook.policies.fleet.capacity import Goals, Lead, Plan, Traffic, plan
from offhook.policies.fleet.node_lifecycle import NodeStage


class Told:
    """An executor that writes down what it is told, and may refuse."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, object]] = []
        self.refuses = ""

    def _take(self, what: str, value: object) -> None:
        if self.refuses and what.startswith(self.refuses):
            raise ConnectionError("away")
        self.orders.append((what, value))

    async def request_slots(self, bundles: list[dict[str, float]]) -> None:
        self._take("slots", sum(each[SLOT] for each in bundles))

    async def keep_spares(self, node: str, spares: int) -> None:
        self._take(f"spares {node}", spares)

    async def cordon(self, node: str, on: bool) -> None:
        self._take(f"cordon {node}", on)

    async def release(self, node: str) -> None:
        self._take(f"release {node}", True)


GOALS = Goals(slots_per_node=10, nodes_lost=0, calm_ms=60_000, spares_min=2)


def node(name: str, calls: int = 0, stage: NodeStage = NodeStage.SERVING, fixed: bool = False) -> Node:
    return Node(name, calls, 0, 10, stage, fixed)


def wanting(nodes: int, spares: int = 6) -> Plan:
    return Plan(0, 0, nodes, spares, 0.0, "")


def test_the_emptiest_nodes_are_cordoned_and_the_head_never() -> None:
    nodes = [node("head", fixed=True), node("a", 7), node("b", 2), node("c", 5)]
    orders = decide(wanting(2), 2, nodes, GOALS)
    assert orders.cordon == ("b", "c")
    assert set(orders.spares) == {"head", "a"}
    assert not orders.release


def test_a_node_is_released_only_once_its_last_call_has_ended() -> None:
    nodes = [node("a", 1), node("b", 1, stage=NodeStage.DRAINING), node("c", stage=NodeStage.DRAINING)]
    assert decide(wanting(1), 1, nodes, GOALS).release == ("c",)


def test_cordoned_nodes_come_back_first_the_fullest_before_others() -> None:
    nodes = [
        node("a", 9),
        node("b", 1, stage=NodeStage.DRAINING),
        node("c", 4, stage=NodeStage.DRAINING),
        node("d", stage=NodeStage.DRAINING),
    ]
    orders = decide(wanting(3), 3, nodes, GOALS)
    assert orders.uncordon == ("c", "b")
    assert orders.release == ("d",)
    assert set(orders.spares) == {"a", "b", "c"}


def test_a_node_that_is_taken_away_is_cordoned_and_does_not_count() -> None:
    nodes = [node("a", 3), node("b", 3, stage=NodeStage.NOTICED), node("c", 3, stage=NodeStage.DRAINING)]
    orders = decide(wanting(2), 2, nodes, GOALS)
    assert orders.cordon == ("b",)
    assert orders.uncordon == ("c",)


def test_the_autoscaler_is_told_of_nodes_that_take_no_calls_too_or_none_would_come_in_their_place() -> None:
    nodes = [
        node("a", 3),
        node("b", 3, stage=NodeStage.CORDONED),
        node("c", 1, stage=NodeStage.DRAINING),
        node("d", stage=NodeStage.NOTICED),
    ]
    orders = decide(wanting(2), 2, nodes, GOALS)
    assert orders.uncordon == ("c",)  # b is the operator's
    assert orders.slots == 2 * 10 + 10  # d is not counted by the autoscaler any more
    assert not orders.release
    assert decide(wanting(2), 2, nodes, GOALS.model_copy(update={"nodes_max": 2})).slots == 20  # all or nothing
    empty = [node("a", 3), node("b", stage=NodeStage.CORDONED), node("e", stage=NodeStage.DRAINING)]
    orders = decide(wanting(1), 1, empty, GOALS)
    assert (orders.slots, orders.release) == (20, ("e",))


def test_spares_go_where_there_is_room() -> None:
    orders = decide(wanting(2, spares=6), 2, [node("a", 9), node("b", 2)], GOALS)
    assert orders.spares == {"a": 1, "b": 5}


def test_the_autoscaler_is_asked_for_slots_or_for_whole_nodes() -> None:
    assert Orders(3, 10).bundles() == [{SLOT: 1.0}] * 3
    many = Orders(BUNDLES_MAX + 5, 100).bundles()
    assert many == [{SLOT: 100.0}] * 11


def test_a_look_measures_decides_and_carries_out_what_has_changed() -> None:
    told = Told()
    scaling = Scaling(GOALS, told, Lead(spare_s=2, node_s=90))
    nodes = [node("a", 5)]
    asyncio.run(scaling.look(0.0, nodes))
    for _ in range(200):
        scaling.arrived()
    asyncio.run(scaling.look(10.0, nodes))
    assert scaling.traffic.rate_per_s == 20.0
    assert dict(told.orders)["slots"] > 1_000
    before = list(told.orders)
    asyncio.run(scaling.look(10.0, nodes))
    assert told.orders == before, "orders that stand are not given again"


def test_an_order_that_failed_is_given_again() -> None:
    told = Told()
    told.refuses = "slots"
    scaling = Scaling(GOALS, told)
    asyncio.run(scaling.look(0.0, [node("a")]))
    assert "slots" not in dict(told.orders)
    told.refuses = ""
    asyncio.run(scaling.look(5.0, [node("a")]))
    assert dict(told.orders)["slots"] == 10.0


def test_scale_in_from_the_cordon_to_the_leaving() -> None:
    told = Told()
    scaling = Scaling(GOALS, told)
    nodes = {name: node(name, 1) for name in "abc"}
    released_at = 0.0
    for second in range(0, 200, 5):
        asyncio.run(scaling.look(float(second), list(nodes.values())))
        for what, value in told.orders:
            if what.startswith("cordon"):
                stage = NodeStage.DRAINING if value else NodeStage.SERVING
                nodes[what[-1]] = replace(nodes[what[-1]], stage=stage)
            elif what.startswith("release"):
                assert nodes[what[-1]].calls == 0, "a call was cut"
                released_at = released_at or second
                nodes[what[-1]] = replace(nodes[what[-1]], stage=NodeStage.RELEASED)
        told.orders.clear()
        if second == 120:
            nodes = {name: replace(each, calls=0) for name, each in nodes.items()}
    stages = [each.stage for each in nodes.values()]
    assert sorted(stages) == [NodeStage.RELEASED] * 2 + [NodeStage.SERVING], "one node is wanted"
    assert released_at == 125
    assert not scaling.let_go, "at that look alone"


def test_a_restarted_director_lets_nothing_go_before_it_has_seen_traffic() -> None:
    told = Told()
    scaling = Scaling(GOALS, told)
    nodes = [node(name, 0) for name in "abcd"]
    asyncio.run(scaling.look(0.0, nodes))
    asyncio.run(scaling.look(59.0, nodes))
    assert not [what for what, _ in told.orders if what.startswith("cordon")]
    asyncio.run(scaling.look(61.0, nodes))
    assert [what for what, _ in told.orders if what.startswith("cordon")]


def test_lead_times_are_measured() -> None:
    scaling = Scaling(GOALS, Told(), Lead(spare_s=2, node_s=90))
    scaling.spare_started(4.0)
    assert scaling.lead.spare_s == pytest.approx(2.6)
    asyncio.run(scaling.look(0.0, [node("a", 10)]))
    asyncio.run(scaling.look(40.0, [node("a", 10), node("b")]))
    assert scaling.lead.node_s == pytest.approx(0.7 * 90 + 0.3 * 40)


def test_the_plan_and_the_orders_agree() -> None:
    traffic = Traffic(rate_per_s=1.0, holding_s=60.0, offered=60.0)
    wanted = plan(traffic, 60, Lead(), GOALS)
    orders = decide(wanted, wanted.nodes, [], GOALS)
    assert orders.slots >= wanted.slots
