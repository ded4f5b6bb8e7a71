"""A version with less authority: tools and transfers are capped, what is said is not."""

from __future__ import annotations

import pytest
from offhook.policies.core.policy import Level, Policy
from offhook.policies.core.proposals import Kind, Proposal, Purpose
from offhook.policies.core.state import CallState
from offhook.policies.gate import autonomy
from offhook.policies.gate.case import case_of, level_of

POLICY = Policy.model_validate(
    {
        "name": "sales",
        "agents": {"a": {"code": "offhook.policies.agents.closing:Closing"}},
        "gate": {"actions": {"book": {"autonomy": "approve"}, "say:offer": {}}},
    }
)


def proposal(kind: Kind, action: str = "") -> Proposal:
    return Proposal("p", "a", kind, 1, 1, "Hello" if kind is Kind.SAY else "", Purpose.OFFER, action=action)


@pytest.mark.parametrize(
    ("kind", "action", "cap", "level"),
    [
        (Kind.TOOL, "book", "act", "approve"),
        (Kind.TOOL, "book", "suggest", "suggest"),
        (Kind.TOOL, "unlisted", "observe", "observe"),
        (Kind.TRANSFER, "desk", "approve", "approve"),
        (Kind.SAY, "", "observe", "act"),
        (Kind.HANGUP, "", "observe", "act"),
    ],
)
def test_the_cap_holds_for_tools_and_transfers_listed_or_not(kind: Kind, action: str, cap: Level, level: Level) -> None:
    policy = autonomy.capped(POLICY, cap)
    assert level_of(case_of(CallState(), policy, proposal(kind, action))) == level


def test_a_cap_never_widens_and_a_capped_version_has_a_name_of_its_own() -> None:
    once = autonomy.capped(POLICY, "suggest")
    assert autonomy.capped(once, "act") == once
    assert autonomy.version_at("v1", "suggest") == "v1+suggest"
    assert autonomy.version_at("v1", "act") == "v1"
