"""Approvals: acts for which an operator must say yes. Waiting for a person is not silence: the caller is told once, the
silence ladder rests, and the wait has a limit and an ending of its own (`gate.approval_ms`).

A yes is to the act, not to one proposal: where the words have moved on meanwhile, the agents propose it anew.
"""

from __future__ import annotations

from ..core.commands import RoundReason
from ..core.draft import Draft, FollowUp
from ..core.events import OperatorDecided, TimerFired
from ..core.parts import replace
from ..core.proposals import CORE, Kind, Moment, Proposal, Purpose, RuleResult
from ..core.topics import Topic
from ..evidence import owed
from . import approval_queue, arbitration, execution, gate
from .case import act_of, name_of

REPROPOSE_TIMER = (
    f"{arbitration.TIMER}.{RoundReason.APPROVED}"  # the operator's yes came too late for the words it was asked for
)


def tell(draft: Draft) -> None:
    """An operator was asked: the caller is told once that it takes a moment."""
    line = draft.policy.gate.lines.get("approval", "")
    if line:
        _say(draft, line, "an operator is asked")


def operator_decided(draft: Draft, event: OperatorDecided) -> None:
    """An operator's answer."""
    authority = draft.state.authority
    proposal = next((p for p in authority.approvals if p.id == event.proposal), None)
    if proposal is None:
        draft.publish(Topic.APPROVAL, what="unknown", proposal=event.proposal, operator=event.operator.text)
        return
    left = tuple(p for p in authority.approvals if p is not proposal)
    draft.state.authority = replace(authority, approvals=left)
    what = "approved" if event.approved else "refused"
    draft.publish(Topic.APPROVAL, what=what, proposal=proposal.id, operator=event.operator.text)
    if not left:
        draft.disarm(approval_queue.TIMER)
    if not event.approved:
        no = RuleResult("autonomy", "an operator's yes", f"no from {event.operator}", False)
        gate.refuse(draft, proposal, Moment.APPROVAL, no)
        _over(draft, proposal, f"no from {event.operator}")
        return
    given = (act_of(proposal), event.operator, event.at_ms)
    draft.state.authority = replace(
        draft.state.authority, approved=(*authority.approved, given)[-approval_queue.WAITING_MAX :]
    )
    if not execution.execute(draft, proposal, gate.judge(draft, proposal, Moment.APPROVAL)):
        draft.arm(REPROPOSE_TIMER, event.at_ms)
    draft.then(FollowUp.WAIT_OVER)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """No operator answered in time: the question is withdrawn, in writing. Or a reader's time is over."""
    if event.timer == gate.READING_TIMER:
        if arbitration.caller_is_done(draft.state):
            execution.floor_free(draft)
        return
    authority = draft.state.authority
    expired = tuple(p for p in authority.approvals if p.expires_ms < event.at_ms)
    left = tuple(p for p in authority.approvals if p.expires_ms >= event.at_ms)
    draft.state.authority = replace(authority, approvals=left)
    for proposal in expired:
        gate.judge(draft, proposal, Moment.APPROVAL)
        draft.publish(Topic.APPROVAL, what="expired", proposal=proposal.id)
    if left:
        draft.arm(approval_queue.TIMER, min(p.expires_ms for p in left) + 1)
    for proposal in expired:
        _over(draft, proposal, f"no answer within {draft.policy.gate.approval_ms} ms")


def _over(draft: Draft, proposal: Proposal, why: str) -> None:
    """There will be no yes: the act is not asked for again in this call, and the caller is owed a word about it."""
    refused = (*draft.state.authority.refused, (act_of(proposal), name_of(proposal), why))[
        -approval_queue.WAITING_MAX :
    ]
    draft.state.authority = replace(draft.state.authority, refused=refused)
    draft.then(FollowUp.WAIT_OVER)
    owed.owe(draft, owed.UNAPPROVED, proposal.id)
    draft.then(FollowUp.SETTLE_UP)


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
