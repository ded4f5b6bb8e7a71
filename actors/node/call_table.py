"""The calls of one node: who owns each, how far its journal has come, and how the last ones ended.

The table is the supervisor's memory, not the truth: the truth is in the call actors and the journal, and after the
supervisor's death the table is rebuilt from both. Nothing here is decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from offhook.policies.core.errors import OffhookError
from offhook.policies.fleet.cost import Usage

from ..contracts.call_operations import CallList, CallSummary
from ..contracts.errors import NoSuchCall
from ..contracts.node_operations import Change
from ..contracts.operations import read
from ..contracts.setup import Engines, Setup, agent_tokens
from ..journals.journal import Kept
from .call_progress import CallProgress
from .change_feed import BEGAN, ENDED, ChangeFeed
from .leases import Lease

log = logging.getLogger(__name__)

ENDED_MAX = 1_000  # rows kept of calls that are over; the journal has them all


@dataclass(slots=True)
class CallRow:
    """One call. `seq` and `at_ms` are those of its newest record that the supervisor has seen."""

    call: str
    epoch: int
    owner: str  # the resident's name
    pid: int
    policy_version: str
    direction: str
    caller: str  # personal data
    callee: str  # personal data
    origin_unix_ms: int
    media_token: str = ""
    observer_token: str = ""
    endpoint: str = ""  # of the call actor's link server
    seats: dict[str, str] = field(default_factory=dict)  # agent -> agent host
    agent_tokens: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    at_ms: int = 0
    snapshot_seq: int = 0  # of its newest snapshot; 0 = it has none, -1 = not known here
    anchor: tuple[str, int] = ("", 0)  # its zero on this machine's monotonic clock
    primed: bool = False  # its owner has said that it leads it
    restarts: tuple[int, ...] = ()  # moments of its takeovers that count against its intensity
    takeovers: int = 0
    calmed: str = ""  # the policy version that it was escalated to, when it had failed too often
    farewell: str = ""  # why it is only said goodbye to
    ended_unix_ms: int = 0
    outcome: str = ""  # empty while it goes on
    arm: str = ""  # of a rollout; "" = it is in none
    tenant: str = ""
    usage: dict[str, float] = field(
        default_factory=dict
    )  # what it has used, by its end's record (policies/fleet/cost.py)
    progress: CallProgress = field(default_factory=CallProgress, compare=False)  # what it tells of itself

    @classmethod
    def of_setup(cls, setup: Setup, owner: str, pid: int, endpoint: str) -> CallRow:
        """The row of a call that is being assigned."""
        return cls(
            setup.call,
            setup.epoch,
            owner,
            pid,
            setup.policy_version,
            setup.direction,
            setup.caller,
            setup.callee,
            setup.origin_unix_ms,
            setup.media_token,
            setup.observer_token,
            endpoint,
            agent_tokens=dict(setup.agent_tokens),
            anchor=setup.anchor,
            arm=setup.arm,
            tenant=setup.tenant,
            progress=CallProgress(policy=str(setup.policy.get("name", ""))),
        )

    def leased(self, lease: Lease, pid: int, endpoint: str, agents: Iterable[str]) -> CallRow:
        """The same call under the holder of another lease. Its tokens follow from the lease's: none outlives it."""
        token = lease.media_token
        return replace(
            self,
            epoch=lease.epoch,
            owner=lease.holder,
            pid=pid,
            endpoint=endpoint,
            media_token=token,
            observer_token=f"{token}.observer",
            agent_tokens=agent_tokens(token, self.policy_version, agents),
            primed=False,
        )

    def setup(
        self,
        policy: Mapping[str, Any],
        engines: Engines,
        resume: Iterable[Any] = (),
        prices: Mapping[str, Any] | None = None,
    ) -> Setup:
        """What the call's owner is told. `resume`: the records that a call which goes on is folded from."""
        return Setup(
            call=self.call,
            epoch=self.epoch,
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            policy_version=self.policy_version,
            policy=policy,
            media_token=self.media_token,
            agent_tokens=self.agent_tokens,
            observer_token=self.observer_token,
            origin_unix_ms=self.origin_unix_ms,
            anchor=self.anchor,
            at_least_ms=self.at_ms,
            after_seq=self.seq,
            engines=engines,
            resume=tuple(resume),
            prices=prices or {},
            tenant=self.tenant,
            farewell=self.farewell,
            arm=self.arm,
        )

    def summary(self) -> CallSummary:
        """What `calls()` tells of it. Tokens stay here."""
        return CallSummary(
            call=self.call,
            epoch=self.epoch,
            owner=self.owner,
            pid=self.pid,
            policy_version=self.policy_version,
            direction=self.direction,
            caller=self.caller,
            callee=self.callee,
            created_unix_ms=self.origin_unix_ms,
            ended_unix_ms=self.ended_unix_ms,
            live=not self.ended_unix_ms,
            outcome=self.outcome,
            seq=self.seq,
            takeovers=self.takeovers,
            tenant=self.tenant,
            progress=self.progress.summary(self.at_ms),
        )


class Doubts:
    """Who wonders what has become of a call, whose owner they have lost."""

    def __init__(self) -> None:
        self._doubts: dict[str, asyncio.Event] = {}

    async def wait(self, call: str, within_s: float) -> None:
        """Until it is known, or has been waited for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._doubts.setdefault(call, asyncio.Event()).wait()

    def settle(self, call: str) -> None:
        """It is known: whoever waits for it looks again."""
        doubt = self._doubts.pop(call, None)
        if doubt is not None:
            doubt.set()


class CallTable:
    """Live calls by id, and the last `ENDED_MAX` that are over."""

    def __init__(self) -> None:
        self.change_feed = ChangeFeed()
        self._live: dict[str, CallRow] = {}
        self._ended: deque[CallRow] = deque(maxlen=ENDED_MAX)

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, call: str) -> bool:
        return call in self._live

    def open(self, row: CallRow) -> None:
        """A call begins here, or goes on here under a new owner."""
        if row.call not in self._live:
            self.change_feed.note(Change(BEGAN, row.call, row.tenant))
        self._live[row.call] = row

    def live(self) -> Iterator[CallRow]:
        """Rows of the calls that go on."""
        return iter(tuple(self._live.values()))

    def get(self, call: str) -> CallRow | None:
        """The row of a live call."""
        return self._live.get(call)

    def find(self, call: str) -> CallRow:
        """The row of a call, live or over.

        Raises:
            NoSuchCall: never seen here, or over for long.
        """
        row = self._live.get(call)
        if row is not None:
            return row
        for ended in reversed(self._ended):
            if ended.call == call:
                return ended
        raise NoSuchCall(f"call {call!r} is not known on this node")

    def owned_by(self, owner: str) -> list[CallRow]:
        """The live calls of one resident: one, or none."""
        return [row for row in self._live.values() if row.owner == owner]

    def journaled(self, call: str, epoch: int, seq: int, at_ms: int, snapshot_seq: int = 0) -> None:
        """Records up to `seq` have come in, with this snapshot among them (0 = none)."""
        row = self._live.get(call)
        if row is not None and row.epoch == epoch and seq > row.seq:
            row.seq = seq
            row.at_ms = max(row.at_ms, at_ms)
            row.snapshot_seq = snapshot_seq or row.snapshot_seq

    def end(self, call: str, epoch: int, outcome: str, now_unix_ms: int) -> CallRow | None:
        """The call is over, as its owner at `epoch` says. None = it was over already, or has a newer owner."""
        row = self._live.get(call)
        if row is None or row.epoch != epoch:
            return None
        del self._live[call]
        row.outcome = outcome
        row.ended_unix_ms = now_unix_ms
        self._ended.append(row)
        holding_s = max(0, now_unix_ms - row.origin_unix_ms) / 1_000
        self.change_feed.note(Change(ENDED, call, row.tenant, row.policy_version, holding_s, _usage(row)))
        return row

    def known(self) -> frozenset[str]:
        """Every call that is remembered here, live or over."""
        return frozenset((*self._live, *(row.call for row in self._ended)))

    def listed(self, live: bool | None = None, limit: int = 0) -> CallList:
        """See `NodeOperations.calls`."""
        going_on = reversed(self._live.values()) if live is not False else ()
        over = reversed(self._ended) if live is not True else ()
        rows = chain(going_on, over)
        total = (len(self._live) if live is not False else 0) + (len(self._ended) if live is not True else 0)
        return CallList(tuple(row.summary() for row in islice(rows, limit or None)), total)


def of_journal(kept: Kept) -> CallSummary:
    """What a list tells of a call that is over and that only the journal has; its state tells the rest."""
    return CallSummary(kept.call, kept.epoch, created_unix_ms=kept.begun_unix_ms, seq=kept.seq, direction="")


def _usage(row: CallRow) -> Usage | None:
    """What a call has used; None where its end's record does not say, or not in terms that are known here."""
    try:
        return read(Usage, row.usage, f"what call {row.call} used") if row.usage else None
    except OffhookError as fault:
        log.warning("not on its account: %s", fault, extra={"call": row.call})
        return None
