"""The keeper: what nodes tell reaches desk, scaling, accounts and meters, and orders reach the nodes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.metrics import FLEET_METRICS
from offhook.actors.contracts.node_operations import CallRequest, Change, NodeFigures, NodeReport, Reservation
from offhook.actors.node.change_feed import BEGAN, ENDED, STARTED, ChangeFeed
from offhook.cluster.admission_queue import AdmissionQueue
from offhook.cluster.capacity_keeper import CapacityKeeper
from offhook.cluster.capacity_rules import CapacityRules
from offhook.cluster.fleet_metrics import FleetMetrics
from offhook.cluster.node_stages import NodeStages
from offhook.cluster.scaling import SLOT
from offhook.policies.core.principal import Principal
from offhook.policies.fleet.cost import Usage


class Supervisor:
    """A node's supervisor that writes its orders down."""

    def __init__(self, slots: int = 10) -> None:
        self.change_feed = ChangeFeed()
        self.stats = NodeFigures(free_slots=slots, slots=slots, spare=2, drift_ms=1.0)
        self.live: tuple[tuple[str, str], ...] = ()
        self.orders: list[tuple[Any, ...]] = []
        self.away = False

    async def report(self, life: int, number: int) -> NodeReport:
        if self.away:
            raise LinkLost("gone")
        told = self.change_feed.since(life, number, self.stats)
        return told if told.whole else replace(told, live=self.live)

    async def keep(self, spares: int, slots: int) -> None:
        self.orders.append(("keep", spares, slots))

    async def drain(self, on: bool, by: Principal) -> None:
        self.stats = replace(self.stats, draining=on, drained_by=by.text if on else "")
        self.orders.append(("drain", on, by.text))


class Nodes:
    """Those the director knows."""

    def __init__(self, **supervisors: Supervisor) -> None:
        self.known = supervisors
        self.cordoned: set[str] = set()
        self.stages = NodeStages()

    def supervisors(self) -> dict[str, Supervisor]:
        return dict(self.known)

    def names(self) -> list[str]:
        return list(self.known)


class Fleet:
    """A keeper over nodes that this test made."""

    def __init__(self, rules: dict[str, Any], **supervisors: Supervisor) -> None:
        self.nodes = Nodes(**supervisors)
        self.advertised: dict[str, int] = dict.fromkeys(supervisors, 0)
        self.leaving: dict[str, int] = {}
        self.metrics = FleetMetrics()
        self.s = 0.0
        self.step_s = 2.0  # between two looks
        checked = CapacityRules.of(rules, {"spares": 2, "ring_ms": 1_000})
        self.desk = AdmissionQueue(checked.admission, self.place)
        self.keeper = CapacityKeeper(
            checked,
            self.nodes,  # type: ignore[arg-type]
            self.desk,
            metrics=self.metrics,
            see=lambda: (self.advertised, self.leaving),
            now_s=lambda: self.s,
        )
        look = self.keeper.look

        async def later() -> None:
            self.s += self.step_s
            await look()

        self.keeper.look = later  # type: ignore[method-assign]

    async def place(self, node: str, request: CallRequest) -> Reservation:
        return Reservation(request.call, node)


def test_without_call_slots_spares_are_those_of_the_settings_and_nobody_is_let_go() -> None:
    async def test() -> None:
        one = Supervisor()
        fleet = Fleet({}, one=one)
        await fleet.keeper.look()
        for number in range(5):
            await fleet.desk.admit(CallRequest(f"c{number}"))
            await fleet.keeper.look()
        assert one.orders == [("keep", 2, 10)]
        assert fleet.keeper.figures().scaled is False

    asyncio.run(test())


def test_spares_follow_the_traffic_between_their_bounds() -> None:
    async def test() -> None:
        one = Supervisor(slots=100)
        fleet = Fleet({"spares_max": 6, "goals": {"slots_per_node": 100}}, one=one)
        await fleet.keeper.look()
        for number in range(20):
            await fleet.desk.admit(CallRequest(f"c{number}"))
        await fleet.keeper.look()
        assert one.orders == [("keep", 2, 100), ("keep", 6, 100)]

    asyncio.run(test())


def test_looks_that_follow_each_other_fast_make_no_rate_of_a_moment() -> None:
    async def test() -> None:
        one = Supervisor(slots=100)
        fleet = Fleet({"spares_max": 50, "goals": {"slots_per_node": 100}}, one=one)
        await fleet.keeper.look()
        fleet.step_s = 0.1
        for number in range(15):  # within a second and a half
            await fleet.desk.admit(CallRequest(f"c{number}"))
            await fleet.keeper.look()
        assert one.orders == [("keep", 2, 100)]
        fleet.step_s = 0.5
        await fleet.keeper.look()
        assert fleet.keeper.scaling.traffic.rate_per_s == pytest.approx(7.5)

    asyncio.run(test())


def test_comings_and_goings_reach_desk_scaling_and_accounts() -> None:
    async def test() -> None:
        one = Supervisor()
        one.live = (("before", "acme"),)
        prices = {"carrier_minute_cents": 2.0, "cpu_hour_cents": 0.0, "memory_gib_hour_cents": 0.0}
        fleet = Fleet({"prices": prices}, one=one)
        await fleet.keeper.look()
        assert fleet.desk.desk._tenant_calls["acme"] == 1
        one.change_feed.note(Change(BEGAN, "after", "acme"))
        one.change_feed.note(Change(STARTED, took_s=4.0))
        one.change_feed.note(Change(ENDED, "before", "acme", "v1", 60.0, Usage(talk_s=60.0, carrier_s=60.0)))
        one.change_feed.note(Change(ENDED, "nobody measured it", "", "v1", 30.0))
        await fleet.keeper.look()
        await fleet.keeper.look()  # nothing is counted twice
        cost = fleet.keeper.cost()
        assert sorted((row.policy_version, row.tenant, row.cents) for row in cost.rows) == [
            ("v1", "", 1.0),  # half a minute of the carrier
            ("v1", "acme", 2.0),
        ]
        assert cost.total.calls == 2
        assert fleet.desk.desk._tenant_calls["acme"] == 1
        assert fleet.keeper.scaling.traffic.ended == 2
        assert fleet.keeper.scaling.lead.spare_s > 2.0
        told = {row.name: row.value for row in fleet.metrics.registry.rows()}
        assert told["offhook_cents"] == 3.0
        assert (told["offhook_nodes"], told["offhook_nodes_silent"]) == (1, 0)
        assert set(told) == set(FLEET_METRICS)
        one.away = True
        await fleet.keeper.look()
        told = {row.name: row.value for row in fleet.metrics.registry.rows()}
        assert (told["offhook_nodes"], told["offhook_nodes_silent"]) == (0, 1)

    asyncio.run(test())


def test_a_restarted_director_has_its_accounts_again() -> None:
    async def test() -> None:
        one = Supervisor()
        used = Usage(talk_s=60.0, carrier_s=60.0)
        one.change_feed.note(Change(BEGAN, "a", "acme"))
        one.change_feed.note(Change(ENDED, "a", "acme", "v1", 60.0, used))
        one.change_feed.note(Change(BEGAN, "b", "acme"))
        one.live = (("b", "acme"),)
        before, after = Fleet({}, one=one), Fleet({}, one=one)
        await before.keeper.look()
        await after.keeper.look()
        for fleet in (before, after):
            assert fleet.keeper.cost().total.calls == 1
            assert fleet.keeper.cost().since_unix_s == pytest.approx(one.change_feed.life / 1e9, abs=0.01)
            assert fleet.desk.desk._tenant_calls["acme"] == 1

    asyncio.run(test())


def test_a_restarted_supervisors_calls_are_compared_with_those_known() -> None:
    async def test() -> None:
        one = Supervisor()
        one.live = (("a", "acme"), ("b", "acme"))
        fleet = Fleet({}, one=one)
        await fleet.keeper.look()
        one.change_feed = ChangeFeed(one.change_feed.life + 1)
        one.live = (("b", "acme"),)
        await fleet.keeper.look()
        assert one.orders == [("keep", 2, 10)] * 2  # it has forgotten what it was told
        assert fleet.desk.desk._tenant_calls["acme"] == 1

    asyncio.run(test())


def test_in_a_scaled_cluster_only_nodes_with_call_slots_take_calls() -> None:
    async def test() -> None:
        head, worker = Supervisor(), Supervisor()
        fleet = Fleet({"scale": True}, head=head, worker=worker)
        fleet.advertised["worker"] = 4
        fleet.keeper.scaling._executor.request_slots = _asked(asked := [])  # type: ignore[method-assign]
        await fleet.keeper.look()
        assert head.orders == [("drain", True, "system:no call_slot")]
        assert worker.orders == [("keep", 2, 4)]
        assert sum(bundle[SLOT] for bundle in asked[0]) >= 100
        assert (await fleet.desk.admit(CallRequest("c"))).node == "worker"

    asyncio.run(test())


def _asked(into: list[Any]) -> Any:
    async def request_slots(bundles: list[dict[str, float]]) -> None:
        into.append(bundles)

    return request_slots


def test_a_node_that_is_taken_away_is_cordoned_and_an_operators_cordon_is_left_alone() -> None:
    async def test() -> None:
        one, two, three = Supervisor(), Supervisor(), Supervisor()
        fleet = Fleet({}, one=one, two=two, three=three)
        fleet.leaving["one"] = 0
        fleet.nodes.cordoned.add("two")
        two.stats = replace(two.stats, draining=True)
        await fleet.keeper.look()
        await fleet.keeper.look()
        assert one.orders == [("drain", True, "system:scaling")]
        assert two.orders == []
        assert (await fleet.desk.admit(CallRequest("c"))).node == "three"

    asyncio.run(test())


def test_a_node_that_does_not_report_gets_no_calls_until_it_does() -> None:
    async def test() -> None:
        one, two = Supervisor(slots=50), Supervisor()
        fleet = Fleet({}, one=one, two=two)
        await fleet.keeper.look()
        one.away = True
        await fleet.keeper.look()
        assert (await fleet.desk.admit(CallRequest("c"))).node == "two"
        one.away = False
        await fleet.keeper.look()
        assert (await fleet.desk.admit(CallRequest("d"))).node == "one"

    asyncio.run(test())
