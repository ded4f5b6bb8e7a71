"""The gate's rules on how far the machine goes by itself: by whose leave, at what cost, how often, and once only.

The table of all rules is `rules.py`. How an operator is asked is `approvals.py`'s.
"""

from __future__ import annotations

from ..core.proposals import ACTS, Kind, Moment
from .case import Case, Result, act_of, approval, done, level_of

LOOP_WINDOW = 2  # the breaker looks at the last 2 x repeats_max acts, so that it sees A B A B as well as A A


def autonomy(case: Case) -> Result:
    """The level this call has for the action; below `approve`, an operator's fresh yes to the act stands in."""
    level = level_of(case)
    if level == "act":
        return "act", "act", True
    if level == "approve":
        given = approval(case)
        if given is None:
            return "an operator's yes", "none", False
        return "an operator's yes", f"{given[0]}, {case.state.now_ms - given[1]} ms ago", True
    return "act", level, False


def refused(case: Case) -> Result | None:
    """No operator has said no to this act in this call, or left the question unanswered."""
    if level_of(case) != "approve":
        return None
    why = next((why for act, _, why in case.state.authority.refused if act == case.act), "")
    return "not refused by an operator", why or "not refused", not why


def budget(case: Case) -> Result | None:
    """Money spent in this call: on actions, and by its mere duration (`gate.minute_cents`)."""
    if case.needs.cost_cents <= 0:
        return None
    state, gate = case.state, case.policy.gate
    talked_min = (state.now_ms - state.answered_ms) / 60_000 if state.answered_ms else 0.0
    after = round(state.authority.spent_cents + talked_min * gate.minute_cents + case.needs.cost_cents, 2)
    most = gate.budget_cents
    return f"at most {most:g} cents in all", f"{after:g} cents with this", after <= most


def times(case: Case) -> Result | None:
    """How often per call."""
    most = case.needs.times_max
    if most is None:
        return None
    so_far, _ = done(case.state, case.name)
    return f"fewer than {most} times", f"{so_far} so far", so_far < most


def cooldown(case: Case) -> Result | None:
    """How soon again."""
    wait_ms = case.needs.cooldown_ms
    if wait_ms is None:
        return None
    so_far, last_ms = done(case.state, case.name)
    if not so_far:
        return f"{wait_ms} ms since the last", "never done", True
    return f"{wait_ms} ms since the last", f"{case.state.now_ms - last_ms} ms", case.state.now_ms - last_ms >= wait_ms


def repeats(case: Case) -> Result | None:
    """The loop breaker: the very same act, again and again."""
    if case.proposal.kind is Kind.HANGUP:
        return None
    most = case.policy.gate.repeats_max
    window = case.state.authority.recent[-LOOP_WINDOW * most :]
    so_far = window.count(case.act)
    return f"fewer than {most} of the last {LOOP_WINDOW * most} acts", str(so_far), so_far < most


def once(case: Case) -> Result | None:
    """Not while the same act is under way, and not again once it was the last of its kind to succeed."""
    if case.proposal.kind not in ACTS:
        return None
    found = case.state.authority
    own = case.proposal.id if case.moment is not Moment.PROPOSED else ""
    if any(act_of(grant.proposal) == case.act and grant.proposal.id != own for grant in found.grants):
        return "not under way", "under way", False
    last = next((act for act in reversed(found.acts) if act.ok and act.action == case.proposal.action), None)
    again = last is not None and last.arguments == case.proposal.arguments and case.needs.irreversible
    return "not done already", f"done at {last.at_ms} ms" if last is not None and again else "not done", not again


def journal(case: Case) -> Result | None:
    """What cannot be undone is written down first."""
    if not case.needs.irreversible:
        return None
    up = "journal" not in case.state.lost_parts
    return "journal up", "up" if up else "away", up
