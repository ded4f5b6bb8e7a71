"""The floor's table: every legal move, and that everything else is refused."""

from __future__ import annotations

import pytest
from offhook.policies.core.errors import IllegalEvent
from offhook.policies.core.state import Holder
from offhook.policies.speech.floor import FLOOR, Move, next_holder


@pytest.mark.parametrize(("holder", "move"), [(h, m) for h in Holder for m in Move])
def test_every_pair_is_a_row_or_refused(holder: Holder, move: Move) -> None:
    if (holder, move) in FLOOR:
        assert next_holder(holder, move) is FLOOR[holder, move]
    else:
        with pytest.raises(IllegalEvent, match=f"'{move}' cannot happen while {holder}"):
            next_holder(holder, move)


def test_nobody_keeps_the_floor_after_stopping() -> None:
    for (holder, move), after in FLOOR.items():
        if move is Move.AGENT_STOPS:
            assert holder in (Holder.AGENT, Holder.BOTH) and after in (Holder.NOBODY, Holder.CALLER)
        if move is Move.CALLER_YIELDS:
            assert holder in (Holder.CALLER, Holder.BOTH) and after in (Holder.NOBODY, Holder.AGENT)
