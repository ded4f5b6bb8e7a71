"""A call on virtual time: events in, time passes, what was asked for is kept. Stands alone: no agents, no voice.

`Scene` fires armed timers in the order of their deadlines while time passes, as a call actor would, and nothing else:
playback, words and agents are the test's to play.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..conversation.machine import step
from ..core import events as ev
from ..core.commands import ArmTimer, Command, DisarmTimer, RecordVerdict, Say
from ..core.policy import Policy
from ..core.proposals import Kind, Proposal, Verdict
from ..core.state import CallState

C = TypeVar("C", bound=Command)


class Scene:
    """One call; `now_ms` is its clock."""

    def __init__(self, led_by: Policy) -> None:
        self.policy = led_by
        self.state = CallState()
        self.commands: list[Command] = []
        self.timers: dict[str, int] = {}
        self.now_ms = 0
        self._words = 0

    def feed(self, event: ev.Event) -> list[Command]:
        """One event through `step`; returns the commands that it led to."""
        decision = step(self.state, event, self.policy)
        self.state = decision.state
        for command in decision.commands:
            if isinstance(command, ArmTimer):
                self.timers[command.timer] = command.deadline_ms
            elif isinstance(command, DisarmTimer):
                self.timers.pop(command.timer)
        self.commands += decision.commands
        return list(decision.commands)

    def happens(self, kind: type[ev.Event], **fields: Any) -> list[Command]:
        """An event of `kind` at the present moment."""
        return self.feed(kind(at_ms=self.now_ms, **fields))

    def passes(self, ms: int) -> list[Command]:
        """Let time pass; due timers fire at their deadlines."""
        until, before = self.now_ms + ms, len(self.commands)
        while self.timers:
            timer, deadline_ms = min(self.timers.items(), key=lambda item: (item[1], item[0]))
            if deadline_ms > until:
                break
            self.now_ms = max(self.now_ms, deadline_ms)
            del self.timers[timer]
            self.feed(ev.TimerFired(self.now_ms, timer, deadline_ms))
        self.now_ms = until
        return self.commands[before:]

    # --- whole phrases of a call ------------------------------------------------------------------------------------

    def answered(self, *agents: str, direction: str = "inbound") -> Scene:
        """The call is created and answered; these agents have joined."""
        self.happens(ev.CallCreated, call="c1", direction=direction, caller="+1", callee="+2", policy_version="test")
        for agent in agents:
            self.happens(ev.AgentJoined, agent=agent)
        self.happens(ev.LineAnswered)
        return self

    def agent_says(self, text: str, **fields: Any) -> str:
        """An agent's proposal is granted, spoken and heard to begin; returns the utterance's id."""
        proposal = Proposal(
            id=f"p{len(self.commands)}",
            agent=fields.pop("agent", "booking"),
            kind=Kind.SAY,
            turn=self.state.turn,
            basis=self.state.revision,
            text=text,
            **fields,
        )
        asked = self.happens(
            ev.AgentAnswered,
            agent=proposal.agent,
            turn=self.state.turn,
            basis=self.state.revision,
            proposals=(proposal,),
        )
        (say,) = of(asked, Say)
        self.passes(20)
        self.happens(ev.PlaybackStarted, utterance=say.utterance)
        return say.utterance

    def speech_starts(self, confirm_ms: int = 60, **measured: float) -> list[Command]:
        """The caller starts to speak; confirmed `confirm_ms` after the onset."""
        onset_ms = self.now_ms
        self.passes(confirm_ms)
        levels = {"loudness_db": -22.0, "snr_db": 28.0, "pitch_hz": 120.0, **measured}
        return self.happens(ev.SpeechStarted, onset_ms=onset_ms, **levels)

    def speech_goes_on(self, ms: int) -> list[Command]:
        """The talkspurt lasts; measured every 100 ms."""
        asked: list[Command] = []
        for _ in range(ms // 100):
            asked += self.passes(100)
            onset_ms = self.state.hearing.onset_ms
            asked += self.happens(
                ev.SpeechMeasured,
                onset_ms=onset_ms,
                voiced_ms=self.now_ms - onset_ms,
                loudness_db=-22.0,
                snr_db=28.0,
                pitch_hz=120.0,
            )
        return asked

    def speech_ends(self, hangover_ms: int = 160) -> list[Command]:
        """The caller falls silent now; the detector says so after its hang-over."""
        ended_ms, onset_ms = self.now_ms, self.state.hearing.onset_ms
        asked = self.passes(hangover_ms)
        return asked + self.happens(
            ev.SpeechEnded,
            onset_ms=onset_ms,
            ended_ms=ended_ms,
            voiced_ms=ended_ms - onset_ms,
            loudness_db=-22.0,
            pitch_hz=120.0,
        )

    def words(self, text: str, *, final: bool = True, segment: int | None = None) -> list[Command]:
        """The recognizer reads the present or last talkspurt."""
        if segment is None:
            self._words += 1
            segment = self._words
        hearing = self.state.hearing
        return self.happens(
            ev.WordsHeard,
            segment=segment,
            text=text,
            final=final,
            started_ms=hearing.onset_ms,
            ended_ms=self.now_ms if hearing.speaking else max(hearing.ended_ms, hearing.onset_ms),
        )


def of(commands: list[Command], kind: type[C]) -> list[C]:
    """The commands of one kind, in order."""
    return [command for command in commands if isinstance(command, kind)]


def verdicts(commands: list[Command]) -> list[Verdict]:
    """The verdicts recorded among `commands`."""
    return [command.verdict for command in of(commands, RecordVerdict)]
