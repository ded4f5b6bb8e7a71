"""What can be asked of a node's gateway, and the record that it answers. How operations travel:
`actors/contracts/operations.py`; who answers: `gateway_actor.py`."""

# An operation has no body: what it answers is the actor's matter.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from offhook.actors.contracts.operations import Operations, repeatable


@dataclass(frozen=True, slots=True)
class GatewayFigures:
    """How one gateway fares: counts since its start, but `lines`, which are open now."""

    lines: int = 0
    opened: int = 0
    faults: Mapping[str, int] = field(default_factory=dict)  # what carriers got wrong -> how often
    messages_dropped: Mapping[str, int] = field(default_factory=dict)  # of a carrier, by their kind
    sequence_gaps: int = 0
    frames_in: int = 0
    frames_lost: int = 0
    fenced: int = 0  # messages of owners that a call has no more


class GatewayOperations(Operations):
    """Asked of a node's gateway."""

    @repeatable
    async def ready(self) -> int:
        """Waits until it listens and knows whom to ask for calls; the port. Raises: StartFault: the port is taken."""

    @repeatable
    async def stats(self) -> GatewayFigures:
        """How it fares."""

    @repeatable
    async def stop(self) -> None:
        """Say goodbye to every socket."""
