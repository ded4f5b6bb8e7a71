"""What must hold in every call, looked at after every step and once more at its end.

A checker knows the world's truth (what is audible, which timers are armed) and the state that the call believes in. It
never looks at how a rule came to its decision. What it finds wrong is a `Violation`; the call goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..core import codec
from ..core import events as ev
from ..core import records as rec
from ..core.commands import Command, HangUp, Perform, RecordVerdict, Say, TransferCall
from ..core.proposals import Answer, Kind
from ..core.state import Holder, Line, Playing
from ..replay.replay import replay
from .freshness import grant_of
from .swaps import acts_of_two_versions
from .violations import Report, Violation
from .voice import Voice
from .world import Record, World

DEAD_AIR_MS = 45_000  # longer than the longest room that a ladder leaves (after a request to wait)
FIRINGS_AT_ONCE_MAX = 40  # of timers at one moment; more is a loop


@dataclass(slots=True)
class Checkers:
    """Watches one call."""

    voice: Voice
    violations: list[Violation] = field(default_factory=list)
    _verdicts: dict[str, Answer] = field(default_factory=dict)
    _swapped: int = 0  # the revision of the last swap of the policy
    _keys: dict[str, str] = field(default_factory=dict)  # idempotency key -> "under way" | "done" | "failed"
    _grant_keys: dict[str, str] = field(default_factory=dict)  # of tools; their words may outlast the act
    _final: set[int] = field(default_factory=set)  # segments whose final reading is in
    _said: set[str] = field(default_factory=set)
    _alive_ms: int = 0  # when somebody was last heard, or something was under way
    _firings: tuple[int, int] = (0, 0)  # (at_ms, how many)

    def watch(self, world: World, record: Record) -> None:
        """After one step, before its commands are carried out."""
        if isinstance(record.event, ev.PolicyChanged):
            self._swapped = world.state.revision
            if set(world.state.agents) - set(world.policy.agents):
                self._report(world, "never two versions act", f"{world.state.agents} are not all of the new version")
        elif self._swapped and (late := acts_of_two_versions(record, world, self._swapped)):
            self._report(world, "never two versions act", f"{late}, swapped at {self._swapped}")
        for command in record.commands:
            self._command(world, command)
        if isinstance(record.event, ev.ActionFinished):
            self._finished(record.event)
        if isinstance(record.event, ev.WordsHeard):
            self._readings(world)
        self._floor(world)
        self._first_beat(world, record)
        self._deadlines(world, record)
        self._liveness(world)

    def at_the_end(self, world: World) -> None:
        """After the last thing that happened."""
        if world.state.line is not Line.CLOSED:
            self._report(world, "a call always ends", f"the line is {world.state.line} and nothing is left to happen")
        if world.state.timers:
            self._report(world, "every deadline fires once", f"armed after the end: {sorted(world.state.timers)}")
        if not world.state.outcome:
            self._report(world, "a call always ends", "it ended without an outcome")

    # --- the rules --------------------------------------------------------------------------------------------------

    def _command(self, world: World, command: Command) -> None:
        if isinstance(command, RecordVerdict):
            self._verdicts[command.verdict.id] = command.verdict.answer
        elif isinstance(command, Say):
            if command.utterance in self._said:
                self._report(world, "one floor holder", f"{command.utterance} is said twice")
            self._said.add(command.utterance)
            self._granted(world, command.grant, "speech")
            if self.voice.audible and not self._cut(world, self.voice.audible):
                self._report(world, "one floor holder", f"{command.utterance} starts over {self.voice.audible}")
        elif isinstance(command, Perform):
            self._granted(world, command.grant, f"action {command.action}")
            before = self._keys.get(command.key)
            if before in ("under way", "done"):
                self._report(world, "no double act", f"{command.action} with key {command.key} is {before}")
            self._keys[command.key] = "under way"
            self._grant_keys[command.grant] = command.key
        elif isinstance(command, TransferCall):
            self._granted(world, command.grant, "transfer")
        elif isinstance(command, HangUp) and not world.state.outcome:
            self._report(world, "a call always ends", "hung up without an outcome")

    def _granted(self, world: World, grant_id: str, what: str) -> None:
        grant = grant_of(world, grant_id)
        if grant is None:
            self._report(world, "no speech without a live grant", f"{what} under {grant_id}, which is not live")
        elif self._verdicts.get(grant.verdict) is not Answer.GRANT:
            self._report(world, "no speech without a live grant", f"{what}: {grant.verdict} is no recorded grant")

    def _finished(self, event: ev.ActionFinished) -> None:
        key = self._grant_keys.get(event.grant)
        if key is not None and self._keys[key] == "under way":
            self._keys[key] = "done" if event.ok else "failed"

    def _readings(self, world: World) -> None:
        """A partial reading that comes late does not replace the final one."""
        for segment in world.state.hearing.segments:
            if segment.final:
                self._final.add(segment.id)
            elif segment.id in self._final:
                self._report(world, "final words stand", f"segment {segment.id} is partial again")

    def _floor(self, world: World) -> None:
        """What is audible is what the state says is playing, and the floor agrees with it."""
        state, audible = world.state, self.voice.audible
        current = state.speech.current
        playing = current is not None and current.playing is Playing.PLAYING
        holds = state.floor.holder in (Holder.AGENT, Holder.BOTH)
        if playing != holds and state.line is Line.OPEN:
            saying = f"{current.id} {current.playing}" if current is not None else "nothing"
            self._report(world, "one floor holder", f"the floor is {state.floor.holder}, the agent says {saying}")
        if audible and state.line is Line.OPEN and not self._about_to_stop(world, audible):
            if current is None or current.id != audible:
                self._report(world, "one floor holder", f"{audible} is audible, the state does not know it")
            elif grant_of(world, current.grant) is None and current.grant not in self._grant_keys:
                self._report(world, "no speech without a live grant", f"{audible} is heard under a dead grant")

        if current is None:
            dead = [g.id for g in state.authority.grants if g.proposal.kind is Kind.SAY]
            if dead:
                self._report(world, "no speech without a live grant", f"{dead} outlive what they were given for")

    def _first_beat(self, world: World, record: Record) -> None:
        """Confirmed speech over an interruptible utterance silences it in the same step."""
        if not isinstance(record.event, ev.SpeechStarted) or world.state.line is not Line.OPEN:
            return
        audible, current = self.voice.audible, world.state.speech.current
        known_noise = world.state.overlap is not None and world.state.overlap.noise
        if known_noise:
            return  # sound without a word, over an utterance that it has held as long as it may
        if audible and not self._about_to_stop(world, audible) and (current is None or current.interruptible):
            self._report(world, "one floor holder", f"the caller speaks, and {audible} is not held")

    def _deadlines(self, world: World, record: Record) -> None:
        event = record.event
        if not isinstance(event, ev.TimerFired):
            return
        at_ms, count = self._firings
        self._firings = (event.at_ms, count + 1 if at_ms == event.at_ms else 1)
        if self._firings[1] == FIRINGS_AT_ONCE_MAX:
            self._report(world, "every deadline fires once", f"{event.timer} loops")
            world.circling = True

    def after_commands(self, world: World) -> None:
        """After a step's commands were carried out: no deadline is lost, none is invented."""
        if world.timers != world.state.timers:
            lost = sorted(set(world.state.timers) ^ set(world.timers))
            self._report(world, "every deadline fires once", f"armed in the state and in the world differ: {lost}")

    def _liveness(self, world: World) -> None:
        state = world.state
        quiet = state.line is Line.OPEN and not state.hearing.speaking and not self.voice.audible
        if not quiet or state.presence.recorded:  # on hold: `absent.py` looks at how long
            self._alive_ms = world.now_ms
        elif world.now_ms - self._alive_ms > DEAD_AIR_MS:
            self._report(world, "a call always ends", f"nothing was heard for {DEAD_AIR_MS} ms")
            self._alive_ms = world.now_ms

    # --- parts ------------------------------------------------------------------------------------------------------

    def _cut(self, world: World, utterance: str) -> bool:
        last = world.state.speech.last
        return last is not None and last.id == utterance and last.playing in (Playing.CUT, Playing.FAILED)

    def _about_to_stop(self, world: World, utterance: str) -> bool:
        """The step that has just been folded holds or cuts it; its commands are carried out next."""
        current = world.state.speech.current
        held = current is not None and current.id == utterance and current.playing is Playing.HELD
        return held or self._cut(world, utterance)

    def _report(self, world: World, checker: str, message: str) -> None:
        self.violations.append(Violation(checker, world.now_ms, message))

    def reporter(self, world: World) -> Report:
        """Where the checkers that keep an account (`account.py`) put what they find."""
        return lambda promise, how: self._report(world, promise, how)


def replayed(call: str, records: list[Record]) -> Violation | None:
    """Replay what was recorded as a journal, swaps of the policy included; the first difference, if there is one."""
    found = replay(_journal(call, records))
    if found.divergence is None:
        return None
    return Violation("replay gives the same commands", found.divergence.at_ms, str(found.divergence))


def _journal(call: str, steps: list[Record]) -> Iterator[rec.Record]:
    """The records as a journal: every policy where it began to lead, events, commands, a snapshot to compare with."""
    known = None
    for number, each in enumerate(steps):
        at_ms, seq = each.event.at_ms, 3 * number
        if each.policy is not known:
            plain = each.policy.model_dump(mode="json")
            body: rec.Body = rec.Start(policy=plain) if known is None else rec.PolicyChange(plain)
            known = each.policy
            yield rec.Record(call, 1, seq + 1, at_ms, body.KIND, body.plain())
        yield rec.Record(call, 1, seq + 2, at_ms, rec.EVENT, codec.encode(each.event))
        yield rec.Record(call, 1, seq + 3, at_ms, rec.COMMANDS, [codec.encode(command) for command in each.commands])
    yield rec.Record(call, 1, 3 * len(steps) + 1, at_ms, rec.SNAPSHOT, codec.encode(steps[-1].state))
