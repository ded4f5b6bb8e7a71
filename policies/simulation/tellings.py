"""Checked from outside: nothing counts as told that was not heard, and what was heard counts.

A verdict lists what it compared: what was told (`told`), and how often something was said or done (`times`). Both are
held against what the line tells of the same utterances. Where a price stands in an offer, its own words must have been
played to their end; anything else is told when most of it was heard. Read-backs are `consents.py`'s matter.
"""

from __future__ import annotations

import re

from ..core.commands import RecordVerdict
from ..core.policy import Policy
from ..core.proposals import Kind, Purpose, RuleResult, Verdict
from .account import Account, Said
from .drawn import PRICE
from .violations import Report

TOLD = "nothing counts as told that was not heard"

_MOST = (0.6, 0.8)  # of an utterance without such words: less is not told, more is; in between either will do
_PURPOSES = frozenset(str(purpose) for purpose in Purpose)


class Tellings:
    """Watches the verdicts of one call."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        self._policy: Policy | None = None
        self._priced = {PRICE}  # the words of every `{price: ...}` in the policies that led this call
        account.on(RecordVerdict, self._judged)

    def _judged(self, command: RecordVerdict) -> None:
        verdict = command.verdict
        if self._account.world.policy is not self._policy:
            self._policy = self._account.world.policy
            self._priced.update(_prices(self._policy))
        for result in verdict.rules:
            if result.rule == "told":
                self._told(verdict, result)
            elif result.rule == "times":
                self._times(verdict, result)

    def _told(self, verdict: Verdict, result: RuleResult) -> None:
        """Required is "heard: offer, read_back", actual "all heard" or "not heard: offer"."""
        missing = () if result.ok else _names(result.actual)
        for name in _names(result.required):
            least, most = self._heard(name)
            if least is None:
                continue
            if name in missing and least:
                self._report(TOLD, f"{verdict.what}: {name} was heard to its end, and counts as not told")
            elif name not in missing and not most:
                self._report(TOLD, f"{verdict.what}: {name} counts as told, and was not heard")

    def _times(self, verdict: Verdict, result: RuleResult) -> None:
        """Actual is "2 so far"."""
        so_far = int(result.actual.partition(" ")[0])
        if verdict.kind is Kind.SAY:
            least, most = self._heard(verdict.what)
            if least is None:
                return
        elif verdict.kind is Kind.TOOL:
            acts = [act for act in self._account.acts.values() if act.action == verdict.what]
            least = sum(act.begun_ms >= 0 for act in acts)
            most = sum(act.ordered_ms >= 0 for act in acts)
        else:
            return
        if not least <= so_far <= most:
            self._report(TOLD, f"{verdict.what} counts {so_far} times, and was heard or done {least} to {most} times")

    def _heard(self, name: str) -> tuple[int | None, int]:
        """How often this was told, at least and at most; None = not to be seen from here."""
        if name == "price":
            found = [self._told_of(said) for said in self._account.utterances if self._ends(said)]
        elif name in _PURPOSES:
            spoken = [said for said in self._account.utterances if said.command.purpose == name]
            found = [self._told_of(said, priced=name == Purpose.OFFER) for said in spoken]
        else:
            return None, 0
        return sum(least for least, _ in found), sum(most for _, most in found)

    def _ends(self, said: Said) -> int:
        """How many of its words have to be heard so that every price in it is heard; 0 = it names none."""
        return max((said.ends_of(words) for words in self._priced), default=0)

    def _told_of(self, said: Said, *, priced: bool = True) -> tuple[bool, bool]:
        """Whether it is told: certainly, and perhaps."""
        now_ms = self._account.now_ms
        if said.over == "failed":
            return False, False
        ends = self._ends(said) if priced else 0
        if ends:
            certainly = said.over == "ended" or (bool(said.over) and said.heard_words(now_ms) >= ends)
            return certainly, said.heard_words(now_ms) >= ends
        share = said.share(now_ms)
        return said.over == "ended" or (bool(said.over) and share >= _MOST[1]), share >= _MOST[0]


def _prices(policy: Policy) -> tuple[str, ...]:
    """The words of every `{price: ...}` in the lines of a policy."""
    lines = (line for spec in policy.agents.values() for line in spec.lines.values())
    return tuple(words for line in lines for words in _PRICED.findall(line))


_PRICED = re.compile(r"\{price: ([^}]+)\}")


def _names(text: str) -> tuple[str, ...]:
    """The names after the colon of "heard: offer, read_back"."""
    return tuple(name.strip() for name in text.partition(":")[2].split(",") if name.strip())
