"""Backtest: lead a recorded call again by another policy, and say what would have differed, as far as can be known.

    trial = backtest(read(records), policy, agents)
    trial.differences   ->  [Difference("speech_flipped", 41_200, "say:offer", "deny", "grant", rule="readiness"), ...]

What was given to the call (`recording.py`) comes again at its moments. What follows from decisions follows from those
of the policy on trial:

    its timers          are its own; one that was armed alike fires as late as it did then
    the same effect     (within SAME_MS of the recorded one) brings about the same: playback, results and answers come
                        as long after it as they did
    agents              propose anew on the view that they are shown, or (`agents` None) what they had proposed
    another effect      is stood in for: speech takes as long as this voice takes, a tool succeeds

The first effect that the caller would have noticed and that differs is the divergence. Talkspurts that had begun by
then are taken as they were; the next thing that the caller did might have been another, and the trial ends before it
(`known_until_ms`). Nothing beyond is claimed.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..conversation.machine import step
from ..conversation.view import view_of
from ..core import commands as cmd
from ..core import events as ev
from ..core.effects import AUDIBLE, EFFECTS, QUIET, SPEECH, effect_key, effect_words
from ..core.errors import IllegalEvent
from ..core.events import Event
from ..core.parts import replace
from ..core.policy import Policy
from ..core.proposals import Part, Proposal, Verdict, parts_of
from ..core.state import CallState
from ..core.view import View
from .differences import Difference, Meter, Pairs, compared, explained, wish
from .recording import ON_THE_WAY, PLAYBACK, Effect, Recording
from .standin import StandIn

# Two effects so near are the same to a listener: telephony plans for no more than 400 ms of delay one way (ITU-T
# G.114), and conversations go on undisturbed within it.
SAME_MS = 400
EVENTS_MAX = 200_000  # a policy that loops ends here
JOURNAL_MS = 5  # to the journal's word, where none was recorded
_LAST = 1 << 40  # behind everything that was recorded for the same moment

_EFFECTS = frozenset(EFFECTS.values())


class Proposer(Protocol):
    """An agent, as far as a trial needs one."""

    def propose(self, view: View, reason: str) -> Sequence[Proposal]: ...


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first effect that the caller would have noticed and that differs."""

    at_ms: int
    what: str


@dataclass(slots=True)
class Trial:
    """What a trial found. Differences are in order of time; none lies beyond `known_until_ms`."""

    call: str
    policy_version: str  # that had led the call
    events: int = 0
    end_ms: int = 0  # of the recording
    known_until_ms: int = 0
    divergence: Divergence | None = None
    differences: list[Difference] = field(default_factory=list)
    verdicts: int = 0  # that were compared
    reused: int = 0  # answers of agents that were taken from the recording
    unknown: int = 0  # invitations whose answer nobody knows
    before: Meter = field(default_factory=Meter)
    after: Meter = field(default_factory=Meter)
    state: CallState = field(default_factory=CallState)

    @property
    def whole(self) -> bool:
        """The call could be followed to its end."""
        return self.divergence is None


def backtest(
    recording: Recording, policy: Policy, agents: Mapping[str, Proposer] | None = None, *, same_ms: int = SAME_MS
) -> Trial:
    """Lead `recording` by `policy`.

    Args:
        agents: the policy's agents by name; they are asked in this process. None = what was proposed then is proposed
            again where the same agent is asked for the same reason, and nobody knows it elsewhere.
        same_ms: how far apart in time an effect may be and still be the same.
    """
    return _Course(recording, policy, agents, same_ms).run()


class _Course:
    """One trial under way."""

    def __init__(
        self, recording: Recording, policy: Policy, agents: Mapping[str, Proposer] | None, same_ms: int
    ) -> None:
        self.recording = recording
        self.policy = policy
        self.state = recording.state
        self.now_ms = 0
        self.trial = Trial(recording.call, recording.policy_version, end_ms=recording.end_ms)
        self._agents = agents
        self._same_ms = same_ms
        self._queue: list[tuple[int, int, int, Event]] = []
        self._order = 0
        self._timers: dict[str, int] = {}
        self._pairs = Pairs(recording.verdicts, 2 * same_ms)
        self._before: dict[tuple[str, ...], list[Effect]] = {}
        self._due = 0  # how many of the recorded effects have been given up on or met
        self._twins: dict[str, str] = {}  # utterance on trial -> recorded
        self._voice = StandIn(self)
        self._missing: list[Effect] = []
        self._extra: list[tuple[int, Any, str]] = []  # at_ms, command, its utterance's recorded name
        self._parts: dict[str, list[Part]] = {}  # of answers of the agents on trial, still to come
        self._index = -1  # of the event being folded, in the recording; -1 = not from there

    def run(self) -> Trial:
        recording, trial = self.recording, self.trial
        for effect in recording.effects:
            effect.taken = False
            self._before.setdefault(effect_key(effect.command, getattr(effect.command, "utterance", "")), []).append(
                effect
            )
        for index, event in recording.given:
            self.put(event, index)
        for agent in sorted(set(self.policy.agents) - set(recording.agents) if self._agents is not None else ()):
            self.put(ev.AgentJoined(self._joining_ms(), agent), _LAST)
        for timer, deadline_ms in self.state.timers.items():
            self._arm(timer, deadline_ms)
        current = self.state.speech.current
        if current is not None:
            self._twins[current.id] = current.id
            self._voice.adopt(current)
        while self._queue and trial.events < EVENTS_MAX:
            at_ms, index, _, event = heapq.heappop(self._queue)
            if self._beyond(event):
                break
            self._give_up_before(at_ms - self._same_ms)
            self.now_ms, self._index = at_ms, index
            if self._comes(event) and not self._fold(event):
                break
        self._give_up_before(1 + (recording.last_ms if trial.divergence is None else trial.divergence.at_ms))
        return self._told()

    def put(self, event: Event, index: int = _LAST) -> None:
        """Let an event come at its moment, in the place that it had among those of the same moment."""
        self._order += 1
        heapq.heappush(self._queue, (event.at_ms, index, self._order, event))

    # --- folding ----------------------------------------------------------------------------------------------------

    def _fold(self, event: Event) -> bool:
        """One event; False where nothing can follow."""
        event = self._as_here(event)
        try:
            decision = step(self.state, event, self.policy)
        except IllegalEvent:
            return True  # it belonged to the other course of things
        except Exception as error:
            self._fault("the core", error)
            return False
        self.state = decision.state
        self.trial.events += 1
        self._voice.observe(event)
        effects = []
        for command in decision.commands:
            kind = command.__class__
            if kind is cmd.ArmTimer:
                self._arm(command.timer, command.deadline_ms)  # type: ignore[attr-defined]
            elif kind is cmd.DisarmTimer:
                self._timers.pop(command.timer, None)  # type: ignore[attr-defined]
            elif kind is cmd.RecordVerdict:
                self._judged(command.verdict)  # type: ignore[attr-defined]
            elif kind in _EFFECTS:
                effects.append(command)
        self.trial.after.see(event, effects)
        for command in effects:
            self._done(command)
        return True

    def _comes(self, event: Event) -> bool:
        """False for what no longer happens: a timer that is not armed so, a stranger who joins or leaves."""
        if isinstance(event, ev.TimerFired):
            if self._timers.get(event.timer) != event.deadline_ms:
                return False
            del self._timers[event.timer]
        elif isinstance(event, ev.AgentJoined):
            return event.agent in self.policy.agents and event.agent not in self.state.agents
        elif isinstance(event, ev.AgentLost):
            return event.agent in self.state.agents
        elif isinstance(event, PLAYBACK):
            return self._voice.comes(event, self._index != _LAST)
        return True

    def _as_here(self, event: Event) -> Event:
        if isinstance(event, ev.OperatorDecided):
            wanted = wish(event.proposal)
            same = next((p.id for p in self.state.authority.approvals if wish(p.id) == wanted), event.proposal)
            return replace(event, proposal=same)
        if isinstance(event, ev.PolicyChanged) and self._agents is not None:
            return replace(event, agents=self.state.agents)  # the policy on trial leads throughout, with its own agents
        return event

    def _arm(self, timer: str, deadline_ms: int) -> None:
        self._timers[timer] = deadline_ms
        index, at_ms = self.recording.firings.get((timer, deadline_ms), (_LAST, deadline_ms))
        if at_ms < self.now_ms or (at_ms == self.now_ms and index <= self._index):
            index, at_ms = _LAST, max(self.now_ms, deadline_ms)
        self.put(ev.TimerFired(at_ms, timer, deadline_ms), index)

    def _judged(self, verdict: Verdict) -> None:
        difference = self._pairs.meet(verdict)
        if difference is not None:
            self.trial.differences.append(difference)

    # --- effects ----------------------------------------------------------------------------------------------------

    def _done(self, command: Any) -> None:
        """An effect of the policy on trial: the same as one of then, or another."""
        mine = getattr(command, "utterance", "")
        twin = self._twin(effect_key(command, self._twins.get(mine, "")))
        if twin is None:
            self._otherwise(command)
            return
        twin.taken = True
        if isinstance(command, cmd.Say):
            self._twins[mine] = twin.command.utterance
        if isinstance(command, SPEECH):
            self._voice.carry_out(command)
            if self.trial.divergence is not None:
                return
        shift_ms = self.now_ms - twin.at_ms
        if isinstance(command, cmd.InviteAgents):
            self._invite(command, twin, shift_ms)
            return
        for index, event in twin.then:
            self.put(self._follows(event, command, shift_ms), index)

    def _twin(self, key: tuple[str, ...]) -> Effect | None:
        for effect in self._before.get(key, ()):
            if not effect.taken and abs(effect.at_ms - self.now_ms) <= self._same_ms:
                return effect
        return None

    def _follows(self, event: Event, command: Any, shift_ms: int) -> Event:
        """A recorded consequence, under the name that its cause has here."""
        at_ms = max(self.now_ms, event.at_ms + shift_ms)
        if isinstance(event, PLAYBACK):
            return replace(event, at_ms=at_ms, utterance=command.utterance)
        if isinstance(event, ON_THE_WAY):
            return replace(event, at_ms=at_ms, grant=command.grant)
        return replace(event, at_ms=at_ms)

    def _otherwise(self, command: Any) -> None:
        """Nothing of the kind was done then."""
        if isinstance(command, cmd.InviteAgents):
            self._invite(command, None, 0)
        elif isinstance(command, cmd.AwaitJournal):
            self.put(ev.Journaled(self.now_ms + JOURNAL_MS, command.grant))
        if isinstance(command, QUIET):
            return
        self._extra.append((self.now_ms, command, self._twins.get(getattr(command, "utterance", ""), "")))
        if isinstance(command, AUDIBLE):
            self._diverges(self.now_ms, f"{effect_words(command)} where nothing of it was recorded")
        if isinstance(command, cmd.Perform):
            at_ms = self.now_ms + self.recording.result_ms
            self.put(ev.ActionBegun(min(at_ms, self.now_ms + JOURNAL_MS), command.grant))
            self.put(ev.ActionFinished(at_ms, command.grant, True, "supposed"))
        elif isinstance(command, SPEECH):
            self._voice.carry_out(command)

    def _give_up_before(self, moment_ms: int) -> None:
        """Recorded effects of before this moment that the policy on trial has not brought about: it will not."""
        effects = self.recording.effects
        while self._due < len(effects) and effects[self._due].at_ms < moment_ms:
            effect = effects[self._due]
            self._due += 1
            if effect.taken or isinstance(effect.command, QUIET):
                continue
            self._missing.append(effect)
            if isinstance(effect.command, AUDIBLE):
                self._diverges(effect.at_ms, f"no {effect_words(effect.command)} where it was recorded")

    def _diverges(self, at_ms: int, what: str) -> None:
        first = self.trial.divergence
        if first is None:
            self._voice.take_over()
        if first is None or at_ms < first.at_ms:
            self.trial.divergence = Divergence(at_ms, what)

    def _beyond(self, event: Event) -> bool:
        """The first thing that somebody did after the divergence: they might have done another."""
        divergence, trial = self.trial.divergence, self.trial
        if divergence is None:
            return event.at_ms > self.recording.last_ms + self._same_ms
        if event.at_ms > trial.end_ms:
            return True
        moment_ms = _somebodys(event)
        if moment_ms > divergence.at_ms:
            trial.known_until_ms = moment_ms
            return True
        return False

    # --- agents -----------------------------------------------------------------------------------------------------

    def _invite(self, command: cmd.InviteAgents, twin: Effect | None, shift_ms: int) -> None:
        """Answers come when they came then (what was never answered stays so); to new questions, as fast as usual."""
        recorded = [(index, event) for index, event in twin.then if event.agent in command.agents] if twin else []  # type: ignore[attr-defined]
        asked = {event.agent for _, event in recorded}  # type: ignore[attr-defined]
        for index, event in recorded:
            self._answer(command, event, index, max(self.now_ms, event.at_ms + shift_ms))
        former = () if twin is None else twin.command.agents
        for agent in command.agents:
            if agent not in asked and agent not in former:
                self._answer(command, ev.AgentLost(0, agent, ""), _LAST, self.now_ms + self.recording.answer_ms)

    def _answer(self, command: cmd.InviteAgents, recorded: Any, index: int, at_ms: int) -> None:
        agent = recorded.agent
        answered = recorded if isinstance(recorded, ev.AgentAnswered) else None
        if self._agents is None:
            if answered is not None:
                self.trial.reused += 1
                self.put(replace(answered, at_ms=at_ms, turn=command.turn, basis=command.revision), index)
            elif recorded.reason:
                self.put(replace(recorded, at_ms=at_ms), index)
            else:
                self.trial.unknown += 1
            return
        if answered is None or not answered.part:  # else it goes on with what it answered then
            try:
                proposals = self._agents[agent].propose(view_of(self.state, self.policy), command.reason)
            except Exception as error:
                self._fault(f"agent {agent}", error)
                self.put(ev.AgentLost(at_ms, agent, type(error).__name__), index)
                self.put(ev.AgentJoined(at_ms, agent), index)
                return
            self._parts[agent] = parts_of(proposals, bool(getattr(self._agents[agent], "one_by_one", False)))
        due = self._parts.pop(agent, [])
        if answered is not None and answered.more:  # a part for each that came then, the rest with the last of them
            self._parts[agent], due = due[1:], due[:1]
        for said, part, more in due:
            answer = ev.AgentAnswered(at_ms, agent, command.turn, command.revision, said, part=part, more=more)
            self.put(answer, index)

    def _joining_ms(self) -> int:
        """When an agent that was not there then would have joined: with the others."""
        joined = (event.at_ms for _, event in self.recording.given if isinstance(event, ev.AgentJoined))
        return next(joined, self.recording.steps[0].event.at_ms)

    def _fault(self, who: str, error: Exception) -> None:
        what = f"{who} raised {type(error).__name__}"
        if not any(each.kind == "fault" and each.what == what for each in self.trial.differences):
            found = Difference("fault", self.now_ms, what, "", type(error).__name__, pii_after=str(error)[:200])
            self.trial.differences.append(found)

    # --- what was found ---------------------------------------------------------------------------------------------

    def _told(self) -> Trial:
        trial = self.trial
        trial.state = self.state
        trial.verdicts = self._pairs.paired
        if trial.divergence is None or not trial.known_until_ms:
            trial.known_until_ms = self.recording.end_ms
        else:  # a divergence may have been found late: what somebody did since then does not count either
            since_ms = trial.divergence.at_ms
            moments = (_somebodys(event) for _, event in self.recording.given)
            trial.known_until_ms = min((m for m in moments if m > since_ms), default=trial.known_until_ms)
        known_ms = trial.known_until_ms
        lost = [(effect.at_ms, effect.command) for effect in self._missing]
        found = trial.differences + compared(lost, self._extra)
        trial.differences = explained(each for each in found if each.at_ms <= known_ms)
        for each in self.recording.steps:
            if each.event.at_ms <= known_ms:
                trial.before.see(each.event, [effect.command for effect in each.effects])
        return trial


def _somebodys(event: Any) -> int:
    """When a person began what this event tells of; -1 = no person did it."""
    if isinstance(event, ev.SpeechStarted):
        return event.onset_ms
    if isinstance(event, ev.WordsHeard):
        return event.started_ms
    people = (ev.DigitPressed, ev.OperatorDecided, ev.HangupRequested, ev.LineClosed)
    return event.at_ms if isinstance(event, people) else -1
