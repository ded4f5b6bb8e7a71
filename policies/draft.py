"""The working copy of a state inside one step, and the commands collected on the way.

Every room takes a `Draft` and an event, replaces the parts that it owns, and asks for effects with `command`.
Timers are edited as data (`arm`, `disarm`); the machine turns the difference into ArmTimer and DisarmTimer commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .commands import Command, Publish
from .policy import Policy
from .state import CallState


class Draft:
    """One step's working copy."""

    __slots__ = ("commands", "policy", "state", "timers")

    def __init__(self, state: CallState, policy: Policy) -> None:
        self.state = state.copy()
        self.policy = policy
        self.timers: Mapping[str, int] = state.timers  # replaced, never edited: most steps touch none
        self.commands: list[Command] = []

    def command(self, command: Command) -> None:
        """Ask for an effect."""
        self.commands.append(command)

    def publish(self, topic: str, /, **body: Any) -> None:
        """Tell the subscribers of a topic."""
        self.commands.append(Publish(topic, body))

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
