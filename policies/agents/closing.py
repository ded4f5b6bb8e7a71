"""Closing: ends the call as the caller wishes: at once when asked to stop, with a person when asked for one, with the
details in writing after a no, with a goodbye when all is said.
"""

from __future__ import annotations

from ..core.policy import AgentSpec
from ..core.proposals import Asks, Kind, Proposal, Purpose
from .base import (
    UNDO,
    Agent,
    View,
    ViewAct,
    agreed_now,
    answered_what,
    ever,
    heard,
    last_act,
    takes_back,
    times,
    told,
    undone,
    unsettled,
    wordless,
)


class Closing(Agent):
    """Lines: `stop`, `human`, `no_human`, `details` (offers them), `sending`, `sent`, `declined`, `booked`, `goodbye`.

    Options: `booking_tool` (default `book_meeting`), `details_tool` (default `send_details`, empty = none),
    `transfer_to` (a number for people who ask for a person; empty = a call back is promised).
    """

    SECTION = "closing"

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self._booking_tool = str(self.options.get("booking_tool", "book_meeting"))
        self._details_tool = str(self.options.get("details_tool", "send_details"))
        self._transfer_to = str(self.options.get("transfer_to", ""))

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if heard(view, "stop"):
            return [self.end(view, "stopped", "stop", priority=1.0, reason="asked not to be called again")]
        if heard(view, "human") and ever(view, "human", unless="wait"):  # "a person, please", and then "wait": not yet
            return [self._person(view)]
        if wordless(view, reason):
            return []
        booked, sent = last_act(view, self._booking_tool), last_act(view, self._details_tool)
        if sent is not None and not told(view, sent):
            return [self.end(view, "details_sent", "sent", priority=0.9, reason="the details are on their way")]
        undoing = undone(view, booked) if booked is not None else None
        if booked is not None and booked["ok"] and told(view, booked) and (undoing is None or not undoing["ok"]):
            return self._after_booking(view, booked)
        if heard(view, "goodbye") and not agreed_now(view):
            return [self.end(view, "goodbye", "goodbye", priority=0.95, reason="the caller says goodbye")]
        return self._after_refusal(view)

    def _person(self, view: View) -> Proposal:
        why = "asked for a person"
        if not self._transfer_to:
            return self.say(view, "no_human", Purpose.ANSWER, Asks.YES_NO, priority=0.95, slot="callback", reason=why)
        return self._proposal(
            view,
            Kind.TRANSFER,
            label="person",
            action=self._transfer_to,
            text=self.line("human", view),
            priority=0.95,
            reason=why,
        )

    def _after_booking(self, view: View, booked: ViewAct) -> list[Proposal]:
        if answered_what(view)[1] == UNDO:
            return []  # whether the booking stands is still being asked
        if takes_back(view, booked):
            return []  # `booking.py` asks whether it shall be undone
        if heard(view, "question", "concern") or (unsettled(view) and not heard(view, "goodbye")):
            return []
        why = "booked, and nothing else is wanted"
        return [self.end(view, "booked", "booked", priority=0.7, reason=why)]

    def _after_refusal(self, view: View) -> list[Proposal]:
        purpose, slot = answered_what(view)
        if slot == "details" and heard(view, "confirmation", "commitment", "interest") and self._details_tool:
            to = {"to": "the number of this call"}
            why = "the details were asked for"
            return [self.act(view, self._details_tool, to, line="sending", priority=0.85, reason=why)]
        if slot == "callback" and heard(view, "denial", "confirmation"):
            return [self.end(view, "callback", "goodbye", priority=0.85, reason="a colleague calls back")]
        if not heard(view, "denial") or heard(view, "commitment", "confirmation"):
            return []
        if slot == "details":
            return [self.end(view, "declined", "declined", priority=0.85, reason="declined twice")]
        if purpose in ("offer", "greeting") or slot == "meeting":
            if times(view, "say:question:details"):
                return [self.end(view, "declined", "declined", priority=0.75, reason="declined")]
            why = "declined for now"
            return [self.say(view, "details", Purpose.QUESTION, Asks.YES_NO, slot="details", priority=0.65, reason=why)]
        return []
