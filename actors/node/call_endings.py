"""How a call ends on a node: its row, its lease, its counters and its agents' seats, and its last record where its own
process cannot write it. Why it ends, others say."""

from __future__ import annotations

import logging
import time

from offhook.policies.core.records import End

from ..contracts.node_messages import Detach
from .agent_pool import AgentPool
from .call_table import CallRow, CallTable, Doubts
from .intake import SUPERVISOR, Intake
from .leases import LeaseBook
from .node_loss import NodeLoss
from .node_metrics import NodeMetrics
from .outcomes import MOVED
from .residents import Residents

log = logging.getLogger(__name__)


class CallEndings:
    """The endings of one node's calls."""

    def __init__(
        self,
        table: CallTable,
        doubts: Doubts,
        leases: LeaseBook,
        intake: Intake,
        hosts: AgentPool,
        residents: Residents,
        node_loss: NodeLoss,
        metrics: NodeMetrics,
    ) -> None:
        self._table = table
        self._doubts = doubts
        self._leases = leases
        self._intake = intake
        self._hosts = hosts
        self._residents = residents
        self._node_loss = node_loss
        self._metrics = metrics

    def ended(self, call: str, epoch: int, outcome: str) -> None:
        """A call's process says that it is over, and has written its end."""
        row = self._table.end(call, epoch, outcome, time.time_ns() // 1_000_000)
        if row is not None:
            self._intake.over(call)
            self._forget(row, outcome, lost=False)

    def close(self, row: CallRow, outcome: str, why: str | None = "") -> None:
        """End a call whose process cannot do it itself. Its end is written here, unless it is there (`why` is None)."""
        if self._node_loss.left:
            return  # whoever leads it next must find it open
        now_unix_ms = time.time_ns() // 1_000_000
        if self._table.end(row.call, row.epoch, outcome, now_unix_ms) is None:
            return
        self._forget(row, outcome, lost=True)
        if why is None:
            return
        end = End(outcome, why=why, by=SUPERVISOR)
        self._intake.close_call(row, now_unix_ms - row.origin_unix_ms, end)
        log.error("call ended: %s", outcome, extra={"call": row.call, "why": why})

    def moved(self, row: CallRow, why: str) -> None:
        """Another node leads this call by now, and this one had not noticed: whoever leads it here is ended."""
        self.close(row, MOVED, None)
        self._residents.kill(row.owner, f"call {row.call} is led on another node: {why}")

    def _forget(self, row: CallRow, outcome: str, lost: bool) -> None:
        self._leases.end(row.call, row.epoch)
        self._intake.arms.over(row.call, row.arm, outcome, lost=lost)
        self._metrics.ended(outcome, row.policy_version)
        self._doubts.settle(row.call)
        for host in self._hosts.serving_call(row.call):
            self._residents.tell(host.name, *Detach(row.call))
            self._hosts.leave(host.name, row.call)
