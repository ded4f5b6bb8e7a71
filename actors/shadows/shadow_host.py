"""A node's shadow host: joins live calls with a candidate's shadows, so many at a time, and keeps the findings.

A process of its own at a low priority: it may raise, hang or die, and the calls that it shadows do not notice. It runs
as long as a rollout is in shadow; the node's supervisor starts it and asks it (`node/shadow_refs.py`). What one shadow
does is `shadow.py`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import OffhookError
from offhook.policies.replay.differences import Difference

from ..contracts.call_operations import CallAddress, CallList, CallSummary
from ..contracts.node_operations import ShadowReport
from ..contracts.operations import plain
from ..contracts.sent_policy import sent_policy
from ..refs.supervisor import SupervisorRef
from .shadow import Shadow
from .trial import agents_of, told

log = logging.getLogger(__name__)

NICE = 10  # live calls run at 0 and are served first
LOOK_S = 0.5  # between two looks for calls that have begun
AT_ONCE_MAX = 20  # calls: a look at a lively one costs some ten milliseconds
KNOWN_MAX = 20_000  # calls that were joined or passed over
ROWS_MAX = 500  # differences that are kept to be fetched
TRIALS_MAX = 200  # of calls that were left, for the report
HUNG_S = 30.0  # for one look, or for loading the agents; a look takes under a second


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be shadowed: live calls of `baseline`, by `version`."""

    rollout: str
    version: str
    baseline: str
    policy: Mapping[str, Any]
    bundle: str
    share: float = 1.0
    direction: str = ""
    numbers: str = ""

    def wants(self, row: CallSummary) -> bool:
        """Whether a live call is one of those."""
        if not row.live or row.policy_version != self.baseline:
            return False
        direction = row.direction
        number = row.callee if direction == "outbound" else row.caller
        if (self.direction and direction != self.direction) or (self.numbers and not fnmatchcase(number, self.numbers)):
            return False
        place = int.from_bytes(hashlib.sha256(f"shadow/{self.rollout}/{row.call}".encode()).digest()[:7], "big")
        return place / (1 << 56) < self.share


Calls = Callable[[bool], Awaitable[CallList]]  # of those that go on
Observe = Callable[[str], Awaitable[CallAddress]]


class Shadows:
    """All shadows of one candidate on one node. `calls` and `observe` are the node's supervisor's."""

    def __init__(self, order: Order, calls: Calls, observe: Observe) -> None:
        self.order = order
        self.since_unix_ms = time.time_ns() // 1_000_000
        self.failed = ""  # why the candidate cannot be shadowed
        self._calls = calls
        self._observe = observe
        self._policy = sent_policy(order.policy)
        self._with: dict[str, Shadow] = {}
        self._known: dict[str, None] = {}
        self._rows: deque[dict[str, Any]] = deque(maxlen=ROWS_MAX)
        self._trials: deque[dict[str, Any]] = deque(maxlen=TRIALS_MAX)
        self._seq = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts = {"calls": 0, "diverged": 0, "faulted": 0, "cut_off": 0}

    async def run(self) -> None:
        """Load the agents, then join and leave calls for ever; returns where the candidate cannot be shadowed."""
        try:
            async with asyncio.timeout(HUNG_S):
                await asyncio.to_thread(agents_of, self._policy, self.order.bundle)
        except TimeoutError:
            self.failed = f"its agents are not loaded after {HUNG_S:g} s"
        except OffhookError as error:
            self.failed = f"its agents cannot be loaded: {error}"
        while not self.failed:
            with contextlib.suppress(OffhookError):  # the supervisor is away: it comes back
                await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Join the calls that are wanted and not known, as far as there is room."""
        hung = [call for call, shadow in self._with.items() if shadow.looking_s > HUNG_S]
        if hung:
            self.failed = f"an agent hangs: a look at call {hung[0]} has taken over {HUNG_S:g} s"
            return
        for row in (await self._calls(True)).calls:
            call = row.call
            if len(self._tasks) >= AT_ONCE_MAX:
                return
            if call not in self._known and self.order.wants(row):
                self._known[call] = None
                if len(self._known) > KNOWN_MAX:
                    del self._known[next(iter(self._known))]
                task = asyncio.get_running_loop().create_task(self._shadow(call))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _shadow(self, call: str) -> None:
        try:
            door = await self._observe(call)
            shadow = Shadow(call, self._policy, agents_of(self._policy, self.order.bundle), self._found)
            self._with[call] = shadow
            await shadow.join(door.endpoint, door.token)
            await shadow.over.wait()
        except OffhookError as error:
            log.info("a call cannot be shadowed: %s", error, extra={"call": call})
        else:
            self._left(shadow)
        finally:
            self._with.pop(call, None)

    def _found(self, call: str, differences: list[Difference]) -> None:
        for each in differences:
            self._seq += 1
            self._rows.append({"seq": self._seq, "call": call, **each.plain(), "rank": each.rank})

    def _left(self, shadow: Shadow) -> None:
        if shadow.trial is None:
            return  # nothing was heard
        trial = told(shadow.trial)
        self.counts["calls"] += 1
        self.counts["diverged"] += trial["divergence"] is not None
        self.counts["faulted"] += any(each["kind"] == "fault" for each in trial["differences"])
        self.counts["cut_off"] += shadow.findings.left.startswith("cut off")
        self._trials.append({**trial, "call": shadow.findings.call, "seq": self.counts["calls"]})

    def report(self, after_row: int, after_trial: int) -> ShadowReport:
        """Counts since the start, the rows and trials that are new, and why the candidate cannot be shadowed."""
        return ShadowReport(
            since=self.since_unix_ms,
            calls=self.counts["calls"],
            diverged=self.counts["diverged"],
            faulted=self.counts["faulted"],
            present=len(self._with),
            rows=[row for row in self._rows if row["seq"] > after_row],
            trials=[trial for trial in self._trials if trial["seq"] > after_trial],
            failed=self.failed,
        )


class ShadowHost:
    """The actor around `Shadows`. Ray starts it; see `node/shadow_refs.py`."""

    def __init__(self, node: str, order: dict[str, Any]) -> None:
        be_nice()
        self._node = node
        self._order = Order(**order)
        self._shadows: Shadows | None = None
        self._running: asyncio.Task[None] | None = None

    async def report(self, after_row: int, after_trial: int) -> dict[str, Any]:
        """See `Shadows.report`, plain; the first one begins the work."""
        if self._shadows is None:
            supervisor = await asyncio.to_thread(SupervisorRef.find, self._node)
            self._shadows = Shadows(self._order, supervisor.calls, supervisor.observe)
            self._running = asyncio.get_running_loop().create_task(self._shadows.run())
        told: dict[str, Any] = plain(self._shadows.report(after_row, after_trial))
        return told


def be_nice() -> None:
    """Lower the priority of every thread of this process: on Linux each has its own (setpriority(2))."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            os.setpriority(os.PRIO_PROCESS, int(task.name), NICE)
