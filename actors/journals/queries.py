"""What the journal tells of a call: all its verdicts, and its last state. Reads only."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from offhook.policies.conversation.view import view_of
from offhook.policies.core.codec import decode
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.policy import Policy
from pydantic import ValidationError

from ..contracts.errors import JournalAway, JournalDamaged, NoSuchCall
from .journal import Journal, read_intact

PAGE = 1_000  # records read at one time
NEWEST = 1_000  # calls among which one is looked for


async def verdicts(journal: Journal, call: str) -> list[Any]:
    """Every answer of the gate in one call as a codec array, oldest first. Raises as `Journal.read` does."""
    found: list[Any] = []
    after_seq = -1
    while records := await journal.read(call, after_seq, PAGE):
        found += [record[5] for record in records if record[4] == "verdict"]
        after_seq = records[-1][2]
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
        start = await journal.read(call, -1, 1)
        snapshot = await journal.last(call, "snapshot")
        end = await journal.last(call, "end")
        swapped = await journal.last(call, "policy")
    except JournalDamaged:
        start, newest, snapshot, end, swapped = await _what_is_whole(journal, call)
    told: dict[str, Any] = {"call": call, "epoch": newest[1], "seq": newest[2], "live": False}
    if start and start[0][4] == "start":
        led = swapped[5] if swapped is not None else start[0][5]
        told["policy_version"] = led.get("version") or led.get("policy_version", "")
        told["created_unix_ms"] = start[0][5].get("unix_ms", 0)
        try:
            policy = Policy.model_validate(led.get("policy") or {})
            told = {**(view_of(decode(snapshot[5]), policy) if snapshot else {}), **told}
        except (ValidationError, CallerFault):
            pass  # written by another version of offhook: what can be told is told
    if end is not None:
        told["ended_at_ms"] = end[3]
        told["line"] = "closed"  # one that was closed as lost has a snapshot from when it was open
        told["outcome"] = end[5].get("outcome", "")
        told["counts"] = end[5].get("counts", {})
    return told


async def noted(journal: Journal, call: str) -> dict[str, Any] | None:
    """What the journal has noted of one of its newest calls (`Kept`), in plain values; None where it is none of them.

    Raises as `Journal.read` does.
    """
    return next((asdict(kept) for kept in await journal.calls(NEWEST) if kept.call == call), None)


async def _what_is_whole(
    journal: Journal, call: str
) -> tuple[list[list[Any]], list[Any], list[Any] | None, list[Any] | None, list[Any] | None]:
    """Of a damaged journal, what stands before the damage: its first record, the newest, the last snapshot, the end,
    the last policy it was swapped to.

    Raises:
        JournalDamaged: not even the first one can be read.
    """
    start: list[list[Any]] = []
    newest: list[Any] = []
    snapshot = end = swapped = None
    while True:
        page, damage = await read_intact(journal, call, newest[2] if newest else -1, PAGE)
        start = start or page[:1]
        for newest in page:
            snapshot = newest if newest[4] == "snapshot" else snapshot
            end = newest if newest[4] == "end" else end
            swapped = newest if newest[4] == "policy" else swapped
        if damage is not None or len(page) < PAGE:
            break
    if not newest:
        raise damage or NoSuchCall(f"call {call!r}: nothing of it can be read")
    return start, newest, snapshot, end, swapped


async def since_snapshot(
    journal: Journal, call: str, snapshot_seq: int = -1
) -> tuple[list[list[Any]], JournalDamaged | None]:
    """A call's newest snapshot and all that follows, for a new owner; or what of it is whole, and the damage.

    Where the snapshot itself is damaged, everything but it: the events before it tell what it said.

    Args:
        snapshot_seq: the snapshot's number; 0 = there is none, -1 = not known.

    Raises:
        JournalAway: the store cannot be read.
    """
    if snapshot_seq < 0:
        try:
            newest = await journal.last(call, "snapshot")
            snapshot_seq = newest[2] if newest is not None else 0
        except JournalDamaged:
            snapshot_seq = 0
    records, damage = await _all_after(journal, call, snapshot_seq - 1)
    if damage is None or (records and records[0][2] == snapshot_seq):
        return records, damage
    records, _ = await _all_after(journal, call, -1)
    if records:
        rest, _ = await _all_after(journal, call, records[-1][2] + 1)
        if rest and rest[0][4] == "place":  # written behind every snapshot: that is what cannot be read
            records += rest
    return records, damage


async def _all_after(journal: Journal, call: str, after_seq: int) -> tuple[list[list[Any]], JournalDamaged | None]:
    records: list[list[Any]] = []
    while True:
        page, damage = await read_intact(journal, call, after_seq, PAGE)
        records += page
        if damage is not None or len(page) < PAGE:
            return records, damage
        after_seq = page[-1][2]
