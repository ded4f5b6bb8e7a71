"""What is asked about single calls of a node: who owns one, how it goes, what its journal has; and operators' words.

The other half of the supervisor's operations (`contracts/call_operations.py`, `contracts/node_operations.py`). Answers
come from the table, from the call's process, or from the journal.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.principal import Principal

from ..contracts.call_operations import (
    RECORDS_MAX,
    ActBegun,
    CallAddress,
    CallList,
    CallOperations,
    News,
    Records,
    View,
)
from ..contracts.errors import JournalAway, JournalDamaged, LinkLost, NoSuchCall
from ..contracts.node_messages import Told
from ..contracts.operations import plain
from ..journals import queries
from ..journals.damage_monitor import DamageMonitor, Damages
from ..journals.register import Register
from .call_followers import CallFollowers
from .call_table import CallRow, CallTable, of_journal
from .node_loss import NodeLoss
from .orphans import Orphans
from .recovery import Recovery
from .residents import Residents
from .takeover import Takeovers

LISTED_MIN = 100  # calls are listed from the journal where fewer are remembered: after a restart


class CallQueries(CallOperations):
    """The supervisor sets the parts."""

    table: CallTable
    residents: Residents
    takeovers: Takeovers
    recovery: Recovery
    orphans: Orphans
    register: Register
    damages: Damages
    node_loss: NodeLoss
    followers: CallFollowers
    _journal: DamageMonitor

    async def claim(self, call: str, lost_epoch: int = 0) -> CallAddress:
        """The owner's door for media."""
        row = await self.recovery.owner(call, lost_epoch)
        return CallAddress(row.endpoint, row.media_token, row.epoch)

    async def observe(self, call: str) -> CallAddress:
        """The owner's door for observers."""
        row = await self.recovery.owner(call)
        return CallAddress(row.endpoint, row.observer_token, row.epoch)

    async def follow(self, call: str, after_seq: int = -1, wait_s: float = 0.0) -> News:
        """What is new of a live call, by its notices."""
        return await self.followers.follow(call, after_seq, wait_s)

    async def knows(self, call: str) -> str:
        """Whether a call is led here ("live"), in this node's journal ("kept"), or was never heard of ("")."""
        if call in self.table:
            return "live"
        return "kept" if await queries.known(self._journal, call) else ""

    async def leads(self, call: str) -> bool:
        """Whether a call goes on here: live, and not on its way to its end. Raises: LinkLost: this node is gone."""
        self.node_loss.may_lead()
        if call not in self.table and await self.recovery.revive(call):
            return True  # it died together with this supervisor, and is being taken over
        row = self.table.get(call)
        if row is None or self.takeovers.under_way(call):
            return row is not None
        with contextlib.suppress(LinkLost):
            return not (await self.residents.query(row.owner, "state")).get("outcome")
        return call in self.table

    async def adopt(self, call: str) -> None:
        """Go on with a call of a lost node, from the journal that the nodes share.

        Raises:
            NoSuchCall, NoSpare. LinkLost: this node is gone itself.
        """
        self.node_loss.may_lead()
        if call in self.table or not await self.recovery.revive(call):
            await self.orphans.adopt(call)
        await self.takeovers.owner(call)

    async def unled(self) -> list[str]:
        """Calls that a shared journal holds open and this node does not lead."""
        return await self.orphans.unled()

    async def close_unled(self, call: str, why: str) -> None:
        """Write the end of a call that nobody leads. Raises: NoSuchCall: somebody does, or it has ended."""
        await self.orphans.close(call, why)

    def _live(self, call: str) -> CallRow:
        row = self.table.get(call)
        if row is None:
            raise NoSuchCall(f"call {call!r} is not live on this node")
        return row

    async def calls(self, live: bool | None = None, limit: int = 0) -> CallList:
        """Calls of this node; after a restart, those before it as its journal has them."""
        listed, known = self.table.listed(live, limit), self.table.known()
        if live or len(known) >= LISTED_MIN:
            return listed
        with contextlib.suppress(JournalAway, JournalDamaged):
            kept = [each for each in await self._journal.calls(LISTED_MIN) if each.ended and each.call not in known]
            older = [of_journal(each) for each in sorted(kept, key=lambda each: -each.begun_unix_ms)]
            return CallList((*listed.calls, *older)[: limit or None], listed.total + len(older))
        return listed

    async def state(self, call: str) -> View:
        """The call's view with its owner, epoch and version; once it is over, its last. Raises: NoSuchCall."""
        row = self.table.get(call)
        if row is not None:
            with contextlib.suppress(LinkLost):
                return {
                    **await self.residents.query(row.owner, "state"),
                    **plain(row.summary()),
                    **self.damages.of(call),
                }
            return {**plain(row.summary()), **self.damages.of(call)}
        try:
            known = plain(self.table.find(call).summary())
        except NoSuchCall:
            known = {}
        return {**await queries.last_state(self._journal, call), **known, **self.damages.of(call)}

    async def journal(self, call: str, after_seq: int = -1, limit: int = 1_000) -> Records:
        """Records of a call after `after_seq`, in order."""
        return await self._journal.read(call, after_seq, min(limit, RECORDS_MAX))

    async def verdicts(self, call: str) -> list[Any]:
        """All verdicts of a call, as codec arrays, in order."""
        return await queries.verdicts(self._journal, call)

    async def acts(self, call: str) -> list[ActBegun]:
        """What tools did for a call."""
        return [ActBegun(*act) for act in await self.register.acts(call)]

    async def kept(self, call: str) -> Mapping[str, Any] | None:
        """What the journal has noted of a call."""
        return await queries.noted(self._journal, call)

    async def hangup(self, call: str, by: Principal, reason: str) -> None:
        """End a call, with its goodbye where the policy has one. Raises: NoSuchCall, LinkLost."""
        self._event(call, ev.HangupRequested(0, by, reason))

    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        """How a transfer ended, as the carrier says: the call is over, or goes on. Raises: NoSuchCall, LinkLost."""
        why = f"the number that the caller was handed to: {how}"
        self._event(call, ev.LineClosed(0, why) if taken else ev.ActionFinished(0, grant, False, why))

    async def decide(self, call: str, proposal: str, approved: bool, operator: Principal) -> None:
        """An operator's answer to a proposal that waits for approval. Raises: NoSuchCall, LinkLost."""
        self._event(call, ev.OperatorDecided(0, proposal, bool(approved), operator))

    def _event(self, call: str, event: ev.Event) -> None:
        if not self.tell(self._live(call), *Told(call, encode(event))):
            raise LinkLost(f"the owner of call {call} cannot be told now; try again")

    def tell(self, row: CallRow, *message: Any) -> bool:
        """Send to a call's owner; False while it is away."""
        return self.residents.tell(row.owner, *message)
