"""Booking: finds a time, reads it back, and has it booked. It proposes as soon as there is something to book; whether
the caller has really agreed is for the gate to say. What it says of a booking is the booking's own time and outcome.
"""

from __future__ import annotations

from ..core.policy import AgentSpec
from ..core.proposals import Asks, Polarity, Proposal, Purpose
from ..language.port import registry
from .base import (
    UNDO,
    Agent,
    View,
    ViewAct,
    answered_what,
    ever,
    heard,
    last_act,
    slot_value,
    takes_back,
    times,
    told,
    unclear,
    undone,
    unsettled,
    wordless,
)

TIME = "time"  # the slot


class Booking(Agent):
    """Lines: `invite` (shall we meet?), `ask_time`, `read_back`, `read_back_again` (the answer was no clear yes),
    `shall_i`, `booking` (said before the tool works), `booked`, `failed`, `withdrawn` (taken back in time), `too_late`
    (booked before it could be taken back: shall it be undone?), `undoing`, `undone`, `not_undone`, `kept`. Option
    `tool`: the tool that books, default `book_meeting`; what undoes it is the policy's (`gate.actions.TOOL.undo`).
    """

    SECTION = "booking"

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self._tool = str(self.options.get("tool", "book_meeting"))

    def propose(self, view: View, reason: str) -> list[Proposal]:
        if wordless(view, reason) or self._busy(view) or self._tool in view["refused"]:
            return []
        done = last_act(view, self._tool)
        if done is not None:
            after = self._after(view, done)
            if after is not None:
                return after
        if slot_value(view, TIME):
            return self._with_time(view)
        return self._without_time(view)

    def _busy(self, view: View) -> bool:
        waiting = [kept["action"] for kept in (*view["waiting"], *view["approvals"])]
        return self._tool in (*view["under_way"], *waiting)

    # --- a booking is over ------------------------------------------------------------------------------------------

    def _after(self, view: View, done: ViewAct) -> list[Proposal] | None:
        """What follows a booking that was made, failed or taken back; None = go on as if there were none."""
        undoing = undone(view, done)
        if undoing is not None:
            if told(view, undoing):
                return None if undoing["ok"] and heard(view, "detail", "commitment") else []
            line = "undone" if undoing["ok"] else "not_undone"
            return [self._tell(view, line, undoing, Asks.NOTHING)]
        if not told(view, done):
            if done["withdrawn"]:
                another = slot_value(view, TIME) not in ("", done["arguments"].get(TIME, ""))
                # Whoever named another time hears that one read back, and so that the old one is not booked.
                return None if another else [self._tell(view, "withdrawn", done, Asks.NOTHING)]
            if done["regretted"] and done["undo"]:
                return [self._ask_to_undo(view, done)]
            if not done["ok"]:
                return [self._ask_to_retry(view, done)]
            if takes_back(view, done):
                return [self._ask_to_undo(view, done)]
            return [self._tell(view, "booked", done, Asks.YES_NO)]
        if not done["ok"]:
            return None
        if answered_what(view) == ("question", UNDO):
            return self._undo(view, done)
        same = done["arguments"].get(TIME) == slot_value(view, TIME)
        interrupted = heard(view, "denial", "wait") and answered_what(view)[0] == "answer" and not _declines_more(view)
        if done["undo"] and not heard(view, "goodbye") and (interrupted or takes_back(view, done)):
            return [self._ask_to_undo(view, done)]
        return [] if same or not slot_value(view, TIME) else None

    def _tell(self, view: View, line: str, act: ViewAct, asks: Asks) -> Proposal:
        return self.say(view, line, Purpose.ANSWER, asks, priority=0.9, reason=f"the tool: {line}", act=act)

    def _ask_to_retry(self, view: View, done: ViewAct) -> Proposal:
        why = "the tool: failed"
        return self.say(
            view, "failed", Purpose.CONFIRMATION, Asks.YES_NO, priority=0.9, slot=TIME, reason=why, act=done
        )

    def _ask_to_undo(self, view: View, done: ViewAct) -> Proposal:
        why = "taken back after it was booked"
        return self.say(view, "too_late", Purpose.QUESTION, Asks.YES_NO, priority=0.95, slot=UNDO, reason=why, act=done)

    def _undo(self, view: View, done: ViewAct) -> list[Proposal]:
        says = registry.named(str(view["language"])).undoing(str(view["pii_words"]))
        keeps = says is Polarity.NO
        agrees = heard(view, "confirmation", "commitment")
        if agrees and keeps:
            return [self._ask_to_undo(view, done)]  # "yes, don't cancel it"
        if agrees or says is Polarity.YES:
            why = "the caller wants it cancelled"
            return [self.act(view, done["undo"], done["arguments"], line="undoing", priority=0.9, reason=why)]
        if keeps or heard(view, "denial"):
            return [self._tell(view, "kept", done, Asks.NOTHING)]
        return [self._ask_to_undo(view, done)]

    # --- on the way to one ------------------------------------------------------------------------------------------

    def _with_time(self, view: View) -> list[Proposal]:
        slot, answer = view["slots"][TIME], view["answer"]
        wanted = []
        committed = heard(view, "commitment") or (
            heard(view, "detail", "confirmation") and ever(view, "commitment", unless="denial")
        )
        if slot["agreed"] or slot["confirmed"] or committed:
            why = "a time was agreed" if slot["agreed"] else "a time was named and the caller has committed"
            time = {TIME: slot_value(view, TIME)}
            wanted.append(self.act(view, self._tool, time, line="booking", priority=0.9, reason=why))
        if not unsettled(view):
            line, why = "read_back", "the time is not confirmed yet"
            if answer is not None and unclear(view, TIME):
                line, why = "read_back_again", f"the answer was no clear yes: {answer['why']}"
            elif slot["agreed"]:
                line, why = "shall_i", "ask before it is booked"
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


def _declines_more(view: View) -> bool:
    """ "No" to "is there anything else?" takes no booking back."""
    last = view["last_utterance"]
    return last is not None and last["asks"] == "yes_no" and not heard(view, "wait")
