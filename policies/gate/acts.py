"""Acts: the way of a tool's act or a transfer from its grant to its outcome.

    granted ─▶ told first, where it has words ─▶ journal ─▶ execution ─▶ ordered ─▶ begun ─▶ finished
                      (irreversible, transfers)   (what cannot be undone)    └── taken back ──▶ withdrawn

What cannot be undone is judged for the last time when the journal has all that led to it. Until the register has begun
an act, a "no", a "wait" or a change takes it back, and the caller is told so; after that it can only be undone by
another act, or said truthfully. What is said of an act uses its own arguments and outcome (`rules.outcome`).
"""

from __future__ import annotations

from ..core.commands import AwaitJournal, Perform, TransferCall, Withdraw
from ..core.draft import Draft, FollowUp
from ..core.events import ActionBegun, ActionFinished, DigitPressed, Journaled, WordsHeard
from ..core.parts import replace
from ..core.policy import Policy
from ..core.proposals import ACTS, Answer, Grant, Kind, Moment, Proposal, RuleResult, Verdict
from ..core.state import Act, Line
from ..core.topics import Topic
from ..evidence import owed
from ..language.port import registry
from ..speech import speaking, turns
from . import agreement, gate, grants, rules
from .case import Case, case_of, name_of

ANNOUNCED, JOURNAL, ORDERED = "announced", "journal", "ordered"
BEGUN, WITHDRAWN, REGRETTED = "begun", "withdrawn", "regretted"
TRANSFER_TIMER = "limits.transfer"  # limits': until somebody has taken the caller over
TAKEN_BACK = "taken back"  # the result of an act that was withdrawn before any tool heard of it

OURS = (ANNOUNCED, JOURNAL)  # no tool has heard of it
_RECALLABLE = (*OURS, ORDERED)


def told_first(policy: Policy, proposal: Proposal) -> bool:
    """Its words are heard before it is done: the caller's last chance to take it back."""
    if proposal.kind is Kind.TRANSFER:
        return True
    return proposal.kind is Kind.TOOL and irreversible(policy, proposal)


def irreversible(policy: Policy, proposal: Proposal) -> bool:
    """The policy says that it cannot be undone."""
    needs = policy.gate.actions.get(name_of(proposal))
    return needs is not None and needs.irreversible


def handed_over(grants: tuple[Grant, ...]) -> Grant | None:
    """The transfer that has been ordered, and of which nobody has said that it failed."""
    return next((g for g in grants if g.proposal.kind is Kind.TRANSFER and g.stage not in OURS), None)


# --- on its way -----------------------------------------------------------------------------------------------------


def announce(draft: Draft, grant: Grant) -> None:
    """Its words are being said; the act follows when they have been heard, if nothing speaks against it by then."""
    _put(draft, replace(grant, stage=ANNOUNCED))
    draft.publish(Topic.ACTION, what="announcing", action=name_of(grant.proposal), grant=grant.id, key=grant.key)


def follow(draft: Draft) -> bool:
    """The floor is free: what was announced is judged again, and ordered or given up. True where one was ordered."""
    acted = False
    for grant in draft.state.authority.grants:
        if grant.stage != ANNOUNCED:
            continue
        verdict = gate.judge(draft, grant.proposal, Moment.FLOOR)
        if verdict.answer is Answer.GRANT:
            order(draft, grant)
            acted = True
        elif verdict.answer is Answer.WAIT:
            _wait(draft, grant, verdict)
        else:
            _give_up(draft, grant)
    return acted


def _wait(draft: Draft, grant: Grant, verdict: Verdict) -> None:
    """It waits for the floor, which tells of itself, or for words that are on their way, as while it was announced."""
    _put(draft, replace(grant, stage=ANNOUNCED))
    gate.wake(draft, verdict)


def order(draft: Draft, grant: Grant) -> None:
    """An act was granted: what cannot be undone waits for the journal, all else leaves now."""
    if irreversible(draft.policy, grant.proposal):
        _put(draft, replace(grant, stage=JOURNAL))
        draft.command(AwaitJournal(grant.id))
        draft.publish(Topic.ACTION, what="journaling", action=name_of(grant.proposal), grant=grant.id, key=grant.key)
    else:
        _leave(draft, grant)


def journaled(draft: Draft, event: Journaled) -> None:
    """The journal's word has come: this is the moment of which everything must hold."""
    grant = _find(draft, event.grant)
    if grant is None or grant.stage != JOURNAL:
        return
    verdict = gate.judge(draft, grant.proposal, Moment.EXECUTION)
    if verdict.answer is Answer.GRANT:
        _leave(draft, grant)
        return
    if verdict.answer is Answer.WAIT:
        _wait(draft, grant, verdict)
    else:
        _give_up(draft, grant)


def _leave(draft: Draft, grant: Grant) -> None:
    proposal = grant.proposal
    grants.spend(draft, proposal)
    _put(draft, replace(grant, stage=ORDERED))
    if proposal.kind is Kind.TRANSFER:
        draft.command(TransferCall(grant.id, proposal.action))
        draft.publish(Topic.ACTION, what="transferring", action="transfer", grant=grant.id, key=grant.key)
        draft.arm(TRANSFER_TIMER, draft.state.now_ms + draft.policy.limits.transfer_ms)
        return
    irrevocable = irreversible(draft.policy, proposal)
    draft.command(Perform(grant.id, proposal.action, proposal.arguments, grant.key, irrevocable))
    draft.publish(Topic.ACTION, what="performing", action=proposal.action, grant=grant.id, key=grant.key)
    if proposal.text:
        speaking.say(draft, grant)


def action_begun(draft: Draft, event: ActionBegun) -> None:
    """It has left. A withdrawal that is on its way comes too late."""
    grant = _find(draft, event.grant)
    if grant is None:
        return
    if grant.stage == ORDERED:
        _put(draft, replace(grant, stage=BEGUN))
    elif grant.stage == WITHDRAWN:
        _put(draft, replace(grant, stage=REGRETTED))


# --- taken back -----------------------------------------------------------------------------------------------------


def reconsider(draft: Draft, event: WordsHeard | DigitPressed) -> None:
    """New words: an act that has not left stands only while nothing that they say speaks against it."""
    final = not isinstance(event, WordsHeard) or event.final
    if not final and draft.state.evidence_revision != draft.state.revision:
        return
    refused_late = _refused_late(draft, event) if isinstance(event, WordsHeard) else None
    for grant in draft.state.authority.grants:
        if grant.proposal.kind is not Kind.TOOL and grant.stage != ANNOUNCED:
            continue
        case = case_of(draft.state, draft.policy, grant.proposal, Moment.WITHDRAWAL if final else Moment.PROVISIONAL)
        if grant.stage in (*_RECALLABLE, ""):
            broken = _broken(case) or refused_late
            if broken is not None:
                gate.refuse(draft, grant.proposal, Moment.WITHDRAWAL, broken)
                _withdraw(draft, grant)
        elif grant.stage == BEGUN and (_broken(case) or refused_late) is not None:
            _put(draft, replace(grant, stage=REGRETTED))
    if isinstance(event, WordsHeard) and gate.READING_TIMER in draft.timers and not turns.unread(draft.state):
        draft.arm(gate.READING_TIMER, draft.state.now_ms)  # they are read: what waited for them need wait no longer


def _refused_late(draft: Draft, event: WordsHeard) -> RuleResult | None:
    """The turn that was answered is read to its end only now, and refuses: that counts as it would have in time.

    The other rules read the words of the present turn, and what signs the language found in any words.
    """
    before = draft.state.hearing.before
    if not draft.state.authority.grants or not event.final or not turns.belongs_to_an_earlier_turn(draft, event):
        return None
    if not before or event.ended_ms <= before[0].started_ms:
        return None  # of a turn before that one
    if any(known.id == event.segment and turns.plain(known.text) == turns.plain(event.text) for known in before):
        return None  # as it was read when it was answered
    read = registry.of(draft.policy).assent(event.text, ())
    if not read.takes_back:
        return None
    return RuleResult("contrary", "nothing against it in the turn that was answered", f"{read.why}, read late", False)


def _broken(case: Case) -> RuleResult | None:
    """The first rule about the caller's will that does not hold any more."""
    for name in agreement.WILL:
        result = rules.RULES[name](case)
        if result is not None and not result[2]:
            return RuleResult(name, *result)
    return None


def withdraw_all(draft: Draft) -> None:
    """Another policy leads: what has not left is not done."""
    for grant in draft.state.authority.grants:
        if grant.stage in OURS:
            _give_up(draft, grant)


def _withdraw(draft: Draft, grant: Grant) -> None:
    if grant.stage in OURS:
        _give_up(draft, grant)
        return
    draft.publish(Topic.ACTION, what="withdrawing", action=name_of(grant.proposal), grant=grant.id, key=grant.key)
    _put(draft, replace(grant, stage=WITHDRAWN))
    draft.command(Withdraw(grant.id, grant.key))


def _give_up(draft: Draft, grant: Grant) -> None:
    """Nothing has left: nothing is to be taken back but what was said of it."""
    _drop(draft, grant)
    _finish(draft, grant, ok=False, result=TAKEN_BACK, withdrawn=True)


# --- over -----------------------------------------------------------------------------------------------------------


def action_finished(draft: Draft, event: ActionFinished) -> None:
    """A tool is done with an act. A second report of it, after a takeover, changes nothing."""
    grant = _find(draft, event.grant)
    if grant is None:
        return
    _drop(draft, grant)
    if grant.proposal.kind is Kind.TOOL or not event.ok:
        _finish(draft, grant, ok=event.ok, result=event.result, withdrawn=event.withdrawn)


def unanswered(draft: Draft) -> None:
    """The line is still open, so nobody has taken the caller over: that is how the transfer ended."""
    for grant in draft.state.authority.grants:
        if grant.proposal.kind is Kind.TRANSFER and grant.stage not in OURS and draft.state.line is Line.OPEN:
            _drop(draft, grant)
            _finish(draft, grant, ok=False, result="nobody took the caller over", withdrawn=False)
    draft.then(FollowUp.SETTLE_UP)


def _finish(draft: Draft, grant: Grant, *, ok: bool, result: str, withdrawn: bool) -> None:
    proposal, state = grant.proposal, draft.state
    act = Act(
        grant=grant.id,
        action=name_of(proposal),
        arguments=proposal.arguments,
        key=grant.key,
        ok=ok,
        result=result,
        at_ms=state.now_ms,
        withdrawn=withdrawn,
        regretted=ok and grant.stage in (WITHDRAWN, REGRETTED),
    )
    authority = state.authority
    state.authority = replace(authority, acts=(*authority.acts, act)[-grants.ACTS_MAX :])
    if withdrawn and grant.stage == WITHDRAWN:
        _uncount(draft, proposal)
    what = "withdrawn" if withdrawn else "done" if ok else "failed"
    draft.publish(Topic.ACTION, what=what, action=act.action, grant=grant.id, key=act.key, pii_result=result)
    owed.owe(draft, "result", grant.id)


def _uncount(draft: Draft, proposal: Proposal) -> None:
    """It never happened: it counts and costs nothing."""
    authority, name = draft.state.authority, name_of(proposal)
    needs = draft.policy.gate.actions.get(name)
    done = tuple((key, times - (key == name), at_ms) for key, times, at_ms in authority.done)
    spent = authority.spent_cents - (needs.cost_cents if needs else 0.0)
    draft.state.authority = replace(authority, done=tuple(entry for entry in done if entry[1] > 0), spent_cents=spent)


# --- parts ----------------------------------------------------------------------------------------------------------


def _find(draft: Draft, grant: str) -> Grant | None:
    found = (g for g in draft.state.authority.grants if g.id == grant and g.proposal.kind in ACTS)
    return next(found, None)


def _put(draft: Draft, grant: Grant) -> None:
    authority = draft.state.authority
    draft.state.authority = replace(
        authority, grants=tuple(grant if known.id == grant.id else known for known in authority.grants)
    )


def _drop(draft: Draft, grant: Grant) -> None:
    authority = draft.state.authority
    draft.state.authority = replace(authority, grants=tuple(g for g in authority.grants if g.id != grant.id))
