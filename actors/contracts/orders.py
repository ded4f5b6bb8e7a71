"""Orders and outcomes: what a call asks a tool for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ProtocolFault
from .node_messages import Perform, Withdraw


@dataclass(frozen=True, slots=True)
class Order:
    """One authorized action. `grant` tells a further order under the same key (a retry) from the same one."""

    call: str
    epoch: int
    grant: str
    action: str
    arguments: Mapping[str, str]
    key: str

    @classmethod
    def of(cls, message: Perform | Withdraw) -> Order:
        """What a call asks for on its link.

        Raises:
            ProtocolFault: its arguments are none.
        """
        arguments = dict(map(_pair, message.arguments))
        return cls(message.call, message.epoch, message.grant, message.action, arguments, message.key)


def _pair(pair: Any) -> tuple[str, str]:
    match pair:
        case [str(name), str(value)]:
            return name, value
    raise ProtocolFault("an order's arguments are pairs of text")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action. `result` is told to the agents: plain words without secrets.

    `known` False: whether it happened is not known; `ok` is False then, and a person has to find out. `withdrawn`: it
    was taken back in time, and nothing was done (no tool's word: the outbox says it).
    """

    ok: bool
    result: str
    known: bool = True
    withdrawn: bool = False
