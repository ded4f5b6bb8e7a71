"""The agent host: one process of one policy version and one kind of agent, with a seat for each call that it serves.

Like a call actor it is a resident with one method that never returns. An agent thinks (`propose`, `read`, `notice`) in
a worker thread, one thing at a time, so one that sleeps holds up nobody but itself; while it thinks, only the newest
invitation waits for it. What it answers carries the turn and revision of the view that it was computed from: whatever
happened meanwhile, the gate will know. A proposal that is none is told as a refusal, beside those that are good. An
agent that raises is made anew within its intensity (OTP's, `policies/fleet/supervision.py`); one that hangs is
abandoned; a host whose threads are all stuck ends itself, and its supervisor starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import uvloop
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.proposals import Proposal, Refusal
from offhook.policies.fleet.supervision import Act, ChildSpec, decide
from offhook.policies.gate.entry import proposals_of, reading_of

from ..contracts import wire
from ..contracts.errors import LinkLost, ProtocolFault
from ..link.link import Link, Message, connect
from ..link.resident import Resident
from ..process.memory_limit import limit_memory
from .bundle import agent_class
from .failures import Failure, NotProposals, failure_of, words_of
from .memories import Memories

log = logging.getLogger(__name__)

THREADS_MAX = 8  # agents of one host that think at the same time; thinking is waiting (models, lookups), not computing
HUNG_MS = 15_000  # far beyond any deadline of a round: the thread is given up
NOTICE_MS = 1_000  # for one notice: it is noted, not thought over, and an invitation may wait behind it
NOTICES_MAX = 64  # that wait for one agent; the oldest goes first, and its number tells the gap
READ_AT = ("turn_ended", "interrupted")  # the caller may have answered something: readers are asked
INTENSITY = ChildSpec(intensity=5, period_ms=30_000)  # of one agent in one call
REOPEN_MS = 100  # a link cut by the call is tried again once after this


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an agent is asked: proposals on this view."""

    turn: int
    revision: int
    reason: str
    view: dict[str, Any]


Notice = tuple[int, int, int, str, dict[str, Any]]  # seq, revision, turn, topic, body


class Seat:
    """One call's agent: its instance, its link to the call, what it thinks about now and what comes next."""

    __slots__ = (
        "agent", "asked", "call", "endpoint", "epoch", "history", "instance", "link", "memory", "next", "notices",
        "thinking", "token",
    )  # fmt: skip

    def __init__(self, call: str, epoch: int, agent: str, endpoint: str, token: str, instance: Any) -> None:
        self.call = call
        self.epoch = epoch
        self.agent = agent
        self.endpoint = endpoint
        self.token = token
        self.instance = instance
        self.link: Link | None = None
        self.thinking: asyncio.Task[None] | None = None
        self.next: Invitation | None = None
        self.notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self.asked = 0  # number of the question what it remembers; 0 = none
        self.memory: dict[str, Any] | None = None  # of its predecessor, not yet taken in
        self.history: tuple[int, ...] = ()


class AgentHost:
    """One process for one kind of agent. Ray starts it; see `refs.AgentHostRef`."""

    def run(
        self, endpoint: str, token: str, name: str, node: str, agent: str, spec: dict[str, Any], bundle: str
    ) -> str:
        """Serve calls until the supervisor retires this process; returns why it ended."""
        limit_memory(int(spec.get("memory_mb") or AgentSpec.model_fields["memory_mb"].default))
        return str(uvloop.run(serve_agents(endpoint, token, name, node, agent, spec, bundle)))


async def serve_agents(
    endpoint: str, token: str, name: str, node: str, agent: str, spec: dict[str, Any], bundle: str
) -> str:
    """What `run` does, on the present loop: needs no Ray.

    Raises:
        PolicyError: the agent's code cannot be loaded.
    """
    bench = AgentBench(agent, AgentSpec.model_validate(spec), bundle)
    gc.collect()
    gc.freeze()
    bench.resident = Resident(
        endpoint,
        token,
        "agents",
        name,
        node=node,
        own_endpoint="",
        running=bench.running,
        on_message=bench.told,
    )
    return await bench.resident.stay()


class AgentBench:
    """The seats of one host."""

    resident: Resident

    def __init__(self, agent: str, spec: AgentSpec, bundle: str) -> None:
        self._agent = agent
        self._spec = spec
        self._bundle = bundle
        self._class = agent_class(spec.code, bundle)
        self._seats: dict[str, Seat] = {}
        self._threads = ThreadPoolExecutor(min(THREADS_MAX, spec.calls_per_actor), "agent")
        self._thread_count = min(THREADS_MAX, spec.calls_per_actor)
        self._stuck = 0  # threads whose agent never came back
        self._tasks: set[asyncio.Task[None]] = set()
        self._memories = Memories()
        self.answers = 0
        self.failures = 0

    def running(self) -> dict[str, int]:
        """Calls that have a seat here, with their epochs."""
        return {seat.call: seat.epoch for seat in self._seats.values()}

    # --- what the supervisor says -----------------------------------------------------------------------------------

    def told(self, message: Message) -> None:
        """A message of the supervisor.

        Raises:
            ProtocolFault: not one for an agent host.
        """
        match message:
            case [wire.ATTACH, str(call), int(epoch), str(), str(endpoint), str(token)]:
                self._start(self._attach(call, epoch, endpoint, token))
            case [wire.DETACH, str(call)]:
                self._leave(call, "the call is over")
            case [wire.QUERY, int(number), str(), list()]:
                stats = {"seats": len(self._seats), "answers": self.answers, "failures": self.failures}
                self.resident.send(wire.REPLY, number, {**stats, "stuck": self._stuck, "pid": os.getpid()})
            case [wire.RETIRE, str(reason)]:
                self.resident.end(reason)
            case _:
                raise ProtocolFault(f"a supervisor does not send {message[0]!r} with {len(message) - 1} fields")

    async def _attach(self, call: str, epoch: int, endpoint: str, token: str) -> None:
        former = self._seats.get(call)
        if former is not None and former.epoch > epoch:
            return  # an order that was overtaken
        if former is not None:
            self._leave(call, "another owner has the call")
        try:
            seat = Seat(call, epoch, self._agent, endpoint, token, self._class(self._agent, self._spec))
            self._seats[call] = seat
            await self._open(seat)
        except Exception as error:
            self._seats.pop(call, None)
            failure = failure_of(error, self._bundle)
            if isinstance(error, LinkLost):
                reason = f"{failure.kind}: {error}"
            else:
                reason = failure.reason
                self._log_failure(call, failure)
            self.resident.send(wire.ATTACHED, call, self._agent, reason)
        else:
            self.resident.beat_soon()
            self.resident.send(wire.ATTACHED, call, self._agent, "")

    async def _open(self, seat: Seat) -> None:
        seat.link = await connect(
            seat.endpoint,
            seat.token,
            seat.agent,
            "agent",
            list(getattr(seat.instance, "topics", ())) if hasattr(seat.instance, "notice") else [],
            on_message=lambda _link, message: self._invited(seat, message),
            on_close=lambda link, reason: self._cut(seat, link, reason),
        )

    def _cut(self, seat: Seat, link: Link, reason: str) -> None:
        """The call closed the link without saying that it is over: try once more, then leave it to the supervisor."""
        if self._seats.get(seat.call) is seat and seat.link is link:
            seat.link = None
            self._start(self._reopen(seat, reason))

    async def _reopen(self, seat: Seat, reason: str) -> None:
        await asyncio.sleep(REOPEN_MS / 1_000)
        if self._seats.get(seat.call) is not seat or not self._within_intensity(seat, reason):
            return
        try:
            await self._open(seat)
        except LinkLost:
            self._leave(seat.call, "its owner is gone")

    def _leave(self, call: str, reason: str) -> None:
        seat = self._seats.pop(call, None)
        if seat is not None and seat.link is not None:
            link, seat.link = seat.link, None
            link.close(reason)

    # --- what the call says -----------------------------------------------------------------------------------------

    def _invited(self, seat: Seat, message: Message) -> None:
        match message:
            case [wire.INVITE, int(turn), int(revision), str(reason), int(), dict(view)]:
                seat.next = Invitation(turn, revision, reason, view)  # an older one that waited is moot
                self._go_on(seat)
            case [wire.REMEMBER, int(number)]:
                seat.asked = number
                self._go_on(seat)
            case [wire.UPGRADE, dict(memory)]:
                seat.memory = memory
                self._go_on(seat)
            case [wire.NOTICE, int(seq), int(revision), int(turn), str(topic), dict(body)]:
                seat.notices.append((seq, revision, turn, topic, body))
                self._go_on(seat)
            case [wire.GONE, *_]:
                self._leave(seat.call, "the call is over")
            case _:
                raise ProtocolFault(f"a call does not send {message[0]!r} to an agent")

    def _go_on(self, seat: Seat) -> None:
        """One thing at a time: an agent's memory is not looked into while it thinks."""
        if seat.thinking is None and (seat.asked or seat.memory is not None or seat.next is not None or seat.notices):
            seat.thinking = self._start(self._do_next(seat))

    async def _do_next(self, seat: Seat) -> None:
        try:
            if seat.memory is not None:
                memory, seat.memory = seat.memory, None
                with contextlib.suppress(Exception):  # the class itself fails: the agent that was rehearsed goes on
                    seat.instance = await self._memories.upgrade(lambda: self._class(self._agent, self._spec), memory)
            elif seat.next is not None:
                invitation, seat.next = seat.next, None
                await self._answer(seat, invitation)
            elif seat.asked:
                number, seat.asked = seat.asked, 0
                memory, keeps = await self._memories.of(seat.instance)
                if seat.link is not None:
                    seat.link.send(wire.MEMORY, number, memory, keeps)
            elif seat.notices:
                await self._tell(seat, seat.notices.popleft())
        finally:
            seat.thinking = None
        if self._seats.get(seat.call) is seat:
            self._go_on(seat)

    async def _answer(self, seat: Seat, invitation: Invitation) -> None:
        try:
            values, read = await self._in_thread(HUNG_MS, _think, seat.instance, invitation)
            good, refused = _taken_in(seat.agent, invitation, values)
        except Exception as error:
            failure = failure_of(error, self._bundle)
            if self._failed(seat, failure):
                told = (failure.reason, list(failure.trace), failure.pii_message)
                self._send(seat, wire.FAILED, invitation.turn, invitation.revision, *told)
            return
        reading = reading_of(read)
        if read is not None and reading is None:
            self._log_unread(seat, read)
        self.answers += 1
        answer: list[Any] = [[encode(proposal) for proposal in good]]
        if reading is not None or refused:
            answer += [encode(reading) if reading is not None else None, [encode(refusal) for refusal in refused]]
        self._send(seat, wire.ANSWER, invitation.turn, invitation.revision, *answer)

    async def _tell(self, seat: Seat, notice: Notice) -> None:
        hook = getattr(seat.instance, "notice", None)
        if hook is None:
            return
        try:
            await self._in_thread(NOTICE_MS, hook, *notice)
        except Exception as error:
            self._failed(seat, failure_of(error, self._bundle))

    async def _in_thread(self, limit_ms: int, think: Callable[..., Any], *arguments: Any) -> Any:
        """What an agent's code returns, or raises. Raises: TimeoutError: it is given up, and its thread with it."""
        work = asyncio.get_running_loop().run_in_executor(self._threads, think, *arguments)
        done, _ = await asyncio.wait({work}, timeout=limit_ms / 1_000)
        if not done:
            self._abandon(work)
            raise TimeoutError(f"not back within {limit_ms} ms")
        return work.result()

    def _send(self, seat: Seat, *message: Any) -> None:
        if seat.link is not None:
            seat.link.send(*message)

    def _abandon(self, work: asyncio.Future[Any]) -> None:
        self._stuck += 1
        work.add_done_callback(self._came_back)
        if self._stuck >= self._thread_count:
            log.error("all %d threads of this host are stuck in agents: it ends itself", self._thread_count)
            os._exit(1)

    def _came_back(self, work: asyncio.Future[Any]) -> None:
        self._stuck -= 1
        if not work.cancelled():
            work.exception()  # seen: nobody else will ask

    def _failed(self, seat: Seat, failure: Failure) -> bool:
        """Make the agent anew; False where it has failed too often, or lost its link."""
        self._log_failure(seat.call, failure)
        if seat.link is None or not self._within_intensity(seat, failure.reason):
            return False
        seat.instance = self._class(self._agent, self._spec)
        return True

    def _log_failure(self, call: str, failure: Failure) -> None:
        """The place and the way there; the error's own words may be the caller's, and go into a field."""
        self.failures += 1
        where = {"call": call, "agent": self._agent, "pii_error": failure.pii_message}
        way = "".join(f"\n    {place}" for place in failure.places)
        log.warning("agent %s failed: %s%s", self._agent, failure.reason, way, extra=where)

    def _log_unread(self, seat: Seat, read: Any) -> None:
        """A reader gave no reading, or raised: that costs the reading, and nothing else."""
        if isinstance(read, Exception):
            self._log_failure(seat.call, failure_of(read, self._bundle))
            return
        self.failures += 1
        where = {"call": seat.call, "agent": seat.agent, "pii_error": words_of(read)}
        log.warning("agent %s read an answer as %s, which is no reading", seat.agent, type(read).__name__, extra=where)

    def _within_intensity(self, seat: Seat, reason: str) -> bool:
        verdict = decide(seat.history, time.monotonic_ns() // 1_000_000, INTENSITY, reason)
        seat.history = verdict.history
        if verdict.act is Act.RESTART:
            return True
        self._leave(seat.call, f"gave up: {verdict.why}")
        self.resident.send(wire.GAVE_UP, seat.call, seat.agent, verdict.why)
        return False

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _think(agent: Any, invitation: Invitation) -> tuple[Any, Any]:
    """What an agent proposes, and what it reads in the caller's answer (or why it could not); in a worker thread."""
    read, reading = getattr(agent, "read", None), None
    if read is not None and invitation.reason in READ_AT:
        try:
            reading = read(invitation.view)
        except Exception as error:  # it costs the reading, and nothing else
            reading = error
    return agent.propose(invitation.view, invitation.reason), reading


def _taken_in(agent: str, invitation: Invitation, values: Any) -> tuple[list[Proposal], tuple[Refusal, ...]]:
    """What an agent answered, stamped with what it was really computed from: an agent cannot call itself fresh.

    Raises:
        NotProposals: it is no list.
    """
    if not isinstance(values, (list, tuple)):
        raise NotProposals(values)
    good, refused = proposals_of(values)
    turn, basis = invitation.turn, invitation.revision
    named = [(proposal.id or f"{agent}.{basis}.{number}", proposal) for number, proposal in enumerate(good)]
    return [replace(proposal, id=name, agent=agent, turn=turn, basis=basis) for name, proposal in named], refused
