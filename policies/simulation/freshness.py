"""Checked from outside: nothing is said or done on stale evidence.

What was not judged before is fenced by the turn: it rests on everything that was known at its moment, so anything newer
outdates it. What was parked or announced, or goes on with an answer that is being given, is judged by what it rests on:
the caller's words since then must not speak against it. A listener's token speaks against nothing.
"""

from __future__ import annotations

from typing import Any

from ..core.commands import AwaitJournal, CutSpeech, Perform, RecordVerdict, Say, TransferCall
from ..core.proposals import ACTS, CORE, Grant, Kind, Moment, Proposal, Purpose
from .account import Account, Turn, plain
from .meaning import Meant
from .violations import Report
from .world import World

STALE = "no act on stale evidence"
AFTER_A_CUT = "no act after a cut on the evidence before it"

_ANSWERS_NOTHING = frozenset({Meant.TOKEN, Meant.NOISE})
_AGAINST_ANYTHING = frozenset({Meant.NO, Meant.WAIT})
_LISTENERS = frozenset(
    plain("yes yeah yep sure okay right great good fine um uh oh well so and i see thank thanks you please")
)


class Freshness:
    """Watches the grants of one call."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        self._proposed: dict[str, int] = {}  # proposal -> the revision at which it was first judged
        self._fence = 0  # the revision of the last barge-in
        self._begun: dict[tuple[str, int], int] = {}  # when an answer began to be said, by its agent and basis
        account.on(RecordVerdict, self._judged)
        account.on(CutSpeech, self._cut)
        for kind in (Say, AwaitJournal, Perform, TransferCall):
            account.on(kind, self._granted)

    def _judged(self, command: RecordVerdict) -> None:
        verdict = command.verdict
        if verdict.moment == Moment.PROPOSED:
            self._proposed[verdict.proposal] = verdict.revision

    def _cut(self, _command: CutSpeech) -> None:
        world = self._account.world
        if world.state.authority.suspended_since_ms:
            self._fence = world.state.revision

    def _granted(self, command: Any) -> None:
        world = self._account.world
        grant = grant_of(world, command.grant)
        if grant is None:
            return  # another checker's matter
        proposal, state = grant.proposal, world.state
        what = f"{type(command).__name__} of {proposal.id} from revision {proposal.basis}"
        if state.authority.suspended_since_ms and not ends_the_call(proposal):
            self._report(AFTER_A_CUT, f"{what} while authority is suspended")
        spoken_on = proposal.part > 0 and proposal.kind is Kind.SAY and proposal.turn == state.turn
        if self._proposed.get(proposal.id) != state.revision or spoken_on:
            turn = self._contradicting(proposal, self._begun.get((proposal.agent, proposal.basis), 0))
            if turn is not None:
                words = f"'{turn.meant}' at revision {turn.changed_revision}"
                self._report(STALE, f"{what}, judged before; since then the caller said {words}")
        elif proposal.basis < self._fence:
            self._report(AFTER_A_CUT, f"{what}, cut at {self._fence}")
        elif proposal.basis < state.evidence_revision or proposal.turn != state.turn:
            newest = f"turn {state.turn}, evidence of {state.evidence_revision}"
            self._report(STALE, f"{what}, turn {proposal.turn}; now {newest}")
        if isinstance(command, Say):
            self._begun.setdefault((proposal.agent, proposal.basis), world.now_ms)

    def _contradicting(self, proposal: Proposal, begun_ms: int) -> Turn | None:
        """What the caller said since, and what was judged before cannot stand beside.

        Words that were over when the answer began are what it answers, however late their last reading comes.
        """
        for turn in reversed(self._account.turns):
            answered = proposal.part and turn.uttered.ends_ms <= begun_ms
            if turn.changed_revision <= proposal.basis or answered:
                continue
            if proposal.kind in ACTS:
                if turn.meant in _AGAINST_ANYTHING and turn.known_revision > proposal.basis:
                    return turn
            elif _answers(proposal) and not _listens(turn):
                return turn
        return None


def _answers(proposal: Proposal) -> bool:
    """It answers what the caller said: all that agents say, and the core's request to say it again."""
    said = proposal.kind in (Kind.SAY, Kind.HANDOFF)
    return said and (proposal.agent != CORE or proposal.purpose is Purpose.REPAIR)


def _listens(turn: Turn) -> bool:
    """No more than "go on", as far as it is read; "yes" alone is one."""
    return turn.meant in _ANSWERS_NOTHING or _LISTENERS.issuperset(turn.read.split())


def ends_the_call(proposal: Proposal) -> bool:
    """The core may end a call at any time: its limits do not wait for an interruption to be understood."""
    return proposal.kind is Kind.HANGUP and proposal.agent == CORE


def grant_of(world: World, grant: str) -> Grant | None:
    """The grant of this id, while it lives."""
    return next((found for found in world.state.authority.grants if found.id == grant), None)
