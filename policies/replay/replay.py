"""Replay: fold a call's journal again and compare, command by command, byte for byte.

A journal is a sequence of records `[call, epoch, seq, at_ms, kind, body]`. Events are folded through `step`; the
commands of each must be those that were written down then, and every snapshot the state that the events lead to. The
first difference is reported; what follows it says nothing any more, so it is not compared. Reading journals is
`actors/journals/journal.py`'s matter; what a difference means is the reader's.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..conversation.machine import Decision, step
from ..core.codec import decode, encode
from ..core.commands import RecordVerdict
from ..core.errors import CallerFault
from ..core.events import Event
from ..core.policy import Policy
from ..core.proposals import Verdict
from ..core.state import CallState

Record = Sequence[Any]  # [call, epoch, seq, at_ms, kind, body]
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

    @property
    def same(self) -> bool:
        """The journal's decisions are those of today's rules."""
        return self.divergence is None


def replay(
    records: Iterable[Record], policy: Policy | None = None, *, until_seq: int = 0, watch: Watch | None = None
) -> Replay:
    """Fold `records` (one call, in order of seq) and compare with what was decided then.

    Args:
        policy: decide by this one instead of the journal's own; that is how a policy is tried on recorded calls.
        until_seq: stop after the event with this number; 0 = fold all. `state` is then the state at that moment.
        watch: called with every event and its decision.

    Raises:
        JournalFault: not one call, not in order, or no policy: neither given nor in a "start" record.
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
        self._last_seq = 0

    def run(self, records: Iterable[Record], until_seq: int) -> Replay:
        for record in records:
            call, epoch, seq, at_ms, kind, body = self._checked(record)
            if until_seq and seq > until_seq and kind != "commands":
                break
            if kind == "start":
                self._start(body)
            elif kind == "policy":
                self._close([])
                self._swap(body)
            elif kind == "event":
                self._close([])
                self._fold(seq, at_ms, body, epoch)
            elif kind == "commands":
                self._close(body)
            elif kind == "snapshot":
                self._close([])
                self._snapshot(seq, at_ms, body)
            elif kind == "end":
                self._close([])
                self.found.ended = True
            if not self.found.same:
                break
            self.found.call = call
        return self.found  # commands that were still to come when the journal breaks off are nobody's difference

    def _checked(self, record: Record) -> Record:
        if len(record) != 6:
            raise JournalFault(f"a record has 6 fields (call, epoch, seq, at_ms, kind, body), got {len(record)}")
        call, seq = record[0], record[2]
        if self.found.call and call != self.found.call:
            raise JournalFault(f"seq {seq}: of call {call}, but the records before are of {self.found.call}")
        if seq <= self._last_seq:
            raise JournalFault(f"seq {seq} after {self._last_seq}: records must be in order, each once")
        self._last_seq = seq
        return record

    def _start(self, body: dict[str, Any]) -> None:
        self._lead_by(body.get("policy_version", ""), body.get("policy"))

    def _swap(self, body: dict[str, Any]) -> None:
        """Another policy led the call from here on."""
        if not body.get("policy"):
            raise JournalFault("a 'policy' record holds the policy that leads from there on; this one has none")
        self._lead_by(body.get("version", ""), body["policy"])

    def _lead_by(self, version: object, policy: object) -> None:
        self.found.policy_version = str(version)
        if policy and not self._given:
            self._policy = Policy.model_validate(policy)

    def _fold(self, seq: int, at_ms: int, body: list[Any], epoch: int) -> None:
        if self._policy is None:
            raise JournalFault("no policy: the journal has no 'start' record with one, and none was given")
        found = self.found
        if not found.events and not found.snapshots:
            found.state = CallState(epoch=epoch)
        event = decode(body)
        decision = step(found.state, event, self._policy)
        if self._watch is not None:
            self._watch(event, decision)
        found.state = decision.state
        found.events += 1
        found.commands += len(decision.commands)
        for command in decision.commands:
            if command.__class__ is RecordVerdict:
                found.verdicts.append(command.verdict)
        self._event = body
        self._pending = (seq, at_ms, [encode(command) for command in decision.commands])

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
        if found.events or found.snapshots:
            self._compare("snapshot", seq, at_ms, body, encode(found.state))
        else:
            found.state = decode(body)  # the journal's older part is gone; go on from here
        found.snapshots += 1

    def _compare(self, what: str, seq: int, at_ms: int, expected: list[Any], got: list[Any]) -> None:
        if canonical(expected) == canonical(got):
            return
        pairs = range(max(len(expected), len(got)))
        there = (at for at in pairs if canonical(expected[at : at + 1]) != canonical(got[at : at + 1]))
        index = next(there, 0)
        self.found.divergence = Divergence(seq, at_ms, what, self._event, index, _at(expected, index), _at(got, index))


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
