"""The pool of warm call actors: keeps spares, gives them out, takes them back, replaces those that die.

A new process takes seconds and a core, so calls are given to processes that wait, and a process serves call after call.
New ones are started a few at a time, so that filling up never starves the calls that are live. A pool whose processes
die at birth stops for a while (OTP's intensity) instead of burning the node.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.fleet.node_lifecycle import NodeStage, closing, of_node
from offhook.policies.fleet.supervision import Act, ChildSpec, decide

from ..contracts.errors import NoSpare

log = logging.getLogger(__name__)

CALLS_MAX = 2_000  # of one process: whatever leaks, leaks this far
SURPLUS_MS = 60_000  # spares beyond the wanted number are kept this long after a spike
START_MS_MAX = 60_000  # from asking Ray to the hello; a starved node takes its time
INTENSITY = ChildSpec(intensity=10, period_ms=30_000)  # deaths of processes that had no call
# Processes that start at once to fill up spares while calls are live and nobody waits. A start burns a core for about a
# second; one at a time leaves the calls the others. Whoever waits for a spare is worth `starting_max`.
GENTLE_STARTS = 1
UNHURRIED_MS = 3_000  # between two such starts while at least half of the spares are there: a third of one core at most
KEPT_FOR_TAKEOVERS = 2  # spares; beyond them none is started while live calls are late
QUIET_MS = 150  # without new processes after a spare was given to a takeover
REST_MS = 30_000  # without new processes after the intensity was exceeded


class Standing(StrEnum):
    """Where a pool's process stands."""

    STARTING = "starting"
    SPARE = "spare"
    BUSY = "busy"
    RETIRING = "retiring"


@dataclass(slots=True, eq=False)
class Member:
    """One process of the pool. `connected`: its link is open; one that is not cannot be given a call."""

    name: str
    standing: Standing = Standing.STARTING
    since_ms: int = 0  # in this standing
    connected: bool = False
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many. `slots_max` bounds live calls and spares together."""

    spares: int = 2
    slots_max: int = 250
    starting_max: int = 2


@dataclass(slots=True)
class _Waiter:
    urgent: bool = False  # for a takeover: somebody is on the line
    member: asyncio.Future[Member] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class CallPool:
    """The processes of one node. `start(name)` has one started; `end(name, why)` has one end that has no call."""

    def __init__(
        self,
        sizes: Sizes,
        start: Callable[[str], Awaitable[None]],
        end: Callable[[str, str], None],
        now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self.sizes = sizes
        self.members: dict[str, Member] = {}
        self.started = 0
        self.lifecycle = of_node()  # whether this node takes calls, and who has closed it
        self.drained_by = ""
        self.on_start: Callable[[float], None] = lambda _took_s: None  # told when a process is warm, and how soon
        self.late: Callable[[], bool] = lambda: False  # whether the live calls react late
        self._start = start
        self._end = end
        self._now_ms = now_ms
        self._waiters: deque[_Waiter] = deque()
        self._asked = 0  # starts that Ray has not taken yet
        self._births = 0
        self._history: tuple[int, ...] = ()
        self._rest_until_ms = 0
        self._quiet_until_ms = 0
        self._born_ms = -UNHURRIED_MS  # when the last one was started
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked_ms: dict[str, int] = {}  # process -> when Ray was asked to start it
        self._name = f"call-{time.time_ns() // 1_000_000 % 100_000_000:08d}"

    @property
    def draining(self) -> bool:
        """This node takes no new calls."""
        return self.lifecycle.stage is not NodeStage.SERVING

    def count(self, standing: Standing) -> int:
        """Processes in this standing."""
        return sum(member.standing is standing for member in self.members.values())

    # --- giving out -------------------------------------------------------------------------------------------------

    async def take(self, wait_s: float, urgent: bool = False) -> Member:
        """A spare, marked busy; waits for one, first come first served; who is urgent comes before all others.

        Raises:
            NoSpare: none came free within `wait_s`, or this node drains (which a live call does not mind).
        """
        if self.draining and not urgent:
            raise NoSpare("this node drains: it takes no new calls")
        member = self._spare()
        if member is None:
            waiter = _Waiter(urgent)
            (self._waiters.appendleft if urgent else self._waiters.append)(waiter)
            self.fill()
            try:
                async with asyncio.timeout(wait_s):
                    member = await waiter.member
            except TimeoutError as error:
                if waiter.member.done() and not waiter.member.cancelled():
                    self.free(waiter.member.result().name)  # it came free at the very moment
                live, starting = self.count(Standing.BUSY), self.count(Standing.STARTING)
                raise NoSpare(
                    f"no warm call actor within {wait_s:g} s: {live} calls are live, {starting} processes are starting,"
                    f" {self.sizes.slots_max} are allowed"
                ) from error
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        self._stands(member, Standing.BUSY)
        member.calls += 1
        if urgent and not self._waiters:
            # A start burns a core for a second. Let the takeover have it first; `tend` looks again soon.
            self._quiet_until_ms = self._now_ms() + QUIET_MS
        self.fill()
        return member

    def free(self, name: str) -> None:
        """Its call is over: it is a spare again, or retires after many."""
        member = self.members.get(name)
        if member is None or member.standing is not Standing.BUSY:
            return
        if member.calls >= CALLS_MAX:
            self.retire(member, f"it has served {member.calls} calls")
        else:
            self._stands(member, Standing.SPARE)
            self._serve_waiters()

    def _spare(self) -> Member | None:
        """The most recently used: its pages are warm, and the longest idle is the one to retire."""
        spares = [m for m in self.members.values() if m.standing is Standing.SPARE and m.connected]
        return max(spares, key=lambda member: member.since_ms, default=None)

    def _serve_waiters(self) -> None:
        while self._waiters:
            member = self._spare()
            if member is None:
                return
            waiter = self._waiters.popleft()
            if not waiter.member.done():
                self._stands(member, Standing.BUSY)
                waiter.member.set_result(member)

    # --- coming and going -------------------------------------------------------------------------------------------

    def expect(self, name: str) -> None:
        """One that was started before this supervisor was: it counts as starting until it has connected."""
        self.members.setdefault(name, Member(name, since_ms=self._now_ms()))

    def arrived(self, name: str, busy: bool) -> None:
        """It has connected: for the first time, or again; before this supervisor knew of it, even."""
        member = self.members.get(name)
        if member is None:
            member = self.members[name] = Member(name, since_ms=self._now_ms())
        member.connected = True
        if name in self._asked_ms:
            self.on_start((self._now_ms() - self._asked_ms.pop(name)) / 1_000)
        if busy:
            self._stands(member, Standing.BUSY)
        elif member.standing is not Standing.RETIRING:
            self._stands(member, Standing.SPARE)
            self._serve_waiters()
            self.fill()

    def away(self, name: str) -> None:
        """Its link is closed; whether it is dead is not known yet."""
        member = self.members.get(name)
        if member is not None:
            member.connected = False

    def gone(self, name: str, why: str) -> Member | None:
        """Its process is dead. None where that was known already."""
        member = self.members.pop(name, None)
        self._asked_ms.pop(name, None)
        if member is None:
            return None
        if member.standing in (Standing.STARTING, Standing.SPARE):
            decision = decide(self._history, self._now_ms(), INTENSITY, why)
            self._history = decision.history
            if decision.act is not Act.RESTART:
                log.error("the pool rests for %d ms: %s", REST_MS, decision.why)
                self._history = ()
                self._rest_until_ms = self._now_ms() + REST_MS
        self.fill()
        return member

    def retire(self, member: Member, why: str) -> None:
        """Have a process end that has no call."""
        self._stands(member, Standing.RETIRING)
        self._end(member.name, why)

    def drain(self, on: bool, by: Principal = NOBODY) -> None:
        """Take no new calls and let the spares go (`on`), or fill up again, as `by` says.

        Raises:
            IllegalMove: scaling closes or opens a node that is an operator's.
        """
        self.lifecycle.move(closing(on, by))
        self.drained_by = by.text if on else ""
        if on:
            for member in tuple(self.members.values()):
                if member.standing is Standing.SPARE:
                    self.retire(member, "this node drains")
        self.fill()

    # --- keeping the size -------------------------------------------------------------------------------------------

    def keep(self, spares: int, slots_max: int) -> None:
        """Another size, from now on; surplus spares go after `SURPLUS_MS`, calls are not touched."""
        self.sizes = replace(self.sizes, spares=spares, slots_max=slots_max)
        self.fill()

    def fill(self) -> None:
        """Start what is missing, as far as the limits allow; called after every change and now and then."""
        now_ms = self._now_ms()
        urgent = sum(waiter.urgent for waiter in self._waiters)
        if (self.draining and not urgent) or now_ms < self._rest_until_ms:
            return
        if now_ms < self._quiet_until_ms and not self._waiters:
            return
        starting = self.count(Standing.STARTING) + self._asked
        needed = urgent if self.draining else self.sizes.spares + len(self._waiters)
        wanted = needed - self.count(Standing.SPARE) - starting
        room = self.sizes.slots_max - len(self.members) - self._asked
        gentle = self.count(Standing.BUSY) and not self._waiters
        if gentle and not self._may_start_beside_calls(now_ms):
            return
        at_once = min(GENTLE_STARTS, self.sizes.starting_max) if gentle else self.sizes.starting_max
        for _ in range(min(wanted, room, at_once - starting)):
            self._asked += 1
            self._births += 1
            self._born_ms = now_ms
            task = asyncio.get_running_loop().create_task(self._bear(f"{self._name}-{self._births}"))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _may_start_beside_calls(self, now_ms: int) -> bool:
        """A start takes from live calls what they need to be on time: it can wait where enough spares are there."""
        spares = self.count(Standing.SPARE)
        if spares >= KEPT_FOR_TAKEOVERS and self.late():
            return False
        return 2 * spares < self.sizes.spares or now_ms - self._born_ms >= UNHURRIED_MS

    async def _bear(self, name: str) -> None:
        try:
            self._asked_ms[name] = self._now_ms()
            await self._start(name)
        except Exception as error:
            log.error("a call actor could not be started: %s", error)
            self._asked_ms.pop(name, None)
            self._rest_until_ms = self._now_ms() + 1_000
        else:
            self.started += 1
            # It may have said hello, or died, before Ray's answer was here; then it is known.
            self.expect(name)
        finally:
            self._asked -= 1

    def tend(self) -> None:
        """Now and then: end processes that never came up and spares that nobody needs, start what is missing."""
        now_ms = self._now_ms()
        for member in tuple(self.members.values()):
            if member.standing is Standing.STARTING and now_ms - member.since_ms > START_MS_MAX:
                self.retire(member, f"it did not come up within {START_MS_MAX} ms")
        spares = [member for member in self.members.values() if member.standing is Standing.SPARE]
        if len(spares) > self.sizes.spares:
            oldest = min(spares, key=lambda member: member.since_ms)
            if now_ms - oldest.since_ms > SURPLUS_MS:
                self.retire(oldest, "more spares than wanted")
        self.fill()

    def _stands(self, member: Member, standing: Standing) -> None:
        member.standing = standing
        member.since_ms = self._now_ms()
