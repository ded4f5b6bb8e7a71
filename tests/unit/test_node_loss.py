"""What a supervisor does no more once its raylet is gone: by whether others can go on with its calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.node.call_endings import CallEndings
from offhook.actors.node.call_table import CallRow, CallTable, Doubts
from offhook.actors.node.node_loss import NodeLoss
from offhook.actors.node.takeover import Takeovers
from offhook.policies.core.records import End


@dataclass
class Node:
    """As much of a node as these parts look at."""

    shared: bool
    gone: bool = False
    head: bool = False

    def __post_init__(self) -> None:
        self.ends: list[str] = []
        self.table = CallTable()
        self.node_loss = NodeLoss(self, self, self)  # type: ignore[arg-type]  # all it asks is here
        self.arms = self

    # what an ending touches beside the table
    def end(self, *_: Any) -> None: ...

    def over(self, *_: Any, **__: Any) -> None: ...

    def ended(self, *_: Any) -> None: ...

    def serving_call(self, _call: str) -> list[Any]:
        return []

    def close_call(self, row: CallRow, _at_ms: int, end: End) -> None:
        self.ends.append(f"{row.call}: {end.why}")


def led(node: Node) -> CallRow:
    row = CallRow("c1", 1, "call-1", 0, "v", "inbound", "", "", 0)
    node.table.open(row)
    return row


@pytest.mark.parametrize(("shared", "gone", "head"), list(product([False, True], repeat=3)))
def test_calls_are_left_only_where_the_raylet_is_gone_and_others_can_go_on(
    shared: bool, gone: bool, head: bool
) -> None:
    node = Node(shared, gone, head)
    left = shared and gone and not head
    row = led(node)
    assert node.node_loss.left == left
    others: Any = node
    endings = CallEndings(node.table, Doubts(), others, others, others, others, node.node_loss, others)
    endings.close(row, "died", "no spare")
    assert node.ends == ([] if left else ["c1: no spare"])
    assert ("c1" in node.table) == left


@pytest.mark.parametrize("shared", [False, True])
def test_a_node_without_a_raylet_begins_no_call(shared: bool) -> None:
    node = Node(shared)
    node.node_loss.may_begin()
    node.node_loss.may_lead()
    node.gone = True
    with pytest.raises(LinkLost, match="takes no calls"):
        node.node_loss.may_begin()
    if shared:
        with pytest.raises(LinkLost, match="led elsewhere"):
            node.node_loss.may_lead()
    else:
        node.node_loss.may_lead()


def test_a_call_that_is_left_is_not_taken_over() -> None:
    async def test() -> None:
        node = Node(shared=True, gone=True)
        takeovers = Takeovers(node, node, node, print, node.end, Doubts(), 1.0)  # type: ignore[arg-type]
        takeovers.left = lambda: node.node_loss.left
        takeovers.begin(led(node), "its process died")
        assert not takeovers.under_way("c1")
        assert "c1" in node.table

    asyncio.run(test())
