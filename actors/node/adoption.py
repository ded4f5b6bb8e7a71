"""A call's row rebuilt from its journal alone: for whoever adopts a call whose process and supervisor are both gone.

    row = await row_from_journal(journal, call)
    if row is not None:
        table.open(row)
        takeovers.begin(row, "why its process is gone")

From there on it is a takeover like any other (`takeover.py`): fence, read the tail, assign. When a call is adopted and
by whom is the adopter's matter: `recovery.py` on the same node, the director for a node that was lost.
"""

from __future__ import annotations

from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode
from offhook.policies.core.errors import CallerFault

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
    if not beginning or (newest is not None and newest[4] == "end"):
        return None
    newest = newest or beginning[-1]
    start = next((record[5] for record in beginning if record[4] == "start"), None)
    if not isinstance(start, dict):
        return None
    created = _created(beginning)
    version, policy = await _leading(journal, call, start)
    return CallRow(
        call=call,
        epoch=newest[1],
        owner="",
        pid=0,
        policy_version=version,
        direction=created.direction if created is not None else str(start.get("direction", "inbound")),
        caller=created.caller if created is not None else "",
        callee=created.callee if created is not None else "",
        origin_unix_ms=int(start.get("unix_ms", 0)),
        agent_tokens=dict.fromkeys(policy.get("agents", {}), ""),  # the takeover makes new ones
        seq=newest[2],
        at_ms=newest[3],
        snapshot_seq=-1,  # the takeover looks for it behind its fence
        anchor=_anchor(start.get("anchor")),
        primed=True,
        takeovers=newest[1] - beginning[0][1],
        arm=str(start.get("arm", "")),
        tenant=str(start.get("tenant", "")),
    )


async def _leading(journal: Journal, call: str, start: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The version and the policy that led the call last: of its newest "policy" record, else of its beginning."""
    try:
        swapped = await journal.last(call, "policy")
    except JournalDamaged:
        swapped = None
    body = swapped[5] if swapped is not None else {}
    if body.get("policy"):
        return str(body.get("version", "")), body["policy"]
    return str(start.get("policy_version", "")), start.get("policy") or {}


def _created(beginning: list[list[Any]]) -> ev.CallCreated | None:
    for record in beginning:
        if record[4] == "event" and record[5][:1] == ["CallCreated"]:
            try:
                event = decode(record[5])
            except CallerFault:  # of another version of offhook
                return None
            return event if isinstance(event, ev.CallCreated) else None
    return None


def _anchor(raw: Any) -> tuple[str, int]:
    match raw:
        case [str(boot), int(monotonic_ns)]:
            return boot, monotonic_ns
    return "", 0
