"""Which node has a call: found, resumed where its node answers, adopted where it does not, closed when nobody comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost, NoSpare, NoSuchCall, OwnJournal
from offhook.cluster import call_directory
from offhook.cluster.call_directory import SWEEP_S, CallDirectory
from offhook.cluster.nodes import Nodes

RESUME_S = 60.0


class Supervisor:
    """A node's supervisor as the director sees it: what it leads, and what its journal holds open."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.live: set[str] = set()
        self.away = False
        self.spares = True
        self.adopted: list[str] = []

    async def _answer(self, value: Any) -> Any:
        await asyncio.sleep(0)
        if self.away:
            raise LinkLost("the node is dead")
        return value

    async def knows(self, call: str) -> str:
        return str(await self._answer("live" if call in self.live else "kept" if call in self.cluster.kept else ""))

    async def leads(self, call: str) -> bool:
        return bool(await self._answer(call in self.live))

    async def adopt(self, call: str) -> None:
        await self._answer(None)
        if not self.cluster.shared:
            raise OwnJournal("no shared journal")
        if not self.spares:
            raise NoSpare("none is free")
        if call not in self.cluster.open:
            raise NoSuchCall(f"{call} is over")
        self.adopted.append(call)
        self.live.add(call)

    async def unled(self) -> list[str]:
        return list(await self._answer(self.cluster.open - self.live))

    async def close_unled(self, call: str, why: str) -> None:
        await self._answer(None)
        self.cluster.open.discard(call)
        self.cluster.closed[call] = why


class Cluster:
    """Some nodes over one journal."""

    def __init__(self, *names: str) -> None:
        self.shared = True
        self.kept: set[str] = set()
        self.open: set[str] = set()
        self.closed: dict[str, str] = {}
        self.nodes = Nodes({}, self._nothing, lambda _node: None)
        self.at = {name: Supervisor(self) for name in names}
        self.nodes._supervisors.update(self.at)  # type: ignore[arg-type]  # what Ray would have started
        self.calls = CallDirectory(self.nodes, RESUME_S)

    async def _nothing(self, *_: Any) -> None:
        """Nothing is offered to a node that joins."""

    def leads(self, node: str, call: str) -> None:
        self.at[node].live.add(call)
        self.open.add(call)
        self.kept.add(call)
        self.calls.placed(call, node)


def run(test: Callable[[Cluster], Awaitable[None]], *names: str) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test(Cluster(*(names or ("a", "b", "c"))))

    asyncio.run(limited())


def test_a_call_is_found_where_it_was_placed_or_by_asking_everybody_or_in_a_journal() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "live")
        assert await cluster.calls.find("live") == "b"
        fresh = CallDirectory(cluster.nodes, RESUME_S)  # a director that was restarted
        assert await fresh.find("live") == "b"
        cluster.kept.add("over")
        assert await fresh.find("over") in cluster.at
        with pytest.raises(NoSuchCall):
            await fresh.find("nobody's")

    run(test)


def test_a_line_that_broke_goes_on_where_its_node_answers() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "call")
        assert await cluster.calls.resume("call") == "b"
        assert not any(node.adopted for node in cluster.at.values())

    run(test)


def test_the_call_of_a_node_that_does_not_answer_is_adopted_once_whoever_asks() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "call")
        cluster.at["b"].away = True
        nodes = await asyncio.gather(*(cluster.calls.resume("call") for _ in range(5)))
        assert len(set(nodes)) == 1 and nodes[0] in ("a", "c")
        assert [call for node in cluster.at.values() for call in node.adopted] == ["call"]
        assert cluster.nodes.silent == {"b"}
        assert cluster.nodes.by_room()[-1] == "b"  # it gets no new calls while others take them
        assert await cluster.calls.find("call") == nodes[0]

    run(test)


def test_a_node_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_directory, "PROBE_S", 0.01)

    async def test(cluster: Cluster) -> None:
        async def never(_call: str) -> bool:
            await asyncio.Event().wait()
            return True

        cluster.leads("b", "call")
        cluster.at["b"].leads = never  # type: ignore[method-assign]
        assert await cluster.calls.resume("call") in ("a", "c")

    run(test)


def test_where_no_spare_is_free_the_next_node_adopts_and_if_none_can_the_carrier_may_ask_again() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "call")
        cluster.at["b"].away = True
        first, second = (node for node in cluster.nodes.by_room() if node != "b")
        cluster.at[first].spares = False
        assert await cluster.calls.resume("call") == second
        cluster.leads("b", "other")
        cluster.at[second].spares = False
        with pytest.raises(NoSpare, match="none is free"):
            await cluster.calls.resume("other")
        cluster.at[second].spares = True
        assert await cluster.calls.resume("other") == second

    run(test)


def test_without_a_shared_journal_the_carrier_asks_again_until_the_node_is_known_to_be_dead() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.shared = False
        cluster.leads("b", "call")
        cluster.at["b"].away = True
        with pytest.raises(NoSpare, match="no shared journal"):  # its supervisor may be restarting
            await cluster.calls.resume("call")
        cluster.at["b"].away = False
        await cluster.nodes.everywhere(lambda supervisor: supervisor.knows("call"))  # the director looks now and then
        assert await cluster.calls.resume("call") == "b"
        cluster.at["b"].away = True
        await cluster.nodes.everywhere(lambda supervisor: supervisor.knows("call"))
        del cluster.nodes._supervisors["b"]  # as `Nodes.look` does once Ray has told
        cluster.nodes.silent.discard("b")
        with pytest.raises(NoSuchCall):
            await cluster.calls.resume("call")

    run(test)


def test_a_call_that_is_over_is_not_adopted() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "call")
        cluster.at["b"].live.clear()
        cluster.open.clear()
        for cluster.shared in (True, False):
            with pytest.raises(NoSuchCall):
                await cluster.calls.resume("call")

    run(test)


def test_calls_whose_carrier_does_not_come_back_are_closed_and_others_never() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("a", "goes on")
        cluster.leads("b", "left alone")
        cluster.leads("b", "comes back")
        del cluster.nodes._supervisors["b"]  # Ray has told of its death by now
        assert await cluster.calls.sweep(100.0) == 0
        assert cluster.calls.unled == 2
        assert await cluster.calls.resume("comes back") in ("a", "c")
        now_s = 100.0
        while now_s < 100.0 + RESUME_S:
            now_s += SWEEP_S
            closed = await cluster.calls.sweep(now_s)
        assert closed == 1
        assert list(cluster.closed) == ["left alone"]
        assert "has not come back within 60 s" in cluster.closed["left alone"]

    run(test)


def test_while_a_node_does_not_answer_it_may_lead_any_call_and_nothing_is_closed() -> None:
    async def test(cluster: Cluster) -> None:
        cluster.leads("b", "call")
        cluster.at["b"].away = True
        for number in range(20):
            assert await cluster.calls.sweep(100.0 + number * SWEEP_S) == 0

    run(test)
