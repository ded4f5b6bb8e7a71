"""Execution: what is done by a verdict: act, wait for the floor, wait for an operator, show.

What waited is judged again before it is done. The way of an act from the grant to its outcome is `acts.py`'s matter.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import HealthChanged
from ..core.parts import replace
from ..core.proposals import ACTS, CORE, Answer, Grant, Kind, Moment, Proposal, Purpose, RuleResult, Verdict
from ..core.topics import Topic
from ..evidence import owed
from ..speech import ending, speaking
from . import acts, approval_queue, entry, gate, grants
from .case import act_of, in_order

_PARTING = frozenset({Purpose.GOODBYE, Purpose.MESSAGE, Purpose.NOTICE})


def execute(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Do what the verdict says. True when the proposal was carried out, or waits with everything else in order."""
    if verdict.answer is Answer.WAIT:
        park(draft, proposal, verdict)
        return True
    if verdict.answer is Answer.SUGGEST:
        draft.publish(Topic.SUGGESTION, proposal=proposal.id, agent=proposal.agent, pii_text=proposal.text)
        return False
    if verdict.answer is Answer.DENY:
        return False
    if proposal.text and acts.told_first(draft.policy, proposal):
        return _announce(draft, proposal, verdict)
    if proposal.kind in ACTS:
        if not acts.irreversible(draft.policy, proposal):  # that is judged when the journal's word has come
            verdict = gate.judge(draft, proposal, Moment.EXECUTION)
            if verdict.answer is not Answer.GRANT:
                return execute(draft, proposal, verdict)
        acts.order(draft, grants.make_out(draft, proposal, verdict))
    else:
        _carry_out(draft, grants.make_out(draft, proposal, verdict))
    return True


def _carry_out(draft: Draft, grant: Grant) -> None:
    state, proposal = draft.state, grant.proposal
    if proposal.kind is Kind.HANGUP:
        state.outcome = proposal.action or "goodbye"
        draft.publish(Topic.CALL, what="ending", outcome=state.outcome, reason=proposal.reason)
        if not proposal.text:
            ending.hang_up(draft)
        elif proposal.purpose not in _PARTING:
            grant = replace(grant, proposal=replace(proposal, purpose=Purpose.GOODBYE))
    elif proposal.kind is Kind.TIMER:
        draft.arm(f"round.{proposal.action}", state.now_ms + entry.delay_ms(proposal))
    elif proposal.kind is Kind.HANDOFF:
        draft.publish(Topic.HANDOFF, to=proposal.action, agent=proposal.agent)
    if proposal.text:
        speaking.say(draft, grant)
    else:
        speaking.release(draft, grant.id)  # over as soon as it is begun


def _announce(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Say it first. The act itself waits for the floor, so it is judged again when the words have been heard."""
    words = replace(proposal, kind=Kind.SAY, purpose=Purpose.ANSWER, action="", arguments=())
    _carry_out(draft, grants.make_out(draft, words, verdict))
    acts.announce(draft, grants.make_out(draft, replace(proposal, text="", terms=(), expires_ms=0), verdict))
    return True


# --- waiting --------------------------------------------------------------------------------------------------------


def park(draft: Draft, proposal: Proposal, verdict: Verdict) -> None:
    """Keep it until the floor is free or an operator has decided. The same act waits once, in its newest form."""
    authority = draft.state.authority
    asks_operator = any(result.rule == "autonomy" and not result.ok for result in verdict.rules)
    queue = authority.approvals if asks_operator else authority.waiting
    act = act_of(proposal)
    same = next((waiting for waiting in queue if act_of(waiting) == act), None)
    if same is None and len(queue) >= approval_queue.WAITING_MAX:
        full = RuleResult("queue", f"fewer than {approval_queue.WAITING_MAX}", str(len(queue)), False)
        gate.refuse(draft, proposal, Moment(verdict.moment), full)
        return
    rest = tuple(waiting for waiting in queue if waiting is not same)
    if asks_operator:
        approval_queue.ask(draft, proposal, same, rest)
        return
    draft.state.authority = replace(authority, waiting=(*rest, proposal))
    gate.wake(draft, verdict)


def floor_free(draft: Draft) -> bool:
    """The floor is free: judge again what waits for it, the most urgent first. True where something came of it."""
    acted = acts.follow(draft)
    waiting = draft.state.authority.waiting
    if not waiting:
        return acted
    draft.state.authority = replace(draft.state.authority, waiting=())
    for proposal in in_order(waiting, lambda p: (-p.priority, p.id)):
        now = _restamped(draft, proposal)
        verdict = gate.judge(draft, now, Moment.FLOOR)
        if verdict.answer is Answer.DENY and {result.rule for result in verdict.rules if not result.ok} == {"lifetime"}:
            owed.owe(draft, "reply", proposal.id)  # nothing speaks against it but the time that a noise took
        acted = (execute(draft, now, verdict) and verdict.answer is Answer.GRANT) or acted
    return acted


def _restamped(draft: Draft, proposal: Proposal) -> Proposal:
    """The core's notices and endings rest on the clock, not on words: they are computed anew when their time comes."""
    if proposal.agent != CORE or not (proposal.kind is Kind.HANGUP or proposal.purpose is Purpose.NOTICE):
        return proposal
    return replace(proposal, turn=draft.state.turn, basis=draft.state.revision, expires_ms=0)


def abandon(draft: Draft, why: RuleResult) -> None:
    """Nothing that waits will be done: another policy leads, and its agents propose their own."""
    authority = draft.state.authority
    draft.state.authority = replace(authority, waiting=(), approvals=())
    draft.disarm(approval_queue.TIMER)
    for proposal in (*authority.waiting, *authority.approvals):
        gate.give_up(draft, proposal, Moment.FLOOR, why)


def suspend(draft: Draft) -> None:
    """An interruption: nothing is permitted until its words are understood. What waits is judged again then."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=max(1, draft.state.now_ms))


def restore(draft: Draft) -> None:
    """The interruption's words are in and reconciled."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=0)


def health_changed(draft: Draft, event: HealthChanged) -> None:
    """A part that the call leans on is gone or back."""
    lost = draft.state.lost_parts
    draft.state.lost_parts = lost - {event.part} if event.up else lost | {event.part}
    draft.publish(Topic.HEALTH, part=event.part, up=event.up)
