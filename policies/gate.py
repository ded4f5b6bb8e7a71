"""The gate: the only door for speech, tools, handoffs, transfers, hang-ups and timers.

`judge` compares one proposal with the state of this moment and writes the verdict down; `execute` does what the verdict
says: act, wait for the floor, wait for an operator, show. What waited is judged again before it is done. Which rules
there are stands in `rules.py`, who is asked and whose proposal is tried first in `arbitration.py`, the way of an act
from the grant to its outcome in `acts.py`, operators' approvals in `approvals.py`.
"""

from __future__ import annotations

from . import acts, agreement, approvals, debts, ending, entry, evidence, rules, speaking
from .case import Case, act_of, case_of, level_of, name_of
from .commands import RecordVerdict
from .draft import Draft
from .events import HealthChanged
from .heard import counted
from .parts import replace
from .proposals import CORE, Answer, Grant, Kind, Proposal, Purpose, Refusal, RuleResult, Verdict

WAITING_MAX = 8  # proposals that wait for the floor or an operator; more at once is a loop, not a conversation
ACTS_MAX = 32  # finished acts and digests of acts that are remembered; the breaker's window is far shorter
READING_TIMER = "gate.reading"  # a reader's word, or words that are on their way, were waited for long enough
_PARTING = frozenset({Purpose.GOODBYE, Purpose.MESSAGE, Purpose.NOTICE})
_ACTS = (Kind.TOOL, Kind.TRANSFER)


# --- judging --------------------------------------------------------------------------------------------------------


def judge(draft: Draft, proposal: Proposal, moment: str) -> Verdict:
    """The gate's answer to `proposal` at this moment, recorded. Every rule that applies is in it, failed or not.

    `moment` is "proposed", "floor", "approval" or "execution".
    """
    evidence.refresh(draft)  # readiness as of this moment, not as of the last word
    case = case_of(draft.state, draft.policy, proposal, moment)
    results = rules.compare(case)
    return _record(draft, case, _answer(case, results), results)


def _answer(case: Case, results: tuple[RuleResult, ...]) -> Answer:
    failed = {result.rule for result in results if not result.ok}
    if not failed:
        return Answer.GRANT
    waits = {"floor", "unread", "reading"} if agreement.reading_due(case) else {"floor", "unread"}
    level = level_of(case)
    if failed <= (waits | {"autonomy"} if level == "approve" else waits):
        return Answer.WAIT
    if level == "suggest" and failed <= {"floor", "autonomy"}:
        return Answer.SUGGEST
    return Answer.DENY


def _record(draft: Draft, case: Case, answer: Answer, results: tuple[RuleResult, ...]) -> Verdict:
    state, proposal = draft.state, case.proposal
    utterances, grants, verdicts = state.counters
    state.counters = (utterances, grants, verdicts + 1)
    verdict = Verdict(
        id=f"v{verdicts + 1}",
        proposal=proposal.id,
        agent=proposal.agent,
        kind=proposal.kind,
        what=str(proposal.purpose) if proposal.kind is Kind.SAY else proposal.action or str(proposal.purpose),
        answer=answer,
        at_ms=state.now_ms,
        revision=state.revision,
        turn=state.turn,
        stage=str(state.stage),
        moment=case.moment,
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
        moment=case.moment,
        reason=verdict.reason,
        stage=verdict.stage,
    )
    return verdict


def refuse(draft: Draft, proposal: Proposal, moment: str, why: RuleResult) -> None:
    """Deny for a reason that lies outside the rules: an operator's no, a full queue, a debt that is written off."""
    evidence.refresh(draft)
    case = case_of(draft.state, draft.policy, proposal, moment)
    others = tuple(result for result in rules.compare(case) if result.rule != why.rule)
    _record(draft, case, Answer.DENY, (why, *others))


def turn_away(draft: Draft, agent: str, refusal: Refusal) -> None:
    """Deny what was not even taken in (`entry.py`): there is no proposal that the other rules could be asked about."""
    state = draft.state
    stand_in = Proposal(refusal.proposal, agent, refusal.kind, state.turn, state.revision, action=refusal.what)
    result = RuleResult(refusal.rule, refusal.required, refusal.actual, False)
    _record(draft, case_of(state, draft.policy, stand_in, "proposed"), Answer.DENY, (result,))


# --- executing ------------------------------------------------------------------------------------------------------


def execute(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Do what the verdict says. True when the proposal was carried out, or waits with everything else in order."""
    if verdict.answer is Answer.WAIT:
        park(draft, proposal, verdict)
        return True
    if verdict.answer is Answer.SUGGEST:
        draft.publish("suggestion", proposal=proposal.id, agent=proposal.agent, pii_text=proposal.text)
        return False
    if verdict.answer is Answer.DENY:
        return False
    if proposal.text and acts.told_first(draft.policy, proposal):
        return _announce(draft, proposal, verdict)
    if proposal.kind in _ACTS:
        if not acts.irreversible(draft.policy, proposal):  # that is judged when the journal's word has come
            verdict = judge(draft, proposal, "execution")
            if verdict.answer is not Answer.GRANT:
                return execute(draft, proposal, verdict)
        acts.order(draft, _grant(draft, proposal, verdict))
    else:
        _carry_out(draft, _grant(draft, proposal, verdict))
    return True


def _grant(draft: Draft, proposal: Proposal, verdict: Verdict) -> Grant:
    """Make out the right. What is said counts once it is heard, an act once it leaves, all else now."""
    state = draft.state
    utterances, grants, verdicts = state.counters
    state.counters = (utterances, grants + 1, verdicts)
    act = act_of(proposal)
    key = acts.key(draft, proposal, act)
    grant = Grant(f"g{grants + 1}", proposal, verdict.id, state.now_ms, state.turn, key)
    before = state.authority
    state.authority = replace(
        before,
        grants=(*before.grants, grant),
        waiting=tuple(p for p in before.waiting if act_of(p) != act),
        approvals=tuple(p for p in before.approvals if act_of(p) != act),
        spoke_revision=state.revision if proposal.text else before.spoke_revision,
    )
    if proposal.kind not in _ACTS:
        spend(draft, proposal)
    return grant


def spend(draft: Draft, proposal: Proposal) -> None:
    """What is done now: remembered for the rules that count, and an operator's yes to it is used up."""
    before, name, act = draft.state.authority, name_of(proposal), act_of(proposal)
    needs = draft.policy.gate.actions.get(name)
    said = proposal.kind is Kind.SAY
    draft.state.authority = replace(
        before,
        done=before.done if said else counted(before.done, name, draft.state.now_ms),
        approved=tuple(given for given in before.approved if given[0] != act),
        recent=(*before.recent, act)[-ACTS_MAX:],
        spent_cents=before.spent_cents + (needs.cost_cents if needs else 0.0),
    )


def _carry_out(draft: Draft, grant: Grant) -> None:
    state, proposal = draft.state, grant.proposal
    if proposal.kind is Kind.HANGUP:
        state.outcome = proposal.action or "goodbye"
        draft.publish("call", what="ending", outcome=state.outcome, reason=proposal.reason)
        if not proposal.text:
            ending.hang_up(draft)
        elif proposal.purpose not in _PARTING:
            grant = replace(grant, proposal=replace(proposal, purpose=Purpose.GOODBYE))
    elif proposal.kind is Kind.TIMER:
        draft.arm(f"round.{proposal.action}", state.now_ms + entry.delay_ms(proposal))
    elif proposal.kind is Kind.HANDOFF:
        draft.publish("handoff", to=proposal.action, agent=proposal.agent)
    if proposal.text:
        speaking.say(draft, grant)
    else:
        release(draft, grant.id)  # over as soon as it is begun


def _announce(draft: Draft, proposal: Proposal, verdict: Verdict) -> bool:
    """Say it first. The act itself waits for the floor, so it is judged again when the words have been heard."""
    words = replace(proposal, kind=Kind.SAY, purpose=Purpose.ANSWER, action="", arguments=())
    _carry_out(draft, _grant(draft, words, verdict))
    acts.announce(draft, _grant(draft, replace(proposal, text="", terms=(), expires_ms=0), verdict))
    return True


# --- waiting --------------------------------------------------------------------------------------------------------


def park(draft: Draft, proposal: Proposal, verdict: Verdict) -> None:
    """Keep it until the floor is free or an operator has decided. The same act waits once, in its newest form."""
    authority = draft.state.authority
    asks_operator = any(result.rule == "autonomy" and not result.ok for result in verdict.rules)
    queue = authority.approvals if asks_operator else authority.waiting
    act = act_of(proposal)
    same = next((waiting for waiting in queue if act_of(waiting) == act), None)
    if same is None and len(queue) >= WAITING_MAX:
        full = RuleResult("queue", f"fewer than {WAITING_MAX}", str(len(queue)), False)
        refuse(draft, proposal, verdict.moment, full)
        return
    rest = tuple(waiting for waiting in queue if waiting is not same)
    if asks_operator:
        approvals.ask(draft, proposal, same, rest)
        return
    draft.state.authority = replace(authority, waiting=(*rest, proposal))
    wake(draft, verdict)


def wake(draft: Draft, verdict: Verdict) -> None:
    """See to it that what waits for a reader's word, or for words that are on their way, does not wait for ever."""
    state, limits = draft.state, []
    failed = {result.rule for result in verdict.rules if not result.ok}
    if "reading" in failed and state.consent is not None:
        limits.append(state.consent.at_ms + draft.policy.gate.reading_ms)
    if "unread" in failed:
        limits.append(state.hearing.ended_ms + draft.policy.endpointing.unread_ms)
    if limits:
        draft.arm(READING_TIMER, max(state.now_ms, min(limits)))


def floor_free(draft: Draft) -> bool:
    """The floor is free: judge again what waits for it, the most urgent first. True where something came of it."""
    acted = acts.follow(draft)
    waiting = draft.state.authority.waiting
    if not waiting:
        return acted
    draft.state.authority = replace(draft.state.authority, waiting=())
    for proposal in sorted(waiting, key=lambda p: (-p.priority, p.id)):
        now = _restamped(draft, proposal)
        verdict = judge(draft, now, "floor")
        if verdict.answer is Answer.DENY and {result.rule for result in verdict.rules if not result.ok} == {"lifetime"}:
            debts.owe(draft, "reply", proposal.id)  # nothing speaks against it but the time that a noise took
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
    draft.disarm(approvals.TIMER)
    for proposal in (*authority.waiting, *authority.approvals):
        case = case_of(draft.state, draft.policy, proposal, "floor")
        _record(draft, case, Answer.DENY, (why,))


def suspend(draft: Draft) -> None:
    """An interruption: nothing is permitted until its words are understood. What waits is judged again then."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=max(1, draft.state.now_ms))


def restore(draft: Draft) -> None:
    """The interruption's words are in and reconciled."""
    draft.state.authority = replace(draft.state.authority, suspended_since_ms=0)


def speak(draft: Draft, grant: Grant) -> None:
    """Say what was granted, on the way of something that is done."""
    speaking.say(draft, grant)


def release(draft: Draft, grant: str) -> None:
    """What was granted has been heard or given up. A tool or a transfer stays under way until its own end."""
    authority = draft.state.authority
    kept = tuple(g for g in authority.grants if g.id != grant or g.proposal.kind in _ACTS)
    if len(kept) != len(authority.grants):
        draft.state.authority = replace(authority, grants=kept)


def health_changed(draft: Draft, event: HealthChanged) -> None:
    """A part that the call leans on is gone or back."""
    lost = draft.state.lost_parts
    draft.state.lost_parts = lost - {event.part} if event.up else lost | {event.part}
    draft.publish("health", part=event.part, up=event.up)
