"""The journal's intake at the supervisor: records of live calls in, acknowledgements out.

An acknowledgement says that everything up to a record is safe. So when one message of a call was refused (the store is
away and its queue full), what follows it is refused too, until the call has sent the refused ones again, or a "lost"
record in their place. Records of an older epoch are refused by the journal itself; their sender is told nothing, since
nobody obeys it any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from time import perf_counter

from offhook.policies.core.errors import OffhookError
from offhook.policies.core.layout import CodecFault
from offhook.policies.core.records import SNAPSHOT, End, Lost, PolicyChange, Record, Rows, record_of

from ..contracts.errors import Fenced, JournalAway, JournalDamaged, ProtocolFault
from ..contracts.metrics import JOURNAL_LAG
from ..contracts.node_messages import Journaled, JournalGone
from ..journals.journal import Journal
from ..process.metric_registry import MetricRegistry
from .arm_counters import ArmCounters
from .call_table import CallRow, CallTable

log = logging.getLogger(__name__)

Send = Callable[..., bool]  # to the call's owner

RECORDS_MAX = 10_000  # in one message
SUPERVISOR = "supervisor"  # who writes the end of a call whose process cannot
OPEN_CALLS_MAX = 1_000  # looked at after a restart: four times what a node holds


class Intake:
    """Takes records for one node's journal.

    Args:
        tell: sends to a call's owner: row, message.
        moved: told of a call that is led on another node by now, and how that is known.
    """

    def __init__(
        self,
        journal: Journal,
        table: CallTable,
        tell: Callable[..., bool],
        moved: Callable[[CallRow, str], None],
        metrics: MetricRegistry | None = None,
    ) -> None:
        self._journal = journal
        self._table = table
        self._tell = tell
        self._moved = moved
        self._metrics = metrics or MetricRegistry()
        self.led_by: Callable[[CallRow, str], None] = _followed_by_nobody  # told of every "policy" record
        self._accepted: dict[str, int] = {}  # call -> newest record handed to the journal, without a gap before it
        self.records = 0
        self.refused = 0
        self.arms = ArmCounters()

    @property
    def journal_up(self) -> bool:
        """The journal takes records, as far as is known."""
        return self._journal.up

    def take(self, owner: str, rows: Sequence[Rows]) -> None:
        """Records of one call from its owner.

        Raises:
            ProtocolFault: not records, or of a call that this resident does not own.
        """
        if not 0 < len(rows) <= RECORDS_MAX:
            raise ProtocolFault(f"a message holds 1 to {RECORDS_MAX} records, not {len(rows)}")
        try:
            records = list(map(record_of, rows))
            changes = [change for record in records if (change := record.told(PolicyChange)) is not None]
            end = records[-1].told(End)
        except CodecFault as fault:
            raise ProtocolFault(str(fault)) from fault
        call, epoch, first = records[0].call, records[0].epoch, records[0].seq
        last, at_ms = records[-1].seq, records[-1].at_ms
        row = self._table.get(call)
        if row is None or row.epoch != epoch or row.owner != owner:
            log.warning("records of call %s at epoch %s come from %s, which does not own it", call, epoch, owner)
            self.refused += len(records)
            return
        accepted = self._accepted.get(call)
        if accepted is not None and first > accepted + 1 and records[0].kind != Lost.KIND:
            self.refused += len(records)
            return  # behind a gap: the call has been told, and sends all of it again
        self._accepted[call] = last
        self.records += len(records)
        snapshot_seq = max((record.seq for record in records if record.kind == SNAPSHOT), default=0)
        self._table.journaled(call, epoch, last, at_ms, snapshot_seq)
        row.progress.take(records)
        if row.arm:
            self.arms.take(call, row.arm, records)
        for change in changes:
            self.led_by(row, change.version)
        if end is not None:
            row.usage = dict(end.usage)
        began_s = perf_counter()
        self._journal.append(records, lambda fault: self._done(row, first, last, fault, began_s))

    def _done(self, row: CallRow, first: int, last: int, fault: OffhookError | None, began_s: float) -> None:
        if fault is None:
            self._metrics.observe(JOURNAL_LAG, perf_counter() - began_s)
            self._tell(row, *Journaled(row.call, row.epoch, last))
            return
        if isinstance(fault, Fenced):
            log.warning("%s", fault)
            if self._table.get(row.call) is row:  # not by a takeover of this node
                self._moved(row, str(fault))
            return
        log.error("records %d to %d of a call are refused: %s", first, last, fault, extra={"call": row.call})
        self._accepted[row.call] = min(self._accepted.get(row.call, first - 1), first - 1)
        self._tell(row, *JournalGone(str(fault)))

    def away(self, reason: str) -> None:
        """The store is away: every live call is told, so that nothing irreversible is granted meanwhile."""
        for row in self._table.live():
            self._tell(row, *JournalGone(reason))

    def over(self, call: str) -> None:
        """Nothing more will come of a call."""
        self._accepted.pop(call, None)

    def close_call(self, row: CallRow, at_ms: int, end: End) -> None:
        """Write the end of a call whose process cannot: the next record, at its own epoch."""
        record = Record(row.call, row.epoch, row.seq + 1, max(at_ms, row.at_ms), End.KIND, end.plain())
        self._journal.append([record], lambda fault: _log_unwritten(row.call, fault))
        self.over(row.call)

    async def close_unclaimed(self, outcome: str, why: str) -> None:
        """Write the end of every call that the journal holds open and that is not live here."""
        if self._journal.shared:
            return  # calls that live on other nodes are in it too, and their records would collide with such an end
        try:
            kept = await self._journal.calls(OPEN_CALLS_MAX)
        except (JournalAway, JournalDamaged) as fault:
            log.warning("calls that ended while nobody looked are not closed: %s", fault)
            return
        for call in kept:
            if not call.ended and self._table.get(call.call) is None:
                row = CallRow(call.call, call.epoch, "", 0, "", "", "", "", call.begun_unix_ms, seq=call.seq)
                at_ms = time.time_ns() // 1_000_000 - call.begun_unix_ms
                self.close_call(row, at_ms, End(outcome, why=why, by=SUPERVISOR))


def _log_unwritten(call: str, fault: OffhookError | None) -> None:
    if fault is not None:
        log.error("the end of a call could not be written: %s", fault, extra={"call": call})


def _followed_by_nobody(row: CallRow, version: str) -> None:
    row.policy_version = version
