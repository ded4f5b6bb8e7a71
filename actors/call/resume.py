"""What a former owner left of a call: its journal folded to the state in which it died, and what it had not finished.

Pure: records in, a `Legacy` out; bringing the parts of a runtime to life from it is `takeover_resume.py`'s matter.
Events are folded through `policies.conversation.machine.step` and nothing is carried out again: what the state still
waits for (a tool's answer, a deadline, an utterance) is found in the state itself, the rest in "place" records
(`records.Place`).

Where another version of the core has led the call, its snapshot counts as it is, and what it has ordered since is a
fact: an act that this core would have granted and that one did not is never asked for, and a key is the one that was
written down. What this core cannot read or fold of that one's events, orders and snapshots, it passes over: the state
is then what the snapshot before and the events since lead to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.conversation.machine import step
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.parts import replace
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Grant, Kind, Proposal
from offhook.policies.core.records import (
    COMMANDS,
    EVENT,
    GOODBYE,
    SNAPSHOT,
    TRANSFER,
    End,
    Fault,
    Place,
    PolicyChange,
    Record,
    Rows,
    Start,
    record_of,
)
from offhook.policies.core.state import CallState, Playing
from offhook.policies.core.version import CORE
from offhook.policies.gate import acts

from ..contracts.errors import ProtocolFault
from ..contracts.sent_policy import sent_policy

NOTICES_MAX = 256  # kept for subscribers that come back; what a broadcaster keeps

# A new owner needs these whole. Verdicts follow from the events, and of commands it needs the orders of acts.
_WHOLE = frozenset({EVENT, SNAPSHOT, Start.KIND, PolicyChange.KIND, Fault.KIND, End.KIND, Place.KIND})
Order = cmd.Perform | cmd.TransferCall
_ORDERS = (cmd.Perform, cmd.TransferCall)
NUMBERS_APART = 1_000  # utterances, grants, verdicts: more than a call has between two snapshots

Notice = tuple[int, int, int, str, Mapping[str, Any]]  # seq, revision, turn, topic, body


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
    other_core: int = 0  # the version of the core that has led the call, where it is another one
    known_grants: set[str] = field(default_factory=set)  # of the snapshot

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


def trimmed(record: Record) -> Record:
    """A record as a new owner needs it."""
    if record.kind in _WHOLE:
        return record
    if record.kind == COMMANDS:
        orders = [array for array in record.body if array[0] in _ORDER_NAMES]
        return record._replace(body=orders or None)
    return record._replace(body=None)


def fold(rows: Sequence[Rows], policy: Policy) -> Legacy:
    """The state at the end of `rows`: the newest snapshot and all that follows, or the journal from its beginning.

    Args:
        policy: that which led the call at the first of them.

    Raises:
        ProtocolFault, CallerFault: records that are no call's, or of another core and nothing in them tells of a call
            what this one can read. Whatever a bug in a reducer raises.
    """
    if not rows:
        raise ProtocolFault("no records: nothing is known of this call")
    records = list(map(record_of, rows))
    legacy = Legacy(CallState(epoch=records[0].epoch), policy, other_core=_other_core(records))
    ordered: dict[str, tuple[int, Order]] = {}  # grant -> when and what, since the snapshot; what is over is out
    for record in records:
        if (event := _event_of(record, legacy)) is not None:
            _fold_event(legacy, event)
            if isinstance(event, ev.ActionFinished):
                ordered.pop(event.grant, None)
        elif record.kind == COMMANDS:
            legacy.unwritten = ()
            if legacy.other_core:
                ordered |= {order.grant: (record.at_ms, order) for order in _orders_of(record)}
        elif (state := _snapshot_of(record, legacy)) is not None:
            legacy.state = state
            legacy.known_grants = {grant.id for grant in state.authority.grants}
            ordered.clear()
            current = state.speech.current
            legacy.stopped = current.id if current is not None and current.playing is Playing.HELD else ""
        elif (place := record.told(Place)) is not None:
            legacy.place = place
        elif (change := record.told(PolicyChange)) is not None:
            legacy.policy = sent_policy(change.policy)
        elif (fault := record.told(Fault)) is not None and fault.then in (GOODBYE, TRANSFER):
            legacy.parting = fault.error
    if legacy.other_core:
        if not legacy.state.call:
            raise ProtocolFault(f"core {legacy.other_core} has led this call; core {CORE} can read no state of it")
        _keep_to_facts(legacy, ordered)
    return legacy


def _event_of(record: Record, legacy: Legacy) -> ev.Event | None:
    try:
        return record.event()
    except CallerFault:
        if not legacy.other_core:
            raise
        return None


def _snapshot_of(record: Record, legacy: Legacy) -> CallState | None:
    try:
        return record.snapshot()
    except CallerFault:
        if not legacy.other_core:
            raise
        return None


def _orders_of(record: Record) -> list[Order]:
    """The orders of another core, as far as they can be read here; its other commands are not looked at."""
    orders: list[Order] = []
    for array in record.body or ():
        with suppress(CallerFault):
            orders += record._replace(body=[array]).commands_of(cmd.Perform)
            orders += record._replace(body=[array]).commands_of(cmd.TransferCall)
    return orders


def _other_core(records: Sequence[Record]) -> int:
    """The version of the core that has led the call up to here, where it is another one; 0 = this one, or not told."""
    told = 0
    for record in records:
        told_by = record.told(Place) or record.told(Start)
        told = told_by.core if told_by is not None and told_by.core else told
    return told if told != CORE else 0


def _keep_to_facts(legacy: Legacy, ordered: Mapping[str, tuple[int, Order]]) -> None:
    """Acts in the state are those that the former core's snapshot or orders know, under the keys written there.

    What is numbered from here on begins far behind the numbers that the former core may have given since.
    """
    state = legacy.state
    acts_kept = tuple(_ordered_grant(state, at_ms, order) for at_ms, order in ordered.values())
    kept = tuple(
        grant
        for grant in state.authority.grants
        if grant.id not in ordered and (grant.id in legacy.known_grants or grant.proposal.kind not in _ACTS)
    )
    utterances, grants, verdicts = (number + NUMBERS_APART for number in state.counters)
    authority = replace(state.authority, grants=kept + acts_kept)
    legacy.state = replace(state, authority=authority, counters=(utterances, grants, verdicts))
    legacy.unwritten = ()


def _ordered_grant(state: CallState, at_ms: int, order: Order) -> Grant:
    """The grant behind a recorded order: the state's own where it says the same, else one made of what was ordered."""
    if isinstance(order, cmd.Perform):
        kind, action, key, arguments = Kind.TOOL, order.action, order.key, order.arguments
    else:
        kind, action, key, arguments = Kind.TRANSFER, order.target, "", ()
    for grant in state.authority.grants:
        if (grant.id, grant.proposal.kind, grant.proposal.action) == (order.grant, kind, action):
            return replace(grant, key=key or grant.key)
    proposal = Proposal(order.grant, "", kind, state.turn, state.revision, action=action, arguments=arguments)
    return Grant(order.grant, proposal, "", at_ms, state.turn, key, acts.ORDERED)


def _fold_event(legacy: Legacy, event: ev.Event) -> None:
    try:
        decision = step(legacy.state, event, legacy.policy)
    except Exception:
        if not legacy.other_core:
            raise
        return
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


_ORDER_NAMES = frozenset(kind.__name__ for kind in _ORDERS)
_ACTS = frozenset({Kind.TOOL, Kind.TRANSFER})  # what a grant of is ordered of somebody outside
