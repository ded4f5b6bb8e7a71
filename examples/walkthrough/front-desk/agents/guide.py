"""The front desk's only agent: greets, offers to call back, asks when, reads it back, books, says what came of it.

It keeps nothing between two calls of `propose`: all that it knows is in the view. Whether what it wants happens is the
gate's to say (`gate.actions` in the policy), so it need not check what the policy asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.agents.base import Agent, ever, last_act, slot_value, times, told, unclear
from offhook.policies.core.proposals import Asks, Proposal, Purpose

TOOL = "book_callback"


class Guide(Agent):
    topics = ()  # it acts when it is asked, and listens to nothing else

    def propose(self, view: Mapping[str, Any], reason: str) -> list[Proposal]:
        act = last_act(view, TOOL)
        if act is not None and act["ok"]:
            return [self.end(view, "callback", "booked", priority=0.9, reason="the call back is booked", act=act)]
        if act is not None and not told(view, act):
            line = "withdrawn" if act["withdrawn"] else "failed"
            return [self.say(view, line, Purpose.ANSWER, Asks.YES_NO, priority=0.9, act=act)]
        if ever(view, "goodbye"):
            return [self.end(view, "goodbye", "goodbye", priority=0.9, reason="the caller says goodbye")]
        if reason == "answered":
            return [self.say(view, "greeting", Purpose.GREETING, Asks.OPEN, priority=0.9)]
        time = view["slots"].get("time")
        if time is not None and time["confirmed"]:
            arguments = {"time": slot_value(view, "time")}
            why = "a time is agreed on"
            return [self.act(view, TOOL, arguments, line="booking", priority=0.8, reason=why)]
        if time is not None:
            line = "read_back_again" if unclear(view, "time") else "read_back"
            return [self.say(view, line, Purpose.CONFIRMATION, Asks.YES_NO, priority=0.7, slot="time", consents=TOOL)]
        if times(view, "say:offer") and ever(view, "confirmation", unless="denial"):
            return [self.say(view, "ask_time", Purpose.QUESTION, Asks.TIME, priority=0.6, slot="time")]
        return [self.say(view, "offer", Purpose.OFFER, Asks.YES_NO, priority=0.5)]
