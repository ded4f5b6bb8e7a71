"""Qualification: greets, finds out whether this is for the caller, and makes the offer.

What then stands in the way is `objection.py`'s matter, the meeting `booking.py`'s.
"""

from __future__ import annotations

from ..core.policy import AgentSpec
from ..core.proposals import Asks, Proposal, Purpose
from .base import Agent, View, answered_what, heard, times, unsettled, wordless


class Qualification(Agent):
    """Lines: `greeting`, `about`, `ask_<name>` for every name in option `questions` (comma-separated), `offer`,
    `resume` (said before going on after an interruption that had no words).
    """

    SECTION = "qualification"

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self._questions = [part.strip() for part in str(self.options.get("questions", "")).split(",") if part.strip()]

    def propose(self, view: View, reason: str) -> list[Proposal]:
        last = view["last_utterance"]
        unheard = last is None or reason == "answered" or (last["purpose"] == "greeting" and not last["told"])
        if not times(view, "say:greeting") and unheard:
            why = "nobody has spoken yet" if last is None else "the greeting was not heard"
            return [self.say(view, "greeting", Purpose.GREETING, Asks.YES_NO, priority=0.9, reason=why)]
        if wordless(view, reason):
            why = "interrupted without words"
            return [self.say(view, "resume", Purpose.REPAIR, Asks.OPEN, priority=0.3, reason=why)]
        if heard(view, "question") and not times(view, "say:offer") and answered_what(view)[0] == "greeting":
            why = "asked what this is about"
            return [self.say(view, "about", Purpose.ANSWER, Asks.YES_NO, priority=0.6, reason=why)]
        declined = heard(view, "denial") and answered_what(view)[0] == "greeting"
        if declined or unsettled(view) or times(view, "say:offer"):
            return []
        return [self._question(view) or self._offer(view)]

    def _question(self, view: View) -> Proposal | None:
        if heard(view, "commitment") or view["ready"]:
            return None  # whoever wants to buy is not asked twenty questions
        name = next((name for name in self._questions if not times(view, f"say:question:{name}")), "")
        if not name:
            return None
        return self.say(view, f"ask_{name}", Purpose.QUESTION, Asks.OPEN, slot=name, reason=f"{name} is not known yet")

    def _offer(self, view: View) -> Proposal:
        why = "qualified: all questions were asked" if not view["ready"] else "the caller is ready"
        return self.say(view, "offer", Purpose.OFFER, Asks.YES_NO, priority=0.55, reason=why)
