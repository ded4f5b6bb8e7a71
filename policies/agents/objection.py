"""Objection: answers concerns and questions about them, in proportion.

Whether a resolved concern may be argued again is the gate's matter; who moves the call on afterwards is `booking.py`.
"""

from __future__ import annotations

from ..core.proposals import Asks, Proposal, Purpose
from ..core.view import ViewConcern
from .base import Agent, View, heard, times, topic_of, unsettled, wordless


class Objection(Agent):
    """Lines, for every topic: `price` (the full answer), and where wanted `price.brief` (to somebody who has just
    interrupted), `price.again` (the second answer, or a reopened concern), `price.light` (it is softening). A topic
    without lines gets `other`. `escalate` is said when a concern was answered as often as the policy allows.
    """

    SECTION = "objection"

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if wordless(view, reason):
            return []
        open_concerns = unsettled(view)
        raised = heard(view, "concern", "denial", "question", "hesitation") or reason in ("interrupted", "silence")
        unanswered = any(not concern["answers"] for concern in open_concerns)  # it came in after the turn was over
        if open_concerns and (raised or unanswered or heard(view, "softening")):
            return [self._answer(view, open_concerns[0])]
        topic = topic_of(view, "question")
        if topic and self.has_line(topic):
            why = f"asked about {topic}"
            return [
                self.say(view, self._variant(view, topic, 0), Purpose.ANSWER, Asks.YES_NO, priority=0.7, reason=why)
            ]
        return []

    def _answer(self, view: View, concern: ViewConcern) -> Proposal:
        topic, due, answers = concern["topic"], concern["due"], concern["answers"]
        why = f"{topic} is {concern['standing']}, answered {answers} times"
        if due == "escalate":
            priority = 0.4 if times(view, "say:question:details") else 0.8
            return self.say(
                view, "escalate", Purpose.QUESTION, Asks.YES_NO, priority=priority, slot="details", reason=why
            )
        light = due == "light"
        line = self._first_of(f"{topic}.light", topic) if light else self._variant(view, topic, answers)
        priority = 0.6 if light else 0.8
        return self.say(view, line, Purpose.ANSWER, Asks.YES_NO, priority=priority, topic=topic, reason=why)

    def _variant(self, view: View, topic: str, answers: int) -> str:
        last = view["last_utterance"]
        if answers:
            return self._first_of(f"{topic}.again", f"{topic}.light", topic)
        if last is not None and last["cut"]:
            return self._first_of(f"{topic}.brief", topic)
        return self._first_of(topic)

    def _first_of(self, *keys: str) -> str:
        return next((key for key in keys if self.has_line(key)), "other")
