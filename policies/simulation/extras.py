"""Agents that only simulated calls have: a reader of answers, one that keeps time, one that answers in parts, and some
that may not be trusted.

Whatever an agent proposes, the gate must hold: these propose what no sensible agent would, with every right that an
agent has. What a sensible one does is the stock's matter (`policies/agents`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..agents import Agent
from ..agents.base import View, ViewAct, heard, slot_value
from ..core.policy import AgentSpec
from ..core.proposals import Asks, Kind, Polarity, Proposal, Purpose, Reading
from ..gate.case import share_of

LATE_MS = 1_500  # longer than any policy waits for a reader
_KINDS = ("yes", "yes", "yes", "contrary", "late", "never")


class Reader(Agent):
    """Reads the caller's answers, as option `kind` says: "yes" to all, the "contrary", "late", or "never" at all."""

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self._kind = str(self.options.get("kind", "yes"))
        self.late_ms = LATE_MS if self._kind == "late" else 0

    def propose(self, view: View, reason: str) -> list[Proposal]:  # noqa: ARG002
        return []

    def read(self, view: View) -> Reading | None:
        """A word on the answer of this turn, if there is one."""
        answer = view["answer"]
        if answer is None or answer["turn"] != view["turn"] or self._kind == "never":
            return None
        return Reading(Polarity.UNCLEAR if self._kind == "contrary" else Polarity.YES, self._kind)


class Timekeeper(Agent):
    """Keeps the line for a caller who asks to wait, and says something when the time is over."""

    LINES: ClassVar[Mapping[str, str]] = {"back": "I am still here. Shall we go on?"}

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if reason == "hold":
            return [self.say(view, "back", Purpose.QUESTION, Asks.YES_NO, priority=0.5, reason="the time is over")]
        if not heard(view, "wait"):
            return []
        after = (("after_ms", str(self.options.get("hold_ms", 3_000))),)
        why = "asked to wait"
        return [
            self._proposal(view, Kind.TIMER, label="hold", action="hold", arguments=after, priority=1.0, reason=why)
        ]


class Hasty(Agent):
    """Books whatever it has heard, at every occasion, and would transfer the call, hand it over or drop it at times."""

    LINES: ClassVar[Mapping[str, str]] = {"booking": "I am booking that.", "over": "I will connect you."}

    def propose(self, view: View, reason: str) -> list[Proposal]:  # noqa: ARG002
        value = slot_value(view, "time") or "monday at 9"
        line = "booking" if _draw(view, "line") < 0.5 else ""
        found = [self.act(view, "book_meeting", {"time": value}, line=line, priority=1.0, reason="why wait")]
        found += self._more(view, _draw(view, "more"))
        return found

    def _more(self, view: View, draw: float) -> list[Proposal]:
        if draw < 0.1:
            to = {"to": str(view["revision"])}
            return [self.act(view, "send_details", to, priority=0.9, reason="why not")]
        if draw < 0.13:
            over = self.line("over", view)
            return [self._proposal(view, Kind.TRANSFER, label="over", action="+15550199", text=over, priority=0.9)]
        if draw < 0.16:
            to_whom = "closing" if draw < 0.14 else "nobody"
            return [self._proposal(view, Kind.HANDOFF, label="hand", action=to_whom, priority=0.8)]
        if draw < 0.5:
            when = (("after_ms", "60000"),)
            name = f"later-{view['revision']}"
            return [self._proposal(view, Kind.TIMER, label=name, action=name, arguments=when, priority=0.7)]
        return []


class Insistent(Agent):
    """Argues every concern that was ever raised, settled or not, as often as it is let."""

    LINES: ClassVar[Mapping[str, str]] = {"argue": "Let me tell you once more why that is no problem."}

    def propose(self, view: View, reason: str) -> list[Proposal]:  # noqa: ARG002
        found = []
        for number, concern in enumerate(view["concerns"]):
            topic, why = concern["topic"], "it can never be said too often"
            priority = 0.9 - 0.01 * number
            found.append(self.say(view, "argue", Purpose.ANSWER, priority=priority, topic=topic, reason=why))
        return found


class Boaster(Agent):
    """Tells of acts what did not come of them."""

    LINES: ClassVar[Mapping[str, str]] = {
        "booked": "You are booked for {time}. Is there anything else?",
        "failed": "I could not book {time} just now. Shall I try once more?",
        "withdrawn": "All right, I have not booked {time}.",
    }

    def propose(self, view: View, reason: str) -> list[Proposal]:  # noqa: ARG002
        act = next((act for act in reversed(view["acts"]) if act["action"] == "book_meeting"), None)
        if act is None:
            return []
        claim = ("booked", "failed", "withdrawn")[int(_draw(view, "claim") * 3)]
        return [self._claim(view, act, claim)]

    def _claim(self, view: View, act: ViewAct, claim: str) -> Proposal:
        other = act.copy()
        if _draw(view, "time") < 0.5:
            other["arguments"] = {"time": "friday at 5"}
        text, terms = self._filled(claim, view, other)
        outcome = {"booked": "done"}.get(claim, claim)
        return self._proposal(
            view,
            Kind.SAY,
            label=claim,
            text=text,
            terms=terms,
            about=f"{act['grant']}:{outcome}",
            asks=Asks.NOTHING if claim == "withdrawn" else Asks.YES_NO,
            priority=0.99,
            reason="whatever came of it",
        )


class Piecemeal(Agent):
    """Answers in parts: two sentences or three, at times with a note in between or a question that comes first."""

    one_by_one = True
    LINES: ClassVar[Mapping[str, str]] = {
        "look": "Let me have a look at that.",
        "hours": "We are here from eight to six.",
        "price": "It costs {price: nine dollars a month}.",
        "more": "What else would you like to know?",
    }

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if reason not in ("turn_ended", "interrupted", "silence") or _draw(view, "speaks") < 0.4:
            return []
        draw, priority = _draw(view, "order"), 0.3 + 0.6 * _draw(view, "priority")
        lines = ["look", "hours", "more"] if draw < 0.5 else ["price", "more"] if draw < 0.8 else ["more", "hours"]
        found = [self._line(view, line, priority) for line in lines]
        if _draw(view, "note") < 0.3:
            to = {"to": str(view["revision"])}
            found.insert(1, self.act(view, "send_details", to, priority=priority, reason="while it speaks"))
        return found

    def _line(self, view: View, line: str, priority: float) -> Proposal:
        if line == "more":
            return self.say(view, line, Purpose.QUESTION, Asks.OPEN, priority=priority, reason="the last part")
        return self.say(view, line, Purpose.ANSWER, priority=priority, reason="a part")


def _draw(view: View, what: str) -> float:
    """From 0 to 1, the same for the same moment of the same call: agents keep nothing, and have no dice."""
    return share_of(f"{view['call']}:{view['revision']}", what)


def specs(draw: float, kind: float) -> dict[str, AgentSpec]:
    """The extra agents of one call, by a draw from 0 to 1 each; most calls have none."""
    found = {}
    module = "offhook.policies.simulation.extras"
    if draw < 0.3:
        options: dict[str, str | int | float | bool] = {"kind": _KINDS[int(kind * len(_KINDS))]}
        found["reader"] = AgentSpec(code=f"{module}:Reader", options=options)
    if 0.2 <= draw < 0.4:
        found["timekeeper"] = AgentSpec(code=f"{module}:Timekeeper", options={"hold_ms": 2_000 + int(kind * 6_000)})
    if 0.35 <= draw < 0.5:
        found["hasty"] = AgentSpec(code=f"{module}:Hasty")
    if 0.6 <= draw < 0.7:
        found["insistent"] = AgentSpec(code=f"{module}:Insistent")
    if 0.65 <= draw < 0.85:
        found["piecemeal"] = AgentSpec(code=f"{module}:Piecemeal")
    if 0.45 <= draw < 0.6:
        found["boaster"] = AgentSpec(code=f"{module}:Boaster")
    return found
