"""How a view is made of a call's state, for agents and the API. Its fields, and what they mean: `core/view.py`.

Agents are stateless: all that one needs to propose is in it. What is derived is derived once, here (which signals came
since the agent last spoke, whether the last utterance was cut); nothing here decides.
"""

from __future__ import annotations

from ..core.dialogue import Answer, Turn
from ..core.policy import Policy
from ..core.state import Authority, CallState, Concern, Playing, Sign, Signal, Utterance
from ..core.view import View, ViewAnswer, ViewAuthority, ViewConcern, ViewSignal, ViewTurn, ViewUtterance
from ..evidence.concerns import answer_due
from ..gate import acts
from ..gate.case import name_of
from ..speech import transcript

SIGNALS_MAX = 24  # the most recent ones; readiness already sums up the older


def view_of(state: CallState, policy: Policy) -> View:
    """The state at this revision. About 40 plain fields; safe to keep, nothing in it changes later."""
    silence, answering = state.silence, state.answering
    return {
        "call": state.call,
        "policy": policy.name,
        "policy_version": state.policy_version,
        "language": policy.language,
        "direction": state.direction,
        "pii_caller": state.caller,
        "pii_callee": state.callee,
        "epoch": state.epoch,
        "revision": state.revision,
        "evidence_revision": state.evidence_revision,
        "turn": state.turn,
        "now_ms": state.now_ms,
        "answered_ms": state.answered_ms,
        "line": str(state.line),
        "stage": str(state.stage),
        "outcome": state.outcome,
        "floor": {"holder": str(state.floor.holder), "since_ms": state.floor.since_ms},
        "speaking": state.hearing.speaking,
        "pii_words": state.hearing.words,
        "asks": str(state.hearing.answering),
        "utterance": _utterance(state.speech.current),
        "last_utterance": _utterance(state.speech.last),
        "readiness": round(state.ledger.readiness, 3),
        "uncertainty": round(state.ledger.uncertainty, 3),
        "ready": state.ledger.ready,
        "concerns": [_concern(concern, policy) for concern in state.concerns],
        "slots": {
            slot.name: {"pii_value": slot.value, "confirmed": slot.confirmed, "agreed": bool(slot.agreed)}
            for slot in state.slots
        },
        "answer": _answer(state.answer),
        "pii_told": {told.name: told.value for told in state.told},
        "owed": [f"{debt.kind}:{debt.what}" for debt in state.debts],
        "signals": _signals(state),
        "silence": {
            "after": silence.after,
            "mood": silence.mood,
            "since_ms": silence.since_ms,
            "rung": silence.rung,
        },
        "answering": {"armed": answering.armed, "decided": answering.decided, "reason": answering.reason},
        "presence": {"reading": state.presence.reading, "since_ms": state.presence.since_ms},
        "agents": list(state.agents),
        "lost_parts": sorted(state.lost_parts),
        "failures": [{"agent": agent, "at_ms": at_ms, "reason": why} for agent, at_ms, why in state.failures],
        **_authority(state.authority, policy),
        "transcript": [_turn(turn) for turn in transcript.so_far(state)],
    }


def _concern(concern: Concern, policy: Policy) -> ViewConcern:
    return {
        "topic": concern.topic,
        "standing": str(concern.standing),
        "answers": concern.answers,
        "due": answer_due(concern, policy.concerns.answers_max),
        "opened_ms": concern.opened_ms,
        "pii_text": concern.text,
        "history": [[at_ms, str(standing)] for at_ms, standing, _ in concern.history],
    }


def _answer(answer: Answer | None) -> ViewAnswer | None:
    """The caller's answer to the last yes-or-no question: `says` "yes" only where nothing is left over."""
    if answer is None:
        return None
    return {
        "utterance": answer.utterance,
        "says": str(answer.says),
        "why": answer.why,
        "confirms": answer.confirms,
        "about": [term.name for term in answer.terms],
        "turn": answer.turn,
    }


def _authority(authority: Authority, policy: Policy) -> ViewAuthority:
    """What was done, what is under way, and what waits for the floor or an operator."""
    actions = policy.gate.actions
    transfer = acts.handed_over(authority.grants)
    return {
        "suspended": bool(authority.suspended_since_ms),
        "done": {name: times for name, times, _ in authority.done},
        "acts": [
            {
                "action": act.action,
                "arguments": dict(act.arguments),
                "ok": act.ok,
                "pii_result": act.result,
                "at_ms": act.at_ms,
                "grant": act.grant,
                "withdrawn": act.withdrawn,
                "regretted": act.regretted,
                "undo": actions[act.action].undo if act.action in actions else "",
            }
            for act in authority.acts
        ],
        "under_way": [name_of(grant.proposal) for grant in authority.grants],
        "transfer": {"grant": transfer.id, "pii_target": transfer.proposal.action} if transfer is not None else None,
        "waiting": [{"proposal": p.id, "agent": p.agent, "action": name_of(p)} for p in authority.waiting],
        "approvals": [
            {
                "proposal": p.id,
                "agent": p.agent,
                "action": name_of(p),
                "pii_arguments": dict(p.arguments),
                "pii_text": p.text,
                "until_ms": p.expires_ms,
            }
            for p in authority.approvals
        ],
        "refused": [name for _, name, _ in authority.refused],
        "spent_cents": authority.spent_cents,
    }


def _turn(turn: Turn) -> ViewTurn:
    return {
        "speaker": turn.speaker,
        "pii_text": turn.words,
        "from_ms": turn.from_ms,
        "until_ms": turn.until_ms,
        "cut": turn.cut,
        "utterance": turn.utterance,
    }


def _utterance(utterance: Utterance | None) -> ViewUtterance | None:
    if utterance is None:
        return None
    return {
        "id": utterance.id,
        "agent": utterance.agent,
        "pii_text": utterance.text,
        "pii_heard": utterance.heard_text,
        "purpose": str(utterance.purpose),
        "asks": str(utterance.asks),
        "topic": utterance.topic,
        "slot": utterance.slot,
        "playing": str(utterance.playing),
        "cut": utterance.playing is Playing.CUT,
        "told": utterance.told,
        "started_ms": utterance.started_ms,
        "ended_ms": utterance.ended_ms,
        "heard_ms": utterance.heard_ms,
        "total_ms": utterance.total_ms,
    }


def _signals(state: CallState) -> list[ViewSignal]:
    """The newest signals, oldest first.

    `new` = not answered yet: of the words of the present turn, or (keys, silence) since the agent was heard to begin.
    A final reading that comes in after the agent began to answer it is not new.
    """
    last = state.speech.current or state.speech.last
    since_ms = last.started_ms if last is not None and last.started_ms else state.hearing.turn_started_ms
    segments = {segment.id for segment in state.hearing.segments}
    return [
        _signal(state, signal, signal.segment in segments or (signal.segment < 0 and signal.at_ms >= since_ms))
        for signal in state.ledger.signals[-SIGNALS_MAX:]
    ]


def _signal(state: CallState, signal: Signal, unanswered: bool) -> ViewSignal:
    stands = signal.sign is not Sign.RETRACTION and signal.id not in state.ledger.retracted
    return {
        "id": signal.id,
        "sign": str(signal.sign),
        "strength": signal.strength,
        "at_ms": signal.at_ms,
        "turn": signal.turn,
        "source": signal.source,
        "pii_text": signal.text,
        "topic": signal.topic,
        "provisional": signal.provisional,
        "stands": stands,
        "new": stands and unanswered,
    }
