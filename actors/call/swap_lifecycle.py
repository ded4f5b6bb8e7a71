"""A swap of one live call's policy: its stages, as a table of legal moves.

    settled     one version leads the call, and nobody else is about to
    offered     the doors are open to another version's agents, who are asked once, in rehearsal
    rehearsed   all of them have answered: it may lead at the next safe point
    on trial    it leads, and the former version may still come back
    failed      it leads, and goes at the next moment between two events

What is done at a move is `swap.py`'s matter, and `offer.py`'s until the version leads.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from offhook.policies.core.lifecycle import Lifecycle


class SwapStage(StrEnum):
    """Where the swap of a call stands."""

    SETTLED = "settled"
    OFFERED = "offered"
    REHEARSED = "rehearsed"
    ON_TRIAL = "on trial"
    FAILED = "failed"


class SwapMove(StrEnum):
    """What can happen to it."""

    OFFER = "offer"
    JOIN = "join"  # an agent of the offered version has come, for the first time or again
    REHEARSE = "rehearse"  # the last of its agents has answered
    REFUSE = "refuse"  # it cannot lead this call, or no moment for it came
    LEAD = "lead"
    FAIL = "fail"  # an agent of it, or the core under it
    UNDO = "undo"
    PROVE = "prove"  # its trial is over
    CLOSE = "close"  # the call has ended


SWAP_MOVES: Mapping[tuple[SwapStage, SwapMove], SwapStage] = {
    (SwapStage.SETTLED, SwapMove.OFFER): SwapStage.OFFERED,
    (SwapStage.OFFERED, SwapMove.JOIN): SwapStage.OFFERED,
    (SwapStage.OFFERED, SwapMove.REHEARSE): SwapStage.REHEARSED,
    (SwapStage.OFFERED, SwapMove.REFUSE): SwapStage.SETTLED,
    (SwapStage.REHEARSED, SwapMove.JOIN): SwapStage.OFFERED,  # it was started anew, and has to show it anew
    (SwapStage.REHEARSED, SwapMove.REFUSE): SwapStage.SETTLED,
    (SwapStage.REHEARSED, SwapMove.LEAD): SwapStage.ON_TRIAL,
    (SwapStage.ON_TRIAL, SwapMove.FAIL): SwapStage.FAILED,
    (SwapStage.ON_TRIAL, SwapMove.PROVE): SwapStage.SETTLED,
    (SwapStage.ON_TRIAL, SwapMove.CLOSE): SwapStage.SETTLED,
    (SwapStage.FAILED, SwapMove.UNDO): SwapStage.SETTLED,
    (SwapStage.FAILED, SwapMove.CLOSE): SwapStage.SETTLED,
}

SwapLifecycle = Lifecycle[SwapStage, SwapMove]


def of_swap(call: str) -> SwapLifecycle:
    """That of a call whose policy nobody swaps."""
    return Lifecycle(f"the swap of call {call}", SWAP_MOVES, SwapStage.SETTLED)
