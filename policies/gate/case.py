"""What comes before the gate: one proposal against the state of this moment, and what can be read off the two.

Nothing here compares or decides: the rules do (`rules.py`), and the gate acts on their results (`gate.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any

from ..core.parts import part
from ..core.policy import ActionRules, Level, Policy
from ..core.principal import Principal
from ..core.proposals import ACTS, Kind, Moment, Proposal
from ..core.state import Act, CallState, Playing
from .autonomy import lower

DIGESTS_KEPT = 64  # one act is judged several times on its way; its digest is made once
_NO_NEEDS = ActionRules.model_validate({})

Result = tuple[str, str, bool]  # of a rule: required, actual, ok


@part
class Case:
    """One proposal before the gate: everything that a rule may look at."""

    state: CallState
    policy: Policy
    proposal: Proposal
    needs: ActionRules
    name: str  # under which the policy knows it: a tool's name, "say:<purpose>", "hangup", ...
    act: str  # digest of what would be done; equal acts have equal digests
    heard: bool  # the caller would hear it
    moment: Moment = Moment.PROPOSED


def case_of(state: CallState, policy: Policy, proposal: Proposal, moment: Moment = Moment.PROPOSED) -> Case:
    """The case of `proposal` at this moment."""
    name = name_of(proposal)
    needs = policy.gate.actions.get(name) or _NO_NEEDS
    return Case(state, policy, proposal, needs, name, act_of(proposal), bool(proposal.text), moment)


def name_of(proposal: Proposal) -> str:
    """The name under which a policy gives rules for it: the tool's, `say:<purpose>`, or the kind."""
    if proposal.kind is Kind.SAY:
        return f"say:{proposal.purpose}"
    return proposal.action if proposal.kind is Kind.TOOL else str(proposal.kind)


def act_of(proposal: Proposal) -> str:
    """A digest of what would be said or done: the same act proposed again has the same one."""
    said = proposal.text if proposal.kind is Kind.SAY else ""
    return _digest(proposal.kind, proposal.action, said, proposal.arguments)


@lru_cache(maxsize=DIGESTS_KEPT)
def _digest(kind: Kind, action: str, said: str, arguments: tuple[tuple[str, str], ...]) -> str:
    parts = [kind, action, said, *[f"{k}={v}" for k, v in sorted(arguments)]]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]


def done(state: CallState, name: str) -> tuple[int, int]:
    """How often something was granted under this name, and when last."""
    return next(((count, last_ms) for key, count, last_ms in state.authority.done if key == name), (0, 0))


def approval(case: Case) -> tuple[Principal, int] | None:
    """Which operator said yes to this act, and when, while that yes lasts: to the end of an act that it has begun."""
    authority = case.state.authority
    begun = any(act_of(grant.proposal) == case.act for grant in authority.grants)
    for act, operator, at_ms in reversed(authority.approved):
        if act == case.act and (begun or case.state.now_ms - at_ms <= case.policy.gate.approval_ms):
            return operator, at_ms
    return None


def level_of(case: Case) -> Level:
    """The autonomy level of this action in this call; the calls outside its share only observe."""
    needs = case.needs
    if needs.autonomy_share < 1.0 and share_of(case.state.call, case.name) >= needs.autonomy_share:
        return "observe"
    if case.proposal.kind in ACTS:
        return lower(needs.autonomy, case.policy.gate.autonomy_max)
    return needs.autonomy


def share_of(call: str, name: str) -> float:
    """Where a call falls in 0..1 for one action: stable over processes, machines and versions of Python."""
    return int.from_bytes(hashlib.sha256(f"{call}/{name}".encode()).digest()[:7], "big") / (1 << 56)


def goes_on(state: CallState, proposal: Proposal) -> bool:
    """True for a later part of the answer that is being said, or that was said last and heard to its end."""
    agent, basis, number = state.authority.spoke_for
    if proposal.part <= number or (agent, basis) != (proposal.agent, proposal.basis):
        return False
    current, last = state.speech.current, state.speech.last
    return current is not None or (last is not None and last.playing is Playing.ENDED)


def said_until_ms(state: CallState) -> int:
    """Until when the agent has spoken: now, while it does."""
    current, last = state.speech.current, state.speech.last
    return last.ended_ms if current is None and last is not None else state.now_ms


def in_order(proposals: Collection[Proposal], rank: Callable[[Proposal], Any]) -> list[Proposal]:
    """The lowest rank first. Parts of one answer stay in their order, where the first of them stands."""
    leads: dict[tuple[str, int], Proposal] = {}
    for proposal in proposals:
        leads.setdefault((proposal.agent, proposal.basis), proposal)

    def place(proposal: Proposal) -> tuple[Any, int]:
        lead = leads[proposal.agent, proposal.basis] if proposal.part else proposal
        return rank(lead), proposal.part

    return sorted(proposals, key=place)


def outcome_of(act: Act) -> str:
    """How an act ended, in the word that `Proposal.about` uses."""
    return "withdrawn" if act.withdrawn else "done" if act.ok else "failed"


def listed(parts: Iterable[object]) -> str:
    """As verdicts name several things."""
    return ", ".join(str(part) for part in parts)
