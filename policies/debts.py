"""Debts: what the caller is owed and could not be given when it was due, because somebody coughed, or spoke.

    result      what came of an act, or that it was taken back
    timer       a round that an agent asked for and whose time has come
    key         an answer to a key that was pressed over words that play on
    reply       an answer to words that were final only when the round about them was over
    sentence    the rest of what the agent was saying when noise cut it off
    unapproved  that an operator's yes did not come

A debt is paid by a round (or, for a sentence, by saying it again) once the floor is free, the oldest first, and in any
case within `gate.owed_ms` of a free floor. One that is not paid is written off by a verdict with its reason.
"""

from __future__ import annotations

from . import approvals, arbitration, gate
from .dialogue import Debt
from .draft import Draft
from .events import SpeechEnded, TimerFired
from .parts import replace
from .proposals import CORE, Kind, Proposal, Purpose, RuleResult
from .state import Act, CallState, Line, Playing, Utterance

TIMER = "owed"
DEBTS_MAX = 16  # more at once is an agent's loop; the oldest is written off
TRIES_MAX = 3  # rounds for one debt: after these nobody has anything to say of it
SETTLE_MS = 400  # from the end of a sound without words: then a fact that is owed may be told, come words or not
_BESIDE = frozenset({Purpose.REPAIR, Purpose.REASSURANCE, Purpose.GREETING})  # these tell of no act
_FACTS = frozenset({"result", "timer", "unapproved"})  # words that are still on their way overturn none of these


def owe(draft: Draft, kind: str, what: str) -> None:
    """Note what is owed; once."""
    state = draft.state
    if any(debt.kind == kind and debt.what == what for debt in state.debts):
        return
    if len(state.debts) >= DEBTS_MAX:
        write_off(draft, state.debts[0], f"{DEBTS_MAX} others are owed")
    state.debts = (*state.debts, Debt(kind, what, state.now_ms))
    draft.publish("debt", what="owed", kind=kind, of=what)


def paid(draft: Draft, kind: str, what: str) -> None:
    """It was given."""
    state = draft.state
    left = tuple(debt for debt in state.debts if debt.kind != kind or debt.what != what)
    if len(left) != len(state.debts):
        state.debts = left
        draft.publish("debt", what="paid", kind=kind, of=what)
    if not left:
        draft.disarm(TIMER)


def heard(draft: Draft, utterance: Utterance) -> None:
    """The caller has heard an utterance: what it told is owed no longer."""
    for debt in draft.state.debts:
        told = _tells(draft, utterance, debt) if debt.kind == "result" else _speaks_of(utterance, debt)
        if debt.kind in ("result", "unapproved") and told:
            paid(draft, debt.kind, debt.what)


def _speaks_of(utterance: Utterance, debt: Debt) -> bool:
    """It was said in the round for this debt, or by the core for it."""
    ours = utterance.agent == CORE and utterance.purpose is Purpose.ANSWER and not utterance.about
    return utterance.id == debt.by or (ours and utterance.sent_ms >= debt.since_ms)


def _tells(draft: Draft, utterance: Utterance, debt: Debt) -> bool:
    """It says so; or an agent that says nothing of the kind spoke of it in the round for it, or simply next.

    Of what cannot be undone, and of what was taken back, the act's own matter must be in the words.
    """
    if utterance.about.partition(":")[0] == debt.what:
        return True
    if utterance.agent == CORE or utterance.about or utterance.sent_ms <= debt.since_ms:
        return False
    act = next((act for act in draft.state.authority.acts if act.grant == debt.what), None)
    if utterance.purpose is Purpose.CONFIRMATION and not (act is not None and act.withdrawn):
        return False  # a question tells of no outcome, but that another value is asked about now
    needs = draft.policy.gate.actions.get(act.action) if act is not None else None
    if act is not None and (act.withdrawn or (needs is not None and needs.irreversible)):
        return any(term.name == name for term in utterance.terms for name, _ in act.arguments)
    return utterance.id == debt.by or utterance.purpose not in _BESIDE


def facts(state: CallState) -> bool:
    """Something is owed that is said before anybody asks the caller to say it again."""
    return any(debt.kind in ("result", "unapproved") for debt in state.debts)


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
    draft.arm(TIMER, state.now_ms + draft.policy.gate.owed_ms)
    _PAY[debt.kind](draft, debt)


def round_over(draft: Draft, owed: str, acted: bool) -> None:
    """A round that was opened for a debt is over."""
    kind, _, what = owed.partition(":")
    debt = next((debt for debt in draft.state.debts if debt.kind == kind and debt.what == what), None)
    if debt is None:
        return
    if kind in ("timer", "reply"):
        paid(draft, kind, what)  # they are owed a round, and had it
    elif acted and draft.state.speech.current is not None:
        _put(draft, debt, replace(debt, by=draft.state.speech.current.id))
    elif not acted and not _say_ourselves(draft, debt):
        write_off(draft, debt, "nobody had anything to say of it")


def _put(draft: Draft, debt: Debt, changed: Debt) -> None:
    draft.state.debts = tuple(changed if each is debt else each for each in draft.state.debts)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A sound is over: facts that are owed need not wait for words that it may not even have had."""
    if any(debt.kind in _FACTS for debt in draft.state.debts):
        draft.arm(TIMER, max(draft.state.now_ms, event.ended_ms + SETTLE_MS))


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """A sound has settled; or a debt's time is over."""
    state = draft.state
    if not state.debts or state.line is not Line.OPEN:
        return
    oldest = state.debts[0]
    if oldest.tries and _may_pay(state) and state.now_ms - oldest.since_ms >= draft.policy.gate.owed_ms:
        write_off(draft, oldest, f"not paid within {draft.policy.gate.owed_ms} ms")
    if not state.hearing.speaking and state.overlap is None and not state.hearing.words:
        arbitration.yield_to_facts(draft)
    settle_up(draft)
    if state.debts and TIMER not in draft.timers:
        draft.arm(TIMER, state.now_ms + draft.policy.gate.owed_ms)


def write_off(draft: Draft, debt: Debt, why: str) -> None:
    """It will not be paid: say so, by a verdict."""
    state = draft.state
    state.debts = tuple(each for each in state.debts if each is not debt)
    owed_ms = draft.policy.gate.owed_ms
    name = f"owed:{debt.kind}:{debt.what}"
    text = Proposal(name, CORE, Kind.SAY, state.turn, state.revision, purpose=Purpose.ANSWER, reason=debt.kind)
    gate.refuse(draft, text, "owed", RuleResult("owed", f"paid within {owed_ms} ms of a free floor", why, False))
    draft.publish("debt", what="written off", kind=debt.kind, of=debt.what, why=why)


def write_off_all(draft: Draft, why: str) -> None:
    """The call is over."""
    for debt in draft.state.debts:
        write_off(draft, debt, why)
    draft.disarm(TIMER)


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
        _by_round(draft, debt, "action_finished")


def _act(draft: Draft, debt: Debt) -> Act | None:
    return next((act for act in draft.state.authority.acts if act.grant == debt.what), None)


def _sentence(draft: Draft, debt: Debt) -> None:
    """Say again what noise cut off, judged anew."""
    last = draft.state.speech.last
    paid(draft, debt.kind, debt.what)  # it is said now, or its own verdict says why not
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
    "reply": lambda draft, debt: _by_round(draft, debt, "turn_ended"),
    "unapproved": lambda draft, debt: _by_round(draft, debt, approvals.UNAPPROVED),
    "sentence": _sentence,
}


# --- where no agent speaks ------------------------------------------------------------------------------------------


def _say_ourselves(draft: Draft, debt: Debt) -> bool:
    """The core's own line, for what nobody may leave unsaid; True where it is said or waits."""
    if debt.kind == "unapproved":
        return _offer(draft, debt, approvals.unapproved_line(draft), "")
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
