"""An operator of a simulated call: says yes to what waits for one, or no, or nothing at all."""

from __future__ import annotations

from ..core import events as ev
from ..core.commands import RecordVerdict
from ..core.principal import Principal, PrincipalKind
from ..core.proposals import Answer, Verdict
from .world import Record, World

ANSWERS_MS = (300, 9_000)  # from the question to the answer; approvals last from 4 s on
OPERATOR = Principal(PrincipalKind.PERSON, "operator")
APPROVES, REFUSES = 0.5, 0.25  # shares of the questions; the rest is never answered


class Operator:
    """One person who watches this call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: set[str] = set()
        world.watch.append(self._look)

    def _look(self, _world: World, record: Record) -> None:
        for command in record.commands:
            if isinstance(command, RecordVerdict) and _waits_for_a_yes(command.verdict):
                self._asked_about(command.verdict.proposal)

    def _asked_about(self, proposal: str) -> None:
        world, chance = self._world, self._world.chance
        if proposal in self._asked:
            return
        self._asked.add(proposal)
        draw = chance.random()
        if draw < APPROVES + REFUSES:
            approved = draw < APPROVES
            delay_ms = chance.randint(*ANSWERS_MS)
            world.after(delay_ms, lambda: self._decide(proposal, approved))

    def _decide(self, proposal: str, approved: bool) -> None:
        if not self._world.over:
            self._world.feed(ev.OperatorDecided(self._world.now_ms, proposal, approved, OPERATOR))


def _waits_for_a_yes(verdict: Verdict) -> bool:
    return verdict.answer is Answer.WAIT and any(rule.rule == "autonomy" and not rule.ok for rule in verdict.rules)
