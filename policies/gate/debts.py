"""Debts: how what the caller is owed (`evidence/owed.py`) is paid, or written off.

A debt is paid by a round (or, for a sentence, by saying it again) once the floor is free, the oldest first, and in any
case within `gate.owed_ms` of a free floor. One that is not paid is written off by a verdict with its reason.
"""

from __future__ import annotations

from ..core.commands import RoundReason
from ..core.dialogue import Debt
from ..core.draft import Draft
from ..core.events import SpeechEnded, TimerFired
from ..core.parts import replace
from ..core.proposals import CORE, Kind, Moment, Proposal, Purpose, RuleResult
from ..core.state import Act, CallState, Line, Playing
from ..core.topics import Topic
from ..evidence import owed
from . import arbitration, gate

TRIES_MAX = 3  # rounds for one debt: after these nobody has anything to say of it
SETTLE_MS = 400  # from the end of a sound without words: then a fact that is owed may be told, come words or not
_FACTS = frozenset({"result", "timer", "unapproved"})  # words that are still on their way overturn none of these


def settle_up(draft: Draft) -> None:
    """The floor is free: pay the oldest debt, one at a time."""
    state = draft.state
    due = [debt for debt in state.debts if debt.kind in _PAY]
    debt = min(due, key=lambda each: each.kind != "sentence", default=None)  # what was cut off may tell the rest
    if debt is None or not _may_pay(state):
        return
    if debt.tries >= TRIES_MAX:
        write_off(draft, debt, f"{TRIES_MAX} rounds, and nobody had anything to say of it")
        settle_up(draft)
        return
    _put(draft, debt, replace(debt, tries=debt.tries + 1))
    draft.arm(owed.TIMER, state.now_ms + draft.policy.gate.owed_ms)
    _PAY[debt.kind](draft, debt)


def round_over(draft: Draft, debt_of: str, acted: bool) -> None:
    """A round that was opened for a debt is over."""
    kind, _, what = debt_of.partition(":")
    debt = next((debt for debt in draft.state.debts if debt.kind == kind and debt.what == what), None)
    if debt is None:
        return
    if kind in ("timer", "reply"):
        owed.paid(draft, kind, what)  # they are owed a round, and had it
    elif acted and draft.state.speech.current is not None:
        _put(draft, debt, replace(debt, by=draft.state.speech.current.id))
    elif not acted and not _say_ourselves(draft, debt):
        write_off(draft, debt, "nobody had anything to say of it")


def _put(draft: Draft, debt: Debt, changed: Debt) -> None:
    draft.state.debts = tuple(changed if each is debt else each for each in draft.state.debts)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A sound is over: facts that are owed need not wait for words that it may not even have had."""
    if any(debt.kind in _FACTS for debt in draft.state.debts):
        draft.arm(owed.TIMER, max(draft.state.now_ms, event.ended_ms + SETTLE_MS))


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """A sound has settled; or a debt's time is over."""
    state = draft.state
    if not state.debts or state.line is not Line.OPEN:
        return
    oldest = state.debts[0]
    if oldest.tries and _may_pay(state) and state.now_ms - oldest.since_ms >= draft.policy.gate.owed_ms:
        write_off(draft, oldest, f"not told within {draft.policy.gate.owed_ms} ms")
    if not state.hearing.speaking and state.overlap is None and not state.hearing.words:
        arbitration.yield_to_facts(draft)
    settle_up(draft)
    if state.debts and owed.TIMER not in draft.timers:
        draft.arm(owed.TIMER, state.now_ms + draft.policy.gate.owed_ms)


def write_off(draft: Draft, debt: Debt, why: str) -> None:
    """It will not be paid: say so, by a verdict."""
    state = draft.state
    state.debts = tuple(each for each in state.debts if each is not debt)
    owed_ms = draft.policy.gate.owed_ms
    name = f"owed:{debt.kind}:{debt.what}"
    text = Proposal(name, CORE, Kind.SAY, state.turn, state.revision, purpose=Purpose.ANSWER, reason=debt.kind)
    gate.refuse(
        draft,
        text,
        Moment.OWED,
        RuleResult("owed", f"to be told within {owed_ms} ms of a free floor", f"untold: {why}", False),
    )
    draft.publish(Topic.DEBT, what="written off", kind=debt.kind, of=debt.what, why=why)


def write_off_excess(draft: Draft) -> None:
    """More is owed than is kept."""
    for debt in draft.state.debts[: -owed.DEBTS_MAX]:
        write_off(draft, debt, f"{owed.DEBTS_MAX} others are owed")


def write_off_all(draft: Draft, why: str) -> None:
    """The call is over."""
    for debt in draft.state.debts:
        write_off(draft, debt, why)
    draft.disarm(owed.TIMER)


# --- ways to pay ----------------------------------------------------------------------------------------------------


def _may_pay(state: CallState) -> bool:
    return (
        state.line is Line.OPEN
        and not state.outcome
        and state.round is None
        and state.speech.current is None
        and state.overlap is None
        and not state.authority.suspended_since_ms
        and not (state.answering.armed and not state.answering.decided)
        and arbitration.caller_is_done(state)
    )


def _by_round(draft: Draft, debt: Debt, reason: str) -> None:
    arbitration.open_round(draft, reason, f"{debt.kind}:{debt.what}")


def _result(draft: Draft, debt: Debt) -> None:
    """What came of an act, by those who wanted it; that nobody took the caller over, the core says itself, first."""
    act = _act(draft, debt)
    if act is None or act.action != Kind.TRANSFER or act.ok or act.withdrawn or not _say_ourselves(draft, debt):
        _by_round(draft, debt, RoundReason.ACTION_FINISHED)


def _act(draft: Draft, debt: Debt) -> Act | None:
    return next((act for act in draft.state.authority.acts if act.grant == debt.what), None)


def _sentence(draft: Draft, debt: Debt) -> None:
    """Say again what noise cut off, judged anew."""
    last = draft.state.speech.last
    owed.paid(draft, debt.kind, debt.what)  # it is said now, or its own verdict says why not
    if last is None or last.id != debt.what or last.playing is not Playing.CUT or last.told:
        return
    state = draft.state
    arbitration.offer(
        draft,
        Proposal(
            id=f"owed:{last.id}:{state.revision}",
            agent=last.agent,
            kind=Kind.SAY,
            turn=state.turn,
            basis=state.revision,
            text=last.text,
            purpose=last.purpose,
            asks=last.asks,
            topic=last.topic,
            slot=last.slot,
            action=last.action,
            about=last.about,
            terms=tuple((term.name, term.value) for term in last.terms),
            interruptible=last.interruptible,
            priority=0.9,
            reason="cut off by noise",
        ),
    )


# A key is not here: its entry may go on, so it ends a turn like any other (`endpointing.playback_ended`).
_PAY = {
    "result": lambda draft, debt: _result(draft, debt),
    "timer": lambda draft, debt: _by_round(draft, debt, debt.what),
    "reply": lambda draft, debt: _by_round(draft, debt, RoundReason.TURN_ENDED),
    "unapproved": lambda draft, debt: _by_round(draft, debt, RoundReason.UNAPPROVED),
    "sentence": _sentence,
}


# --- where no agent speaks ------------------------------------------------------------------------------------------


def _say_ourselves(draft: Draft, debt: Debt) -> bool:
    """The core's own line, for what nobody may leave unsaid; True where it is said or waits."""
    if debt.kind == "unapproved":
        return _offer(draft, debt, draft.policy.gate.lines.get(owed.UNAPPROVED, ""), "")
    act = next((act for act in draft.state.authority.acts if act.grant == debt.what), None)
    if act is None:
        return False
    needs = draft.policy.gate.actions.get(act.action)
    said = "withdrawn" if act.withdrawn else "regretted" if act.regretted else "done" if act.ok else "failed"
    if act.action == Kind.TRANSFER and said == "failed":
        return _offer(draft, debt, draft.policy.limits.unanswered_line, said)
    if said in ("done", "failed") and not (needs is not None and needs.irreversible):
        return False  # a note in a CRM is nobody's business on the line
    line = draft.policy.gate.lines.get(said, "")
    return _offer(draft, debt, line.replace("{act}", _called(act, needs.called if needs is not None else "")), said)


def _called(act: Act, called: str) -> str:
    words = called or ("the transfer" if act.action == Kind.TRANSFER else act.action.replace("_", " "))
    for name, value in act.arguments:
        words = words.replace("{" + name + "}", value)
    return words


def _offer(draft: Draft, debt: Debt, text: str, said: str) -> bool:
    if not text:
        return False
    state = draft.state
    before, own = state.counters[0], f"owed:{debt.kind}:{debt.what}"
    arbitration.offer(
        draft,
        Proposal(
            id=own,
            agent=CORE,
            kind=Kind.SAY,
            turn=state.turn,
            basis=state.revision,
            text=text,
            purpose=Purpose.ANSWER,
            priority=0.9,
            about=f"{debt.what}:{said}" if said else "",
            reason=f"{debt.kind}: no agent says anything of it",
        ),
    )
    return state.counters[0] > before or any(waiting.id == own for waiting in state.authority.waiting)
