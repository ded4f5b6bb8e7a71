"""Takeover: what a supervisor does when the process of a live call is gone.

    fence ─▶ read the tail ─▶ assign to a spare at the next epoch ─▶ tell the gateways ─▶ seat the agents anew

From the fence on nothing that the former owner sends is obeyed: the journal refuses its records, the gateway its
orders, the tools its orders. How often a call may fail within a while is OTP's intensity; beyond it the policy's
escalation (`limits.escalation`) follows: first another, simple policy leads the call, where it names one; if the call
goes on to fail, its core is not trusted any more, and a spare hands the caller to a person or says goodbye without it.
What the spare does is `call/takeover_resume.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from offhook.policies.core.records import End, PolicyChange, Record, Start
from offhook.policies.fleet.supervision import Act, ChildSpec, decide

from ..call.resume import trimmed
from ..contracts.errors import JournalAway, NoSpare, NoSuchCall, ProtocolFault
from ..contracts.metrics import TAKEOVER, TAKEOVERS
from ..contracts.node_messages import Owner
from ..contracts.setup import Engines, Setup
from ..journals.journal import Tail
from ..journals.queries import since_snapshot
from .call_start import CallStart, Parts
from .call_table import CallRow, Doubts
from .intake import Intake
from .leases import Lease
from .outcomes import DIED
from .residents import Resident

log = logging.getLogger(__name__)

INTENSITY = ChildSpec(intensity=3, period_ms=30_000)  # of one call; a fourth failure within it is no accident
DOUBT_S = 0.1  # after a gateway lost its owner: a death is known here by then
TIMES_MAX = 1_000  # takeovers whose duration is remembered


class Takeovers:
    """The takeovers of one node.

    Args:
        tell_gateways: sends a message to every gateway of the node.
        close: ends a call that cannot be saved: row, outcome, why (None = its own end is in the journal).
        doubts: whether an owner lives.
        wait_s: how long a call waits for a spare.
    """

    def __init__(
        self,
        parts: Parts,
        intake: Intake,
        call_start: CallStart,
        tell_gateways: Callable[..., None],
        close: Callable[[CallRow, str, str | None], None],
        doubts: Doubts,
        wait_s: float,
    ) -> None:
        self._parts = parts
        self._intake = intake
        self._call_start = call_start
        self._tell_gateways = tell_gateways
        self._close = close
        self._doubts = doubts
        self._wait_s = wait_s
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self.calm: Callable[[CallRow], None] = _nobody_calms  # has `row.calmed` lead the call from now on
        self.left: Callable[[], bool] = lambda: False  # this node's calls are another's to lead
        self.done = 0
        self.escalations = 0  # to a policy that is made to be simple
        self.farewells = 0
        self.times_ms: deque[float] = deque(maxlen=TIMES_MAX)  # from the death's notice to the new owner's word

    def begin(self, row: CallRow, why: str) -> None:
        """The owner of `row` is gone. Returns at once; nothing happens where a takeover is under way, or where the
        node itself is gone (`node_loss.py`)."""
        if row.call in self._under_way:
            return
        if self.left():
            log.warning("the call is left to another node: %s", why, extra={"call": row.call})
            return
        task = asyncio.get_running_loop().create_task(self._take_over(row, why))
        self._under_way[row.call] = task
        task.add_done_callback(lambda _task: self._over(row.call))
        self._doubts.settle(row.call)

    def under_way(self, call: str) -> bool:
        """The call has no owner at this moment, and will have one or an end."""
        return call in self._under_way

    async def owner(self, call: str, lost_epoch: int = 0) -> CallRow:
        """The row of a call that is owned now.

        Args:
            lost_epoch: whoever asks has just lost that owner; a moment is waited for whether it is dead.

        Raises:
            NoSuchCall: it is not live here, or its takeover failed.
        """
        while True:
            row = self._parts.table.get(call)
            if row is None:
                raise NoSuchCall(f"call {call!r} is not live on this node")
            task = self._under_way.get(call)
            if task is not None:
                await asyncio.wait({task})
            elif row.epoch > lost_epoch:
                return row
            else:
                lost_epoch = 0
                await self._doubts.wait(call, DOUBT_S)

    def _over(self, call: str) -> None:
        self._under_way.pop(call, None)
        self._doubts.settle(call)

    # --- one takeover -----------------------------------------------------------------------------------------------

    async def _take_over(self, row: CallRow, why: str) -> None:
        began = time.monotonic()
        try:
            while why:
                row, why = await self._try(row, why)
        except NoSpare as fault:
            self._parts.metrics.count(TAKEOVERS, "lost")
            self._close(self._latest(row), DIED, f"{why}; {fault}")
            return
        except Exception as error:
            log.exception("a takeover failed", extra={"call": row.call})
            self._parts.metrics.count(TAKEOVERS, "lost")
            self._close(self._latest(row), DIED, f"{why}; the takeover failed: {type(error).__name__}")
            return
        if row.call not in self._parts.table:
            return
        self.done += 1
        took_s = time.monotonic() - began
        self.times_ms.append(took_s * 1_000)
        self._parts.metrics.observe(TAKEOVER, took_s)
        self._parts.metrics.count(TAKEOVERS, "goodbye" if row.farewell else "led")
        self._tell_gateways(*Owner(row.call, row.epoch, row.endpoint, row.media_token))
        log.warning("call taken over", extra={"call": row.call, "epoch": row.epoch, "owner": row.owner})
        asyncio.get_running_loop().call_soon(self._call_start.seat_anew, row)
        if row.calmed and not row.farewell and row.policy_version != row.calmed:
            self.calm(row)

    def _latest(self, row: CallRow) -> CallRow:
        return self._parts.table.get(row.call) or row

    async def _try(self, row: CallRow, why: str) -> tuple[CallRow, str]:
        """One spare's try; the row under its new owner, and why it did not work ("" = it did).

        Raises:
            NoSpare: none came free in time.
        """
        parts = self._parts
        decision = decide(row.restarts, time.monotonic_ns() // 1_000_000, INTENSITY, why)
        farewell = "" if decision.act is Act.RESTART else decision.why
        if farewell and not row.farewell and not row.calmed and (safe := self._safe_policy(row)):
            log.error("call escalated to policy %s: %s", safe, farewell, extra={"call": row.call})
            self.escalations += 1
            decision, farewell = replace(decision, history=()), ""
            row.calmed = safe
        if farewell and row.farewell:
            raise NoSpare(f"{farewell}; a goodbye was tried")
        lease = parts.leases.grant(row.call, "", row.epoch)  # from here on the former owner is fenced
        row = replace(row, epoch=lease.epoch, owner="", media_token=lease.media_token, primed=False)
        row.restarts, row.farewell = decision.history, farewell
        parts.table.open(row)
        self._intake.over(row.call)
        spare = asyncio.ensure_future(self._call_start.find_spare(self._wait_s, urgent=True))
        try:
            tail, records, damage = await self._past(row, lease.epoch)
        except BaseException:
            spare.add_done_callback(self._give_back)
            raise
        row.seq = max(tail.seq, 0)
        if records and (end := records[-1].told(End)) is not None:
            spare.add_done_callback(self._give_back)
            self._close(row, end.outcome or DIED, None)
            return row, ""
        resident = await spare
        row = replace(row, farewell=farewell or damage)
        self.farewells += bool(row.farewell)
        return await self._assign(row, resident, lease, records)

    def _safe_policy(self, row: CallRow) -> str:
        """The version to which the call's policy escalates; "" = none, or it leads the call already."""
        policy = self._parts.catalog.policies.get(row.policy_version)
        wanted = policy.limits.escalation.policy if policy is not None else ""
        version = self._parts.catalog.named(wanted) if wanted else ""
        return "" if version == row.policy_version else version

    async def _assign(
        self, row: CallRow, resident: Resident, lease: Lease, records: list[Record]
    ) -> tuple[CallRow, str]:
        parts = self._parts
        lease = replace(lease, holder=resident.name)
        parts.leases.adopt(lease)
        fresh = row.leased(lease, resident.pid, resident.endpoint, row.agent_tokens)
        fresh.takeovers += 1
        setup = await self._setup(fresh, records)
        if row.call not in parts.table:  # it was closed meanwhile
            parts.pool.free(resident.name)
            return fresh, ""
        parts.table.open(fresh)
        try:
            refusal = await self._call_start.assign(resident, fresh, setup)
        except ProtocolFault as fault:  # more than a message holds
            refusal = str(fault)
        if refusal:
            log.error("a takeover was refused: %s", refusal, extra={"call": row.call})
            parts.residents.kill(resident.name, f"refused a takeover: {refusal}")
        return fresh, refusal

    def _give_back(self, spare: asyncio.Future[Resident]) -> None:
        """Nobody needs it after all."""
        if not spare.cancelled() and spare.exception() is None:
            self._parts.pool.free(spare.result().name)

    # --- what is known of it ----------------------------------------------------------------------------------------

    async def _past(self, row: CallRow, epoch: int) -> tuple[Tail, list[Record], str]:
        """The journal's tail, final from here on; the newest snapshot and what follows; why that is not enough."""
        journal = self._parts.journal
        try:
            tail = await journal.fence(row.call, epoch)
            whole, damage = await since_snapshot(journal, row.call, row.snapshot_seq)
            records = [trimmed(record) for record in whole]
        except JournalAway as fault:
            return Tail(epoch, row.seq), [], f"the journal is away: {fault}"
        if damage is not None:
            log.error("a takeover goes by the part of the journal that is whole: %s", damage, extra={"call": row.call})
        return tail, records, "" if records else "the journal has nothing of this call"

    async def _setup(self, row: CallRow, records: list[Record]) -> Setup:
        catalog = self._parts.catalog
        if row.policy_version in catalog.policies:
            policy = catalog.plain(row.policy_version)
        else:
            journal = self._parts.journal
            led = await journal.last(row.call, PolicyChange.KIND) or (await journal.read(row.call, -1, 1))[0]
            change = led.told(PolicyChange) or led.told(Start)
            policy = dict(change.policy) if change is not None else {}
        engines = catalog.engines_for(row.policy_version)
        if row.farewell and engines.clips:  # nothing that has to be reached
            engines = Engines(synthesizer="clip", clips=engines.clips)
        return row.setup(policy, engines, () if row.farewell else records, catalog.prices)


def _nobody_calms(row: CallRow) -> None:
    log.error("nothing here can have policy %s lead the call", row.calmed, extra={"call": row.call})
