"""A call's runtime: its stages, as a table of legal moves, and what each stage means for the call's parts.

    early       it is assigned; what its parts say already waits
    live        the core leads it
    parting     it was taken over only to be said goodbye to; whoever could hear it is waited for
    goodbye     the goodbye is said without the core
    ending      its links are shut; what is still on its way (a tool's answer) is waited for
    leaving     the same, of a call that its core does not lead any more
    finished    its end is written; the journal's word is waited for
    over        nothing is left of it

What is done at a move is `runtime.py`'s matter, where the moves of a swap are `swap_lifecycle.py`'s. A live call is not
dropped for a bug: a move that its stage does not allow is refused and logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from offhook.policies.core.lifecycle import Lifecycle


class Stage(StrEnum):
    """Where a call stands in the process that owns it."""

    EARLY = "early"
    LIVE = "live"
    PARTING = "parting"
    GOODBYE = "goodbye"
    ENDING = "ending"
    LEAVING = "leaving"
    FINISHED = "finished"
    OVER = "over"


class Move(StrEnum):
    """What can happen to it."""

    BEGIN = "begin"  # its first event is folded, or the one that tells of its new owner
    PART = "part"  # nothing of it can be led any more
    GIVE_UP = "give up"  # the core fails at every turn, or somebody can hear the goodbye now
    END = "end"  # its line is closed, or the goodbye is over
    FINISH = "finish"  # nothing is waited for any more
    CLOSE = "close"  # the journal has its end, or has had its time


MOVES: Mapping[tuple[Stage, Move], Stage] = {
    (Stage.EARLY, Move.BEGIN): Stage.LIVE,
    (Stage.EARLY, Move.PART): Stage.PARTING,
    (Stage.LIVE, Move.GIVE_UP): Stage.GOODBYE,
    (Stage.LIVE, Move.END): Stage.ENDING,
    (Stage.PARTING, Move.GIVE_UP): Stage.GOODBYE,
    (Stage.GOODBYE, Move.END): Stage.LEAVING,
    (Stage.ENDING, Move.GIVE_UP): Stage.LEAVING,  # nobody is left to hear it: only the core is not asked any more
    (Stage.ENDING, Move.FINISH): Stage.FINISHED,
    (Stage.LEAVING, Move.FINISH): Stage.FINISHED,
    (Stage.FINISHED, Move.CLOSE): Stage.OVER,
}

FOLDED = frozenset({Stage.LIVE, Stage.ENDING})  # events are folded by the core
UNFOLDED = frozenset({Stage.GOODBYE, Stage.LEAVING})  # events are written down, and only the goodbye goes by them
CORELESS = frozenset({Stage.PARTING, Stage.GOODBYE, Stage.LEAVING})  # only a goodbye is left, or was
ENDED = frozenset({Stage.ENDING, Stage.LEAVING, Stage.FINISHED, Stage.OVER})  # nobody is let in any more

CallLifecycle = Lifecycle[Stage, Move]


def of_call(call: str) -> CallLifecycle:
    """A call's that was just assigned."""
    return Lifecycle(f"call {call}", MOVES, Stage.EARLY)
