"""Leases: the right to run a call, carrying its epoch. A takeover grants the same call anew at the next epoch.

Whoever sees a higher epoch refuses the lower; so a process that was thought dead and wakes up is obeyed by nobody.
The book of a node is kept by its supervisor, and rebuilt after its death from the residents and the journal.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ..contracts.errors import Fenced


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` may run `call` while no higher epoch exists. `media_token` opens its media link at this epoch."""

    call: str
    epoch: int
    holder: str  # the resident's name
    media_token: str


class LeaseBook:
    """The live leases of one node."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._epochs: dict[str, int] = {}  # the highest ever granted, also of calls whose lease is over

    def grant(self, call: str, holder: str, after_epoch: int = 0) -> Lease:
        """A lease at the next epoch; it fences every earlier one. `after_epoch`: the highest that the journal has."""
        epoch = max(self._epochs.get(call, 0), after_epoch) + 1
        lease = Lease(call, epoch, holder, secrets.token_urlsafe(18))
        self._leases[call] = lease
        self._epochs[call] = epoch
        return lease

    def adopt(self, lease: Lease) -> bool:
        """Take over a lease that a resident claims to hold (the supervisor was away). False = a newer one exists."""
        if lease.epoch < self._epochs.get(lease.call, 0):
            return False
        self._leases[lease.call] = lease
        self._epochs[lease.call] = lease.epoch
        return True

    def of(self, call: str) -> Lease | None:
        """The live lease of a call."""
        return self._leases.get(call)

    def check(self, call: str, epoch: int) -> None:
        """Raises:
        Fenced: a newer owner exists.
        """
        newest = self._epochs.get(call, 0)
        if epoch < newest:
            raise Fenced(f"call {call}: epoch {epoch} is over, the owner has epoch {newest}")

    def end(self, call: str, epoch: int) -> bool:
        """The call is over, as its owner at `epoch` says. False = it has a newer owner, or was over already."""
        lease = self._leases.get(call)
        if lease is None or lease.epoch != epoch:
            return False
        del self._leases[call]
        return True

    def forget(self, call: str) -> None:
        """Drop what is known of a call that is over; its epochs are in the journal."""
        self._leases.pop(call, None)
        self._epochs.pop(call, None)
