"""Records: what a call's journal holds, one declaration a kind. All that is written and read of a journal follows them.

A record is an array `[call, epoch, seq, at_ms, kind, body]`. Bodies of the kinds "event", "unfolded", "commands",
"verdict" and "snapshot" are arrays of `codec.py`; each other kind has a declaration here, whose body is a map or an
array of its fields. They grow as `layout.py` says: a field is added at the end, with a default, in its declaration and
nowhere else. A kind that a reader does not know is passed over.

When a record is written is the writer's matter (`actors/call/recorder.py` and its callers), where it is kept the
stores'. How far a call can be led on from records of another version is `actors/call/resume.py`'s.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, TypeVar

from .codec import decode
from .commands import Command
from .events import Event
from .layout import KEY, CodecFault, Decoder, Encoder, array_decoder, array_encoder, map_decoder, map_encoder
from .proposals import Verdict
from .state import CallState

FORMAT = 1  # of a journal, in its first record; rises with every kind or field added here (codec arrays: CORE)

EVENT = "event"  # a codec array: what the call has taken in
UNFOLDED = "unfolded"  # the same, once the call is only said goodbye to: nothing was decided upon it
COMMANDS = "commands"  # codec arrays: what was decided upon the event before it; none = this record is left out
VERDICT = "verdict"  # a codec array: one answer of the gate, which is among those commands too
SNAPSHOT = "snapshot"  # a codec array: the whole state after all records before it

_Kind = TypeVar("_Kind", bound="Body")
_Kept = TypeVar("_Kept", bound=Command)


class Body:
    """What the declared bodies have in common. `KIND` is the record's kind."""

    __slots__ = ()
    KIND: ClassVar[str]

    def plain(self) -> Any:
        """As it lies in the record: plain values, ready for msgpack."""
        return _layout_of(type(self))[0](self)

    @classmethod
    def read(cls: type[_Kind], body: Any) -> _Kind:
        """The body of a record of this kind.

        Raises:
            CodecFault: it is none; the message names the field.
        """
        return typing.cast(_Kind, _layout_of(cls)[1](body))


KINDS: dict[str, type[Body]] = {}
_maps: dict[type[Body], bool] = {}
_layouts: dict[type[Body], tuple[Encoder, Decoder]] = {}


def record(kind: str, *, as_map: bool = True) -> Callable[[type[_Kind]], type[_Kind]]:
    """Declare the body of a kind of records: a dataclass that lies in a map, or else in an array."""

    def declare(body: type[_Kind]) -> type[_Kind]:
        body.KIND = kind
        KINDS[kind] = body
        _maps[body] = as_map
        return body

    return declare


def lies_in_map(body: type[Body]) -> bool:
    """Whether bodies of this kind are maps, by the names of their fields; else they are arrays."""
    return _maps[body]


def _layout_of(body: type[Body]) -> tuple[Encoder, Decoder]:
    if body not in _layouts:
        _layouts[body] = (
            (map_encoder(body), map_decoder(body)) if _maps[body] else (array_encoder(body), array_decoder(body))
        )
    return _layouts[body]


# --- kinds ----------------------------------------------------------------------------------------------------------


@record("start")
@dataclass(frozen=True, slots=True)
class Start(Body):
    """The first record of a call: how it began and what led it then."""

    policy_version: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    unix_ms: int = 0  # the call's zero
    direction: str = "inbound"
    anchor: tuple[str, int] = ("", 0)  # that zero on the machine's monotonic clock (see `actors/process/clock.py`)
    arm: str = ""  # of a rollout
    tenant: str = ""
    format: int = 0  # FORMAT of whoever wrote the journal; 0 = from before there was one
    core: int = 0  # of the core that led the call from here on (`version.py`); 0 = not told


@record("policy")
@dataclass(frozen=True, slots=True)
class PolicyChange(Body):
    """Another policy leads the call from here on."""

    policy: Mapping[str, Any]
    version: str = ""
    why: str = ""


@record("place", as_map=False)
@dataclass(slots=True)
class Place(Body):
    """What a call has taken in beside its state, so that its next owner hears no frame twice and misses none.

    Written behind every snapshot, and before every event that the ears or a key cause, in one message with that event.
    `frames` and `digits` count what was taken in of `stream`.
    """

    stream: str = ""
    frames: int = 0
    digits: int = 0
    notices: int = 0
    final_ms: int = 0  # end of the last words that are final
    segment: int = -1  # highest of the recognizer's segments
    open_segment: int = -1  # the one whose words are not final; -1 = none
    core: int = 0  # of the core that leads the call; 0 = not told


HOLD, REPLY = "hold", "reply"  # what is measured


@record("measure")
@dataclass(frozen=True, slots=True)
class Measure(Body):
    """One measurement of a live call.

    HOLD: `us` from the frame that confirmed an overlap to the `clear` on the line. REPLY: `ms` from the end of the
    caller's speech to the first sound of the answer.
    """

    what: str
    utterance: str = ""
    us: int = 0
    ms: int = 0


GOODBYE, TRANSFER = "goodbye", "transfer"  # what follows where the core is given up


@record("fault")
@dataclass(frozen=True, slots=True)
class Fault(Body):
    """The core has failed: at an event (`where` is "step" or a command's name), or for good (`then` says what follows).

    `error` is the exception's class, or why the core is given up.
    """

    where: str = ""
    event: str = ""  # its class
    error: str = ""
    pii_trace: str = ""
    pii_event: list[Any] = field(default_factory=list)  # a codec array
    then: str = ""  # GOODBYE or TRANSFER; "" = the call goes on


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call has cost, in cents, by item (`policies/fleet/cost.py`)."""

    cents: float = 0.0
    items: Mapping[str, float] = field(default_factory=dict)


@record("end")
@dataclass(frozen=True, slots=True)
class End(Body):
    """The last record of a call."""

    outcome: str = ""
    counts: Mapping[str, Any] = field(default_factory=dict)  # `actors/call/call_figures.py`
    usage: Mapping[str, float] = field(default_factory=dict)  # `policies/fleet/cost.py`, Usage
    cost: Cost = field(default_factory=Cost)
    why: str = ""  # where its process could not end it
    by: str = ""  # who wrote this for it


@record("lost")
@dataclass(frozen=True, slots=True)
class Lost(Body):
    """Records that could not be handed over: from `since` to this record's own number, all of them."""

    since: int = field(metadata={KEY: "from"})
    why: str = ""
    kind: str = ""  # of the one that was too large


# --- records --------------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """One record, its body in plain values. It is packed as the array that it is."""

    call: str
    epoch: int
    seq: int
    at_ms: int  # on the call's clock
    kind: str
    body: Any

    def told(self, kind: type[_Kind]) -> _Kind | None:
        """The body, where the record is of that declared kind; else None. Raises: CodecFault."""
        return kind.read(self.body) if self.kind == kind.KIND else None

    def event(self) -> Event | None:
        """The event, where this is one that was folded. Raises: CodecFault."""
        return typing.cast(Event, decode(self.body)) if self.kind == EVENT else None

    def commands(self) -> tuple[Command, ...]:
        """The commands, where this holds some (a trimmed record does not). Raises: CodecFault."""
        return tuple(map(decode, self._arrays()))

    def commands_of(self, kind: type[_Kept]) -> tuple[_Kept, ...]:
        """Those of one class; nothing else is decoded. Raises: CodecFault."""
        name = [kind.__name__]
        return tuple([decode(each) for each in self._arrays() if each.__class__ is not list or each[:1] == name])

    def verdict(self) -> Verdict | None:
        """The verdict, where this is one. Raises: CodecFault."""
        return typing.cast(Verdict, decode(self.body)) if self.kind == VERDICT else None

    def snapshot(self) -> CallState | None:
        """The state, where this is a snapshot. Raises: CodecFault."""
        return typing.cast(CallState, decode(self.body)) if self.kind == SNAPSHOT else None

    def holds(self, *events: type[Event]) -> bool:
        """Whether this is the record of an event of one of these classes; nothing else of it is looked at."""
        body = self.body
        return self.kind == EVENT and body.__class__ is list and body[:1] in [[event.__name__] for event in events]

    def _arrays(self) -> list[Any]:
        """Of the commands that it holds. Raises: CodecFault."""
        if self.kind != COMMANDS or self.body is None:
            return []
        if self.body.__class__ is not list:
            raise CodecFault(f"commands are an array of arrays, not {self.body!r:.40}")
        return self.body


Rows = Sequence[Any]  # a record as it comes from a link, a file or another process


def record_of(row: Rows) -> Record:
    """A record from its array; what a later version adds behind the body is passed over.

    Raises:
        CodecFault: not the array of a record.
    """
    if row.__class__ is not list:
        return row if row.__class__ is Record else _record_of_other(row)
    try:
        call, epoch, seq, at_ms, kind, _ = row
    except ValueError:
        return _record_of_other(row)
    if seq.__class__ is not int or epoch.__class__ is not int or at_ms.__class__ is not int:
        raise CodecFault(f"a record's epoch, seq and at_ms are whole numbers, not {(epoch, seq, at_ms)!r:.80}")
    if call.__class__ is not str or kind.__class__ is not str:
        raise CodecFault(f"a record's call and kind are text, not {call!r:.40} and {kind!r:.40}")
    return _made(Record, row)


def _record_of_other(row: Rows) -> Record:
    """Of a tuple, or of an array with more fields than are known here."""
    if not isinstance(row, (list, tuple)) or len(row) < len(Record._fields):
        found = len(row) if isinstance(row, (list, tuple)) else repr(row)[:40]
        raise CodecFault(f"a record has {len(Record._fields)} fields ({', '.join(Record._fields)}), got {found}")
    return record_of(list(row[: len(Record._fields)]))


_made = tuple.__new__  # a third of the time of the class's own, which only adds the names of arguments
