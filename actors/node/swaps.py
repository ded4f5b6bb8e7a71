"""Swaps of a node's live calls to another policy version, and versions that are taken off: the supervisor's side.

    seats in hosts of the new version ─▶ SWAP ─▶ OFFERED ─▶ ATTACH for each agent ─▶ SWAPPED ─▶ the other seats are left

Seats for all calls first, for which processes may have to start: until then nothing changes for anybody, and then all
change at once. From there on each for itself: one that refuses costs no other anything. Which version leads a call is
what its journal says (`led_by`, at its "policy" records), whatever becomes of the answer. A call whose process dies
meanwhile is offered the version again by its next owner, unless that owner leads it by the version already. What a call
does with an offer is `call/swap.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from offhook.policies.core.errors import CallerFault

from ..call.offer import READY_MS
from ..call.swap import FORCE, KEEP, KEPT, TRIAL_MS
from ..contracts.errors import LinkLost, NoSuchCall
from ..contracts.metrics import SWAPS
from ..contracts.node_messages import Detach, Swap
from ..contracts.node_operations import SwapOutcome
from ..contracts.setup import agent_tokens
from .call_start import CallStart, Parts
from .call_table import CallRow
from .takeover import Takeovers

log = logging.getLogger(__name__)

SEAT_S = 15.0  # for hosts that have to be started first: a process takes about 2 s, two start at a time
TOGETHER_S = 3.0  # until then calls that have their seats wait for those that have not; a way back must not take longer
OPEN_S = 2.0  # for the call's word that its doors are open; it takes a millisecond
GRACE_MS = 2_000  # for its last word, beyond all that it may wait for itself
DEADLINE_MAX_MS = 600_000  # longer than any sane pause of a call
WITHIN_S = 60.0  # for a node's answer, beyond the deadline: all of the above, and takeovers meanwhile
LOST = "its process died"


class Swaps:
    """The swaps of one node."""

    def __init__(self, parts: Parts, call_start: CallStart, takeovers: Takeovers) -> None:
        self._parts = parts
        self._call_start = call_start
        self._takeovers = takeovers
        self._offers: dict[str, tuple[str, asyncio.Future[None], asyncio.Future[str]]] = {}  # version, opened, answer
        self._under_way: dict[str, str] = {}  # call -> the version that it is offered
        self.swapped = 0
        self.undone = 0

    async def swap(
        self, to_version: str, from_version: str, calls: Sequence[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """See `Supervisor.swap_policy`."""
        parts = self._parts
        parts.catalog.policy(to_version)
        if at_deadline not in (FORCE, KEEP):
            raise CallerFault(f"at_deadline {at_deadline!r}: allowed are {FORCE!r} and {KEEP!r}")
        if not 0 <= deadline_ms <= DEADLINE_MAX_MS:
            raise CallerFault(f"deadline_ms {deadline_ms}: allowed are 0 to {DEADLINE_MAX_MS}")
        named = frozenset(calls)
        asked = [
            row.call
            for row in parts.table.live()
            if row.policy_version != to_version
            and (not named or row.call in named)
            and (not from_version or row.policy_version == from_version)
        ]
        found = dict.fromkeys(asked, "another swap of this call is under way")
        mine = [call for call in asked if call not in self._under_way]
        self._under_way |= dict.fromkeys(mine, to_version)
        began = time.monotonic()
        try:
            parts.hosts.make_room(to_version, len(mine))
            agents = parts.catalog.policy(to_version).agents
            async with asyncio.TaskGroup() as group:
                seats = {
                    call: group.create_task(parts.hosts.seat_all(to_version, agents, call, SEAT_S)) for call in mine
                }
                if seats:
                    await asyncio.wait(seats.values(), timeout=TOGETHER_S)
                seated_ms = round((time.monotonic() - began) * 1_000)
                orders = (self._one(call, to_version, seats[call], deadline_ms, at_deadline) for call in mine)
                found |= zip(mine, await asyncio.gather(*orders), strict=True)
        finally:
            for call in mine:
                self._under_way.pop(call, None)
        return SwapOutcome(
            asked=len(asked),
            swapped=sum(not why for why in found.values()),
            kept=sum(why.startswith(KEPT) for why in found.values()),
            refused={call: why for call, why in found.items() if why and not why.startswith(KEPT)},
            seated_ms=seated_ms,
        )

    async def _one(
        self, call: str, version: str, seating: asyncio.Task[dict[str, str]], deadline_ms: int, at_deadline: str
    ) -> str:
        """One call; why that version does not lead it now, or ""."""
        try:
            seats = await seating
            why = self._lacking(version, seats) or await self._until_led(call, version, seats, deadline_ms, at_deadline)
        except NoSuchCall:
            why = f"{KEPT}the call is over"
        except Exception as error:
            log.exception("a swap failed", extra={"call": call})
            why = f"{type(error).__name__}: {error}"
        finally:
            self._under_way.pop(call, None)
            self._tidy(call)
        self.swapped += not why
        self.undone += why.startswith("undone")
        self._parts.metrics.count(SWAPS, _outcome(why))
        if why:
            log.warning("a swap to %s did not take place: %s", version, why, extra={"call": call})
        return why

    def _lacking(self, version: str, seats: Mapping[str, str]) -> str:
        """Why the agents that have no seat have none."""
        given_up = self._parts.hosts.given_up
        lacking = [agent for agent in self._parts.catalog.policy(version).agents if agent not in seats]
        return "; ".join(f"agent {a}: {given_up.get((version, a), 'no host has a free seat')}" for a in lacking)

    async def _until_led(
        self, call: str, version: str, seats: Mapping[str, str], deadline_ms: int, at_deadline: str
    ) -> str:
        until = time.monotonic() + deadline_ms / 1_000
        while True:
            row = await self._takeovers.owner(call)
            if row.policy_version == version:
                return ""
            left_ms = max(0, round((until - time.monotonic()) * 1_000))
            why = await self._offer(row, version, seats, left_ms, at_deadline)
            if why != LOST:
                return why
            await self._takeovers.owner(call, row.epoch)

    async def _offer(
        self, row: CallRow, version: str, seats: Mapping[str, str], deadline_ms: int, at_deadline: str
    ) -> str:
        """One offer to one owner of the call; its answer, or LOST."""
        parts, loop = self._parts, asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        answer: asyncio.Future[str] = loop.create_future()
        self._offers[row.call] = (version, opened, answer)
        tokens = agent_tokens(row.media_token, version, seats)
        clips = parts.catalog.engines_for(version).clips
        order = (version, parts.catalog.plain(version), tokens, deadline_ms, at_deadline, clips)
        try:
            if not parts.residents.tell(row.owner, *Swap(row.call, row.epoch, *order)):
                return LOST if self._takeovers.under_way(row.call) else "its process cannot be told now; try again"
            first: set[asyncio.Future[Any]] = {opened, answer}
            await asyncio.wait(first, timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                for agent, host in seats.items():
                    self._call_start.attach(row, agent, host, tokens[agent])
            async with asyncio.timeout((deadline_ms + READY_MS + TRIAL_MS + GRACE_MS) / 1_000):
                return await answer
        except TimeoutError:
            return "" if row.policy_version == version else "its process has not answered in time"
        finally:
            del self._offers[row.call]

    # --- what calls answer, and what their journals say --------------------------------------------------------------

    def opened(self, call: str, version: str) -> None:
        """The call's doors are open to the agents of a version."""
        offer = self._offers.get(call)
        if offer is not None and offer[0] == version and not offer[1].done():
            offer[1].set_result(None)

    def answered(self, call: str, version: str, refusal: str) -> None:
        """The call is led by the version ("" = after its trial), or is not."""
        offer = self._offers.get(call)
        if offer is not None and offer[0] == version and not offer[2].done():
            offer[2].set_result(refusal)

    def lost(self, call: str) -> None:
        """The call's process is dead: its answer will not come."""
        offer = self._offers.get(call)
        if offer is not None and not offer[2].done():
            offer[2].set_result(LOST)

    def led_by(self, row: CallRow, version: str) -> None:
        """A "policy" record of the call has come in: whoever seats its agents or takes it over goes by that version."""
        parts = self._parts
        row.policy_version = version
        policy = parts.catalog.policies.get(version)
        if policy is not None:
            row.agent_tokens = agent_tokens(row.media_token, version, policy.agents)
            row.seats = parts.hosts.seats_of(row.call, version)

    def _tidy(self, call: str) -> None:
        """Only the version that leads the call keeps its seats."""
        row = self._parts.table.get(call)
        for host in self._parts.hosts.serving_call(call):
            if row is None or host.version != row.policy_version:
                self._parts.residents.tell(host.name, *Detach(call))
                self._parts.hosts.leave(host.name, call)

    # --- versions that are taken off ----------------------------------------------------------------------------------

    def withdraw(self, version: str) -> None:
        """See `Supervisor.withdraw_policy`."""
        self._parts.catalog.withdraw(version)
        self.tend()

    def tend(self) -> None:
        """Forget the versions that were withdrawn and that no call needs any more."""
        parts = self._parts
        if not parts.catalog.withdrawn:
            return
        needed = {row.policy_version for row in parts.table.live()} | set(self._under_way.values())
        for version in parts.catalog.withdrawn - needed:
            parts.hosts.withdraw(version)
            if not any(host.policy == version for host in parts.hosts.stats()):  # its processes are gone
                parts.catalog.drop(version)
                log.info("policy %s is not used any more and is forgotten", version)


def _outcome(why: str) -> str:
    if not why:
        return "swapped"
    return "kept" if why.startswith(KEPT) else "undone" if why.startswith("undone") else "refused"


def merged(answers: Mapping[str, SwapOutcome | BaseException]) -> SwapOutcome:
    """The answers of several nodes as one; a node that did not answer is told among the refusals.

    Raises:
        CallerFault: (whatever a node raised) the order itself is wrong: no such version, no such deadline.
    """
    told: list[SwapOutcome] = []
    refused: dict[str, str] = {}
    for node, answer in answers.items():
        if isinstance(answer, LinkLost):
            refused[f"node {node[:8]}"] = str(answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            told.append(answer)
            refused |= answer.refused
    return SwapOutcome(
        asked=sum(each.asked for each in told),
        swapped=sum(each.swapped for each in told),
        kept=sum(each.kept for each in told),
        refused=refused,
        seated_ms=max((each.seated_ms for each in told), default=0),
    )
