"""Whole calls of the stock sales policy, up to the moment at which an irreversible booking can be agreed to."""

from __future__ import annotations

from dialogue import Dialogue

TO_THE_OFFER = ("Yes, sure.", "We are three people.", "About five a week.")


def at_the_read_back(call: Dialogue | None = None) -> Dialogue:
    """A call in which the time has just been read back and heard."""
    call = (call or Dialogue()).begins()
    call.settles()
    for words in (*TO_THE_OFFER, "Yes, let's do it.", "Tuesday at ten."):
        call.caller_says(words)
    assert call.said[-1] == "So that is tuesday at 10. Is that right?"
    return call


def booked(call: Dialogue) -> list[str]:
    return [dict(order.arguments)["time"] for order in call.performed if order.action == "book_meeting"]
