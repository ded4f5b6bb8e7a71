"""The world of one simulated call: virtual time, the funnel, timers, agents and tools.

Belongs here: what surrounds `step` in a real call (`actors/`), reduced to a heap of things to come. What the caller
does is `caller.py`'s, what the voice does `voice.py`'s, what goes wrong `faults.py`'s, what must hold `checkers.py`'s.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..agents.base import reader
from ..conversation.machine import step
from ..conversation.view import view_of
from ..core import events as ev
from ..core.commands import (
    ArmTimer,
    AwaitJournal,
    Command,
    CutSpeech,
    DisarmTimer,
    HangUp,
    HoldSpeech,
    InviteAgents,
    Perform,
    ResumeSpeech,
    Say,
    TransferCall,
    Withdraw,
)
from ..core.parts import part
from ..core.policy import Policy
from ..core.proposals import Proposal
from ..core.state import CallState, Line
from ..core.view import View
from ..gate.entry import checked_parts
from .faults import Faults
from .meaning import Uttered

HANG_UP_MS = 40  # from our hang-up to the carrier's close
AGENT_MS = (4, 90)
PART_MS = (0, 1_500)  # from one part of an answer to the next
JOURNAL_MS = (3, 40)
JOURNAL_SLOW_MS = (500, 6_000)
JOURNAL_PATIENCE_MS = 5_000  # what the journal does not have by then is not done
LEAVE_MS = (2, 60)  # from an order to the register's word that the act has begun
LEAVE_SLOW_MS = (300, 3_000)
WITHDRAW_MS = (1, 40)  # from a withdrawal to the register
RAISES_MAX = 5  # of one agent in a call: as an agent host makes it anew, and gives it up
TOOL_MS = (60, 2_500)
TRANSFER_MS = (400, 2_000)


class Proposer(Protocol):
    """What the world needs of an agent; one that is a plain `Reader` (`policies/agents/base.py`) is asked as that too.

    One whose attribute `one_by_one` is true answers in parts, a proposal each.
    """

    def propose(self, view: View, reason: str) -> Sequence[Proposal]: ...


@dataclass(frozen=True, slots=True)
class Raised:
    """An agent's code raised: in a live call it is made anew, and is there again at once."""

    at_ms: int
    agent: str
    error: Exception


@part
class Record:
    """One event as it was folded: the policy of that moment, and what followed."""

    event: ev.Event
    policy: Policy
    commands: tuple[Command, ...]
    state: CallState


@dataclass(slots=True)
class World:
    """One call and everything around it. `watch` is called after every step with (world, record)."""

    policy: Policy
    agents: dict[str, Proposer]
    chance: random.Random
    faults: Faults
    state: CallState = field(default_factory=CallState)
    now_ms: int = 0
    records: list[Record] = field(default_factory=list)
    timers: dict[str, int] = field(default_factory=dict)
    carried_out: dict[type[Command], Callable[[Any], None]] = field(default_factory=dict)
    watch: list[Callable[[World, Record], None]] = field(default_factory=list)
    after_step: list[Callable[[World], None]] = field(default_factory=list)  # once its commands are carried out
    begun: set[str] = field(default_factory=set)  # grants of acts that have left
    withdrawn: set[str] = field(default_factory=set)
    raised: list[Raised] = field(default_factory=list)  # by agents
    uttered: list[Uttered] = field(default_factory=list)  # by the caller, with what was meant
    segments: int = 0  # the recognizer has begun, whoever spoke
    nobody_since_ms: int = -1  # since when no person is at the far end (`absent.py`); -1 = one is
    circling: bool = False  # one moment would never pass: a checker has seen enough
    _heap: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _order: int = 0

    def __post_init__(self) -> None:
        self.carried_out.update(
            {
                ArmTimer: self._arm,
                DisarmTimer: self._disarm,
                InviteAgents: self._invite,
                AwaitJournal: self._await_journal,
                Perform: self._perform,
                Withdraw: self._withdraw,
                TransferCall: self._transfer,
                HangUp: self._hang_up,
            }
        )

    def speak_through(self, voice: Any) -> None:
        """Have a voice (`voice.py`) carry out what concerns speech."""
        self.carried_out.update(
            {Say: voice.say, HoldSpeech: voice.hold, ResumeSpeech: voice.resume, CutSpeech: voice.cut}
        )

    def after(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Let `what` happen `delay_ms` from now; things of one moment happen in the order in which they were asked."""
        self._order += 1
        heapq.heappush(self._heap, (self.now_ms + max(0, delay_ms), self._order, what))

    def feed(self, event: ev.Event) -> None:
        """One event through the funnel: fold, keep, check, carry out."""
        decision = step(self.state, event, self.policy)
        self.state = decision.state
        record = Record(event, self.policy, decision.commands, decision.state)
        self.records.append(record)
        for look in self.watch:
            look(self, record)
        carried_out = self.carried_out
        for command in decision.commands:
            carry_out = carried_out.get(type(command))
            if carry_out is not None:
                carry_out(command)
        for check in self.after_step:
            check(self)

    def run(self, until_ms: int) -> None:
        """Let time pass until nothing is left to happen or `until_ms` is reached."""
        heap = self._heap
        while heap and heap[0][0] <= until_ms and not self.circling:
            self.now_ms, _, what = heapq.heappop(heap)
            what()

    @property
    def over(self) -> bool:
        return self.state.line is Line.CLOSED

    @property
    def left(self) -> int:
        """How many things are still to happen."""
        return len(self._heap)

    # --- timers -----------------------------------------------------------------------------------------------------

    def _arm(self, command: ArmTimer) -> None:
        timer, deadline_ms = command.timer, command.deadline_ms
        self.timers[timer] = deadline_ms
        late_ms = self.faults.timer_late_ms()
        self.after(deadline_ms - self.now_ms + late_ms, lambda: self._fire(timer, deadline_ms))

    def _disarm(self, command: DisarmTimer) -> None:
        self.timers.pop(command.timer, None)

    def _fire(self, timer: str, deadline_ms: int) -> None:
        live = self.timers.get(timer) == deadline_ms
        if live:
            del self.timers[timer]
        if live or self.faults.stale_timer():
            self.feed(ev.TimerFired(self.now_ms, timer, deadline_ms))

    # --- agents, tools, the carrier ---------------------------------------------------------------------------------

    def _invite(self, command: InviteAgents) -> None:
        view = view_of(self.state, self.policy)
        for name in command.agents:
            if name not in self.agents:
                continue
            delay_ms = self.faults.agent_delay_ms(self.chance.randint(*AGENT_MS))
            if delay_ms is None:
                self.after(3_000, lambda stuck=(name, self.agents[name]): self._lose_agent(*stuck))  # type: ignore[misc]
                continue
            agent = self.agents[name]
            one_by_one = getattr(agent, "one_by_one", False)
            try:
                reads = reader(agent)
                reading = reads.read(view) if reads is not None else None
                parts = checked_parts(agent.propose(view, command.reason), one_by_one)
            except Exception as error:
                self.raised.append(Raised(self.now_ms, name, error))
                self.after(delay_ms, lambda failed=(name, error): self._fail_agent(*failed))  # type: ignore[misc]
                continue
            delay_ms += getattr(agent, "late_ms", 0)
            for proposals, refused, number, more in parts:
                delay_ms += self.chance.randint(*PART_MS) if number else 0
                read_now = None if number else reading
                event = (name, command.turn, command.revision, proposals, read_now, refused, number, more)
                self._answer(delay_ms, event)

    def _answer(self, delay_ms: int, event: tuple[Any, ...]) -> None:
        """An agent's answer, or a part of it; also one that comes after the turn has moved, and is fenced."""
        self.after(delay_ms, lambda: self.feed(ev.AgentAnswered(self.now_ms, *event)))
        if self.faults.repeated():
            self.after(delay_ms + 30, lambda: self.feed(ev.AgentAnswered(self.now_ms, *event)))

    def _fail_agent(self, name: str, error: Exception) -> None:
        self.feed(ev.AgentLost(self.now_ms, name, type(error).__name__))
        if sum(each.agent == name for each in self.raised) <= RAISES_MAX:
            self.feed(ev.AgentJoined(self.now_ms, name))

    def _lose_agent(self, name: str, stuck: Proposer) -> None:
        if self.agents.get(name) is stuck:  # otherwise another version's has its seat
            self.feed(ev.AgentLost(self.now_ms, name, "no answer"))
            self.after(1_500, lambda: self._join_again(name, stuck))

    def _join_again(self, name: str, stuck: Proposer) -> None:
        if self.agents.get(name) is stuck:
            self.feed(ev.AgentJoined(self.now_ms, name))

    def _await_journal(self, command: AwaitJournal) -> None:
        away = "journal" in self.state.lost_parts
        delay_ms = self.chance.randint(*(JOURNAL_SLOW_MS if self.faults.journal_slow() else JOURNAL_MS))
        if away or delay_ms > JOURNAL_PATIENCE_MS:
            why = "the journal has not taken it"
            lost = (command.grant, False, why)
            self.after(JOURNAL_PATIENCE_MS, lambda: self.feed(ev.ActionFinished(self.now_ms, *lost)))
            return
        self.after(delay_ms, lambda: self.feed(ev.Journaled(self.now_ms, command.grant)))

    def _perform(self, command: Perform) -> None:
        delay_ms = self.chance.randint(*(LEAVE_SLOW_MS if self.faults.register_slow() else LEAVE_MS))
        self.after(delay_ms, lambda: self._begin_act(command))

    def _begin_act(self, command: Perform) -> None:
        """The register begins it, unless it was withdrawn before: then nothing is done."""
        if command.grant in self.withdrawn:
            return
        self.begun.add(command.grant)
        self.feed(ev.ActionBegun(self.now_ms, command.grant))
        ok = not self.faults.tool_fails()
        result = "done" if ok else "unavailable"
        delay_ms = self.chance.randint(*TOOL_MS)
        self.after(delay_ms, lambda: self.feed(ev.ActionFinished(self.now_ms, command.grant, ok, result)))
        if self.faults.repeated():
            self.after(delay_ms + 20, lambda: self.feed(ev.ActionFinished(self.now_ms, command.grant, ok, result)))

    def _withdraw(self, command: Withdraw) -> None:
        self.after(self.chance.randint(*WITHDRAW_MS), lambda: self._take_back(command.grant))

    def _take_back(self, grant: str) -> None:
        """A withdrawal has reached the register: nothing is done, unless the act has begun."""
        if grant not in self.begun and grant not in self.withdrawn:
            self.withdrawn.add(grant)
            self.feed(ev.ActionFinished(self.now_ms, grant, False, "withdrawn", True))

    def _transfer(self, _command: TransferCall) -> None:
        if self.faults.transfer_unanswered():
            return
        self.after(self.chance.randint(*TRANSFER_MS), lambda: self.close("transferred"))

    def _hang_up(self, command: HangUp) -> None:
        self.after(HANG_UP_MS, lambda: self.close(f"we hung up: {command.reason}"))

    def close(self, reason: str) -> None:
        """The call is over on the wire."""
        if not self.over:
            self.feed(ev.LineClosed(self.now_ms, reason))
