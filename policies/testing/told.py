"""What a test asks of a dialogue: what was said, done, denied and why; assertions that print the dialogue if they fail.

Belongs here: reading what happened. How it came to happen is `dialogue.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from ..core.commands import Perform
from ..core.proposals import Answer, Kind, Proposal, Verdict
from ..core.records import Record
from .scene import Scene, verdicts
from .transcript import failing, transcript


@dataclass(frozen=True, slots=True)
class Done:
    """An act that a tool was told to carry out, with what it was authorized for."""

    action: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Denied:
    """Something that the gate refused: what, whose, and each rule that it failed with what was needed and what was."""

    at_ms: int
    what: str
    agent: str
    why: tuple[str, ...]
    rules: tuple[str, ...] = field(repr=False)  # their names


class Told(Scene):
    """The reading half of a dialogue."""

    said: list[str]
    performed: list[Perform]
    journal: list[Record]

    # --- what happened ----------------------------------------------------------------------------------------------

    @property
    def done(self) -> list[Done]:
        """What tools were told to do, in order."""
        return [Done(order.action, dict(order.arguments)) for order in self.performed]

    @property
    def denied(self) -> list[Denied]:
        """What was refused, in order."""
        return [_denied(each) for each in self.verdicts if each.answer is Answer.DENY]

    @property
    def verdicts(self) -> list[Verdict]:
        """Every answer of the gate, in order."""
        return verdicts(self.commands)

    @property
    def slots(self) -> dict[str, str]:
        """What the caller said for each slot."""
        return {slot.name: slot.value for slot in self.state.slots}

    @property
    def outcome(self) -> str:
        """How the call ended; empty while it goes on."""
        return self.state.outcome

    @property
    def asked_of_operators(self) -> list[Proposal]:
        """What waits for an operator's yes."""
        return list(self.state.authority.approvals)

    def transcript(self) -> str:
        """The dialogue so far, with times in seconds, and why something was denied."""
        return transcript(self.journal)

    # --- assertions -------------------------------------------------------------------------------------------------

    def assert_said(self, pattern: str) -> None:
        """The agent has said something that this regular expression finds; capitals do not count."""
        if not any(re.search(pattern, text, re.IGNORECASE) for text in self.said):
            self.fail(f"the agent never said {pattern!r}", self.said)

    def assert_not_said(self, pattern: str) -> None:
        """The agent has said nothing that this regular expression finds."""
        found = [text for text in self.said if re.search(pattern, text, re.IGNORECASE)]
        if found:
            self.fail(f"the agent said {pattern!r}", found)

    def assert_done(self, action: str, **arguments: str) -> None:
        """A tool was told to do this, with at least these arguments."""
        for done in self.done:
            if done.action == action and arguments.items() <= dict(done.arguments).items():
                return
        wanted = ", ".join(f"{name}={value}" for name, value in arguments.items())
        self.fail(f"{action}({wanted}) was not done", [f"{each.action} {dict(each.arguments)}" for each in self.done])

    def assert_not_done(self, action: str) -> None:
        """No tool was told to do this."""
        found = [f"{each.action} {dict(each.arguments)}" for each in self.done if each.action == action]
        if found:
            self.fail(f"{action} was done", found)

    def assert_denied(self, what: str, by: str = "") -> None:
        """The gate refused this (an action, or "say:offer"), by this rule where one is named."""
        found = [each for each in self.denied if each.what == what]
        if not any(by in ("", *each.rules) for each in found):
            because = [f"{each.what}: {'; '.join(each.why)}" for each in found or self.denied]
            self.fail(f"{what} was not denied{f' by {by}' if by else ''}", because)

    def assert_outcome(self, outcome: str) -> None:
        """The call has ended, so."""
        if self.outcome != outcome:
            self.fail(f"the call did not end as {outcome}", [self.outcome or "it goes on"])

    def fail(self, what: str, instead: list[str]) -> NoReturn:
        """Raises: AssertionError: what is not as it should be, what there is instead, and the dialogue."""
        found = "".join(f"\n    {each}" for each in instead) or " nothing"
        raise AssertionError(f"{what}; there is:{found}\n\nthe dialogue:\n{self.transcript()}")


def _denied(verdict: Verdict) -> Denied:
    """Named as the policy's rules name it: the tool, `say:<purpose>`, or the kind."""
    what = {Kind.SAY: f"say:{verdict.what}", Kind.TOOL: verdict.what}.get(verdict.kind, str(verdict.kind))
    rules = tuple(rule.rule for rule in verdict.rules if not rule.ok)
    return Denied(verdict.at_ms, what, verdict.agent, tuple(failing(verdict)), rules)
