"""Approvals: acts for which an operator must say yes. Waiting for a person is not silence: the caller is told once, the
silence ladder rests, and the wait has a limit and an ending of its own (`gate.approval_ms`).

A yes is to the act, not to one proposal: where the words have moved on meanwhile, the agents propose it anew.
"""

from __future__ import annotations

from . import arbitration, debts, gate, silence
from .case import act_of, name_of
from .draft import Draft
from .events import OperatorDecided, TimerFired
from .parts import replace
from .proposals import CORE, Kind, Proposal, Purpose, RuleResult

TIMER = "gate.approvals"
REPROPOSE_TIMER = "round.approved"  # arbitration's: the operator's yes came too late for the words it was asked for
UNAPPROVED = "unapproved"  # the reason of the round that follows a no, or no answer


def ask(draft: Draft, proposal: Proposal, same: Proposal | None, rest: tuple[Proposal, ...]) -> None:
    """Put an act before the operators; `same` = it waits already, in an older form."""
    until_ms = draft.state.now_ms + draft.policy.gate.approval_ms
    kept = replace(proposal, id=same.id if same is not None else proposal.id, expires_ms=until_ms)
    draft.state.authority = replace(draft.state.authority, approvals=(*rest, kept))
    draft.arm(TIMER, min(waiting.expires_ms for waiting in (*rest, kept)) + 1)
    draft.publish(
        "approval", what="asked", proposal=kept.id, action=name_of(kept), until_ms=until_ms, pii_text=kept.text
    )
    line = draft.policy.gate.lines.get("approval", "")
    if same is None and not rest and line:
        _say(draft, line, "an operator is asked")


def operator_decided(draft: Draft, event: OperatorDecided) -> None:
    """An operator's answer."""
    authority = draft.state.authority
    proposal = next((p for p in authority.approvals if p.id == event.proposal), None)
    if proposal is None:
        draft.publish("approval", what="unknown", proposal=event.proposal, operator=event.operator)
        return
    left = tuple(p for p in authority.approvals if p is not proposal)
    draft.state.authority = replace(authority, approvals=left)
    what = "approved" if event.approved else "refused"
    draft.publish("approval", what=what, proposal=proposal.id, operator=event.operator)
    if not left:
        draft.disarm(TIMER)
    if not event.approved:
        no = RuleResult("autonomy", "an operator's yes", f"no from {event.operator}", False)
        gate.refuse(draft, proposal, "approval", no)
        _over(draft, proposal, f"no from {event.operator}")
        return
    given = (act_of(proposal), event.operator, event.at_ms)
    draft.state.authority = replace(draft.state.authority, approved=(*authority.approved, given)[-gate.WAITING_MAX :])
    if not gate.execute(draft, proposal, gate.judge(draft, proposal, "approval")):
        draft.arm(REPROPOSE_TIMER, event.at_ms)
    silence.goes_on(draft)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """No operator answered in time: the question is withdrawn, in writing. Or a reader's time is over."""
    if event.timer == gate.READING_TIMER:
        if arbitration.caller_is_done(draft.state):
            gate.floor_free(draft)
        return
    authority = draft.state.authority
    expired = tuple(p for p in authority.approvals if p.expires_ms < event.at_ms)
    left = tuple(p for p in authority.approvals if p.expires_ms >= event.at_ms)
    draft.state.authority = replace(authority, approvals=left)
    for proposal in expired:
        gate.judge(draft, proposal, "approval")
        draft.publish("approval", what="expired", proposal=proposal.id)
    if left:
        draft.arm(TIMER, min(p.expires_ms for p in left) + 1)
    for proposal in expired:
        _over(draft, proposal, f"no answer within {draft.policy.gate.approval_ms} ms")


def unapproved_line(draft: Draft) -> str:
    """What the caller hears where no agent says what follows."""
    return draft.policy.gate.lines.get(UNAPPROVED, "")


def _over(draft: Draft, proposal: Proposal, why: str) -> None:
    """There will be no yes: the act is not asked for again in this call, and the caller is owed a word about it."""
    refused = (*draft.state.authority.refused, (act_of(proposal), name_of(proposal), why))[-gate.WAITING_MAX :]
    draft.state.authority = replace(draft.state.authority, refused=refused)
    silence.goes_on(draft)
    debts.owe(draft, UNAPPROVED, proposal.id)
    debts.settle_up(draft)


def _say(draft: Draft, text: str, reason: str) -> None:
    state = draft.state
    arbitration.offer(
        draft,
        Proposal(
            id=f"core:approval:{state.revision}",
            agent=CORE,
            kind=Kind.SAY,
            turn=state.turn,
            basis=state.revision,
            text=text,
            purpose=Purpose.REASSURANCE,
            priority=0.9,
            reason=reason,
        ),
    )
