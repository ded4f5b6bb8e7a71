"""The front desk: answers to calls that ask, those who wait, and nodes that cannot keep their promise."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost, NoSpare
from offhook.actors.contracts.node_operations import CallRequest, NodeFigures, Reservation
from offhook.cluster.admission_queue import AdmissionQueue
from offhook.cluster.errors import Overflow
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet.admission_rules import Admission, Tenant


class Cluster:
    """Nodes that lease what they have. `refuses`: node -> what it raises."""

    def __init__(self, rules: Admission, **slots: int) -> None:
        self.ms = 0
        self.takes_ms = 0  # to answer
        self.slots = slots
        self.seated: dict[str, list[str]] = {node: [] for node in slots}
        self.refuses: dict[str, Exception] = {}
        self.waits: list[float] = []
        self.desk = AdmissionQueue(rules, self.place, lambda: self.ms)
        self.look()

    async def place(self, node: str, request: CallRequest) -> Reservation:
        self.waits.append(request.wait_s)
        self.ms += self.takes_ms
        await asyncio.sleep(0)  # others ask meanwhile
        if node in self.refuses:
            raise self.refuses[node]
        assert len(self.seated[node]) < self.slots[node], f"{node} was promised beyond its slots"
        self.seated[node].append(request.call)
        return Reservation(request.call, node)

    def look(self) -> None:
        """Every node tells its figures."""
        self.ms += 1
        for node, slots in self.slots.items():
            calls = len(self.seated[node])
            stats = NodeFigures(calls=calls, free_slots=250 - calls, spare=1, drift_ms=1.0)
            self.desk.told(node, stats, slots, False, self.ms)
        self.desk.turn()

    def over(self, call: str, node: str) -> None:
        self.seated[node].remove(call)
        self.desk.ended(call, node)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(limited())


async def ask(cluster: Cluster, call: str, **more: Any) -> str:
    """The node, or what becomes of the call."""
    try:
        return (await cluster.desk.admit(CallRequest(call, **more))).node
    except Overflow as overflow:
        return f"{overflow.act} {overflow.to}".strip()


NOW = Admission(ring_ms=0)


def test_no_slot_is_given_twice_however_many_ask_at_once() -> None:
    async def test() -> None:
        cluster = Cluster(NOW, a=3, b=2)
        answers = await asyncio.gather(*(ask(cluster, f"c{n}") for n in range(20)))
        assert sorted(answers) == ["a"] * 3 + ["b"] * 2 + ["busy"] * 15
        assert cluster.desk.figures().asked == 20
        assert cluster.desk.figures().overflowed == 15

    run(test)


@pytest.mark.parametrize("refusal", [NoSpare("its last spare died"), LinkLost("it does not answer")])
def test_a_node_that_cannot_keep_its_promise_costs_the_caller_a_moment(refusal: Exception) -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=5_000), a=9, b=1)
        cluster.refuses["a"] = refusal
        assert await ask(cluster, "one") == "b"
        assert cluster.waits == [0.5, 4.0]  # the second one is the last that could have it
        assert cluster.desk.figures().counts["asked"] == 1

    run(test)


def test_a_ring_budget_that_is_spent_on_a_node_in_vain_is_spent() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=5_000), a=9)
        cluster.refuses["a"] = NoSpare("none came free")
        cluster.takes_ms = 5_000
        assert await ask(cluster, "one") == "busy"
        assert cluster.desk.figures().overflowed == 1

    run(test)


def test_who_rings_gets_the_slot_that_comes_free_the_first_one_first() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=60_000), a=1)
        looks = []
        cluster.desk.on_wait = lambda: looks.append("wanted")
        assert await ask(cluster, "one") == "a"
        cluster.look()
        second, third = (asyncio.create_task(ask(cluster, call)) for call in ("two", "three"))
        await asyncio.sleep(0)
        assert cluster.desk.figures().waiting == 2
        assert looks
        cluster.over("one", "a")
        cluster.look()
        assert await second == "a"
        assert not third.done()
        third.cancel()  # hangs up
        with pytest.raises(asyncio.CancelledError):
            await third
        assert cluster.desk.figures().waiting == 0
        assert cluster.desk.figures().counts["abandoned"] == 1

    run(test)


def test_a_ring_ends_in_what_the_rules_say() -> None:
    async def test() -> None:
        assert await ask(Cluster(Admission(ring_ms=0, then="redirect", redirect_to="+4930"), a=0), "c") == (
            "redirect +4930"
        )
        ringing = Cluster(Admission(ring_ms=60_000), a=0)
        task = asyncio.create_task(ask(ringing, "c"))
        await asyncio.sleep(0)
        ringing.ms += 60_000
        ringing.desk.turn()
        assert await task == "busy"

    run(test)


def test_who_comes_back_from_the_message_has_kept_the_place_in_line() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=0, then="queue", queue_ms=100_000, promise_ms=15_000), a=1)
        assert await ask(cluster, "one") == "a"
        assert await ask(cluster, "two", queue=True) == "queue"
        assert await ask(cluster, "api") == "busy"  # nobody would ask again for it
        assert await ask(cluster, "three", queue=True) == "queue"
        cluster.over("one", "a")
        cluster.look()  # the slot is promised to the first in line, who hears the message
        cluster.ms += 9_000
        assert await ask(cluster, "three", queue=True, wait_s=0.001) == "queue"
        assert await ask(cluster, "two", queue=True, wait_s=5) == "a"
        cluster.ms += 15_001
        cluster.desk.turn()  # the third has not come back: it has hung up
        assert cluster.desk.figures().waiting == 0
        assert cluster.desk.figures().counts["abandoned"] == 1

    run(test)


def test_a_tenant_has_its_own_limit_which_ended_calls_give_back() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=0, tenants={"acme": Tenant(calls_max=1)}), a=9)
        assert await ask(cluster, "one", tenant="acme") == "a"
        assert await ask(cluster, "two", tenant="acme") == "busy"
        assert await ask(cluster, "three", tenant="other") == "a"
        cluster.over("one", "a")
        assert await ask(cluster, "four", tenant="acme") == "a"

    run(test)


def test_a_restarted_desk_learns_of_live_calls_and_a_lost_node_forgets_them() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=0, tenants={"acme": Tenant(calls_max=1)}), a=9)
        cluster.desk.began("from before", "acme", "a")
        assert await ask(cluster, "one", tenant="acme") == "busy"
        cluster.desk.gone("a")
        cluster.look()
        assert await ask(cluster, "two", tenant="acme") == "a"

    run(test)


def test_what_else_a_node_raises_is_the_callers_to_know_and_gives_the_slot_back() -> None:
    async def test() -> None:
        cluster = Cluster(NOW, a=1)
        cluster.refuses["a"] = CallerFault("call c is live already")
        with pytest.raises(CallerFault, match="live already"):
            await ask(cluster, "c")
        del cluster.refuses["a"]
        assert await ask(cluster, "d") == "a"
        with pytest.raises(CallerFault, match="priority 'vip' is not known; allowed: low, normal, high, urgent"):
            await ask(cluster, "e", priority="vip")

    run(test)


def test_a_call_that_has_begun_gets_no_second_slot_on_whatever_node() -> None:
    async def test() -> None:
        cluster = Cluster(Admission(ring_ms=0), a=2, b=2)
        first = await cluster.desk.admit(CallRequest("one"))
        for _ in range(3):
            with pytest.raises(CallerFault, match="one is live already"):
                await cluster.desk.admit(CallRequest("one"))
        assert sorted(map(len, cluster.seated.values())) == [0, 1]
        cluster.over("one", first.node)
        await cluster.desk.admit(CallRequest("one"))  # its carrier's id is used anew
        assert sum(map(len, cluster.seated.values())) == 1

    run(test)


def test_an_overflow_survives_its_way_through_ray() -> None:
    again = pickle.loads(pickle.dumps(Overflow("redirect", "0 slots free", "+4930")))
    assert (again.act, again.to, str(again)) == ("redirect", "+4930", "0 slots free")
