"""What residents do, and what follows on their node: they arrive, speak, leave, die; calls are adopted, end, are lost.

The supervisor's other half. The supervisor keeps the parts and answers the API; here every word of a resident and every
death finds its way to the part whose matter it is.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from ..contracts import wire
from ..contracts.errors import ProtocolFault
from ..contracts.metrics import AGENTS_GIVEN_UP
from ..contracts.orders import Order
from ..contracts.setup import Setup
from ..link.link import Message
from .call_table import CallRow
from .leases import Lease
from .residents import Owner, Resident
from .takeover import DIED

if TYPE_CHECKING:
    from .supervisor import Supervisor

log = logging.getLogger(__name__)

MOVED = "moved to another node"  # the outcome that this node tells of such a call


class WorkerEvents:
    """The attendance of one node's residents."""

    def __init__(self, node: Supervisor) -> None:
        self._node = node

    def owner(self) -> Owner:
        """Who is told of residents: this."""
        return Owner(self.arrived, self.away, self.said, self.gone)

    def arrived(self, resident: Resident, running: Any) -> None:
        """It has connected, for the first time or again; `running` is what it says is live there."""
        node = self._node
        if resident.role == "call":
            live = bool(running) and self._adopt(resident, running)
            node.pool.arrived(resident.name, live)
        elif resident.role == "agents":
            node.hosts.arrived(resident.name, **resident.note)
            node.hosts.seated(resident.name, list(running))
            for call in running:
                row = node.table.get(call)
                if row is not None and row.policy_version == resident.note["version"]:
                    row.seats.setdefault(str(resident.note["agent"]), resident.name)
        elif resident.role == "gateway":
            node.recovery.lines(running)
        node.recovery.accounted(resident.name)

    def _adopt(self, resident: Resident, running: dict[str, Any]) -> bool:
        """A process says which call it runs: a known one, or one from before this supervisor. False = it is fenced."""
        node = self._node
        setup = Setup.from_map(running["setup"])
        row = node.table.get(setup.call)
        if row is not None and row.owner == resident.name and row.epoch == setup.epoch:
            return True
        if not node.leases.adopt(Lease(setup.call, setup.epoch, resident.name, setup.media_token)):
            node.residents.kill(resident.name, f"call {setup.call} has a newer owner than epoch {setup.epoch}")
            return False
        row = CallRow.of_setup(setup, resident.name, resident.pid, resident.endpoint)
        row.seq, row.snapshot_seq, row.primed = int(running["seq"]), int(running["snapshot_seq"]) or -1, True
        row.seats = node.hosts.seats_of(setup.call, setup.policy_version)
        node.table.open(row)
        log.info("adopted a call that was live before this supervisor", extra={"call": setup.call})
        return True

    def said(self, resident: Resident, message: Message) -> None:
        """A message of a resident, by its kind."""
        node = self._node
        match message:
            case [wire.JOURNAL, list(records)]:
                node.intake.take(resident.name, records)
            case [wire.ASSIGNED, str(call), int(epoch), str(refusal)]:
                node.call_start.assigned(call, epoch, refusal)
            case [wire.ENDED, str(call), int(epoch), str(outcome)]:
                self._ended(resident, call, epoch, outcome)
            case [wire.PERFORM, *fields]:
                node.outbox.order(resident, Order.from_fields(fields))
            case [wire.WITHDRAW, *fields]:
                node.outbox.take_back(resident, Order.from_fields(fields))
            case [wire.ATTACHED, str(call), str(agent), str(refusal)]:
                node.call_start.attached(call, agent, refusal)
            case [wire.OFFERED, str(call), int(), str(version)]:
                node.swaps.opened(call, version)
            case [wire.SWAPPED, str(call), int(), str(version), str(refusal)]:
                node.swaps.answered(call, version, refusal)
            case [wire.GAVE_UP, str(call), str(agent), str(reason)]:
                log.warning("agent %s is given up in a call: %s", agent, reason, extra={"call": call})
                node.metrics.registry.count(AGENTS_GIVEN_UP, agent, "call")
                node.hosts.leave(resident.name, call)
            case _:
                raise ProtocolFault(f"a resident does not send {message[0]!r} with {len(message) - 1} fields")

    # --- endings ----------------------------------------------------------------------------------------------------

    def _ended(self, resident: Resident, call: str, epoch: int, outcome: str) -> None:
        node = self._node
        row = node.table.end(call, epoch, outcome, time.time_ns() // 1_000_000)
        if row is not None:
            node.leases.end(call, epoch)
            node.intake.over(call)
            node.intake.arms.over(call, row.arm, outcome)
            node.metrics.ended(outcome, row.policy_version)
            node.takeovers.settle_doubts(call)
            self._leave_seats(row)
        node.pool.free(resident.name)

    def close(self, row: CallRow, outcome: str, why: str | None = "") -> None:
        """End a call whose process cannot do it itself. Its end is written here, unless it is there (`why` is None)."""
        node = self._node
        if node.node_loss.left:
            return  # whoever leads it next must find it open
        now_unix_ms = time.time_ns() // 1_000_000
        if node.table.end(row.call, row.epoch, outcome, now_unix_ms) is None:
            return
        node.leases.end(row.call, row.epoch)
        node.intake.arms.over(row.call, row.arm, outcome, lost=True)
        node.metrics.ended(outcome, row.policy_version)
        node.takeovers.settle_doubts(row.call)
        self._leave_seats(row)
        if why is None:
            return
        body = {"outcome": outcome, "why": why, "by": "supervisor"}
        node.intake.close_call(row, now_unix_ms - row.origin_unix_ms, body)
        log.error("call ended: %s", outcome, extra={"call": row.call, "why": why})

    def moved(self, row: CallRow, why: str) -> None:
        """Another node leads this call by now, and this one had not noticed: whoever leads it here is ended."""
        self.close(row, MOVED, None)
        self._node.residents.kill(row.owner, f"call {row.call} is led on another node: {why}")

    def _leave_seats(self, row: CallRow) -> None:
        node = self._node
        for host in node.hosts.serving_call(row.call):
            resident = node.residents.get(host.name)
            if resident is not None:
                resident.send(wire.DETACH, row.call)
            node.hosts.leave(host.name, row.call)

    def away(self, resident: Resident) -> None:
        """Its link has closed; whether it is dead is not known yet."""
        node = self._node
        if resident.role == "call":
            node.pool.away(resident.name)
        elif resident.role == "agents":
            node.hosts.away(resident.name)

    def gone(self, resident: Resident, why: str) -> None:
        """A resident's process is dead."""
        node = self._node
        node.recovery.accounted(resident.name)
        if resident.role == "call":
            for row in node.table.owned_by(resident.name):
                node.call_start.lost(row)
                node.swaps.lost(row.call)
                if row.primed:
                    node.takeovers.begin(row, why)
                elif not node.takeovers.under_way(row.call):
                    self.close(row, DIED, why)
            node.pool.gone(resident.name, why)
        elif resident.role == "agents":
            log.warning("agent host %s is gone: %s", resident.name, why)
            host = node.hosts.gone(resident.name, why)
            if host is not None and (host.version, host.agent) in node.hosts.given_up:
                node.metrics.registry.count(AGENTS_GIVEN_UP, host.agent, "node")
            for call in host.calls if host is not None else ():
                led = node.table.get(call)
                if led is None or host is None or led.policy_version != host.version:
                    continue  # of a swap: the call itself sees whether its agent comes
                node.spawn(node.call_start.reseat(call, resident.note["agent"]))
