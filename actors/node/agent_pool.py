"""Agent hosts of one node: which process serves which agent of which policy version, and how many seats are free.

A host serves `calls_per_actor` calls. Before the last seat is taken the next host is started, so a call never waits for
a process. A host that dies is replaced within OTP's intensity and its calls are seated anew; a version that no call
is pinned to and that is not offered any more loses its hosts.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.fleet.supervision import Act, ChildSpec, decide

from ..contracts.node_operations import AgentHostFigures

log = logging.getLogger(__name__)

INTENSITY = ChildSpec(intensity=5, period_ms=60_000)  # deaths of the hosts of one agent; each costs a process start
RESERVE_SHARE = 0.2  # of a host's seats that are kept free before the next host is started
POLL_S = 0.02  # while waiting for a host that is starting

Start = Callable[[str, str, str, AgentSpec], Awaitable[None]]  # host's name, policy version, agent, spec


@dataclass(slots=True, eq=False)
class Host:
    """One process. `calls` have a seat in it."""

    name: str
    version: str
    agent: str
    seats: int
    up: bool = False
    calls: set[str] = field(default_factory=set)


class AgentPool:
    """The agent hosts of one node. `start` has one started; `end(name, why)` has one end that has no call."""

    def __init__(self, start: Start, end: Callable[[str, str], None]) -> None:
        self._start = start
        self._end = end
        self._hosts: dict[str, Host] = {}
        self._specs: dict[tuple[str, str], AgentSpec] = {}  # (version, agent) that is offered
        self._history: dict[tuple[str, str], tuple[int, ...]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._prefix = f"agents-{time.time_ns() // 1_000_000 % 100_000_000:08d}"
        self.given_up: dict[tuple[str, str], str] = {}  # why an agent of a version has no host

    # --- versions ---------------------------------------------------------------------------------------------------

    def offer(self, version: str, policy: Policy) -> None:
        """Have hosts ready for every agent of a policy version."""
        for agent, spec in policy.agents.items():
            self._specs[version, agent] = spec
            self.given_up.pop((version, agent), None)
            self._history.pop((version, agent), None)
        self.tend()

    def withdraw(self, version: str) -> None:
        """No new calls for a version: its hosts end as soon as they have no call."""
        for key in [key for key in self._specs if key[0] == version]:
            del self._specs[key]
        self.tend()

    def make_room(self, version: str, calls: int) -> None:
        """So many calls want a seat at each agent of a version at once: start all hosts that they need."""
        for key, spec in self._specs.items():
            if key[0] == version and key not in self.given_up:
                for _ in range(-(-(calls - self._seats_left(*key)) // spec.calls_per_actor)):
                    self._bear(*key, spec)

    # --- seats ------------------------------------------------------------------------------------------------------

    async def seat(self, version: str, agent: str, call: str, wait_s: float) -> Host | None:
        """A seat for a call; waits for a host that is starting. None where there is none in time, or the agent's hosts
        were given up: the call goes on without that agent."""
        deadline = time.monotonic() + wait_s
        while True:
            host = self._free(version, agent)
            if host is not None:
                host.calls.add(call)
                self.tend()
                return host
            if (version, agent) in self.given_up or time.monotonic() >= deadline:
                return None
            self.tend()
            await asyncio.sleep(POLL_S)

    async def seat_all(self, version: str, agents: Iterable[str], call: str, wait_s: float) -> dict[str, str]:
        """A seat for a call at each of these agents that has one in time: agent -> host."""
        wanted = tuple(agents)
        found = await asyncio.gather(*(self.seat(version, agent, call, wait_s) for agent in wanted))
        return {agent: host.name for agent, host in zip(wanted, found, strict=True) if host is not None}

    def seated(self, name: str, calls: list[str]) -> None:
        """A host that connects again says for whom it has seats."""
        host = self._hosts.get(name)
        if host is not None:
            host.calls.update(calls)

    def serving_call(self, call: str) -> list[Host]:
        """The hosts in which a call has a seat, of whatever version."""
        return [host for host in self._hosts.values() if call in host.calls]

    def seats_of(self, call: str, version: str) -> dict[str, str]:
        """The hosts in which a call has its seats for the agents of a version: agent -> host."""
        return {host.agent: host.name for host in self.serving_call(call) if host.version == version}

    def leave(self, name: str, call: str) -> None:
        """The call needs its seat no more."""
        host = self._hosts.get(name)
        if host is not None:
            host.calls.discard(call)
            self.tend()

    def _free(self, version: str, agent: str) -> Host | None:
        """The fullest with a free seat: the emptiest can then end."""
        free = [h for h in self._of(version, agent) if h.up and len(h.calls) < h.seats]
        return max(free, key=lambda host: len(host.calls), default=None)

    def _seats_left(self, version: str, agent: str) -> int:
        """Free seats, those of hosts that are starting among them."""
        return sum(host.seats - len(host.calls) for host in self._of(version, agent))

    def _of(self, version: str, agent: str) -> list[Host]:
        return [host for host in self._hosts.values() if host.version == version and host.agent == agent]

    # --- coming and going -------------------------------------------------------------------------------------------

    def expect(self, name: str, version: str, agent: str, seats: int) -> None:
        """One that was started before this supervisor was."""
        self._hosts.setdefault(name, Host(name, version, agent, seats))

    def arrived(self, name: str, version: str, agent: str, seats: int) -> None:
        """A host has connected, for the first time or again."""
        self.expect(name, version, agent, seats)
        self._hosts[name].up = True

    def away(self, name: str) -> None:
        """Its link is closed; nobody is seated there meanwhile."""
        host = self._hosts.get(name)
        if host is not None:
            host.up = False

    def gone(self, name: str, why: str) -> Host | None:
        """Its process is dead; another is started within the intensity. None where that was known already."""
        host = self._hosts.pop(name, None)
        if host is None:
            return None
        key = (host.version, host.agent)
        decision = decide(self._history.get(key, ()), time.monotonic_ns() // 1_000_000, INTENSITY, why)
        self._history[key] = decision.history
        if decision.act is Act.GIVE_UP:
            log.error("agent %s of policy %s is given up: %s", host.agent, host.version, decision.why)
            self.given_up[key] = decision.why
        self.tend()
        return host

    def tend(self) -> None:
        """Start the hosts that are missing, end those that nobody needs."""
        for key, spec in self._specs.items():
            if key not in self.given_up and self._seats_left(*key) < max(1, int(spec.calls_per_actor * RESERVE_SHARE)):
                self._bear(*key, spec)
        for host in tuple(self._hosts.values()):
            if (host.version, host.agent) not in self._specs and host.up and not host.calls:
                host.up = False
                self._end(host.name, f"no call needs policy {host.version}")

    def _bear(self, version: str, agent: str, spec: AgentSpec) -> None:
        name = f"{self._prefix}-{next(self._numbers)}-{agent}"
        self._hosts[name] = Host(name, version, agent, spec.calls_per_actor)
        task = asyncio.get_running_loop().create_task(self._started(name, version, agent, spec))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _started(self, name: str, version: str, agent: str, spec: AgentSpec) -> None:
        try:
            await self._start(name, version, agent, spec)
        except Exception as error:
            self.gone(name, f"it could not be started: {type(error).__name__}: {error}")

    def stats(self) -> list[AgentHostFigures]:
        """One row a host; its pid is not known here."""
        return [AgentHostFigures(h.name, h.version, h.agent, h.up, len(h.calls), h.seats) for h in self._hosts.values()]
