"""What `offhook rollout start` makes of its options, and how a rollout is drawn."""

from __future__ import annotations

import pytest
from offhook.cluster.operations import GuardEvidence, RolloutStatus, SwapTotals
from offhook.policies.core.errors import CallerFault
from offhook.policies.fleet import rollout as rules
from offhook.policies.fleet.rollout import Plan, Rollout
from offhook.serve.cli.cli_rollouts import guards_of, steps_of
from offhook.serve.views import rollout_view
from rich.console import Console


def test_shares_and_levels_become_steps() -> None:
    assert steps_of("1,5,100", "suggest,act") == {
        "steps": [{"share": 0.01, "autonomy": "suggest"}, {"share": 0.05, "autonomy": "act"}],
        "promote": True,
        "autonomy": "act",
    }
    assert steps_of("50%", "approve") == {
        "steps": [{"share": 0.5, "autonomy": "approve"}], "promote": False, "autonomy": "approve",
    }  # fmt: skip
    assert steps_of("100", "act") == {"steps": [], "promote": True, "autonomy": "act"}
    assert steps_of("", "act")["promote"] is False


@pytest.mark.parametrize(
    ("canary", "autonomy", "words"),
    [
        ("five", "act", "shares in %"),
        ("100,5", "act", "the last may be 100"),
        ("5,0", "act", "above 0"),
        ("5", "free", "'free': one of observe, suggest, approve, act"),
        ("5", "act,act,act", "1 to 2 levels for 1 shares"),
    ],
)
def test_options_that_cannot_be_used_say_what_can(canary: str, autonomy: str, words: str) -> None:
    with pytest.raises(CallerFault, match=words):
        steps_of(canary, autonomy)


def test_guards_are_ratios_limits_or_the_usual() -> None:
    assert guards_of(["failed=2", "diverged=20%", "slow"]) == [
        {"mark": "failed", "ratio_max": 2.0},
        {"mark": "diverged", "limit_share": 0.2},
        {"mark": "slow", "ratio_max": 1.5, "limit_share": None},
    ]
    assert guards_of(["none"]) == []
    with pytest.raises(CallerFault, match="marks: failed"):
        guards_of(["loud=3"])


def test_a_rollout_is_drawn_with_its_steps_its_guards_and_its_reason() -> None:
    plan = Plan.model_validate({**steps_of("5,25,100", "suggest,act"), "shadow": False})
    found = rules.begun(Rollout(policy="sales", number=1, baseline="v1", candidate="v2", plan=plan), 1_000)
    found = rules.counted(found, 0, 0, 90, 80, {"hung_up": 4})
    found = rules.ticked(rules.counted(found, 0, 1, 5, 5, {"failed": 5}), 2_000)
    guards = (GuardEvidence(g.mark, "", rules.evidence(found, g), rules.needed(plan)) for g in plan.guards)
    told = RolloutStatus(
        name=found.name, policy="sales", baseline="v1", candidate="v2", stage=found.stage.value, reason=found.reason,
        plan=plan, step=found.step, tallies=found.tallies, history=found.history, guards=tuple(guards),
        swap=SwapTotals(asked=4, swapped=3, kept=1),
    )  # fmt: skip
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(rollout_view.status(told))
    text = console.export_text()
    for words in (
        "sales-1  v1 -> v2  rolled back",
        "because failed: 5 of 5",
        "5.00%",
        "suggest",
        "####",
        "3 of 4 went",
    ):
        assert words in text, text
    assert rollout_view.line(told).startswith(
        "sales-1  rolled back  5 of 30 calls over, 80 of the baseline  nearest guard"
    )
    console.print(rollout_view.rows([]))
    assert "offhook rollout start" in console.export_text()
