"""Where speech engines can be reached, and in which order the calls of a node dial them. Pure: no link is opened here.

An engine's replica listens on a Unix socket for calls of its own machine and, in a cluster, on TCP for all others. It
says so to the director (`cluster/engine_registry.py`); a node's catalog chooses for each call that begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..contracts.errors import ProtocolFault
from ..link.reconnect import Endpoint

RECOGNIZER = "recognizer"
SYNTHESIZER = "synthesizer"
KINDS = (RECOGNIZER, SYNTHESIZER)
REPLICAS_DIALLED_MAX = 8  # of one kind by one call: each costs a dead machine's second before the next is tried


@dataclass(frozen=True, slots=True)
class Place:
    """Where one replica takes calls.

    `unix` (`unix:/path`) and `tcp` (`tcp:host:port`) may be "": it does not listen so. `machine` is `clock.boot` there;
    "" = not known, then only its own node dials the Unix socket. `token` opens both.
    """

    kind: str
    replica: str
    node: str
    machine: str
    unix: str
    tcp: str
    token: str

    def as_map(self) -> dict[str, str]:
        """Plain values, for actor calls and files."""
        return asdict(self)

    @classmethod
    def from_map(cls, raw: Any) -> Place:
        """Raises:
        ProtocolFault: a field is missing or no text, or no engine is of this kind.
        """
        if not isinstance(raw, dict) or not all(isinstance(raw.get(item.name), str) for item in fields(cls)):
            raise ProtocolFault(f"an engine's place is a map of texts: {', '.join(item.name for item in fields(cls))}")
        place = cls(**{item.name: raw[item.name] for item in fields(cls)})
        if place.kind not in KINDS:
            raise ProtocolFault(f"engine {place.replica}: kind {place.kind!r} is not one of {', '.join(KINDS)}")
        return place


def choose(places: Iterable[Place], node: str, machine: str, turn: int = 0) -> tuple[Endpoint, ...]:
    """What a call on `node` dials, in this order: replicas of its node, of its machine, of others.

    Among equals the `turn`-th comes first, so that calls which begin one after another spread over them. On the same
    machine the Unix socket comes before TCP; both are there, because two containers of one machine see the same
    `machine` and not each other's files.
    """
    groups: tuple[list[Place], ...] = ([], [], [])
    for place in sorted(places, key=lambda place: place.replica):
        near = 0 if place.node == node else 1 if machine and place.machine == machine else 2
        groups[near].append(place)
    chosen = [(near, place) for near, group in enumerate(groups) for place in _rotated(group, turn)]
    endpoints: list[Endpoint] = []
    for near, place in chosen[:REPLICAS_DIALLED_MAX]:
        ways = (place.unix, place.tcp) if near < 2 else (place.tcp,)
        endpoints.extend((way, place.token) for way in ways if way)
    return tuple(endpoints)


def _rotated(group: list[Place], turn: int) -> list[Place]:
    first = turn % len(group) if group else 0
    return group[first:] + group[:first]
