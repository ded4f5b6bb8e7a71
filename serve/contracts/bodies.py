"""Answers of the API that are no operation's: made from several, by the routes that `serve/web` writes by hand."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.actors.contracts.node_operations import NodeFigures


@dataclass(frozen=True, slots=True)
class NodeList:
    """Every node; a silent one has not answered when it was asked last."""

    nodes: tuple[NodeFigures, ...] = ()
    silent: tuple[str, ...] = ()
    unled_calls: int = 0  # calls that nobody leads


@dataclass(frozen=True, slots=True)
class Drained:
    """A node after an order to drain, or not to."""

    node: str
    draining: bool
    calls: int = 0  # that are live there
