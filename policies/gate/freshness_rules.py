"""The gate's rules on time: is a proposal of this moment? The table of all rules is `rules.py`."""

from __future__ import annotations

from ..core.proposals import Kind, Moment
from . import basis
from .case import Case, Result, goes_on, listed, said_until_ms


def fresh(case: Case) -> Result:
    """Computed in this turn, from no older evidence than there is; judged again, nothing that it rests on has moved.

    Words that go on with an answer were judged with its first part: an "okay" in between does not outdate them.
    """
    state, proposal = case.state, case.proposal
    spoken_on = proposal.kind is Kind.SAY and proposal.turn == state.turn and goes_on(state, proposal)
    if case.moment is not Moment.PROPOSED or spoken_on:
        moved = basis.moved(case)
        return f"nothing it rests on moved after revision {proposal.basis}", listed(moved) or "nothing", not moved
    ok = proposal.turn == state.turn and state.evidence_revision <= proposal.basis <= state.revision
    return (
        f"turn {state.turn}, revision {state.evidence_revision} to {state.revision}",
        f"turn {proposal.turn}, revision {proposal.basis}",
        ok,
    )


def lifetime(case: Case) -> Result:
    """Not older than it may get, from its arrival, or from when what it goes on with was said."""
    expires_ms, lifetime_ms = case.proposal.expires_ms, case.policy.gate.proposal_lifetime_ms
    if expires_ms == 0:
        return f"within {lifetime_ms} ms", "0 ms", True
    if goes_on(case.state, case.proposal):
        expires_ms = max(expires_ms, said_until_ms(case.state) + lifetime_ms)
    return f"by {expires_ms} ms", f"{case.state.now_ms} ms", case.state.now_ms <= expires_ms


def unanswered(case: Case) -> Result | None:
    """Nothing was said since it was computed: two agents never answer the same words one after the other.

    An answer in parts goes on, unless it was cut.
    """
    if not case.heard:
        return None
    spoke = case.state.authority.spoke_revision
    basis = case.proposal.basis
    wanted = f"nothing said after revision {basis}"
    if case.proposal.part:
        wanted += " but its own answer, uncut"
    return wanted, f"last spoke at revision {spoke}", spoke <= basis or goes_on(case.state, case.proposal)
