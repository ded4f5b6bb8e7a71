"""What residents do, and what follows on their node: they arrive, speak, leave, die; calls are adopted, end, are lost.

The supervisor keeps the parts and answers the API; here every word of a resident and every death finds its way to the
part whose matter it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from ..contracts.errors import ProtocolFault
from ..contracts.message import Message
from ..contracts.metrics import AGENTS_GIVEN_UP
from ..contracts.node_messages import (
    Assigned,
    Attached,
    Ended,
    GaveUp,
    Journal,
    Offered,
    Perform,
    Swapped,
    Withdraw,
)
from ..contracts.orders import Order
from ..contracts.setup import Setup
from .call_endings import CallEndings
from .call_start import CallStart, Parts
from .call_table import CallRow
from .intake import Intake
from .leases import Lease
from .outbox import Outbox
from .outcomes import DIED
from .recovery import Recovery
from .residents import Owner, Resident
from .swaps import Swaps
from .takeover import Takeovers

log = logging.getLogger(__name__)


class WorkerEvents:
    """What the residents of one node do, and what follows."""

    def __init__(
        self,
        parts: Parts,
        *,
        intake: Intake,
        outbox: Outbox,
        call_start: CallStart,
        endings: CallEndings,
        takeovers: Takeovers,
        recovery: Recovery,
        swaps: Swaps,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._parts = parts
        self._intake = intake
        self._outbox = outbox
        self._call_start = call_start
        self._endings = endings
        self._takeovers = takeovers
        self._recovery = recovery
        self._swaps = swaps
        self._spawn = spawn

    def owner(self) -> Owner:
        """Who is told of residents: this."""
        return Owner(self.arrived, self.away, self.said, self.gone)

    def arrived(self, resident: Resident, running: Any) -> None:
        """It has connected, for the first time or again; `running` is what it says is live there."""
        parts = self._parts
        if resident.role == "call":
            live = bool(running) and self._adopt(resident, running)
            parts.pool.arrived(resident.name, live)
        elif resident.role == "agents":
            parts.hosts.arrived(resident.name, **resident.note)
            parts.hosts.seated(resident.name, list(running))
            for call in running:
                row = parts.table.get(call)
                if row is not None and row.policy_version == resident.note["version"]:
                    row.seats.setdefault(str(resident.note["agent"]), resident.name)
        elif resident.role == "gateway":
            self._recovery.lines(running)
        self._recovery.accounted(resident.name)

    def _adopt(self, resident: Resident, running: dict[str, Any]) -> bool:
        """A process says which call it runs: a known one, or one from before this supervisor. False = it is fenced."""
        parts = self._parts
        setup = Setup.from_map(running["setup"])
        row = parts.table.get(setup.call)
        if row is not None and row.owner == resident.name and row.epoch == setup.epoch:
            return True
        if not parts.leases.adopt(Lease(setup.call, setup.epoch, resident.name, setup.media_token)):
            parts.residents.kill(resident.name, f"call {setup.call} has a newer owner than epoch {setup.epoch}")
            return False
        row = CallRow.of_setup(setup, resident.name, resident.pid, resident.endpoint)
        row.seq, row.snapshot_seq, row.primed = int(running["seq"]), int(running["snapshot_seq"]) or -1, True
        row.seats = parts.hosts.seats_of(setup.call, setup.policy_version)
        parts.table.open(row)
        log.info("adopted a call that was live before this supervisor", extra={"call": setup.call})
        return True

    def said(self, resident: Resident, message: Message) -> None:
        """A message of a resident, by its kind."""
        match message:
            case Journal(records):
                self._intake.take(resident.name, records)
            case Assigned(call, epoch, refusal):
                self._call_start.assigned(call, epoch, refusal)
            case Ended(call, epoch, outcome):
                self._endings.ended(call, epoch, outcome)
                self._parts.pool.free(resident.name)
            case Perform():
                self._outbox.order(resident, Order.of(message))
            case Withdraw():
                self._outbox.take_back(resident, Order.of(message))
            case Attached(call, agent, refusal):
                self._call_start.attached(call, agent, refusal)
            case Offered(call, _, version):
                self._swaps.opened(call, version)
            case Swapped(call, _, version, refusal):
                self._swaps.answered(call, version, refusal)
            case GaveUp(call, agent, reason):
                log.warning("agent %s is given up in a call: %s", agent, reason, extra={"call": call})
                self._parts.metrics.count(AGENTS_GIVEN_UP, agent, "call")
                self._parts.hosts.leave(resident.name, call)
            case _:
                raise ProtocolFault(f"nobody here takes {message.NAME!r}")

    def away(self, resident: Resident) -> None:
        """Its link has closed; whether it is dead is not known yet."""
        parts = self._parts
        if resident.role == "call":
            parts.pool.away(resident.name)
        elif resident.role == "agents":
            parts.hosts.away(resident.name)

    def gone(self, resident: Resident, why: str) -> None:
        """A resident's process is dead."""
        parts = self._parts
        self._recovery.accounted(resident.name)
        if resident.role == "call":
            for row in parts.table.owned_by(resident.name):
                self._call_start.lost(row)
                self._swaps.lost(row.call)
                if row.primed:
                    self._takeovers.begin(row, why)
                elif not self._takeovers.under_way(row.call):
                    self._endings.close(row, DIED, why)
            parts.pool.gone(resident.name, why)
        elif resident.role == "agents":
            log.warning("agent host %s is gone: %s", resident.name, why)
            host = parts.hosts.gone(resident.name, why)
            if host is not None and (host.version, host.agent) in parts.hosts.given_up:
                parts.metrics.count(AGENTS_GIVEN_UP, host.agent, "node")
            for call in host.calls if host is not None else ():
                led = parts.table.get(call)
                if led is None or host is None or led.policy_version != host.version:
                    continue  # of a swap: the call itself sees whether its agent comes
                self._spawn(self._call_start.reseat(call, resident.note["agent"]))
