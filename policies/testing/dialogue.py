"""A whole conversation on virtual time: real agents, the real gate, a voice that takes as long as talking does, tools.

Only the people and the clock are played: `caller_says` speaks with onset, partial and final words as a recognizer would
deliver them. Everything the call asks for is carried out after a plausible delay. What a test asserts of it is
`told.py`'s; this carries out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

from ..agents.base import load
from ..conversation.view import view_of
from ..core import codec
from ..core import events as ev
from ..core.commands import (
    AwaitJournal,
    Command,
    CutSpeech,
    HangUp,
    HoldSpeech,
    InviteAgents,
    Perform,
    RecordVerdict,
    ResumeSpeech,
    Say,
    TransferCall,
    Withdraw,
)
from ..core.policy import Policy
from ..core.principal import Principal, PrincipalKind
from ..core.proposals import Proposal, Verdict
from ..core.records import COMMANDS, EVENT, Record, Start
from ..core.state import Line
from ..core.view import View
from ..gate.case import name_of
from ..gate.entry import Part, checked_parts
from .told import Told

PART_MS = 300  # from one part of an answer to the next
MS_PER_LETTER = 65  # about 155 words a minute
Tool = Callable[[Perform], tuple[bool, str]]  # what a tool does: (it worked, its words for the agents)


class Proposer(Protocol):
    """What a dialogue needs of an agent; its `propose` is one of `offhook.policies.agents.base.Agent`'s shape.

    One whose attribute `one_by_one` is true answers in parts, a proposal each.
    """

    def propose(self, view: View, reason: str) -> Sequence[Proposal]: ...


class Dialogue(Told):
    """A call with its agents, voice and tools.

    Args:
        led_by: the policy.
        agents: those of the policy by name; None = its agents' code is of installed modules, and is loaded here.
        tool: what every tool does; None = it works, and says "done: ACTION".
        direction: "inbound", or "outbound": then it is asked who picked up, where the policy asks.
    """

    def __init__(
        self,
        led_by: Policy,
        agents: Mapping[str, Proposer] | None = None,
        *,
        tool: Tool | None = None,
        direction: str = "inbound",
    ) -> None:
        super().__init__(led_by)
        made = {name: load(spec.code)(name, spec) for name, spec in led_by.agents.items()} if agents is None else agents
        self.agents: dict[str, Any] = dict(made)
        self.tool = tool or (lambda order: (True, f"done: {order.action}"))
        self.direction = direction
        self.said: list[str] = []
        self.performed: list[Perform] = []
        self.withdrawn: list[str] = []
        self.transferred: list[str] = []
        self.journal_ms, self.leave_ms, self.tool_ms = 5, 5, 80
        self.hung_up = ""
        self.journal: list[Record] = []
        self._due: list[tuple[int, int, Callable[[], ev.Event | None]]] = []
        self._number = 0
        self._playing: dict[str, tuple[str, int, int]] = {}  # utterance -> text, started, heard before
        start = Start("test", self.policy.model_dump(mode="json"), direction=direction)
        self._write(Start.KIND, start.plain())

    def begins(self) -> Self:
        """The line is answered and all agents are there."""
        self.answered(*self.agents, direction=self.direction)
        return self

    def heard_out(self) -> Self:
        """What the agent says first is heard to its end."""
        self.settles()
        return self

    # --- the caller -------------------------------------------------------------------------------------------------

    def caller_says(self, text: str, *, then_ms: int = 0, final_after_ms: int = 250) -> list[Verdict]:
        """Speak, fall silent, and let time pass until the agent has answered in full; returns the verdicts."""
        before = len(self.commands)
        self.caller_speaks(text, final_after_ms=final_after_ms)
        self.settles()
        self.passes(then_ms)
        return [c.verdict for c in self.commands[before:] if isinstance(c, RecordVerdict)]

    def caller_speaks(self, text: str, *, final_after_ms: int = 250) -> None:
        """One talkspurt with its words; the agent may be talking."""
        self._words += 1
        segment = self._words
        self.speech_starts()
        length_ms = max(300, len(text) * MS_PER_LETTER)
        self.speech_goes_on(length_ms // 2 // 100 * 100)
        half = text.rsplit(" ", max(1, len(text.split()) // 2))[0]
        self.words(half, final=False, segment=segment)
        self.speech_goes_on(length_ms // 2 // 100 * 100)
        self.words(text, final=False, segment=segment)
        self.speech_ends()
        self.passes(final_after_ms)
        self.words(text, final=True, segment=segment)

    def settles(self, limit_ms: int = 60_000) -> None:
        """Time passes until the agent has answered and has been heard out."""
        until = self.now_ms + limit_ms
        quiet_ms = 0
        while self.now_ms < until and quiet_ms < 1_200 and self.state.line is not Line.CLOSED:
            self.passes(50)
            busy = self.state.speech.current is not None or self.state.round is not None or self.state.authority.grants
            quiet_ms = 0 if busy or self.state.end_of_turn.deadline_ms else quiet_ms + 50

    # --- an operator ------------------------------------------------------------------------------------------------

    def operator_decides(self, approved: bool, action: str = "", by: str = "operator") -> None:
        """An operator answers what waits for a yes: `action`, or the first.

        Raises:
            AssertionError: nothing of that name waits.
        """
        waiting = [each for each in self.asked_of_operators if action in ("", name_of(each))]
        if not waiting:
            self.fail(f"{action or 'nothing'} waits for an operator", [name_of(p) for p in self.asked_of_operators])
        self.happens(
            ev.OperatorDecided, proposal=waiting[0].id, approved=approved, operator=Principal(PrincipalKind.PERSON, by)
        )
        self.settles()

    # --- carrying out -----------------------------------------------------------------------------------------------

    def feed(self, event: ev.Event) -> list[Command]:
        commands = super().feed(event)
        self._write(EVENT, codec.encode(event))
        if commands:
            self._write(COMMANDS, [codec.encode(command) for command in commands])
        for command in commands:
            self._carry_out(command)
        return commands

    def passes(self, ms: int) -> list[Command]:
        until, before = self.now_ms + ms, len(self.commands)
        while True:
            due_ms = [self._due[0][0]] if self._due else []
            next_ms = min([*due_ms, *self.timers.values()], default=until + 1)
            if next_ms > until:
                break
            super().passes(max(0, next_ms - self.now_ms))
            while self._due and self._due[0][0] <= self.now_ms:
                event = heapq.heappop(self._due)[2]()
                if event is not None:
                    self.feed(event)
        super().passes(max(0, until - self.now_ms))
        return self.commands[before:]

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, InviteAgents):
            view = view_of(self.state, self.policy)
            for name in command.agents:
                self._answers(name, command, self._parts(name, view, command.reason))
        elif isinstance(command, Say):
            self.said.append(command.text)
            self._playing[command.utterance] = (command.text, -1, 0)
            self._later(120, lambda: self._starts(command.utterance))
        elif isinstance(command, (HoldSpeech, CutSpeech)):
            self._later(0, lambda: self._stops(command.utterance, isinstance(command, CutSpeech)))
        elif isinstance(command, ResumeSpeech):
            self._later(20, lambda: self._starts(command.utterance))
        elif isinstance(command, AwaitJournal):
            self._later(self.journal_ms, lambda: ev.Journaled(self.now_ms, command.grant))
        elif isinstance(command, Perform):
            self._later(self.leave_ms, lambda: self._leaves(command))
        elif isinstance(command, Withdraw):
            self.withdrawn.append(command.grant)
        elif isinstance(command, TransferCall):
            self.transferred.append(command.target)
        elif isinstance(command, HangUp):
            self.hung_up = command.reason
            self._later(10, lambda: ev.LineClosed(self.now_ms, "hung up"))

    def _answers(self, agent: str, asked: InviteAgents, parts: list[Part]) -> None:
        for good, refused, number, more in parts:
            fields = (agent, asked.turn, asked.revision, good, None, refused, number, more)
            self._later(5 + number * PART_MS, lambda fields=fields: ev.AgentAnswered(self.now_ms, *fields))  # type: ignore[misc]

    def _parts(self, name: str, view: View, reason: str) -> list[Part]:
        """What an agent proposes, in parts.

        One that raises fails the test, with the dialogue up to here beside its error.
        """
        try:
            agent = self.agents[name]
            return checked_parts(agent.propose(view, reason), getattr(agent, "one_by_one", False))
        except Exception as error:
            error.add_note(f"agent {name} was asked because: {reason}\n{self.transcript()}")
            raise

    def _leaves(self, order: Perform) -> ev.Event:
        """The register begins the act, unless it was taken back before."""
        if order.grant in self.withdrawn:
            return ev.ActionFinished(self.now_ms, order.grant, False, "withdrawn", True)
        self.performed.append(order)
        ok, result = self.tool(order)
        self._later(self.tool_ms, lambda: ev.ActionFinished(self.now_ms, order.grant, ok, result))
        return ev.ActionBegun(self.now_ms, order.grant)

    def _starts(self, utterance: str) -> ev.Event | None:
        if utterance not in self._playing:
            return None
        text, started, heard = self._playing[utterance]
        self._playing[utterance] = (text, self.now_ms, heard)
        rest_ms = max(50, len(text) * MS_PER_LETTER - heard)
        since = self.now_ms
        self._later(rest_ms, lambda: self._ends(utterance, since))
        return ev.PlaybackStarted(self.now_ms, utterance) if started < 0 and heard == 0 else None

    def _stops(self, utterance: str, gone: bool) -> ev.Event | None:
        if utterance not in self._playing:
            return None
        text, started, heard = self._playing[utterance]
        heard += self.now_ms - started if started >= 0 else 0
        self._playing[utterance] = (text, -1, heard)
        if gone:
            del self._playing[utterance]
        return ev.PlaybackStopped(self.now_ms, utterance, heard, text[: heard // MS_PER_LETTER])

    def _ends(self, utterance: str, since: int) -> ev.Event | None:
        if self._playing.get(utterance, ("", -1, 0))[1] != since:
            return None
        del self._playing[utterance]
        return ev.PlaybackEnded(self.now_ms, utterance, True)

    def _later(self, ms: int, make: Callable[[], ev.Event | None]) -> None:
        self._number += 1
        heapq.heappush(self._due, (self.now_ms + ms, self._number, make))

    def _write(self, kind: str, body: Any) -> None:
        self.journal.append(Record("c1", 1, len(self.journal) + 1, self.now_ms, kind, body))
