"""What a former owner left of a call: its journal folded to the state in which it died, and what it had not finished.

Pure: records in, a `Legacy` out; bringing the parts of a runtime to life from it is `takeover_resume.py`'s matter.
Events are folded through `policies.conversation.machine.step` and nothing is carried out again: what the state still
waits for (a tool's answer, a deadline, an utterance) is found in the state itself, the rest in "place" records:

    place   [stream, frames, digits, notices, words_final_ms, segment, open_segment]

What a call has taken in so far, beside its state: how many frames and keys of which stream, how many notices it has
published, how far it was read. Written beside every snapshot and before every event that the ears or a key cause, in
the same message as that event, so no frame is heard twice and none is missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.conversation.machine import step
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Grant, Kind
from offhook.policies.core.state import CallState, Playing
from offhook.policies.gate import acts

from ..contracts.errors import ProtocolFault

GOODBYE, TRANSFER = "goodbye", "transfer"  # what a "fault" record says that follows: the core leads no more
PLACE = "place"  # kind of the record
NOTICES_MAX = 256  # kept for subscribers that come back; what a broadcaster keeps

_KEPT_BODIES = frozenset({"event", "snapshot", "policy", "fault", "end", PLACE})

Notice = tuple[int, int, int, str, Mapping[str, Any]]  # seq, revision, turn, topic, body


@dataclass(slots=True)
class Place:
    """See above. `frames` and `digits` count what was taken in of `stream`."""

    stream: str = ""
    frames: int = 0
    digits: int = 0
    notices: int = 0
    final_ms: int = 0  # end of the last words that are final
    segment: int = -1  # highest of the recognizer's segments
    open_segment: int = -1  # the one whose words are not final; -1 = none

    @classmethod
    def from_body(cls, body: Any) -> Place:
        """Raises:
        ProtocolFault: not the body of a "place" record.
        """
        match body:
            case [str(), int(), int(), int(), int(), int(), int()]:
                return cls(*body)
        raise ProtocolFault(f"a place record has a stream and six numbers, not {body!r:.80}")

    def as_body(self) -> list[str | int]:
        """For the record."""
        return [
            self.stream,
            self.frames,
            self.digits,
            self.notices,
            self.final_ms,
            self.segment,
            self.open_segment,
        ]


@dataclass(slots=True)
class Legacy:
    """A call as its former owner left it."""

    state: CallState
    policy: Policy
    place: Place = field(default_factory=Place)
    events: int = 0  # folded here
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=NOTICES_MAX))
    stopping: str = ""  # the utterance whose silence was ordered and not reported
    stopped: str = ""  # ... and the one whose silence was reported
    unwritten: tuple[cmd.Command, ...] = ()  # of the last event: decided, not journaled, so never carried out
    parting: str = ""  # why the former owner was saying goodbye without the core

    @property
    def orders(self) -> list[cmd.Command]:
        """What is asked again of acts without an end: the journal's word, or the act or its withdrawal by its key.

        One that is only announced follows when its words have been heard, as the state knows.
        """
        grants = self.state.authority.grants
        return [
            cmd.AwaitJournal(grant.id) if grant.stage == acts.JOURNAL else self._asked_again(grant)
            for grant in grants
            if grant.stage == acts.JOURNAL or (grant.proposal.kind is Kind.TOOL and grant.stage != acts.ANNOUNCED)
        ]

    @property
    def transfers(self) -> list[cmd.TransferCall]:
        """Transfers that were ordered; the line still being there, they were not carried out."""
        return [
            cmd.TransferCall(grant.id, grant.proposal.action)
            for grant in self.state.authority.grants
            if grant.proposal.kind is Kind.TRANSFER and grant.stage not in (acts.ANNOUNCED, acts.JOURNAL)
        ]

    def _asked_again(self, grant: Grant) -> cmd.Command:
        if grant.stage in (acts.WITHDRAWN, acts.REGRETTED):  # either way the caller does not want it
            return cmd.Withdraw(grant.id, grant.key)
        needs = self.policy.gate.actions.get(grant.proposal.action)
        return order_of(grant, needs is not None and needs.irreversible)


@dataclass(slots=True)
class Awaited:
    """What a call that was taken over still waits for; nothing, for one that began here.

    parting: why it is only said goodbye to.
    line: the gateway has not told yet how far the carrier is in playing.
    agents: they have no link to this process yet.
    """

    taken_over: bool = False
    legacy: Legacy | None = None
    parting: str = ""
    line: bool = False
    agents: set[str] = field(default_factory=set)
    settled: bool = True  # agents and deadlines are not waited for any more

    def speak(self, command: cmd.Command) -> None:
        """A command for the voice while there is no line: the state has it, and the line's return goes by the state."""
        if self.legacy is not None:
            note_speech(self.legacy, command)


def order_of(grant: Grant, irreversible: bool) -> cmd.Perform:
    """The order to a tool that a grant is the right to."""
    return cmd.Perform(grant.id, grant.proposal.action, grant.proposal.arguments, grant.key, irreversible)


def trimmed(record: Sequence[Any]) -> list[Any]:
    """A record as a new owner needs it: commands and verdicts follow from the events, so their bodies stay here."""
    call, epoch, seq, at_ms, kind, body = record
    if kind == "policy":
        return list(record)
    return [call, epoch, seq, at_ms, kind, body if kind in _KEPT_BODIES else None]


def fold(records: Sequence[Sequence[Any]], policy: Policy) -> Legacy:
    """The state at the end of `records`: the newest snapshot and all that follows, or the journal from its beginning.

    Args:
        policy: that which led the call at the first of them.

    Raises:
        ProtocolFault, CallerFault: records that are no call's. Whatever a bug in a reducer raises.
    """
    if not records:
        raise ProtocolFault("no records: nothing is known of this call")
    legacy = Legacy(CallState(epoch=records[0][1]), policy)
    for _call, _epoch, _seq, _at_ms, kind, body in records:
        if kind == "event":
            _fold_event(legacy, decode(body))
        elif kind == "commands":
            legacy.unwritten = ()
        elif kind == "snapshot":
            legacy.state = decode(body)
            current = legacy.state.speech.current
            legacy.stopped = current.id if current is not None and current.playing is Playing.HELD else ""
        elif kind == PLACE:
            legacy.place = Place.from_body(body)
        elif kind == "policy":
            legacy.policy = Policy.model_validate(body["policy"])
        elif kind == "fault" and body.get("then") in (GOODBYE, TRANSFER):
            legacy.parting = str(body["error"])
    return legacy


def _fold_event(legacy: Legacy, event: ev.Event) -> None:
    decision = step(legacy.state, event, legacy.policy)
    legacy.state = state = decision.state
    legacy.events += 1
    legacy.unwritten = decision.commands
    place = legacy.place
    if isinstance(event, ev.WordsHeard) and (event.final or event.text.strip()):  # else no words, only how far it read
        place.segment = max(place.segment, event.segment)
        if not event.final:
            place.open_segment = event.segment
        else:
            place.final_ms = max(place.final_ms, event.ended_ms)
            if place.open_segment <= event.segment:
                place.open_segment = -1
    elif isinstance(event, ev.PlaybackStopped):
        legacy.stopping, legacy.stopped = "", event.utterance
    for command in decision.commands:
        if isinstance(command, cmd.Publish):
            place.notices += 1
            legacy.notices.append((place.notices, state.revision, state.turn, command.topic, command.body))
        else:
            note_speech(legacy, command)


def note_speech(legacy: Legacy, command: cmd.Command) -> None:
    """Keep track of which utterance's silence was ordered and not reported."""
    if isinstance(command, (cmd.HoldSpeech, cmd.CutSpeech)):
        if command.utterance != legacy.stopped:
            legacy.stopping = command.utterance
    elif isinstance(command, (cmd.ResumeSpeech, cmd.Say)):
        legacy.stopping = legacy.stopped = ""


def encoded(commands: Sequence[cmd.Command]) -> list[list[Any]]:
    """Commands as a "commands" record has them."""
    return [encode(command) for command in commands]
