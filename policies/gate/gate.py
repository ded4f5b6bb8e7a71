"""The gate: one proposal against the state of this moment, and the verdict, written down.

Which rules there are stands in `rules.py`; what is done by a verdict in `execution.py`; who is asked and whose proposal
is tried first in `arbitration.py`.
"""

from __future__ import annotations

from ..core.commands import RecordVerdict
from ..core.draft import Draft
from ..core.proposals import Answer, Kind, Moment, Proposal, Refusal, RuleResult, Verdict
from ..core.topics import Topic
from ..evidence import evidence
from . import agreement, rules
from .case import Case, case_of, level_of

READING_TIMER = "gate.reading"  # a reader's word, or words that are on their way, were waited for long enough


def judge(draft: Draft, proposal: Proposal, moment: Moment) -> Verdict:
    """The gate's answer to `proposal` at this moment, recorded. Every rule that applies is in it, failed or not."""
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
        moment=str(case.moment),
        rules=results,
    )
    draft.command(RecordVerdict(verdict))
    draft.publish(
        Topic.VERDICT,
        id=verdict.id,
        proposal=proposal.id,
        agent=proposal.agent,
        kind=str(proposal.kind),
        what=verdict.what,
        answer=str(answer),
        moment=str(case.moment),
        reason=verdict.reason,
        stage=verdict.stage,
    )
    return verdict


def refuse(draft: Draft, proposal: Proposal, moment: Moment, why: RuleResult) -> None:
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
    give_up(draft, stand_in, Moment.PROPOSED, result)


def give_up(draft: Draft, proposal: Proposal, moment: Moment, why: RuleResult) -> None:
    """Deny for one reason alone, whatever the rules say."""
    _record(draft, case_of(draft.state, draft.policy, proposal, moment), Answer.DENY, (why,))


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
