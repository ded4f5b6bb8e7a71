"""Which engines the director knows of, and that every node hears of each change, sooner or later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from offhook.actors.contracts.errors import LinkLost, ProtocolFault
from offhook.actors.engines.engine_places import Place
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster import engine_registry as module
from offhook.cluster.desired_state import DesiredState
from offhook.cluster.engine_registry import SILENT_S, EngineRegistry, Roll
from offhook.cluster.nodes import Nodes
from offhook.cluster.state_store import open_memory

LINK: dict[str, Any] = {"kind": "link"}


def place(replica: str, node: str = "n1", kind: str = "recognizer", tcp: str = "tcp:h:1") -> Place:
    return Place(kind, replica, node, "m", f"unix:/{replica}", tcp, "token")


class Supervisor:
    """A node's supervisor as the director sees it: what it was told, as long as it answers."""

    def __init__(self) -> None:
        self.told: list[tuple[list[str], list[str]]] = []
        self.away = False

    async def engines(self, recognizer: dict[str, Any], synthesizer: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise LinkLost("the supervisor is away")
        names = [[each["replica"] for each in engine.get("places", ())] for engine in (recognizer, synthesizer)]
        self.told.append((names[0], names[1]))


class Cluster:
    """A census over two nodes, with a memory on disk."""

    def __init__(self, folder: Path) -> None:
        self.nodes = Nodes({}, lambda *_: asyncio.sleep(0), lambda _node: None)
        self.supervisors = {"n1": Supervisor(), "n2": Supervisor()}
        self.nodes._supervisors = cast(dict[str, SupervisorRef], dict(self.supervisors))
        self.wanted = DesiredState(open_memory("", folder))
        self.registry = EngineRegistry(self.wanted, self.nodes)

    @property
    def told(self) -> list[Any]:
        return [each.told[-1] if each.told else None for each in self.supervisors.values()]


def run(folder: Path, test: Callable[[Cluster], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test(Cluster(folder))

    asyncio.run(bounded())


def test_a_roll_says_what_has_changed() -> None:
    roll = Roll()
    assert roll.announce(place("a"), 0.0) and not roll.announce(place("a"), 1.0)
    assert roll.announce(place("a", tcp="tcp:h:2"), 2.0), "it listens elsewhere"
    roll.announce(place("b", "n2"), 2.0)
    assert roll.withdraw("a") and not roll.withdraw("a")
    assert roll.lose("n2") and not roll.lose("n2")
    assert roll.places() == []


def test_who_falls_silent_is_dropped_and_comes_back_with_its_next_word() -> None:
    roll = Roll()
    roll.announce(place("a"), 0.0)
    roll.announce(place("b"), 1.0)
    assert not roll.sweep(SILENT_S)
    assert roll.sweep(SILENT_S + 0.5) and [each["replica"] for each in roll.places()] == ["b"]
    assert roll.announce(place("a"), SILENT_S + 1)


def test_a_roll_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPLICAS_MAX", 2)
    roll = Roll()
    for name in ("a", "b", "a"):
        roll.announce(place(name), 0.0)
    with pytest.raises(ProtocolFault, match="no more are told of"):
        roll.announce(place("c"), 0.0)


def test_every_node_hears_of_each_change_and_of_nothing_twice(tmp_path: Path) -> None:
    async def test(on: Cluster) -> None:
        await on.registry.announce(place("early").as_map(), 0.0)
        assert on.told == [None, None], "nobody has said yet whether calls use one"
        await on.registry.want(LINK, LINK)
        await on.registry.announce(place("voice", kind="synthesizer").as_map(), 0.0)
        assert on.told == [(["early"], ["voice"])] * 2
        for _ in range(3):
            await on.registry.announce(place("early").as_map(), 1.0)
            await on.registry.keep(1.0)
        assert [len(each.told) for each in on.supervisors.values()] == [2, 2]
        await on.registry.withdraw("early")
        await on.registry.keep(SILENT_S + 0.5)
        assert on.told == [([], [])] * 2

    run(tmp_path, test)


def test_a_node_that_missed_it_is_told_at_the_next_look(tmp_path: Path) -> None:
    async def test(on: Cluster) -> None:
        await on.registry.want(LINK, {"kind": "tone"})
        on.supervisors["n2"].away = True
        await on.registry.announce(place("a").as_map(), 0.0)
        assert on.told == [(["a"], []), ([], [])]
        on.supervisors["n2"].away = False
        await on.registry.keep(1.0)
        assert on.told == [(["a"], [])] * 2

    run(tmp_path, test)


def test_engines_of_a_node_that_is_gone_are_gone_with_it(tmp_path: Path) -> None:
    async def test(on: Cluster) -> None:
        await on.registry.want(LINK, LINK)
        await on.registry.announce(place("a", "n1").as_map(), 0.0)
        await on.registry.announce(place("b", "n3").as_map(), 0.0)
        on.registry.lose("n3")
        await on.registry.keep(1.0)
        assert on.told == [(["a"], [])] * 2

    run(tmp_path, test)


def test_the_director_s_next_life_knows_them_until_they_are_silent(tmp_path: Path) -> None:
    async def before(on: Cluster) -> None:
        await on.registry.want(LINK, {"kind": "tone"})
        await on.registry.announce(place("a").as_map(), 0.0)
        await on.registry.announce(place("moved").as_map(), 0.0)

    async def after(on: Cluster) -> None:
        await on.registry.announce(place("moved", tcp="tcp:h:9").as_map(), 100.0)
        await on.wanted.recall()
        on.registry.recall(100.0)
        await on.registry.tell("n1", cast(SupervisorRef, on.supervisors["n1"]))
        assert sorted(on.told[0][0]) == ["a", "moved"]
        assert {"tcp:h:1", "tcp:h:9"} == {each["tcp"] for each in on.registry._roll.places()}
        await on.registry.announce(place("moved", tcp="tcp:h:9").as_map(), 110.0)
        await on.registry.keep(100.0 + SILENT_S + 1)
        assert on.told == [(["moved"], [])] * 2

    run(tmp_path, before)
    run(tmp_path, after)


def test_a_call_without_engines_is_told_of_none(tmp_path: Path) -> None:
    async def test(on: Cluster) -> None:
        await on.registry.announce(place("a").as_map(), 0.0)
        await on.registry.want({"kind": "none"}, {"kind": "tone"})
        assert on.told == [([], [])] * 2

    run(tmp_path, test)
