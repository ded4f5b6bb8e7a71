"""Dialogues for tests of the core: `offhook.policies.testing.dialogue`, led by the stock sales policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from offhook.policies.core.commands import Perform
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Answer, Verdict
from offhook.policies.testing import dialogue

EXAMPLES = Path(__file__).parents[2] / "examples" / "policies"


def sales_policy(**changes: Any) -> Policy:
    """The stock sales policy, with sections replaced; nobody asks who picked up unless a test wants it."""
    raw = yaml.safe_load((EXAMPLES / "sales" / "policy.yaml").read_text())
    return Policy(**{**raw, "answering": {"enabled": False}, **changes})


class Dialogue(dialogue.Dialogue):
    """A dialogue led by that policy, unless another is given."""

    def __init__(self, led_by: Policy | None = None, tool: Callable[[Perform], tuple[bool, str]] | None = None) -> None:
        super().__init__(led_by or sales_policy(), tool=tool)


def granted(verdicts: list[Verdict], what: str) -> list[Verdict]:
    """The grants of one thing."""
    return [v for v in verdicts if v.what == what and v.answer is Answer.GRANT]


def failed(verdict: Verdict) -> set[str]:
    """The rules that a verdict failed."""
    return {result.rule for result in verdict.rules if not result.ok}
