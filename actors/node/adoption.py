"""A call's row rebuilt from its journal alone: for whoever adopts a call whose process and supervisor are both gone.

    row = await row_from_journal(journal, call)
    if row is not None:
        table.open(row)
        takeovers.begin(row, "why its process is gone")

From there on it is a takeover like any other (`takeover.py`): fence, read the tail, assign. When a call is adopted and
by whom is the adopter's matter: `recovery.py` on the same node, the director for a node that was lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.records import End, PolicyChange, Record, Start

from ..contracts.errors import JournalDamaged
from ..journals.journal import Journal, read_intact
from .call_table import CallRow

BEGINNING = 16  # records among which a call's "start" and its CallCreated are: they are its first two


async def row_from_journal(journal: Journal, call: str) -> CallRow | None:
    """The row of a call that the journal holds open, without an owner, at its newest epoch.

    Its agents are those of the policy that led it last. Its clock goes on by the anchor in its "start" record where the
    adopter runs on the same machine, else by the wall clock, and never back behind its newest record (`at_ms`).

    Returns:
        None where the journal has nothing of the call, has its end, or does not say how it began.

    Raises:
        JournalAway: the store cannot be read.
    """
    try:
        newest = await journal.last(call)
    except JournalDamaged:
        newest = None  # what is whole before the damage is enough to go on, or to say goodbye
    beginning, _ = await read_intact(journal, call, -1, BEGINNING)
    if not beginning or (newest is not None and newest.kind == End.KIND):
        return None
    newest = newest or beginning[-1]
    start = next((start for record in beginning if (start := _start(record)) is not None), None)
    if start is None:
        return None
    created = _created(beginning)
    version, policy = await _leading(journal, call, start)
    return CallRow(
        call=call,
        epoch=newest.epoch,
        owner="",
        pid=0,
        policy_version=version,
        direction=created.direction if created is not None else start.direction,
        caller=created.caller if created is not None else "",
        callee=created.callee if created is not None else "",
        origin_unix_ms=start.unix_ms,
        agent_tokens=dict.fromkeys(policy.get("agents", {}), ""),  # the takeover makes new ones
        seq=newest.seq,
        at_ms=newest.at_ms,
        snapshot_seq=-1,  # the takeover looks for it behind its fence
        anchor=start.anchor,
        primed=True,
        takeovers=newest.epoch - beginning[0].epoch,
        arm=start.arm,
        tenant=start.tenant,
    )


async def _leading(journal: Journal, call: str, start: Start) -> tuple[str, Mapping[str, Any]]:
    """The version and the policy that led the call last: of its newest "policy" record, else of its beginning."""
    try:
        swapped = await journal.last(call, PolicyChange.KIND)
    except JournalDamaged:
        swapped = None
    change = swapped.told(PolicyChange) if swapped is not None else None
    if change is not None and change.policy:
        return change.version, change.policy
    return start.policy_version, start.policy


def _start(record: Record) -> Start | None:
    try:
        return record.told(Start)
    except CallerFault:  # what it says is none: nobody can go on from it
        return None


def _created(beginning: list[Record]) -> ev.CallCreated | None:
    for record in beginning:
        if record.holds(ev.CallCreated):
            try:
                event = record.event()
            except CallerFault:  # of another version of offhook
                return None
            return event if isinstance(event, ev.CallCreated) else None
    return None
