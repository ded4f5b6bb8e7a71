"""The gate's rules, in order: the table RULES, and every rule of it applied to one case.

A rule is a small function that reads a case (one proposal against the state of this moment) and returns what it
requires, what it found, and whether that will do; None where it does not apply to this proposal. It never stops at the
first failure and never changes anything: a verdict lists every rule that applies. Rules stand in one file a subject:
`freshness_rules.py`, `situation_rules.py`, `claim_rules.py`, `agreement.py` (what the caller knows and wants) and
`limit_rules.py`. Which thresholds an action has is the policy's matter (`ActionRules`), what follows from the results
is `gate.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.proposals import RuleResult
from . import agreement, claim_rules, freshness_rules, limit_rules, situation_rules
from .case import Case, Result

RULES: dict[str, Callable[[Case], Result | None]] = {
    "fresh": freshness_rules.fresh,
    "lifetime": freshness_rules.lifetime,
    "unanswered": freshness_rules.unanswered,
    "line": situation_rules.line,
    "answering": situation_rules.answering,
    "presence": situation_rules.presence,
    "authority": situation_rules.authority,
    "unread": situation_rules.unread,
    "overheard": situation_rules.overheard,
    "ending": situation_rules.ending,
    "stop": situation_rules.stop,
    "handoff": situation_rules.handoff,
    "timers": situation_rules.timers,
    "stage": situation_rules.stage,
    "concerns": agreement.concerns,
    "outcome": claim_rules.outcome,
    "settled": claim_rules.settled,
    "answers": claim_rules.answers,
    "told": agreement.told,
    "readiness": agreement.readiness,
    "slots": agreement.slots,
    "confirmed_slots": agreement.confirmed_slots,
    "consent": agreement.consent,
    "contrary": agreement.contrary,
    "evidence_age": agreement.evidence_age,
    "final_words": agreement.final_words,
    "reading": agreement.reading,
    "refused": limit_rules.refused,
    "budget": limit_rules.budget,
    "times": limit_rules.times,
    "cooldown": limit_rules.cooldown,
    "repeats": limit_rules.repeats,
    "once": limit_rules.once,
    "journal": limit_rules.journal,
    "floor": situation_rules.floor,
    "autonomy": limit_rules.autonomy,
}


def compare(case: Case) -> tuple[RuleResult, ...]:
    """Every rule that applies to the case, in the table's order, with required and actual value."""
    results = []
    for name, rule in RULES.items():
        result = rule(case)
        if result is not None:
            results.append(RuleResult(name, *result))
    return tuple(results)
