"""The gate: the only door for speech, tools, handoffs, transfers, hang-ups and timers.

`judge` compares one proposal with the state of this moment and writes the verdict down; `execute` does what the verdict
says: act, wait for the floor, wait for an operator, show. What waited is judged again before it is done. Which rules
there are stands in `rules.py`, who is asked and whose proposal is tried first in `arbitration.py`.
"""

from __future__ import annotations

from . import ending, evidence, rules, speaking
from .case import APPROVAL_LIFETIME_MS, Case, act_of, case_of, level_of, name_of
from .commands import Perform, RecordVerdict, TransferCall
from .draft import Draft
from .events import ActionBegun, ActionFinished, HealthChanged, Journaled, OperatorDecided, TimerFired
from .parts import replace
from .proposals import CORE, Answer, Grant, Kind, Proposal, Purpose, RuleResult, Verdict
from .state import Act, Authority

APPROVALS_TIMER = "gate.approvals"
TRANSFER_TIMER = "limits.transfer"  # limits': nobody has answered it by then
REPROPOSE_TIMER = "round.approved"  # arbitration's: the operator's yes came too late for the words it was asked for

WAITING_MAX = 8  # proposals that wait for the floor or an operator; more at once is a loop, not a conversation
ACTS_MAX = 32  # finished acts and digests of acts that are remembered; the breaker's window is far shorter
_PARTING = frozenset({Purpose.GOODBYE, Purpose.MESSAGE, Purpose.NOTICE})


# --- judging --------------------------------------------------------------------------------------------------------


def judge(draft: Draft, proposal: Proposal, moment: str) -> Verdict:
    """The gate's answer to `proposal` at this moment, recorded. Every rule that applies is in it, failed or not.

    `moment` is "proposed", "floor", "approval" or "execution".
    """
    evidence.refresh(draft)  # readiness as of this moment, not as of the last word
    case = case_of(draft.state, draft.policy, proposal)
    results = rules.compare(case)
    return _record(draft, case, moment, _answer(case, results), results)


def _answer(case: Case, results: tuple[RuleResult, ...]) -> Answer:
    failed = {result.rule for result in results if not result.ok}
    if not failed:
        return Answer.GRANT
    level = level_of(case)
    if failed <= ({"floor", "autonomy"} if level == "approve" else {"floor"}):
        return Answer.WAIT
    if level == "suggest" and failed <= {"floor", "autonomy"}:
        return Answer.SUGGEST
    return Answer.DENY


def _record(draft: Draft, case: Case, moment: str, answer: Answer, results: tuple[RuleResult, ...]) -> Verdict:
    state, proposal = draft.state, case.proposal
    utterances, grants, verdicts = state.counters
    state.counters = (utterances, grants, verdicts + 1)
    verdict = Verdict(
        id=f"v{verdicts + 1}",
        proposal=proposal.id,
        agent=proposal.agent,
        kind=proposal.kind,
        what=proposal.action or str(proposal.purpose),
        answer=answer,
        at_ms=state.now_ms,
        revision=state.revision,
        turn=state.turn,
        stage=str(state.stage),
        moment=moment,
        rules=results,
    )
    draft.command(RecordVerdict(verdict))
    draft.publish(
        "verdict",
        id=verdict.id,
        proposal=proposal.id,
        agent=proposal.agent,
        kind=str(proposal.kind),
        what=verdict.what,
        answer=str(answer),
        moment=moment,
        reason=verdict.reason,
        stage=verdict.stage,
    )
    return verdict


def _refuse(draft: Draft, proposal: Proposal, moment: str, why: RuleResult) -> None:
    """Deny for a reason that lies outside the state: an operator's no, a full queue."""
    evidence.refresh(draft)
    case = case_of(draft.state, draft.policy, proposal)
    others = tuple(result for result in rules.compare(case) if result.rule != why.rule)
    _record(draft, case, moment, Answer.DENY, (why, *others))


# --- executing ------------------------------------------------------------------------------------------------------


def execute(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Do what the verdict says. True when the proposal was carried out, or waits with everything else in order."""
    if verdict.answer is Answer.WAIT:
        _park(draft, proposal, verdict)
        return True
    if verdict.answer is Answer.SUGGEST:
        draft.publish("suggestion", proposal=proposal.id, agent=proposal.agent, pii_text=proposal.text)
        return False
    if verdict.answer is Answer.DENY:
        return False
    if proposal.kind is Kind.TRANSFER and proposal.text:
        return _announce(draft, proposal, verdict)
    if proposal.kind in (Kind.TOOL, Kind.TRANSFER) and verdict.moment != "execution":
        verdict = judge(draft, proposal, "execution")
        if verdict.answer is not Answer.GRANT:
            return execute(draft, proposal, verdict)
    _carry_out(draft, _grant(draft, proposal, verdict))
    return True


def _grant(draft: Draft, proposal: Proposal, verdict: Verdict) -> Grant:
    """Make out the right, and remember the act for the rules that count."""
    state = draft.state
    utterances, grants, verdicts = state.counters
    state.counters = (utterances, grants + 1, verdicts)
    act = act_of(proposal)
    grant = Grant(f"g{grants + 1}", proposal, verdict.id, state.now_ms, state.turn, _key(draft, proposal, act))
    name = name_of(proposal)
    before = state.authority
    counted = _count(before, name, state.now_ms)
    if proposal.topic or proposal.slot:
        counted = _count(replace(before, done=counted), f"{name}:{proposal.topic or proposal.slot}", state.now_ms)
    needs = draft.policy.gate.actions.get(name)
    state.authority = replace(
        before,
        grants=(*before.grants, grant),
        waiting=tuple(p for p in before.waiting if act_of(p) != act),
        approvals=tuple(p for p in before.approvals if act_of(p) != act),
        approved=tuple(given for given in before.approved if given[0] != act),
        done=counted,
        recent=(*before.recent, act)[-ACTS_MAX:],
        spent_cents=before.spent_cents + (needs.cost_cents if needs else 0.0),
        spoke_revision=state.revision if proposal.text else before.spoke_revision,
    )
    return grant


def _carry_out(draft: Draft, grant: Grant) -> None:
    state, proposal = draft.state, grant.proposal
    if proposal.kind is Kind.TOOL:
        needs = draft.policy.gate.actions.get(proposal.action)
        irreversible = needs is not None and needs.irreversible
        draft.command(Perform(grant.id, proposal.action, proposal.arguments, grant.key, irreversible))
        draft.publish("action", what="performing", action=proposal.action, grant=grant.id, key=grant.key)
    elif proposal.kind is Kind.TRANSFER:
        announced = dict(proposal.arguments).get("announced", "") == "yes"
        draft.command(TransferCall(grant.id, proposal.action, announced))
        draft.publish("action", what="transferring", action="transfer", grant=grant.id, key=grant.key)
        draft.arm(TRANSFER_TIMER, state.now_ms + draft.policy.limits.transfer_ms)
        return
    elif proposal.kind is Kind.HANGUP:
        state.outcome = proposal.action or "goodbye"
        draft.publish("call", what="ending", outcome=state.outcome, reason=proposal.reason)
        if not proposal.text:
            ending.hang_up(draft)
        elif proposal.purpose not in _PARTING:
            grant = replace(grant, proposal=replace(proposal, purpose=Purpose.GOODBYE))
    elif proposal.kind is Kind.TIMER:
        after_ms = int(dict(proposal.arguments).get("after_ms", "0"))
        draft.arm(f"round.{proposal.action}", state.now_ms + max(0, after_ms))
    elif proposal.kind is Kind.HANDOFF:
        draft.publish("handoff", to=proposal.action, agent=proposal.agent)
    if proposal.text:
        speaking.say(draft, grant)
    elif proposal.kind is not Kind.TOOL:
        release(draft, grant.id)  # over as soon as it is begun


def _announce(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Say it first. The transfer itself waits for the floor, so it is judged again when the words have been heard."""
    words = replace(proposal, kind=Kind.SAY, purpose=Purpose.ANSWER, action="", arguments=())
    _carry_out(draft, _grant(draft, words, verdict))
    _park(draft, replace(proposal, text="", expires_ms=0), verdict)
    return True


def _key(draft: Draft, proposal: Proposal, act: str) -> str:
    """The idempotency key: of the call, the action and its arguments, and how often that has already succeeded.

    A retry after a failure, a crash or a takeover has the same key; asking for the same thing again later has not.
    """
    base = f"{draft.state.call}:{name_of(proposal)}:{act}"
    succeeded = sum(old.ok and old.key.partition("#")[0] == base for old in draft.state.authority.acts)
    return f"{base}#{succeeded + 1}" if succeeded else base


def _count(authority: Authority, name: str, now_ms: int) -> tuple[tuple[str, int, int], ...]:
    others = tuple(entry for entry in authority.done if entry[0] != name)
    times = sum(count for key, count, _ in authority.done if key == name)
    return (*others, (name, times + 1, now_ms))


# --- waiting --------------------------------------------------------------------------------------------------------


def _park(draft: Draft, proposal: Proposal, verdict: Verdict) -> None:
    """Keep it until the floor is free or an operator has decided. The same act waits once, in its newest form."""
    authority = draft.state.authority
    asks_operator = any(result.rule == "autonomy" and not result.ok for result in verdict.rules)
    queue = authority.approvals if asks_operator else authority.waiting
    act = act_of(proposal)
    same = next((waiting for waiting in queue if act_of(waiting) == act), None)
    if same is None and len(queue) >= WAITING_MAX:
        _refuse(
            draft, proposal, verdict.moment, RuleResult("queue", f"fewer than {WAITING_MAX}", str(len(queue)), False)
        )
        return
    if asks_operator:
        until_ms = draft.state.now_ms + APPROVAL_LIFETIME_MS
        kept = replace(proposal, id=same.id if same is not None else proposal.id, expires_ms=until_ms)
    else:
        kept = proposal
    rest = tuple(waiting for waiting in queue if waiting is not same)
    if asks_operator:
        draft.state.authority = replace(authority, approvals=(*rest, kept))
        draft.arm(APPROVALS_TIMER, min(waiting.expires_ms for waiting in (*rest, kept)) + 1)
        draft.publish("approval", what="asked", proposal=kept.id, action=name_of(kept), pii_text=kept.text)
    else:
        draft.state.authority = replace(authority, waiting=(*rest, kept))


def floor_free(draft: Draft) -> None:
    """The floor is free: judge again what waits for it, the most urgent first."""
    waiting = draft.state.authority.waiting
    if not waiting:
        return
    draft.state.authority = replace(draft.state.authority, waiting=())
    for proposal in sorted(waiting, key=lambda p: (-p.priority, p.id)):
        now = _restamped(draft, proposal)
        execute(draft, now, judge(draft, now, "floor"))


def _restamped(draft: Draft, proposal: Proposal) -> Proposal:
    """The core's notices and endings rest on the clock, not on words: they are computed anew when their time comes."""
    if proposal.agent != CORE or not (proposal.kind is Kind.HANGUP or proposal.purpose is Purpose.NOTICE):
        return proposal
    return replace(proposal, turn=draft.state.turn, basis=draft.state.revision, expires_ms=0)


def suspend(draft: Draft) -> None:
    """An interruption: nothing is permitted until its words are understood, and what waited is denied, in writing."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=max(1, draft.state.now_ms))
    floor_free(draft)


def restore(draft: Draft) -> None:
    """The interruption's words are in and reconciled."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=0)


def release(draft: Draft, grant: str) -> None:
    """What was granted has been heard or given up. A tool or a transfer stays under way until its own end."""
    authority = draft.state.authority
    kept = tuple(g for g in authority.grants if g.id != grant or g.proposal.kind in (Kind.TOOL, Kind.TRANSFER))
    if len(kept) != len(authority.grants):
        draft.state.authority = replace(authority, grants=kept)


# --- what happens to the gate ---------------------------------------------------------------------------------------


def journaled(draft: Draft, event: Journaled) -> None:
    """What led to an order is in the journal."""


def action_begun(draft: Draft, event: ActionBegun) -> None:
    """The act has left."""


def action_finished(draft: Draft, event: ActionFinished) -> None:
    """A tool is done with an act. A second report of it, after a takeover, changes nothing."""
    authority = draft.state.authority
    grant = next((g for g in authority.grants if g.id == event.grant and g.proposal.kind is Kind.TOOL), None)
    if grant is None:
        return
    proposal = grant.proposal
    act = Act(grant.id, proposal.action, proposal.arguments, grant.key, event.ok, event.result, event.at_ms)
    draft.state.authority = replace(
        authority,
        grants=tuple(g for g in authority.grants if g is not grant),
        acts=(*authority.acts, act)[-ACTS_MAX:],
    )
    what = "done" if event.ok else "failed"
    draft.publish("action", what=what, action=act.action, grant=grant.id, key=act.key, pii_result=event.result)


def operator_decided(draft: Draft, event: OperatorDecided) -> None:
    """An operator's answer. A yes is to the act: where the words have moved on, the agents propose it anew."""
    authority = draft.state.authority
    proposal = next((p for p in authority.approvals if p.id == event.proposal), None)
    if proposal is None:
        draft.publish("approval", what="unknown", proposal=event.proposal, operator=event.operator)
        return
    draft.state.authority = replace(authority, approvals=tuple(p for p in authority.approvals if p is not proposal))
    what = "approved" if event.approved else "refused"
    draft.publish("approval", what=what, proposal=proposal.id, operator=event.operator)
    if not event.approved:
        _refuse(
            draft, proposal, "approval", RuleResult("autonomy", "an operator's yes", f"no from {event.operator}", False)
        )
        return
    given = (act_of(proposal), event.operator, event.at_ms)
    draft.state.authority = replace(draft.state.authority, approved=(*authority.approved, given)[-WAITING_MAX:])
    if not execute(draft, proposal, judge(draft, proposal, "approval")):
        draft.arm(REPROPOSE_TIMER, event.at_ms)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """No operator answered in time: the question is withdrawn, in writing."""
    authority = draft.state.authority
    expired = tuple(p for p in authority.approvals if p.expires_ms < event.at_ms)
    left = tuple(p for p in authority.approvals if p.expires_ms >= event.at_ms)
    draft.state.authority = replace(authority, approvals=left)
    for proposal in expired:
        judge(draft, proposal, "approval")
        draft.publish("approval", what="expired", proposal=proposal.id)
    if left:
        draft.arm(APPROVALS_TIMER, min(p.expires_ms for p in left) + 1)


def health_changed(draft: Draft, event: HealthChanged) -> None:
    """A part that the call leans on is gone or back."""
    lost = draft.state.lost_parts
    draft.state.lost_parts = lost - {event.part} if event.up else lost | {event.part}
    draft.publish("health", part=event.part, up=event.up)
