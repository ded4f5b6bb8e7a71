"""Lifecycles are tables: a move without a row changes nothing, and what the tables promise holds for every row."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from typing import Any

import pytest
from offhook.actors.call import lifecycle as call
from offhook.actors.call import swap_lifecycle as swap
from offhook.actors.call.lifecycle import CORELESS, ENDED, FOLDED, UNFOLDED, Move, Stage
from offhook.actors.call.resume import Awaited
from offhook.actors.call.session import Session
from offhook.actors.call.swap_lifecycle import SWAP_MOVES, SwapMove, SwapStage
from offhook.actors.contracts.setup import Setup
from offhook.actors.node.call_pool import CallPool, Sizes
from offhook.cluster.node_stages import NodeStages
from offhook.policies.core import events as ev
from offhook.policies.core.errors import IllegalMove
from offhook.policies.core.lifecycle import Lifecycle
from offhook.policies.core.policy import Policy
from offhook.policies.core.principal import Principal
from offhook.policies.fleet.node_lifecycle import (
    BY_OPERATOR,
    NODE_MOVES,
    SCALING,
    TAKEN_AWAY,
    NodeMove,
    NodeStage,
    closing,
    of_node,
)

Table = Mapping[tuple[Any, Any], Any]

# The table, its moves, its first stage, and the stage to which every way leads.
TABLES: list[tuple[Table, type[StrEnum], StrEnum, StrEnum]] = [
    (call.MOVES, Move, Stage.EARLY, Stage.OVER),
    (SWAP_MOVES, SwapMove, SwapStage.SETTLED, SwapStage.SETTLED),
    (NODE_MOVES, NodeMove, NodeStage.SERVING, NodeStage.GONE),
]


def reached(table: Table, first: StrEnum) -> set[StrEnum]:
    """Every stage to which moves lead, from `first` on."""
    found, fresh = {first}, [first]
    while fresh:
        stage = fresh.pop()
        after = {to for (before, _), to in table.items() if before is stage} - found
        found |= after
        fresh += after
    return found


@pytest.mark.parametrize(("table", "moves", "first", "last"), TABLES)
def test_a_move_without_a_row_is_a_typed_error_and_changes_nothing(
    table: Table, moves: type[StrEnum], first: StrEnum, last: StrEnum
) -> None:
    for stage, move in product(type(first), moves):
        one: Lifecycle[Any, Any] = Lifecycle("it", table, stage)
        if (stage, move) in table:
            assert one.may(move)
            assert one.move(move) is one.stage is table[stage, move]
            continue
        assert not one.may(move)
        with pytest.raises(IllegalMove, match=f"^it is {stage}: '{move}' cannot happen; legal now: ") as fault:
            one.move(move)
        assert one.stage is stage
        assert str(pickle.loads(pickle.dumps(fault.value))) == str(fault.value)


@pytest.mark.parametrize(("table", "moves", "first", "last"), TABLES)
def test_every_stage_and_move_is_of_use_and_every_way_has_its_end(
    table: Table, moves: type[StrEnum], first: StrEnum, last: StrEnum
) -> None:
    assert reached(table, first) == set(type(first))
    assert {move for _, move in table} == set(moves)
    assert all(last in reached(table, stage) for stage in type(first))


def test_a_call_that_ends_or_has_no_core_does_not_come_back() -> None:
    for (before, _), after in call.MOVES.items():
        assert before not in ENDED or after in ENDED
        assert before not in CORELESS or after not in FOLDED
    assert not FOLDED & UNFOLDED


def test_no_version_leads_a_call_before_all_of_its_agents_have_answered() -> None:
    assert [before for before, move in SWAP_MOVES if move is SwapMove.LEAD] == [SwapStage.REHEARSED]
    assert [before for before, move in SWAP_MOVES if move is SwapMove.REHEARSE] == [SwapStage.OFFERED]
    assert swap.of_swap("c1").stage is SwapStage.SETTLED


def test_what_an_operator_has_closed_scaling_neither_opens_nor_lets_go() -> None:
    for stage in BY_OPERATOR:
        assert not any((stage, move) in NODE_MOVES for move in (NodeMove.DRAIN, NodeMove.RETURN, NodeMove.RELEASE))
    for (before, move), after in NODE_MOVES.items():
        assert before not in BY_OPERATOR or after not in BY_OPERATOR or move is not NodeMove.UNCORDON
        assert after is not NodeStage.RELEASED or before in (NodeStage.DRAINING, NodeStage.LEAVING)
        assert before not in TAKEN_AWAY or after is not NodeStage.SERVING, "who is taken away serves no more"


@pytest.mark.parametrize("stage", [stage for stage in NodeStage if stage is not NodeStage.GONE])
@pytest.mark.parametrize(("closed", "by_operator", "taken_away"), list(product([False, True], repeat=3)))
def test_wherever_a_node_is_thought_to_stand_one_look_tells_where_it_does(
    stage: NodeStage, closed: bool, by_operator: bool, taken_away: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stages = NodeStages()
    for move in _way_to(stage):
        assert stages.move("n1", move)
    caplog.clear()
    told = stages.told("n1", closed, by_operator, taken_away)
    assert not caplog.records, "no look at a node is refused"
    if stage is NodeStage.RELEASED:
        assert told is stage, "this was asked before it was let go"
        return
    assert (told in BY_OPERATOR) == by_operator
    assert (told in TAKEN_AWAY) == (taken_away or stage in TAKEN_AWAY)
    assert (told in (NodeStage.SERVING, NodeStage.NOTICED)) == (not closed and not by_operator)


def _way_to(stage: NodeStage) -> list[NodeMove]:
    ways: dict[NodeStage, list[NodeMove]] = {NodeStage.SERVING: []}
    while stage not in ways:
        for (before, move), after in NODE_MOVES.items():
            if before in ways and after not in ways:
                ways[after] = [*ways[before], move]
    return ways[stage]


def test_a_node_that_was_let_go_is_forgotten_once_it_is_not_there_any_more() -> None:
    stages = NodeStages()
    assert stages.told("n1", True, False, False) is NodeStage.DRAINING
    assert not stages.move("n2", NodeMove.RELEASE), "it takes calls"
    assert stages.move("n1", NodeMove.RELEASE)
    stages.keep(["n1", "n2"])
    assert stages.released() == {"n1"}
    stages.keep(["n2"])
    assert stages.released() == set()
    assert stages.of("n1") is NodeStage.SERVING


def test_a_nodes_pool_is_not_opened_by_scaling_where_an_operator_has_closed_it() -> None:
    async def start(_name: str) -> None: ...

    async def test() -> None:
        pool = CallPool(Sizes(spares=0), start, lambda _name, _why: None)
        pool.drain(True, SCALING)
        assert (pool.draining, pool.drained_by) == (True, "system:scaling")
        pool.drain(True, Principal.of("person:ann"))
        for on in (True, False):
            with pytest.raises(IllegalMove, match="this node is cordoned"):
                pool.drain(on, SCALING)
        assert (pool.draining, pool.drained_by) == (True, "person:ann")
        pool.drain(False)
        assert (pool.draining, pool.drained_by) == (False, "")
        assert of_node("abcdefghij").may(closing(True, SCALING))

    asyncio.run(test())


class Heard:
    """Takes events, and the supervisor's end of a call's link."""

    up = True

    def __init__(self) -> None:
        self.events: list[ev.Event] = []

    def take(self, event: ev.Event) -> None:
        self.events.append(event)

    def send(self, *_message: Any) -> bool:
        return True


POLICY = Policy.model_validate({"name": "test", "agents": {"closer": {"code": "x:Y"}}})
SETUP = Setup("c1", 1, "inbound", "+1", "+2", "v1", {}, "media", {}, "observer", 0)
TICK = ev.AgentJoined(1, "closer")

# Moves from "early" on, and who takes an event then.
ROUTES: list[tuple[tuple[Move, ...], str]] = [
    ((Move.BEGIN,), "core"),
    ((Move.BEGIN, Move.END), "core"),
    ((Move.BEGIN, Move.GIVE_UP), "goodbye"),
    ((Move.BEGIN, Move.GIVE_UP, Move.END), "goodbye"),
    ((Move.BEGIN, Move.END, Move.GIVE_UP), "goodbye"),
    ((Move.BEGIN, Move.END, Move.FINISH), "nobody"),
    ((Move.BEGIN, Move.END, Move.FINISH, Move.CLOSE), "nobody"),
    ((Move.PART,), "nobody"),
    ((Move.PART, Move.GIVE_UP), "goodbye"),
]


@pytest.mark.parametrize(("moves", "taker"), ROUTES)
def test_who_takes_an_event_follows_from_where_the_call_stands(moves: tuple[Move, ...], taker: str) -> None:
    async def test() -> None:
        core, goodbye = Heard(), Heard()
        session = Session(SETUP, POLICY, Heard(), Awaited())
        session.take(TICK)
        assert session.begin(moves[0], core, goodbye) == [TICK], "what was said early waits for the first event"
        assert all(session.move(move) for move in moves[1:])
        session.take(TICK)
        assert (len(core.events), len(goodbye.events)) == (taker == "core", taker == "goodbye")

    asyncio.run(test())


def test_an_illegal_move_of_a_live_call_is_refused_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        session = Session(SETUP, POLICY, Heard(), Awaited())
        session.begin(Move.BEGIN, Heard(), Heard())
        with caplog.at_level(logging.ERROR):
            assert not session.move(Move.FINISH)
        assert session.stage is Stage.LIVE
        assert "call c1 is live: 'finish' cannot happen; legal now: 'give up', 'end'" in caplog.text

    asyncio.run(test())
