"""How far the nodes' counts of a rollout's arms have been taken in. Figures only grow; nodes come and go.

A supervisor counts from its own start (`actors/node/arm_counters.py`), so what is taken in is what a node says now less
what it said before; one that began to count anew is taken in from nothing. What is gone with a node is lost to both
arms alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.actors.contracts.node_operations import ArmReport
from offhook.policies.fleet.rollout import MARKS, SHADOW_MARKS, Rollout, counted, shadowed

NODES_MAX = 1_000  # that are remembered; the ones heard of longest ago go

_MARKS = MARKS.keys() | SHADOW_MARKS.keys()

Told = tuple[int, int, dict[str, int]]  # calls, ended, marks


class Counts:
    """What each node has last said of one rollout's arms."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[int, dict[str, Told]]] = {}  # node -> (counting since, arm -> what it said)

    def taken(self, rollout: Rollout, nodes: Mapping[str, ArmReport]) -> Rollout:
        """The rollout with what is new; remembers what was said."""
        prefix = f"{rollout.name}/"
        for node, told in nodes.items():
            since = told.since
            before_since, before = self._nodes.pop(node, (since, {}))
            if since != before_since:
                before = {}
            now: dict[str, Told] = {}
            for arm, said in told.arms.items():
                if arm.startswith(prefix):
                    marks = {mark: count for mark, count in said.marks.items() if mark in _MARKS}
                    now[arm] = (said.calls, said.ended, marks)
                    rollout = _added(rollout, arm.removeprefix(prefix), now[arm], before.get(arm, (0, 0, {})))
            self._nodes[node] = (since, {**before, **now})
            if len(self._nodes) > NODES_MAX:
                del self._nodes[next(iter(self._nodes))]
        return rollout

    def plain(self) -> list[Any]:
        """For the cluster's memory."""
        return [[node, since, arms] for node, (since, arms) in self._nodes.items()]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Counts:
        """What `plain` made, also after a way through JSON."""
        counts = cls()
        for node, since, arms in plain:
            counts._nodes[node] = (since, {arm: (said[0], said[1], dict(said[2])) for arm, said in arms.items()})
        return counts


def _added(rollout: Rollout, arm: str, now: Told, before: Told) -> Rollout:
    step, _, side = arm.partition("/")
    if now == before:
        return rollout
    marks = {mark: count - before[2].get(mark, 0) for mark, count in now[2].items()}
    if arm == "shadow":
        return shadowed(rollout, now[0] - before[0], marks)
    if not (step.isdigit() and side in ("0", "1")):
        return rollout
    return counted(rollout, int(step), int(side), now[0] - before[0], now[1] - before[1], marks)
