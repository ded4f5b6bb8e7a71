"""Replay: fold a call's journal again and compare, command by command, byte for byte.

A journal is a sequence of records (`core/records.py`). Events are folded through `step`; the commands of each must be
those that were written down then, and every snapshot the state that the events lead to. The first difference is
reported; what follows it says nothing any more, so it is not compared. Reading journals is `actors/journals/`' matter;
what a difference means is the reader's.

Byte for byte holds within one version of the core (`core/version.py`). What another one has led is folded, so that its
state can be looked at, and not compared; its snapshots and verdicts count as it has written them down.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..conversation.machine import Decision, step
from ..core.codec import CodecFault, decode, encode
from ..core.commands import RecordVerdict
from ..core.errors import CallerFault, PolicyError
from ..core.events import Event
from ..core.policy import Policy, recorded_policy
from ..core.proposals import Verdict
from ..core.records import COMMANDS, EVENT, SNAPSHOT, VERDICT, End, Place, PolicyChange, Record, Rows, Start, record_of
from ..core.state import CallState
from ..core.version import CORE

Watch = Callable[[Event, Decision], None]


class JournalFault(CallerFault):
    """Records that are no journal of one call: the message names the record and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where the replay and the journal differ."""

    seq: int  # of the event (or the snapshot) that leads to another result now
    at_ms: int
    what: str  # "commands" or "snapshot"
    event: list[Any]  # the event folded last, encoded
    index: int  # position of the first difference in expected and got
    expected: Any  # what the journal says at that position, None = nothing there
    got: Any  # what the replay says

    def __str__(self) -> str:
        name = self.event[0] if self.event else "start"
        return (
            f"seq {self.seq} at {self.at_ms} ms, {self.what} [{self.index}] of {name}:"
            f" journal has {_short(self.expected)}, replay has {_short(self.got)}"
        )


@dataclass(slots=True)
class Replay:
    """What folding a journal led to."""

    call: str = ""
    policy_version: str = ""
    state: CallState = field(default_factory=CallState)
    events: int = 0
    commands: int = 0
    compared: int = 0  # events whose commands were compared
    verdicts: list[Verdict] = field(default_factory=list)
    snapshots: int = 0
    ended: bool = False
    divergence: Divergence | None = None
    other_cores: set[int] = field(default_factory=set)  # versions of the core that led it in part: not compared

    @property
    def same(self) -> bool:
        """The journal's decisions are those of today's rules, as far as they can be compared."""
        return self.divergence is None

    @property
    def uncompared(self) -> str:
        """Why not all of it was compared; "" = it was."""
        cores = ", ".join(map(str, sorted(self.other_cores)))
        return f"another version of the core has led it ({cores}; this one is {CORE})" if cores else ""


def replay(
    records: Iterable[Rows], policy: Policy | None = None, *, until_seq: int = 0, watch: Watch | None = None
) -> Replay:
    """Fold `records` (one call, in order of seq) and compare with what was decided then.

    Args:
        policy: decide by this one instead of the journal's own; that is how a policy is tried on recorded calls.
        until_seq: stop after the event with this number; 0 = fold all. `state` is then the state at that moment.
        watch: called with every event and its decision.

    Raises:
        JournalFault: not one call, not in order, or no policy that can be read: neither given nor in a "start" record.
        CodecFault: a record that this version cannot read.
    """
    return _Replayer(policy, watch).run(records, until_seq)


class _Replayer:
    """One replay under way: the event whose commands are still to come, and what has been found so far."""

    def __init__(self, policy: Policy | None, watch: Watch | None) -> None:
        self.found = Replay()
        self._policy = policy
        self._given = policy is not None  # from outside: it decides, whatever the journal says
        self._watch = watch
        self._event: list[Any] = []
        self._pending: tuple[int, int, list[Any]] | None = None  # seq, at_ms, commands of the last event, encoded
        self._core = 0  # that leads at present; 0 = not told
        self._comparable = True  # the state is the one in which this core has decided

    def run(self, rows: Iterable[Rows], until_seq: int) -> Replay:
        found, last_seq = self.found, 0
        for row in rows:
            try:
                record = record_of(row)
            except CodecFault as fault:
                raise JournalFault(str(fault)) from fault
            call, _, seq, _, kind, body = record
            if call != found.call and found.call:
                raise JournalFault(f"seq {seq}: of call {call}, but the records before are of {found.call}")
            if seq <= last_seq:
                raise JournalFault(f"seq {seq} after {last_seq}: records must be in order, each once")
            last_seq = seq
            if until_seq and seq > until_seq and kind != COMMANDS:
                break
            if kind == COMMANDS:
                if body.__class__ is not list:
                    raise JournalFault(f"seq {seq}, {COMMANDS!r}: its body is an array of arrays, not {body!r:.40}")
                self._close(body)
            elif kind == EVENT:
                self._event_taken(record)
            elif (take := _TAKERS.get(kind)) is not None:
                take(self, record)
            if found.divergence is not None:
                break
            found.call = call
        return found  # commands that were still to come when the journal breaks off are nobody's difference

    # --- records ----------------------------------------------------------------------------------------------------

    def _start(self, record: Record) -> None:
        start = Start.read(record.body)
        self._led_by_core(start.core)
        self._lead_by(record, start.policy_version, start.policy)

    def _swap(self, record: Record) -> None:
        """Another policy led the call from here on."""
        self._close([])
        change = PolicyChange.read(record.body)
        if not change.policy:
            raise JournalFault("a 'policy' record holds the policy that leads from there on; this one has none")
        self._lead_by(record, change.version, change.policy)

    def _lead_by(self, record: Record, version: str, policy: Mapping[str, Any]) -> None:
        self.found.policy_version = version
        if policy and not self._given:
            try:
                self._policy = recorded_policy(policy)
            except PolicyError as error:
                raise JournalFault(f"seq {record.seq}, {record.kind!r}: {error}") from error

    def _place(self, record: Record) -> None:
        self._led_by_core(Place.read(record.body).core)

    def _led_by_core(self, core: int) -> None:
        """Told at a call's start and at every place: after a takeover it may be another one."""
        self._core = core or self._core
        if self._core not in (0, CORE):
            self._comparable = False
            self.found.other_cores.add(self._core)

    def _verdict(self, record: Record) -> None:
        if not self._comparable and (verdict := self._read(record.body)) is not None:
            self.found.verdicts.append(verdict)

    def _read(self, body: list[Any]) -> Any:
        """What a codec array says; None where another core has written it and this one cannot read it."""
        try:
            return decode(body)
        except CodecFault:
            if self._core in (0, CORE):
                raise
            return None

    def _end(self, _record: Record) -> None:
        self._close([])
        self.found.ended = True

    def _snapshot_taken(self, record: Record) -> None:
        self._close([])
        self._snapshot(record.seq, record.at_ms, record.body)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _event_taken(self, record: Record) -> None:
        if self._pending is not None:
            self._close([])
        if self._policy is None:
            raise JournalFault("no policy: the journal has no 'start' record with one, and none was given")
        found = self.found
        if not found.events and not found.snapshots:
            found.state = CallState(epoch=record.epoch)
        try:
            event = decode(record.body)
            decision = step(found.state, event, self._policy)
        except Exception:
            if self._comparable:
                raise
            return  # what another core could fold, this one cannot: the next snapshot tells what came of it
        if self._watch is not None:
            self._watch(event, decision)
        found.state = decision.state
        found.events += 1
        found.commands += len(decision.commands)
        if not self._comparable:
            return
        for command in decision.commands:
            if command.__class__ is RecordVerdict:
                found.verdicts.append(command.verdict)
        self._event = record.body
        self._pending = (record.seq, record.at_ms, [encode(command) for command in decision.commands])

    def _close(self, expected: list[Any]) -> None:
        """The last event's commands are known now: compare."""
        if self._pending is None:
            return
        (seq, at_ms, got), self._pending = self._pending, None
        self.found.compared += 1
        if got or expected:
            self._compare("commands", seq, at_ms, expected, got)

    def _snapshot(self, seq: int, at_ms: int, body: list[Any]) -> None:
        found = self.found
        if body.__class__ is not list:
            raise JournalFault(f"seq {seq}, {SNAPSHOT!r}: its body is the array of a state, not {body!r:.40}")
        if self._comparable and (found.events or found.snapshots):
            self._compare("snapshot", seq, at_ms, body, encode(found.state))
        else:
            state = self._read(body)  # the older part is gone, or another core's; go on from here
            found.state = found.state if state is None else state
            self._comparable = self._core in (0, CORE)
        found.snapshots += 1

    def _compare(self, what: str, seq: int, at_ms: int, expected: list[Any], got: list[Any]) -> None:
        if canonical(expected) == canonical(got):
            return
        pairs = range(max(len(expected), len(got)))
        there = (at for at in pairs if canonical(expected[at : at + 1]) != canonical(got[at : at + 1]))
        index = next(there, 0)
        self.found.divergence = Divergence(seq, at_ms, what, self._event, index, _at(expected, index), _at(got, index))


# Beside events and their commands, which are nearly all.
_TAKERS: Mapping[str, Callable[[_Replayer, Record], None]] = {
    Start.KIND: _Replayer._start,
    PolicyChange.KIND: _Replayer._swap,
    Place.KIND: _Replayer._place,
    VERDICT: _Replayer._verdict,
    SNAPSHOT: _Replayer._snapshot_taken,
    End.KIND: _Replayer._end,
}


def canonical(value: Any) -> bytes:
    """Plain values as bytes that differ where the values differ in anything: 1, 1.0 and True are three things.

    Format 0 of marshal has neither references nor interned strings, so equal values give equal bytes; it takes a sixth
    of the time of JSON, and most of a replay's time would otherwise go here.
    """
    return marshal.dumps(value, 0)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:297]}..."
