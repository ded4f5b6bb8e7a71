"""The working copy of a state inside one step, and the commands collected on the way.

Every reducer takes a `Draft` and an event, replaces the parts that it owns, and asks for effects with `command`.
Timers are edited as data (`arm`, `disarm`); the machine turns the difference into ArmTimer and DisarmTimer commands.
What follows from a reducer and is decided in a layer above it, it asks for with `then`: the machine sees to it as soon
as that reducer is through.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from .commands import Command, Publish
from .parts import clone
from .policy import Policy
from .state import CallState
from .topics import Topic


class FollowUp(Enum):
    """What a reducer may ask the layers above it for."""

    FLOOR_FREE = auto()  # the agent has been heard to the end: judge what waits for the floor
    SETTLE_UP = auto()  # pay what the caller is owed, if the floor is free
    ROUND_OVER = auto()  # a round that was to pay a debt is over; arguments: the debt, whether it came to something
    DEBTS_OVERFLOW = auto()  # more is owed than is kept: write the oldest off
    WAIT_OVER = auto()  # something that the caller waited for is over: the silence ladder goes on
    APPROVAL_ASKED = auto()  # an operator was asked: tell the caller


class Draft:
    """One step's working copy."""

    __slots__ = ("commands", "follow_ups", "policy", "state", "timers")

    def __init__(self, state: CallState, policy: Policy) -> None:
        self.state = clone(state)
        self.policy = policy
        self.timers: Mapping[str, int] = state.timers  # replaced, never edited: most steps touch none
        self.commands: list[Command] = []
        self.follow_ups: tuple[tuple[FollowUp, tuple[Any, ...]], ...] = ()

    def command(self, command: Command) -> None:
        """Ask for an effect."""
        self.commands.append(command)

    def publish(self, topic: Topic, /, **body: Any) -> None:
        """Tell the subscribers of a topic."""
        self.commands.append(Publish(topic._value_, body))

    def then(self, what: FollowUp, *arguments: Any) -> None:
        """Have the machine see to `what` when this reducer is through; once, however often it is asked for."""
        if (what, arguments) not in self.follow_ups:
            self.follow_ups = (*self.follow_ups, (what, arguments))

    def arm(self, timer: str, deadline_ms: int) -> None:
        """Have `timer` fire at `deadline_ms`, an absolute moment; replaces an armed one of that name."""
        if self.timers.get(timer) != deadline_ms:
            self.timers = {**self.timers, timer: deadline_ms}

    def disarm(self, timer: str) -> None:
        """Forget `timer`; nothing happens where it is not armed."""
        if timer in self.timers:
            self.timers = {name: deadline_ms for name, deadline_ms in self.timers.items() if name != timer}

    def evidence_changed(self) -> None:
        """Everything computed before this event is stale from here on."""
        self.state.evidence_revision = self.state.revision
