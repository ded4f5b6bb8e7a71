"""Answers of the API that are no operation's: made from several, by the routes that `serve/web` writes by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from offhook.actors.contracts.call_operations import TimedNotice
from offhook.actors.contracts.node_operations import NodeFigures
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12


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


@dataclass(frozen=True, slots=True)
class Readiness:
    """An installation that takes calls."""

    status: str
    nodes: int  # that take calls
    free_slots: int


@dataclass(frozen=True, slots=True)
class Decided:
    """An operator's decision, passed on to the call."""

    call_id: str
    proposal: str
    approved: bool


class JournalEntry(TypedDict):
    """One record of a call (`actors/journals/journal.py`). A map, as thousands of them make one answer."""

    epoch: int
    seq: int
    at_ms: int
    kind: str
    body: Any


class JournalPage(TypedDict):
    """Records of a call in order. `next_after_seq` continues; None = this was the end so far."""

    call_id: str
    records: list[JournalEntry]
    next_after_seq: int | None


@dataclass(frozen=True, slots=True)
class NoticePage:
    """What is new of a live call (`News`)."""

    call_id: str
    notices: tuple[TimedNotice, ...] = ()
    next_after_seq: int = -1
    missed: bool = False
    live: bool = True


@dataclass(frozen=True, slots=True)
class CarrierSummary:
    """A carrier that may bring calls: what it can be asked to do, and the addresses that it asks."""

    name: str
    signals: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CarrierList:
    """The carriers that are set up, the default first."""

    carriers: tuple[CarrierSummary, ...] = ()
