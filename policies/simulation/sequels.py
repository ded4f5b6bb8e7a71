"""Checked from outside: an answer in parts is said in its order, without a gap: each part after an earlier one that was
heard to its end, or, where none was said, with nothing said since it was computed. Whether a part is still fresh is
`freshness.py`'s matter.
"""

from __future__ import annotations

from ..core.commands import Say
from ..core.proposals import Proposal
from .account import Account
from .freshness import grant_of
from .violations import Report

IN_ORDER = "no part of an answer but after the part before it"


class Sequels:
    """Watches what is said in one call."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        self._before: tuple[str, Proposal, int] | None = None  # what was said last: utterance, proposal, revision
        account.on(Say, self._said)

    def _said(self, command: Say) -> None:
        grant = grant_of(self._account.world, command.grant)
        if grant is None:
            return  # another checker's matter
        proposal, before = grant.proposal, self._before
        self._before = (command.utterance, proposal, self._account.world.state.revision)
        if not proposal.part or before is None:
            return
        utterance, last, revision = before
        if (last.agent, last.basis) != (proposal.agent, proposal.basis):
            if revision > proposal.basis:
                self._report(IN_ORDER, f"part {proposal.part} of {proposal.id}, after {last.id}")
            return
        over = next((said.over for said in self._account.utterances if said.id == utterance), "")
        if last.part >= proposal.part or over != "ended":
            self._report(
                IN_ORDER, f"part {proposal.part} of {proposal.id}, after part {last.part}, {over or 'unheard'}"
            )
