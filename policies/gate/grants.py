"""Grants: the right that a verdict gives, made out, counted and keyed."""

from __future__ import annotations

from ..core.draft import Draft
from ..core.parts import replace
from ..core.proposals import ACTS, Grant, Kind, Proposal, Verdict
from ..evidence.heard import counted
from .case import act_of, name_of

ACTS_MAX = 32  # finished acts and digests of acts that are remembered; the breaker's window is far shorter


def make_out(draft: Draft, proposal: Proposal, verdict: Verdict) -> Grant:
    """Make out the right. What is said counts once it is heard, an act once it leaves, all else now."""
    state = draft.state
    utterances, grants, verdicts = state.counters
    state.counters = (utterances, grants + 1, verdicts)
    act = act_of(proposal)
    grant = Grant(f"g{grants + 1}", proposal, verdict.id, state.now_ms, state.turn, key(draft, proposal, act))
    before = state.authority
    state.authority = replace(
        before,
        grants=(*before.grants, grant),
        waiting=tuple(p for p in before.waiting if act_of(p) != act),
        approvals=tuple(p for p in before.approvals if act_of(p) != act),
        spoke_revision=state.revision if proposal.text else before.spoke_revision,
        spoke_for=(proposal.agent, proposal.basis, proposal.part) if proposal.text else before.spoke_for,
    )
    if proposal.kind not in ACTS:
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


def key(draft: Draft, proposal: Proposal, act: str) -> str:
    """The idempotency key: of the call, the action and its arguments, and how often that has already succeeded.

    A retry after a failure, a crash or a takeover has the same key; asking for the same thing again later has not.
    """
    base = f"{draft.state.call}:{name_of(proposal)}:{act}"
    succeeded = sum(old.ok and old.key.partition("#")[0] == base for old in draft.state.authority.acts)
    return f"{base}#{succeeded + 1}" if succeeded else base
