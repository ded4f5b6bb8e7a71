"""Hanging up: the command, and the watch over the carrier that is to carry it out. Why a call ends, others decide."""

from __future__ import annotations

from ..core.commands import HangUp
from ..core.draft import Draft

CLOSING = "limits.closing"  # limits' timer
_CLOSING_MS = 5_000  # a carrier that has not closed the line by then is asked again


def hang_up(draft: Draft) -> None:
    """End the call on the wire, with its outcome."""
    draft.command(HangUp(draft.state.outcome))
    draft.arm(CLOSING, draft.state.now_ms + _CLOSING_MS)
