"""The front desk: gives every call that asks for a slot its answer, and has callers wait who ring.

The decisions are `policies/fleet/admission.py`'s; here are the clock, those who wait, and the nodes that are asked. A
node that cannot keep its promise in time (its last spare died, it does not answer) costs the caller a moment, not the
call: another one is tried while the ring budget lasts. A caller in the queue hears the carrier's message, comes back
through the webhook, and has kept the place in line; one who does not come back has hung up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from offhook.actors.contracts.errors import NoSpare
from offhook.actors.contracts.node_operations import CallRequest, NodeFigures, Reservation
from offhook.policies.core.errors import CallerFault, WorldFault
from offhook.policies.fleet.admission import Act, Answer, Ask, Desk
from offhook.policies.fleet.admission_rules import Admission, Priority

from .errors import Overflow
from .operations import AdmissionFigures

OTHER_NODE_MS = 500  # for a spare on a node that is not the last choice
SAME_NODE_MS = 4_000  # on the last one: two starts of a process; there may be another node by then
LIVE = "asks twice"

# Has a node lease a slot to the request: raises NoSpare where it has no spare in time, another WorldFault where it
# cannot be reached.
Place = Callable[[str, CallRequest], Awaitable[Reservation]]


class AdmissionQueue:
    """One cluster's. `place(node, request)` is asked for each promised slot."""

    def __init__(
        self,
        rules: Admission,
        place: Place,
        now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        self.desk = Desk(rules)
        self.on_ask: Callable[[], None] = lambda: None  # told of every call that asks, whether it gets a slot or not
        self.on_wait: Callable[[], None] = lambda: None  # told when somebody begins to wait: figures are wanted soon
        self._place = place
        self._now_ms = now_ms
        self._lines: dict[str, asyncio.Future[Answer]] = {}  # who rings or queues -> the answer to come
        self._back_by_ms: dict[str, int] = {}  # who is listening to the message -> when they must have come back
        self._seats: dict[str, str] = {}  # call -> node
        self._timer: asyncio.TimerHandle | None = None

    # --- calls ------------------------------------------------------------------------------------------------------

    async def admit(self, request: CallRequest) -> Reservation:
        """A slot for a call, within its ring budget (`wait_s` of the request, or that of the rules).

        Raises:
            Overflow: it gets none; says what becomes of it.
            CallerFault: an unknown priority, or it has asked already, or has begun. What `place` raises that is no
                WorldFault.
        """
        ask = self._ask_of(request)
        if ask.call in self._seats:
            raise CallerFault(f"call {ask.call} is live already")
        line = self._lines.get(ask.call)
        if line is None:
            self.on_ask()
            answer = self.desk.ask(ask)
        else:
            if ask.call not in self._back_by_ms:
                raise CallerFault(f"call {ask.call} {LIVE}")
            del self._back_by_ms[ask.call]
            answer = await self._wait(ask.call, line, ask.ring_until_ms)
        try:
            return await self._seat(ask, answer, request)
        except BaseException:
            self._turn()  # its slot, or its place in line, may be another's now
            raise

    async def _seat(self, ask: Ask, answer: Answer, request: CallRequest) -> Reservation:
        while True:
            if answer.act is Act.RING:
                line = self._lines[ask.call] = asyncio.get_running_loop().create_future()
                answer = await self._wait(ask.call, line, 0)
            if answer.act is not Act.TAKE:
                raise self._overflow(answer)
            left_ms = max(1, ask.ring_until_ms - self._now_ms())
            others = self.desk.others(answer.node, ask.avoid)
            wait_s = min(left_ms, OTHER_NODE_MS if others else SAME_NODE_MS) / 1_000
            try:
                placed = await self._place(answer.node, replace(request, wait_s=wait_s))
            except WorldFault as fault:
                self.desk.refused(ask.call)
                if not isinstance(fault, NoSpare):
                    self.desk.cordon(answer.node, True)  # until it answers again
                now_ms = self._now_ms()
                ask = replace(ask, at_ms=now_ms, again=True, avoid=ask.avoid | {answer.node})
                late = now_ms >= ask.ring_until_ms
                answer = self.desk.overflow(ask, str(fault), now_ms) if late else self.desk.ask(ask)
                self._turn()
            except BaseException:
                self.desk.refused(ask.call)
                raise
            else:
                self.desk.seated(ask.call, self._now_ms())
                self._seats[ask.call] = answer.node
                return placed

    async def _wait(self, call: str, line: asyncio.Future[Answer], until_ms: int) -> Answer:
        """The answer to one who waits. `until_ms`: how long a caller who came back from the message waits for it; then
        they hear it again (0 = the desk says when)."""
        self._turn()
        if self.desk.waiting():
            self.on_wait()
        try:
            async with asyncio.timeout(max(0.0, (until_ms - self._now_ms()) / 1_000) if until_ms else None):
                answer = await asyncio.shield(line)
        except TimeoutError:
            return Answer(call, Act.QUEUE, "still in line")
        except asyncio.CancelledError:  # whoever asked for the caller is gone
            self._lines.pop(call, None)
            self.desk.ended(call)
            raise
        if self._lines.get(call) is line:
            del self._lines[call]
        return answer

    def _overflow(self, answer: Answer) -> Overflow:
        if answer.act is Act.QUEUE:
            self._lines.setdefault(answer.call, asyncio.get_running_loop().create_future())
            # A slot that is promised meanwhile is kept for as long, so who comes back in time finds it.
            self._back_by_ms[answer.call] = self._now_ms() + self.desk.rules.promise_ms
            self._arm()
        return Overflow(str(answer.act), answer.why, answer.to)

    def _ask_of(self, request: CallRequest) -> Ask:
        now_ms, rules = self._now_ms(), self.desk.rules
        word = request.priority.upper()
        if word not in Priority.__members__:
            known = ", ".join(name.lower() for name in Priority.__members__)
            raise CallerFault(f"priority {word.lower()!r} is not known; allowed: {known}")
        ring_ms = round(request.wait_s * 1_000) if request.wait_s else rules.ring_ms
        return Ask(
            request.call,
            now_ms,
            request.tenant,
            Priority[word],
            ring_until_ms=now_ms + ring_ms,
            may_queue=request.queue,
        )

    # --- what the nodes tell ------------------------------------------------------------------------------------------

    def told(self, node: str, stats: NodeFigures, slots: int, cordoned: bool, asked_ms: int) -> None:
        """A node's figures (`actors/node/figures.py`), asked for at `asked_ms`."""
        # A supervisor that has just started does not know yet how many calls its node carries.
        free = min(stats.free_slots, slots - stats.calls)
        self.desk.tell(node, free, slots, stats.drift_ms, asked_ms, self._now_ms(), stats.spare)
        self.desk.cordon(node, cordoned)

    def cordon(self, node: str, on: bool) -> None:
        """Give a node no calls (`on`), or some again; its figures say the same at the next look."""
        self.desk.cordon(node, on)
        self._turn()

    def silent(self, node: str) -> None:
        """It does not answer: it gets no calls until it does."""
        self.desk.cordon(node, True)

    def began(self, call: str, tenant: str, node: str) -> None:
        """A node says that it leads this call."""
        self.desk.adopt(call, tenant)
        self._seats[call] = node

    def ended(self, call: str, node: str) -> None:
        """A node says that this call is over there."""
        if self._seats.get(call, node) == node:
            self._seats.pop(call, None)
            self.desk.ended(call)

    def only(self, node: str, calls: set[str]) -> None:
        """These are all the calls that a node leads; others that were seated there are over."""
        for call, seat in tuple(self._seats.items()):
            if seat == node and call not in calls:
                self.ended(call, node)

    def gone(self, node: str) -> None:
        """A node has left. Calls that live on elsewhere are told of by their new node."""
        self.desk.gone(node)
        self.only(node, set())

    def turn(self) -> None:
        """After figures have come in: whoever waits may have a slot now."""
        self._turn()

    # --- those who wait -----------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        now_ms = self._now_ms()
        for call, by_ms in tuple(self._back_by_ms.items()):
            if by_ms <= now_ms:
                del self._back_by_ms[call]
                self._lines.pop(call, None)
                self.desk.ended(call)
        for answer in self.desk.turn(now_ms):
            line = self._lines.get(answer.call)
            if line is not None and not line.done():
                line.set_result(answer)
                if answer.act is Act.QUEUE:  # another answer will follow
                    self._lines[answer.call] = asyncio.get_running_loop().create_future()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [*self._back_by_ms.values()]
        if (next_ms := self.desk.next_ms()) is not None:
            due.append(next_ms)
        if due:
            wait_s = max(0, min(due) - self._now_ms()) / 1_000
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._turn)

    def figures(self) -> AdmissionFigures:
        """Counters since the director's start, and who waits now."""
        counts = self.desk.counts
        return AdmissionFigures(
            asked=counts["asked"],
            waiting=self.desk.waiting(),
            overflowed=counts["busy"] + counts["redirected"] + counts["abandoned"],
            counts=dict(counts),
        )
