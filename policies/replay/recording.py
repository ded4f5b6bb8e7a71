"""A recorded call, taken apart for a second try: what was given to it, and what it brought about itself.

A journal tells events in order. Some came from outside and would have come whatever the policy had been: the line, the
caller's speech, words and keys, operators, health. The others were brought about by what the policy of then had done:
playback by an utterance, an agent's answer by an invitation, a tool's result by its act, the end of the line by a
hang-up; a timer's firing by its arming. Each of these is kept under its cause, so that it can follow the same cause
again. What another policy would have done with all this is `backtest.py`'s matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..core import commands as cmd
from ..core import events as ev
from ..core.codec import CodecFault, decode
from ..core.effects import EFFECTS, SPEECH
from ..core.errors import PolicyError
from ..core.events import Event
from ..core.policy import Policy, recorded_policy
from ..core.proposals import Verdict
from ..core.records import COMMANDS, End, Place, Record, Rows, Start, record_of
from ..core.state import CallState
from ..core.version import CORE
from .replay import JournalFault

PLAYBACK = (ev.PlaybackStarted, ev.PlaybackReached, ev.PlaybackStopped, ev.PlaybackEnded, ev.PlaybackFailed)
ON_THE_WAY = (ev.Journaled, ev.ActionBegun, ev.ActionFinished)  # of an act
_CAUSED = (*PLAYBACK, ev.AgentAnswered, *ON_THE_WAY)

FAILED_WITHIN_MS = 5  # lost and joined again so quickly: one failed answer, not a lost agent (`actors/call/runtime.py`)
WORD_MS = 330  # of a word whose like was not recorded: 180 words a minute
START_MS = 60  # to the first audio of an utterance, where none was recorded
ANSWER_MS = 30  # of an agent, where none was recorded
RESULT_MS = 500  # of a tool, where none was recorded


@dataclass(slots=True, eq=False)
class Effect:
    """One thing that was done, after which event, and what it brought about: (index, event), in order."""

    at_ms: int
    index: int
    command: Any
    then: list[tuple[int, Event]] = field(default_factory=list)
    taken: bool = False  # the policy on trial has done the same


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded event with the effects that followed it."""

    event: Event
    effects: tuple[Effect, ...]


@dataclass(slots=True)
class Recording:
    """One call. `given` and every `Effect.then` hold events with their place in the whole order."""

    call: str = ""
    policy_version: str = ""
    policy: Policy | None = None
    state: CallState = field(default_factory=CallState)  # before the first event; not blank where the beginning is lost
    steps: list[Step] = field(default_factory=list)
    given: list[tuple[int, Event]] = field(default_factory=list)
    firings: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)  # (timer, deadline) -> index, at
    effects: list[Effect] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)  # text -> how long it took to say, in ms
    start_ms: int = START_MS
    word_ms: float = WORD_MS
    answer_ms: int = ANSWER_MS
    result_ms: int = RESULT_MS
    agents: tuple[str, ...] = ()  # that joined at some time
    ended: bool = False

    @property
    def last_ms(self) -> int:
        """The moment of its last event; late reports come after the end of the line."""
        return self.steps[-1].event.at_ms if self.steps else 0

    @property
    def end_ms(self) -> int:
        """The end of the line; of a recording that breaks off, its last event."""
        closed = (step.event.at_ms for step in self.steps if isinstance(step.event, ev.LineClosed))
        return next(closed, self.last_ms)

    def length_ms(self, text: str) -> int:
        """How long this voice takes to say `text`: as recorded, else estimated from its pace."""
        return self.lengths.get(text) or max(200, round(self.word_ms * len(text.split())))


def read(records: Iterable[Rows]) -> Recording:
    """Take a journal apart.

    Raises:
        JournalFault: not one call in order, nothing in it, or another core has led it and this one cannot read it.
        CodecFault: a record that is none, or that this core has written and cannot read.
    """
    rows = list(map(record_of, records))
    try:
        return _read(rows)
    except CodecFault as fault:
        other = _other_cores(rows)
        if not other:
            raise
        raise JournalFault(
            f"call {rows[0].call} was led by core {other}, and core {CORE} cannot lead it again: {fault};"
            f" try it with a release of that core"
        ) from fault


def _other_cores(records: Iterable[Record]) -> str:
    """The versions of the core beside this one that have led a call, as text."""
    told = (record.told(Start) or record.told(Place) for record in records)
    return ", ".join(map(str, sorted({each.core for each in told if each is not None} - {0, CORE})))


def _read(records: Iterable[Record]) -> Recording:
    found = Recording()
    begun = False
    last_seq = -1
    event: Event | None = None
    effects: tuple[Effect, ...] = ()

    def close() -> None:
        if event is not None:
            found.steps.append(Step(event, effects))

    for record in records:
        call, seq = record.call, record.seq
        if (found.call and call != found.call) or seq <= last_seq:
            raise JournalFault(f"seq {seq} of {call} after {last_seq} of {found.call}: one call, in order, each once")
        found.call, last_seq = call, seq
        if (taken := record.event()) is not None:
            close()
            event, effects, begun = taken, (), True
        elif record.kind == COMMANDS and event is not None:
            effects = _effects(found, event, record.body)
        elif (state := None if begun else record.snapshot()) is not None:
            found.state = state  # the beginning is gone; go on from here
            begun = True
        elif (start := record.told(Start)) is not None:
            found.policy_version = start.policy_version
            try:
                found.policy = recorded_policy(start.policy) if start.policy else None
            except PolicyError as error:
                raise JournalFault(f"seq {seq}, {record.kind!r}: {error}") from error
        elif record.kind == End.KIND:
            found.ended = True
    close()
    if not found.steps:
        raise JournalFault(f"call {found.call or '?'}: its journal holds no event")
    _Causes(found).sort()
    return found


def _effects(found: Recording, event: Event, commands: list[Any]) -> tuple[Effect, ...]:
    effects = []
    for array in commands:
        if array[0] in EFFECTS:
            effects.append(Effect(event.at_ms, len(found.steps), decode(array)))
        elif array[0] == cmd.RecordVerdict.__name__:
            found.verdicts.append(decode(array).verdict)
    found.effects += effects
    return tuple(effects)


class _Causes:
    """Puts every event where it belongs: among what was given, or under what brought it about."""

    def __init__(self, found: Recording) -> None:
        self._found = found
        self._speech: dict[str, Effect] = {}  # utterance -> the last effect on it
        self._texts: dict[str, str] = {}
        self._said_ms: dict[str, int] = {}
        self._started: dict[str, int] = {}
        self._unbroken: set[str] = set()  # started, and neither held nor cut since
        self._invited: dict[tuple[str, int], Effect] = {}  # (agent, revision)
        self._acts: dict[str, Effect] = {}  # grant
        self._ending: Effect | None = None
        self._starts: list[int] = []
        self._answers: list[int] = []
        self._results: list[int] = []
        self._words: list[float] = []

    def sort(self) -> None:
        found = self._found
        midway = bool(found.state.call)  # the causes of what comes first are not recorded: it comes as it came
        for index, step in enumerate(found.steps):
            cause = self._cause(index, step.event)
            if cause is not None:
                cause.then.append((index, step.event))
            elif not isinstance(step.event, ev.TimerFired) and (midway or not isinstance(step.event, _CAUSED)):
                found.given.append((index, step.event))
            for effect in step.effects:
                self._remember(effect)
        for name, measured in (("start_ms", self._starts), ("answer_ms", self._answers), ("result_ms", self._results)):
            if measured:
                setattr(found, name, round(median(measured)))
        if self._words:
            found.word_ms = median(self._words)

    def _cause(self, index: int, event: Event) -> Effect | None:
        found = self._found
        if isinstance(event, PLAYBACK):
            self._measure(event)
            return self._speech.get(event.utterance)
        if isinstance(event, ev.TimerFired):
            found.firings.setdefault((event.timer, event.deadline_ms), (index, event.at_ms))
        elif isinstance(event, ev.AgentAnswered):
            invited = self._invited.get((event.agent, event.basis))
            if invited is not None:
                self._answers.append(event.at_ms - invited.at_ms)
            return invited
        elif isinstance(event, ev.AgentLost) and self._failed(index, event):
            return next((e for (agent, _), e in reversed(self._invited.items()) if agent == event.agent), None)
        elif isinstance(event, ON_THE_WAY):
            act = self._acts.get(event.grant)
            if act is not None and isinstance(event, ev.ActionFinished):
                self._results.append(event.at_ms - act.at_ms)
            return act
        elif isinstance(event, ev.AgentJoined) and event.agent not in found.agents:
            found.agents = (*found.agents, event.agent)
        elif isinstance(event, ev.PolicyChanged):
            found.agents = (*found.agents, *(agent for agent in event.agents if agent not in found.agents))
        elif isinstance(event, ev.LineClosed):
            return self._ending
        return None

    def _failed(self, index: int, event: ev.AgentLost) -> bool:
        steps = self._found.steps
        after = steps[index + 1].event if index + 1 < len(steps) else None
        same = isinstance(after, ev.AgentJoined) and after.agent == event.agent
        return same and after is not None and after.at_ms - event.at_ms <= FAILED_WITHIN_MS

    def _remember(self, effect: Effect) -> None:
        command = effect.command
        if isinstance(command, cmd.Say):
            self._texts[command.utterance] = command.text
            self._said_ms[command.utterance] = effect.at_ms
        if isinstance(command, SPEECH):
            self._speech[command.utterance] = effect
            self._unbroken.discard(command.utterance)
        elif isinstance(command, cmd.InviteAgents):
            for agent in command.agents:
                self._invited[agent, command.revision] = effect
        elif isinstance(command, (cmd.AwaitJournal, cmd.Perform, cmd.TransferCall)):
            self._acts[command.grant] = effect
        if isinstance(command, (cmd.HangUp, cmd.TransferCall)):
            self._ending = effect

    def _measure(self, event: Any) -> None:
        """What the playback tells of this voice."""
        name = event.utterance
        text = self._texts.get(name, "")
        if isinstance(event, ev.PlaybackStarted):
            self._started[name] = event.at_ms
            self._unbroken.add(name)
            if name in self._said_ms:
                self._starts.append(event.at_ms - self._said_ms[name])
        elif isinstance(event, ev.PlaybackReached) and event.total_ms:
            self._long(text, event.total_ms)
        elif isinstance(event, ev.PlaybackEnded) and name in self._unbroken and event.confirmed:
            self._long(text, event.at_ms - self._started[name])

    def _long(self, text: str, total_ms: int) -> None:
        words = len(text.split())
        if words and text not in self._found.lengths:
            self._found.lengths[text] = total_ms
            self._words.append(total_ms / words)
