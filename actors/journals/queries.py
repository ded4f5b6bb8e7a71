"""What the journal tells of a call: all its verdicts, and its last state. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from offhook.policies.conversation.view import view_of
from offhook.policies.core.codec import CodecFault
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.policy import recorded_policy
from offhook.policies.core.records import SNAPSHOT, VERDICT, Body, End, Place, PolicyChange, Record, Start
from offhook.policies.core.version import CORE

from ..contracts.errors import JournalAway, JournalDamaged, NoSuchCall
from .journal import Journal, read_intact

PAGE = 1_000  # records read at one time
NEWEST = 1_000  # calls among which one is looked for

_Kind = TypeVar("_Kind", bound=Body)


async def verdicts(journal: Journal, call: str) -> list[Any]:
    """Every answer of the gate in one call as a codec array, oldest first. Raises as `Journal.read` does."""
    found: list[Any] = []
    after_seq = -1
    while records := await journal.read(call, after_seq, PAGE):
        found += [record.body for record in records if record.kind == VERDICT]
        after_seq = records[-1].seq
    return found


async def known(journal: Journal, call: str) -> bool:
    """Whether the journal has anything of a call, as far as it can be read."""
    try:
        return await journal.last(call) is not None
    except (JournalAway, JournalDamaged):
        return False


async def last_state(journal: Journal, call: str) -> dict[str, Any]:
    """The view of a call at its last snapshot (every call that ends writes one), with how it ended.

    Raises:
        NoSuchCall: the journal has nothing of it.
    """
    try:
        newest = await journal.last(call)
        if newest is None:
            raise NoSuchCall(f"call {call!r}: neither live here nor in the journal")
        beginning = await journal.read(call, -1, 1)
        known = _Known(beginning[0] if beginning else newest, newest)
        for kind in _Known.KINDS:
            if (record := await journal.last(call, kind)) is not None:
                known.take(record)
    except JournalDamaged:
        known = await _what_is_whole(journal, call)
    newest = known.newest
    told: dict[str, Any] = {"call": call, "epoch": newest.epoch, "seq": newest.seq, "live": False}
    if (start := known.first.told(Start)) is not None:
        led = known.told(PolicyChange)
        version, plain = (led.version, led.policy) if led is not None else (start.policy_version, start.policy)
        told["policy_version"] = version
        told["created_unix_ms"] = start.unix_ms
        try:
            policy, snapshot = recorded_policy(plain), known.by_kind.get(SNAPSHOT)
            state = snapshot.snapshot() if snapshot is not None else None
            told = {**(view_of(state, policy) if state is not None else {}), **told}
        except CallerFault:
            pass  # written by another version of offhook: what can be told is told
    if (end := known.told(End)) is not None:
        told["ended_at_ms"] = known.by_kind[End.KIND].at_ms
        told["line"] = "closed"  # one that was closed as lost has a snapshot from when it was open
        told["outcome"] = end.outcome
        told["counts"] = end.counts
    return told


async def noted(journal: Journal, call: str) -> dict[str, Any] | None:
    """What the journal has noted of one of its newest calls (`Kept`), in plain values; None where it is none of them.

    Raises as `Journal.read` does.
    """
    return next((asdict(kept) for kept in await journal.calls(NEWEST) if kept.call == call), None)


@dataclass(slots=True)
class _Known:
    """What a call's journal says of how it stands: its first and newest record, and the newest of some kinds."""

    KINDS = (SNAPSHOT, End.KIND, PolicyChange.KIND)

    first: Record
    newest: Record
    by_kind: dict[str, Record] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        """A record that is newer than those before it."""
        if record.kind in self.KINDS:
            self.by_kind[record.kind] = record

    def told(self, kind: type[_Kind]) -> _Kind | None:
        """The newest of a declared kind, if there is one. Raises: CodecFault."""
        record = self.by_kind.get(kind.KIND)
        return record.told(kind) if record is not None else None


async def _what_is_whole(journal: Journal, call: str) -> _Known:
    """Of a damaged journal, what stands before the damage.

    Raises:
        JournalDamaged: not even the first record can be read.
    """
    known: _Known | None = None
    while True:
        page, damage = await read_intact(journal, call, known.newest.seq if known is not None else -1, PAGE)
        for record in page:
            known = known or _Known(record, record)
            known.newest = record
            known.take(record)
        if damage is not None or len(page) < PAGE:
            break
    if known is None:
        raise damage or NoSuchCall(f"call {call!r}: nothing of it can be read")
    return known


async def since_snapshot(
    journal: Journal, call: str, snapshot_seq: int = -1
) -> tuple[list[Record], JournalDamaged | None]:
    """A call's newest snapshot and all that follows, for a new owner; or what of it is whole, and the damage.

    Where the snapshot itself is damaged, or another core has written it and this one cannot read it, everything but it:
    the events before it tell what it said.

    Args:
        snapshot_seq: the snapshot's number; 0 = there is none, -1 = not known.

    Raises:
        JournalAway: the store cannot be read.
    """
    if snapshot_seq < 0:
        try:
            newest = await journal.last(call, SNAPSHOT)
            snapshot_seq = newest.seq if newest is not None else 0
        except JournalDamaged:
            snapshot_seq = 0
    records, damage = await _all_after(journal, call, snapshot_seq - 1)
    if damage is None or (records and records[0].seq == snapshot_seq):
        if not (snapshot_seq and _is_foreign(records[:2])):
            return records, damage
        return await _since_one_that_is_read(journal, call)
    records, _ = await _all_after(journal, call, -1)
    if records:
        rest, _ = await _all_after(journal, call, records[-1].seq + 1)
        if rest and rest[0].kind == Place.KIND:  # written behind every snapshot: that is what cannot be read
            records += rest
    return records, damage


def _is_foreign(beginning: Sequence[Record]) -> bool:
    """Whether a snapshot, behind which its place is written, is another core's and cannot be read by this one."""
    with suppress(CodecFault):
        place = beginning[1].told(Place) if len(beginning) > 1 else None
        if place is not None and place.core not in (0, CORE):
            return not _can_be_read(beginning[0])
    return False


def _can_be_read(snapshot: Record) -> bool:
    try:
        snapshot.snapshot()
    except CodecFault:
        return False
    return True


async def _since_one_that_is_read(journal: Journal, call: str) -> tuple[list[Record], JournalDamaged | None]:
    """The newest snapshot that this core can read and all that follows, the snapshots among it that it cannot left out;
    all there is, where it can read none."""
    whole, damage = await _all_after(journal, call, -1)
    records: list[Record] = []
    for record in whole:
        if record.kind != SNAPSHOT:
            records.append(record)
        elif _can_be_read(record):
            records = [record]
    return records, damage


async def _all_after(journal: Journal, call: str, after_seq: int) -> tuple[list[Record], JournalDamaged | None]:
    records: list[Record] = []
    while True:
        page, damage = await read_intact(journal, call, after_seq, PAGE)
        records += page
        if damage is not None or len(page) < PAGE:
            return records, damage
        after_seq = page[-1].seq
