"""Booking: finds a time, reads it back, and has it booked. It proposes as soon as there is something to book; whether
the caller has really agreed is for the gate to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..policy import AgentSpec
from ..proposals import Asks, Proposal, Purpose
from .base import Agent, View, answered_what, ever, heard, last_act, slot_value, times, told, unsettled, wordless

TIME = "time"  # the slot


class Booking(Agent):
    """Lines: `invite` (shall we meet?), `ask_time`, `read_back`, `shall_i`, `booking` (said while the tool works),
    `booked`, `failed`. Option `tool`: the tool that books, default `book_meeting`.
    """

    LINES: ClassVar[Mapping[str, str]] = {
        "invite": "Shall we find a time for a short call to get you started?",
        "ask_time": "What day and time would suit you?",
        "ask_time_again": "Sorry, which day and time shall it be?",
        "read_back": "That is {time}, right?",
        "shall_i": "Shall I book {time} for you?",
        "booking": "Good, one moment, I am booking that.",
        "booked": "You are booked for {time}. Is there anything else?",
        "failed": "I could not book that just now. Shall I try once more?",
    }

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self._tool = str(self.options.get("tool", "book_meeting"))

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if wordless(view, reason) or self._tool in view["under_way"]:
            return []
        done = last_act(view, self._tool)
        if done is not None and not told(view, done):
            line = "booked" if done["ok"] else "failed"
            return [self.say(view, line, Purpose.ANSWER, Asks.YES_NO, priority=0.9, reason=f"the tool: {line}")]
        if done is not None and done["ok"] and dict(done["arguments"]).get(TIME) == slot_value(view, TIME):
            return []
        if slot_value(view, TIME):
            return self._with_time(view)
        return self._without_time(view)

    def _with_time(self, view: View) -> list[Proposal]:
        confirmed = view["slots"][TIME]["confirmed"]
        wanted = []
        committed = heard(view, "commitment") or (
            heard(view, "detail", "confirmation") and ever(view, "commitment", unless="denial")
        )
        if confirmed or committed:
            why = "a time was agreed" if confirmed else "a time was named and the caller has committed"
            time = {TIME: slot_value(view, TIME)}
            wanted.append(self.act(view, self._tool, time, line="booking", priority=0.9, reason=why))
        if not unsettled(view):
            line = "shall_i" if confirmed else "read_back"
            why = "ask before it is booked" if confirmed else "the time is not confirmed yet"
            wanted.append(self.say(view, line, Purpose.CONFIRMATION, Asks.YES_NO, priority=0.6, slot=TIME, reason=why))
        return wanted

    def _without_time(self, view: View) -> list[Proposal]:
        asked_for_time = times(view, f"say:question:{TIME}") > 0
        if asked_for_time and answered_what(view) == ("confirmation", TIME) and heard(view, "denial"):
            return [self._ask(view, "ask_time_again", "the time that was read back is wrong")]
        offered = times(view, "say:offer") > 0
        if unsettled(view) or (heard(view, "denial") and not heard(view, "commitment")):
            return []
        asked_to_meet = answered_what(view) in (("offer", ""), ("question", "meeting"))
        agreed = ever(view, "commitment", unless="denial") or (
            asked_to_meet and heard(view, "confirmation", "interest")
        )
        if agreed or asked_for_time:
            line = "ask_time_again" if asked_for_time and answered_what(view) == ("question", TIME) else "ask_time"
            return [self._ask(view, line, "the caller agreed, no time is known")]
        if offered and not heard(view, "question", "hesitation") and times(view, "say:question:meeting") < 2:
            why = "the offer stands and nothing speaks against it"
            return [self.say(view, "invite", Purpose.QUESTION, Asks.YES_NO, slot="meeting", priority=0.5, reason=why)]
        return []

    def _ask(self, view: View, line: str, why: str) -> Proposal:
        return self.say(view, line, Purpose.QUESTION, Asks.TIME, slot=TIME, priority=0.7, reason=why)
