"""Checked from outside: nothing that cannot be undone is done without a clean answer to its own heard read-back, and
nothing is done after it was taken back.

A clean answer is what the caller *meant* as one: a yes, beside which nothing else stands but a listener's token or a
further question, begun after the very values of the act had been heard to their end. What was said against an act
counts once its words are in; while they are still on their way, nothing is begun that they may overturn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..core import events as ev
from ..core.commands import Perform, TransferCall
from ..core.proposals import Polarity, Purpose, Reading
from .account import Account, Ordered, Said, Turn
from .drawn import TRANSFER_TO
from .meaning import BESIDE_A_YES, TAKES_BACK, Meant
from .mouth import ONSET_MS
from .violations import Report

CONSENT = "no irreversible act without a clean answer to its heard read-back"
WITHDRAWAL = "no act after a withdrawal"

_SLACK_MS = 120  # an onset is confirmed 70 ms after it, and the agent is held a few later: so much more was heard
_NEXT_MATTER_SHARE = 0.7  # heard of what the agent says next, words answer that
_STAYS_WITH_IT = frozenset({Purpose.REASSURANCE, Purpose.NOTICE})
_AGAINST_ANYTHING = frozenset({Meant.NO, Meant.WAIT})


@dataclass(frozen=True, slots=True)
class _Yes:
    """The clean answer that an act rests on."""

    turn: Turn
    to: Said


class Consents:
    """Watches the acts of one call."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        self._agreed: dict[str, Turn] = {}  # what each act rests on, by its grant
        self._readings: list[tuple[str, int, Reading]] = []  # (agent, turn, reading)
        self._spoken_against: dict[str, Turn] = {}  # acts that had not left when words against them came in
        account.on(ev.AgentAnswered, self._answered)
        account.on(Perform, self._perform)
        account.on(TransferCall, self._transfer)
        account.on(ev.ActionBegun, self._begun)
        account.after(self._words_against)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _perform(self, command: Perform) -> None:
        if not command.irreversible:
            return
        unspoken = self._needs(command.action)
        values = [value for name, value in command.arguments if name not in unspoken]
        what = f"{command.action} of {', '.join(values)}"
        yes = self._clean_yes(values)
        if yes is None:
            self._report(CONSENT, f"{what}: no clean answer to a heard read-back of it")
            return
        self._agreed[command.grant] = yes.turn
        against = next(self._against(yes), None)
        if against is not None:
            self._report(WITHDRAWAL, f"{what}: '{against.meant}' since the yes to {yes.to.id}, and its words are in")
        self._readers(what, yes)

    def _readers(self, what: str, yes: _Yes) -> None:
        """No reader of this answer reads it otherwise; one that is required has read it."""
        gate, fence = self._account.world.policy.gate, yes.turn.fence
        readings = [found for found in self._readings if found[0] in gate.readers]
        if any(turn == fence and reading.says is not Polarity.YES for _, turn, reading in readings):
            self._report(CONSENT, f"{what}: a reader reads the answer otherwise")
        elif gate.reader == "required" and not any(fence <= turn <= fence + 1 for _, turn, _ in readings):
            self._report(CONSENT, f"{what}: no reader has read the answer")

    def _transfer(self, command: TransferCall) -> None:
        """A "no" or "wait" after the caller has asked for a person takes that back."""
        asked = next((turn for turn in reversed(self._account.turns) if turn.meant is Meant.PERSON), None)
        if asked is None or command.target != TRANSFER_TO:
            return  # nobody has asked for it, so nobody can have taken it back
        for turn in self._account.after_it(asked):
            if turn.meant in _AGAINST_ANYTHING and (turn.known_ms >= 0 or self._unread(turn)):
                self._report(WITHDRAWAL, f"transfer to {command.target}: '{turn.meant}' since it was asked for")
                return

    def _begun(self, event: ev.ActionBegun) -> None:
        turn = self._spoken_against.get(event.grant)
        act = self._account.acts.get(event.grant)
        if turn is not None and act is not None and act.withdrawn_ms < 0:
            self._report(WITHDRAWAL, f"{act.action} begins: '{turn.meant}' came in before, and nobody withdrew it")

    def _words_against(self) -> None:
        """Note which acts had not left when words against them came in; their withdrawal must be on its way."""
        for turn in self._account.turns[-3:]:
            if turn.meant not in TAKES_BACK:
                continue
            for act in self._account.acts.values():
                on_its_way = act.ordered_ms >= 0 and act.begun_ms < 0 and act.over_ms < 0
                if on_its_way and self._speaks_against(turn, act):
                    self._spoken_against.setdefault(act.grant, turn)

    def _speaks_against(self, turn: Turn, act: Ordered) -> bool:
        """Words that have come in this very step: any reading of them, or, where it can be undone, the final one."""
        world = self._account.world
        if act.irreversible:
            agreed = self._agreed.get(act.grant)
            after = agreed is not None and turn.uttered.onset_ms > agreed.uttered.onset_ms
            return after and turn.known_revision == world.state.revision
        after = turn.meant in _AGAINST_ANYTHING and turn.uttered.onset_ms > act.ordered_ms
        return after and turn.final_ms == world.now_ms

    # --- what was agreed --------------------------------------------------------------------------------------------

    def _clean_yes(self, values: list[str]) -> _Yes | None:
        """The newest clean answer to a read-back of these values that was heard before it."""
        for said in reversed(self._account.utterances):
            ends = [said.ends_of(value) for value in values]
            if not values or not all(ends) or "?" not in said.text:
                continue
            moment_ms = said.moment_of(max(ends), self._account.now_ms)
            if moment_ms < 0:
                continue
            yes = self._yes(said, moment_ms)
            if yes is not None:
                return _Yes(yes, said)
        return None

    def _yes(self, said: Said, moment_ms: int) -> Turn | None:
        """The yes in what the caller said to it, after this moment and before the agent went on to another matter."""
        until_ms = self._next_matter_ms(said)
        answer = [
            turn
            for turn in self._account.turns
            if moment_ms - _SLACK_MS <= turn.uttered.onset_ms < until_ms and turn.meant is not Meant.NOISE
        ]
        yes = next((turn for turn in answer if turn.meant is Meant.YES and turn.final_ms >= 0), None)
        if yes is None:
            return None
        began = (each.started_ms for each in self._account.utterances if each.started_ms > yes.uttered.ends_ms)
        over_ms = min(began, default=until_ms)  # what comes later was said to something else
        same_turn = [turn for turn in answer if turn.read and turn.uttered.onset_ms < over_ms]
        return yes if all(turn.meant in BESIDE_A_YES for turn in same_turn) else None

    def _next_matter_ms(self, said: Said) -> int:
        """When so much of what the agent said next had been heard that words answer that. "Take your time" is none."""
        now_ms = self._account.now_ms
        for later in self._account.utterances[said.number + 1 :]:
            stays = later.command.purpose in _STAYS_WITH_IT and "?" not in later.text
            moment_ms = later.moment_of_ms(round(later.lasts_ms * _NEXT_MATTER_SHARE), now_ms)
            if not stays and moment_ms >= 0:
                return moment_ms
        return now_ms + 1

    def _against(self, yes: _Yes) -> Iterator[Turn]:
        for turn in self._account.after_it(yes.turn):
            if turn.meant in TAKES_BACK and (turn.known_ms >= 0 or self._unread(turn)):
                yield turn

    def _unread(self, turn: Turn) -> bool:
        """It was noticed, its words are on their way, and they may still come in time."""
        world, uttered = self._account.world, turn.uttered
        if "recognizer" in world.state.lost_parts or turn.final_ms >= 0 or uttered.segment < 0:
            return False
        unread_ms = world.policy.endpointing.unread_ms - _SLACK_MS
        return uttered.onset_ms + ONSET_MS + _SLACK_MS < world.now_ms < uttered.ends_ms + unread_ms

    # --- parts ------------------------------------------------------------------------------------------------------

    def _answered(self, event: ev.AgentAnswered) -> None:
        if event.reading is not None:
            self._readings.append((event.agent, event.turn, event.reading))

    def _needs(self, action: str) -> tuple[str, ...]:
        needs = self._account.world.policy.gate.actions.get(action)
        return needs.unspoken if needs is not None else ()
