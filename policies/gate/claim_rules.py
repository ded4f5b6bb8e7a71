"""The gate's rules on what is said: is it true, and worth saying? The table of all rules is `rules.py`."""

from __future__ import annotations

from ..core.state import Concern, Standing
from ..language.port import registry
from .case import Case, Result, listed, outcome_of


def outcome(case: Case) -> Result | None:
    """What is said of an act is what came of it, with the act's own arguments."""
    if not case.proposal.about:
        return None
    grant, _, claimed = case.proposal.about.partition(":")
    act = next((act for act in case.state.authority.acts if act.grant == grant), None)
    wanted = f"{grant} {claimed}"
    if act is None:
        return wanted, f"no act {grant} is over", False
    arguments = dict(act.arguments)
    other = [
        name
        for name, value in case.proposal.terms
        if not registry.of(case.policy).same(arguments.get(name, value), value)
    ]
    if other:
        return wanted, f"{listed(other)} not as in the act", False
    found = outcome_of(act)
    return wanted, f"{grant} {found}", found == claimed or (claimed == "regretted" and act.regretted)


def settled(case: Case) -> Result | None:
    """A resolved concern is not argued again unless the caller reopens it."""
    found = _concern(case)
    if found is None:
        return None
    return f"{case.proposal.topic} not resolved", str(found.standing), found.standing is not Standing.RESOLVED


def answers(case: Case) -> Result | None:
    """One concern is answered only so often; then it is a person's turn, or goodbye."""
    found = _concern(case)
    if found is None:
        return None
    most = case.policy.concerns.answers_max
    return f"fewer than {most} answers to {found.topic}", str(found.answers), found.answers < most


def _concern(case: Case) -> Concern | None:
    """The concern that something said would answer."""
    proposal = case.proposal
    if not case.heard or not proposal.topic:
        return None
    return next((concern for concern in case.state.concerns if concern.topic == proposal.topic), None)
