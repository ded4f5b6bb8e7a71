"""Admission: whether a call that arrives gets a slot now, rings for one, or overflows; and on which node.

A node is open while it has free slots and reacts in time (`admission_rules.py`). A slot is held from the promise until
the node itself counts the call, so that two admissions never take one slot. Belongs here: the decision and its
counters. Not here: how a slot is leased (the node's supervisor), how many there should be (`capacity.py`), what a busy
tone is (the carrier).

The desk is told everything with its moment (ms, one clock, never backwards) and never asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ..core.errors import CallerFault
from .admission_rules import Admission, Gauge, Priority, Tenant, Then


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that wants a slot."""

    call: str
    at_ms: int
    tenant: str = ""
    priority: Priority = Priority.NORMAL
    ring_until_ms: int = 0  # a ring budget of its own; 0 = that of the rules
    may_queue: bool = True  # it can be kept in line beyond its ring: somebody will ask again for it
    again: bool = False  # it has asked before: its node could not take it after all
    avoid: frozenset[str] = frozenset()  # nodes that it has tried; taken only where there is no other


class Act(StrEnum):
    """The answer."""

    TAKE = "take"  # the slot on `node` is promised
    RING = "ring"  # until `until_ms`; another answer follows
    QUEUE = "queue"  # as `ring`, with a message
    BUSY = "busy"
    REDIRECT = "redirect"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gets, and why, with the compared numbers."""

    call: str
    act: Act
    why: str
    node: str = ""
    until_ms: int = 0
    to: str = ""


# --- the desk -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Room:
    """A node: slots as it last told, and how it reacts."""

    free: int
    slots: int
    gauge: Gauge
    cordoned: bool = False
    warm: int = 0  # processes that wait for a call: who gets one is answered at once


@dataclass(slots=True)
class _Promise:
    """A slot that is spoken for and that the node's own figures may not show yet."""

    node: str
    until_ms: int
    seated_ms: int = -1  # when the node had leased it; -1 = not yet


@dataclass(slots=True)
class _Waiting:
    ask: Ask
    act: Act
    until_ms: int


@dataclass(slots=True)
class Desk:
    """Admits calls to the nodes it has been told of."""

    rules: Admission = field(default_factory=Admission)
    counts: Counter[str] = field(default_factory=Counter)
    _rooms: dict[str, _Room] = field(default_factory=dict)
    _promises: dict[str, _Promise] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)  # node -> promises
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _live: dict[str, str] = field(default_factory=dict)  # call -> tenant
    _tenant_calls: Counter[str] = field(default_factory=Counter)
    _starts: dict[str, list[int]] = field(default_factory=dict)  # tenant -> moments of its newest starts

    # --- what the desk is told ----------------------------------------------------------------------------------------

    def tell(self, node: str, free: int, slots: int, lag_ms: float, asked_ms: int, now_ms: int, warm: int = 0) -> None:
        """A node's figures. `asked_ms`: when it was asked; what was promised after that, they cannot show."""
        room = self._rooms.get(node)
        if room is None:
            room = self._rooms[node] = _Room(0, 0, Gauge())
        room.free, room.slots, room.warm = max(0, free), max(0, slots), max(0, warm)
        room.gauge = room.gauge.read(lag_ms, now_ms, self.rules)
        for call, promise in tuple(self._promises.items()):
            if promise.node == node and 0 <= promise.seated_ms < asked_ms:
                self._drop(call)

    def cordon(self, node: str, on: bool) -> None:
        """Give a node no new calls (`on`), or some again."""
        if node in self._rooms:
            self._rooms[node].cordoned = on

    def gone(self, node: str) -> list[str]:
        """A node has left; the calls to which a slot was promised there, and that must ask again."""
        self._rooms.pop(node, None)
        homeless = []
        for call, promise in tuple(self._promises.items()):
            if promise.node == node:
                self._drop(call)
                if promise.seated_ms < 0:
                    homeless.append(call)
                    self._release(call)
                    self.counts["node_gone"] += 1
        return homeless

    def seated(self, call: str, now_ms: int) -> None:
        """The node has leased the slot that was promised."""
        promise = self._promises.get(call)
        if promise is not None and promise.seated_ms < 0:
            promise.seated_ms = now_ms
            self.counts["seated"] += 1

    def refused(self, call: str) -> None:
        """The node could not lease it after all; the slot is not held any longer, and the call must ask again."""
        if call in self._promises:
            self._drop(call)
            self._release(call)
            self.counts["refused_by_node"] += 1

    def adopt(self, call: str, tenant: str) -> None:
        """A call that is live already: from before this desk, or brought back after its node was lost."""
        if call not in self._live and call not in self._promises and self._waiting.pop(call, None) is None:
            self._live[call] = tenant
            self._tenant_calls[tenant] += 1

    def ended(self, call: str) -> None:
        """A call that had a slot is over, or a caller who rang has hung up.

        A slot that the node is only about to lease stays held: the lease may still happen.
        """
        if self._waiting.pop(call, None) is not None:
            self.counts["abandoned"] += 1
        elif call in self._live:
            self._release(call)
            self.counts["ended"] += 1
            if call in self._promises and self._promises[call].seated_ms >= 0:
                self._drop(call)

    def _drop(self, call: str) -> None:
        self._held[self._promises.pop(call).node] -= 1

    def _release(self, call: str) -> None:
        tenant = self._live.pop(call, None)
        if tenant is not None:
            self._tenant_calls[tenant] -= 1

    # --- what it answers ----------------------------------------------------------------------------------------------

    def ask(self, ask: Ask) -> Answer:
        """A call arrives.

        Raises:
            CallerFault: this call has a slot, or rings, already.
        """
        if ask.call in self._live or ask.call in self._waiting or ask.call in self._promises:
            raise CallerFault(f"call {ask.call} asks twice")
        self.counts["asked"] += not ask.again
        over = self._over_limit(ask)
        if over:
            return self.overflow(ask, over, ask.at_ms, may_wait=False)
        node, why = self._find(ask) if not self._ahead(ask) else ("", "others ring already")
        if node:
            self.counts["taken_at_once"] += not ask.again
            return self._promise(ask, node, ask.at_ms)
        until_ms = ask.ring_until_ms or ask.at_ms + self.rules.ring_ms
        if until_ms > ask.at_ms and len(self._waiting) < self.rules.ringing_max:
            self._waiting[ask.call] = _Waiting(ask, Act.RING, until_ms)
            return Answer(ask.call, Act.RING, why, until_ms=until_ms)
        return self.overflow(ask, why, ask.at_ms)

    def turn(self, now_ms: int) -> list[Answer]:
        """What has changed for those who wait: slots given to the first in line, and those whose budget has passed.

        Call it after everything that the desk was told, and when `next_ms` comes.
        """
        for call, promise in tuple(self._promises.items()):
            if promise.seated_ms < 0 and promise.until_ms <= now_ms:
                self._drop(call)
                self._release(call)
                self.counts["promise_expired"] += 1
        answers = []
        shut: set[Priority] = set()
        for waiting in sorted(self._waiting.values(), key=_in_line):
            ask = waiting.ask
            node, why = self._find(ask) if ask.priority not in shut else ("", "no slot")
            if node and not self._over_limit(ask):
                del self._waiting[ask.call]
                self.counts["taken_after_ring" if waiting.act is Act.RING else "taken_from_queue"] += 1
                answers.append(self._promise(ask, node, now_ms))
                continue
            if not node:
                shut.add(ask.priority)
            if waiting.until_ms <= now_ms:
                del self._waiting[ask.call]
                waited = f"{why}, after {now_ms - ask.at_ms} ms"
                answers.append(self.overflow(ask, waited, now_ms, may_wait=waiting.act is Act.RING))
        return answers

    def next_ms(self) -> int | None:
        """When `turn` is due at the latest; None = nobody waits."""
        due = [waiting.until_ms for waiting in self._waiting.values()]
        due += [promise.until_ms for promise in self._promises.values() if promise.seated_ms < 0]
        return min(due, default=None)

    def free(self, priority: Priority = Priority.NORMAL) -> int:
        """Slots that a call of this priority may take now."""
        return max(0, sum(map(self._free_on, self._rooms)) - self._kept_from(priority))

    def waiting(self) -> int:
        """Calls that ring or queue."""
        return len(self._waiting)

    def promised(self, node: str) -> int:
        """Slots of a node that are spoken for and that its own figures may not show yet."""
        return self._held[node]

    def others(self, node: str, tried: frozenset[str]) -> bool:
        """Whether a call that does not get its slot on `node` could try another one that it has not tried."""
        return any(self._free_on(each) > 0 for each in self._rooms if each != node and each not in tried)

    # --- how it decides -----------------------------------------------------------------------------------------------

    def _over_limit(self, ask: Ask) -> str:
        """What this tenant has too much of; empty = nothing."""
        for name, check in _TENANT_CHECKS:
            limit = self.rules.tenants.get(ask.tenant) or self.rules.tenants.get("")
            over = check(self, ask, limit) if limit else ""
            if over:
                return f"tenant {name}: {over}"
        return ""

    def _calls_over(self, ask: Ask, limit: Tenant) -> str:
        calls = self._tenant_calls[ask.tenant]
        return f"{calls} live, {limit.calls_max} allowed" if calls >= limit.calls_max else ""

    def _starts_over(self, ask: Ask, limit: Tenant) -> str:
        starts = [at for at in self._starts.get(ask.tenant, ()) if ask.at_ms - at < limit.starts_within_ms]
        over = len(starts) >= limit.starts_max
        return f"{len(starts)} started within {limit.starts_within_ms} ms, {limit.starts_max} allowed" if over else ""

    def _ahead(self, ask: Ask) -> bool:
        """Whether somebody waits who goes first."""
        return any(waiting.ask.priority >= ask.priority for waiting in self._waiting.values())

    def _find(self, ask: Ask) -> tuple[str, str]:
        """The node with the most free slots among those that take calls, or why there is none."""
        free = {node: self._free_on(node) for node in self._rooms}
        total, kept = sum(free.values()), self._kept_from(ask.priority)
        if total - kept > 0:
            open_nodes = [node for node in free if free[node] > 0]
            return max(open_nodes, key=lambda node: self._rank(node, free[node], ask)), ""
        late = [room.gauge.lag_ms for room in self._rooms.values() if not room.gauge.open and not room.cordoned]
        reasons = [f"{total} slots free, {kept} kept for higher priorities", f"{len(self._rooms)} nodes known"]
        if all(room.cordoned for room in self._rooms.values()):
            reasons.insert(0, "no node takes calls now")
        if late:
            reasons.append(f"{len(late)} closed by lag up to {max(late):g} ms, {self.rules.late_ms:g} allowed")
        return "", "; ".join(reasons)

    def _rank(self, node: str, free: int, ask: Ask) -> tuple[bool, bool, int, str]:
        """A node that was not tried, with a process that is warm, with the most room: in this order."""
        return node not in ask.avoid, self._rooms[node].warm > self._held[node], free, node

    def _free_on(self, node: str) -> int:
        room = self._rooms[node]
        if room.cordoned or not room.gauge.open:
            return 0
        return max(0, room.free - self._held[node])

    def _kept_from(self, priority: Priority) -> int:
        """Slots that a call of this priority must leave to higher ones."""
        slots = sum(room.slots for room in self._rooms.values() if not room.cordoned)
        kept = (share for name, share in self.rules.kept_share.items() if Priority[name.upper()] > priority)
        return round(sum(kept) * slots)

    def _promise(self, ask: Ask, node: str, now_ms: int) -> Answer:
        self._promises[ask.call] = _Promise(node, now_ms + self.rules.promise_ms)
        self._held[node] += 1
        self._live[ask.call] = ask.tenant
        self._tenant_calls[ask.tenant] += 1
        limit = self.rules.tenants.get(ask.tenant) or self.rules.tenants.get("")
        if limit:
            starts = self._starts.setdefault(ask.tenant, [])
            starts.append(now_ms)
            del starts[: -limit.starts_max]
        return Answer(ask.call, Act.TAKE, "a slot is free", node=node)

    def overflow(self, ask: Ask, why: str, now_ms: int, may_wait: bool = True) -> Answer:
        """What becomes of a call that gets no slot within its budget. `may_wait`: it may still be put in line."""
        then = Then(self.rules.then)
        queued = sum(waiting.act is Act.QUEUE for waiting in self._waiting.values())
        if then is Then.QUEUE and may_wait and ask.may_queue and queued < self.rules.queue_max and self.rules.queue_ms:
            waiting = self._waiting[ask.call] = _Waiting(ask, Act.QUEUE, now_ms + self.rules.queue_ms)
            self.counts["queued"] += 1
            return Answer(ask.call, Act.QUEUE, why, until_ms=waiting.until_ms)
        if then is Then.REDIRECT and self.rules.redirect_to:
            self.counts["redirected"] += 1
            return Answer(ask.call, Act.REDIRECT, why, to=self.rules.redirect_to)
        self.counts["busy"] += 1
        return Answer(ask.call, Act.BUSY, why)


def _in_line(waiting: _Waiting) -> tuple[int, int]:
    return -waiting.ask.priority, waiting.ask.at_ms


_TENANT_CHECKS: tuple[tuple[str, Callable[[Desk, Ask, Tenant], str]], ...] = (
    ("calls", Desk._calls_over),
    ("starts", Desk._starts_over),
)
