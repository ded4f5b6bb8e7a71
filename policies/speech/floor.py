"""The floor: who has the right to be heard, as a table of legal moves.

A pause inside the caller's turn leaves the floor with the caller; it is given up when the end of the turn is decided.
A held utterance is not heard, so holding takes the agent off the floor and resuming puts it back. A missing row is an
illegal move: it raises and changes nothing.
"""

from __future__ import annotations

from enum import StrEnum

from ..core.errors import IllegalEvent
from ..core.state import Holder


class Move(StrEnum):
    """What can happen to the floor."""

    CALLER_STARTS = "caller starts"
    CALLER_YIELDS = "caller yields"  # the end of the turn was decided, or the overlap was a backchannel
    AGENT_STARTS = "agent starts"
    AGENT_STOPS = "agent stops"  # ended, held, cut or failed


FLOOR: dict[tuple[Holder, Move], Holder] = {
    (Holder.NOBODY, Move.CALLER_STARTS): Holder.CALLER,
    (Holder.NOBODY, Move.AGENT_STARTS): Holder.AGENT,
    (Holder.CALLER, Move.CALLER_STARTS): Holder.CALLER,  # goes on after a pause
    (Holder.CALLER, Move.CALLER_YIELDS): Holder.NOBODY,
    (Holder.CALLER, Move.AGENT_STARTS): Holder.BOTH,
    (Holder.AGENT, Move.CALLER_STARTS): Holder.BOTH,
    (Holder.AGENT, Move.AGENT_STOPS): Holder.NOBODY,
    (Holder.BOTH, Move.CALLER_STARTS): Holder.BOTH,  # goes on after a pause
    (Holder.BOTH, Move.CALLER_YIELDS): Holder.AGENT,
    (Holder.BOTH, Move.AGENT_STOPS): Holder.CALLER,
}


def next_holder(holder: Holder, move: Move) -> Holder:
    """The holder after a move.

    Raises:
        IllegalEvent: the table has no such row.
    """
    after = FLOOR.get((holder, move))
    if after is None:
        legal = ", ".join(str(m) for h, m in FLOOR if h is holder)
        raise IllegalEvent(f"floor: '{move}' cannot happen while {holder} holds it; legal now: {legal}")
    return after
