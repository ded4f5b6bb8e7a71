"""The agent host: one process of one policy version and one kind of agent, with a seat for each call that it serves.

Like a call actor it is a resident with one method that never returns. A plain agent thinks (`propose`, `read`) in a
worker thread, an asynchronous one on the agents' event loop (`thinking.py`), one thing at a time, so one that sleeps
holds up nobody but itself. While a plain one thinks, only the newest invitation waits for it; an asynchronous one is
cancelled by the next invitation, by a higher turn and by the end of its seat. Notices are told beside that, never
before an invitation. What an agent answers, whole or in parts, carries the turn and revision of the view that it was
computed from: whatever happened meanwhile, the gate will know. A proposal that is none is told as a refusal, beside
those that are good. An agent that raises is made anew within its intensity (OTP's, `policies/fleet/supervision.py`);
one that hangs is abandoned; a host with as many stuck agents as it has threads ends itself, and its supervisor starts
another.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import logging
import os
import time
from functools import partial
from typing import Any, cast

import uvloop
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.proposals import Proposal, Refusal
from offhook.policies.core.view import View
from offhook.policies.fleet.supervision import Act, ChildSpec, decide
from offhook.policies.gate.entry import reading_of

from ..contracts.errors import LinkLost
from ..contracts.message import Message, read
from ..contracts.messages import (
    PROTOCOL,
    TO_AGENT_FROM_CALL,
    Answer,
    Failed,
    Gone,
    Invite,
    Memory,
    Remember,
    SubscriberHello,
    Upgrade,
)
from ..contracts.messages import (
    Notice as NoticeMessage,
)
from ..contracts.node_messages import TO_AGENT_HOST, Attach, Attached, Detach, GaveUp, Query, Reply, Retire
from ..link.link import Array, Link, connect
from ..link.resident import Resident
from ..process.memory_limit import limit_memory
from . import answers
from .bundle import agent_class
from .failures import Failure, failure_of, guarded, log_failure, log_unread
from .memories import Memories
from .seat import Invitation, Notice, Seat
from .thinking import AgentLoop, Cancelled, Stuck, Threads

log = logging.getLogger(__name__)

THREADS_MAX = 8  # agents of one host that think at the same time; thinking is waiting (models, lookups), not computing
HUNG_MS = 15_000  # without an answer or the next part of it; far beyond any deadline of a round: it is given up
NOTICE_MS = 1_000  # for one notice: it is noted, not thought over
NOTICE_THREADS = 2  # so that notices of some calls take no thread from the answers of others
INTENSITY = ChildSpec(intensity=5, period_ms=30_000)  # of one agent in one call
TURN = "turn"  # notices by which an asynchronous agent is cancelled
ALL_TOPICS = "*"
REOPEN_MS = 100  # a link cut by the call is tried again once after this


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
    bench = AgentBench(agent, AgentSpec.recorded(spec), bundle)
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
    try:
        return await bench.resident.stay()
    finally:
        bench.close()


class AgentBench:
    """The seats of one host."""

    resident: Resident

    def __init__(self, agent: str, spec: AgentSpec, bundle: str) -> None:
        self._agent = agent
        self._spec = spec
        self._bundle = bundle
        self._class = agent_class(spec.code, bundle)
        self._seats: dict[str, Seat] = {}
        self._asynchronous = answers.asynchronous(self._class.propose)
        count = min(THREADS_MAX, spec.calls_per_actor)
        self._stuck = Stuck(count, _end)
        self._threads = Threads(count, "agent", self._stuck)
        self._loop = AgentLoop(self._stuck)
        self._deaf = Stuck(NOTICE_THREADS, _stop_telling)
        self._notice_threads = Threads(NOTICE_THREADS, "notice", self._deaf)
        self._tasks: set[asyncio.Task[None]] = set()
        self._memories = Memories()
        self.answers = 0
        self.failures = 0

    def running(self) -> dict[str, int]:
        """Calls that have a seat here, with their epochs."""
        return {seat.call: seat.epoch for seat in self._seats.values()}

    def close(self) -> None:
        """The process ends: what asynchronous agents still do is cancelled."""
        self._loop.close()

    # --- what the supervisor says -----------------------------------------------------------------------------------

    def told(self, message: Array) -> None:
        """A message of the supervisor.

        Raises:
            ProtocolFault: not one for an agent host.
        """
        match read(message, TO_AGENT_HOST):
            case Attach() as order:
                self._start(self._attach(order.call, order.epoch, order.endpoint, order.token))
            case Detach(call):
                self._leave(call, "the call is over")
            case Query(number):
                stats = {"seats": len(self._seats), "answers": self.answers, "failures": self.failures}
                self.resident.send(*Reply(number, {**stats, "stuck": self._stuck.count, "pid": os.getpid()}))
            case Retire(reason):
                self.resident.end(reason)

    async def _attach(self, call: str, epoch: int, endpoint: str, token: str) -> None:
        former = self._seats.get(call)
        if former is not None and former.epoch > epoch:
            return  # an order that was overtaken
        if former is not None:
            self._leave(call, "another owner has the call")
        try:
            seat = Seat(call, epoch, self._agent, endpoint, token, guarded(self._class, self._agent, self._spec))
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
            self.resident.send(*Attached(call, self._agent, reason))
        else:
            self.resident.beat_soon()
            self.resident.send(*Attached(call, self._agent, ""))

    async def _open(self, seat: Seat) -> None:
        seat.topics = guarded(answers.topics_of, seat.instance)
        topics = sorted({*seat.topics, *((TURN,) if self._asynchronous else ())})
        seat.link = await connect(
            seat.endpoint,
            seat.token,
            *SubscriberHello(seat.agent, "agent", topics, protocol=PROTOCOL).fields,
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
        except Exception as error:
            self._give_up(seat, failure_of(error, self._bundle))

    def _leave(self, call: str, reason: str) -> None:
        seat = self._seats.pop(call, None)
        if seat is not None and seat.answering is not None:
            seat.answering.cancel()
        if seat is not None and seat.link is not None:
            link, seat.link = seat.link, None
            link.close(reason)

    # --- what the call says -----------------------------------------------------------------------------------------

    def _invited(self, seat: Seat, message: Array) -> None:
        match read(message, TO_AGENT_FROM_CALL):
            case Invite(turn, revision, reason, _, view):
                seat.next = Invitation(turn, revision, reason, cast(View, dict(view)))  # one that waited is moot
                if seat.answering is not None:
                    seat.answering.cancel()
                self._go_on(seat)
            case Remember(number):
                seat.asked = number
                self._go_on(seat)
            case Upgrade(memory):
                seat.memory = dict(memory)
                self._go_on(seat)
            case NoticeMessage(seq, revision, turn, topic, body):
                if seat.answering is not None and turn > seat.turn:
                    seat.answering.cancel()
                if topic != TURN or {TURN, ALL_TOPICS} & set(seat.topics):
                    seat.notices.append((seq, revision, turn, topic, dict(body)))
                    self._go_on(seat)
            case Gone():
                self._leave(seat.call, "the call is over")

    def _go_on(self, seat: Seat) -> None:
        """One thing at a time: an agent's memory is not looked into while it thinks. Only a notice that is being told
        holds up no invitation.
        """
        if seat.thinking is not None:
            return
        if seat.memory is not None or seat.next is not None or (seat.asked and seat.noticing is None):
            seat.thinking = self._start(self._do_next(seat))
        elif seat.notices and seat.noticing is None:
            seat.noticing = self._start(self._tell(seat, seat.notices.popleft()))

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
                    seat.link.send(*Memory(number, memory, keeps))
        finally:
            seat.thinking = None
        if self._seats.get(seat.call) is seat:
            self._go_on(seat)

    async def _answer(self, seat: Seat, invitation: Invitation) -> None:
        try:
            values, read, part = await self._thought(seat, invitation)
            good, refused = answers.taken_in(seat.agent, invitation, values, part, seat.instance.propose)
        except Cancelled:
            return
        except Exception as error:
            failure = failure_of(error, self._bundle)
            if self._failed(seat, failure):
                told = (failure.reason, list(failure.trace), failure.pii_message)
                self._send(seat, Failed(invitation.turn, invitation.revision, *told))
            return
        self.answers += 1
        self._send_answer(seat, invitation, good, refused, read, part, more=False)

    async def _thought(self, seat: Seat, invitation: Invitation) -> tuple[Any, Any, int]:
        """What the agent proposes, what it has read, and how many parts of its answer were sent before. Raises: as it
        does; Cancelled.
        """
        if not self._asynchronous:
            return *await self._threads.run(HUNG_MS, answers.think, seat.instance, invitation), 0
        sent = 0

        def on_told(value: Any, read: Any) -> None:
            nonlocal sent
            good, refused = answers.taken_in(seat.agent, invitation, [value], sent, seat.instance.propose)
            self._send_answer(seat, invitation, good, refused, read, sent, more=True)
            sent += 1

        work = seat.answering = self._loop.start(partial(answers.think_on_the_loop, seat.instance, invitation))
        work.on_told, seat.turn = on_told, invitation.turn
        try:
            values, read = await self._loop.result(work, HUNG_MS)
        finally:
            seat.answering = None
        return values, read, sent

    def _send_answer(
        self,
        seat: Seat,
        invitation: Invitation,
        good: list[Proposal],
        refused: tuple[Refusal, ...],
        read: Any,
        part: int,
        *,
        more: bool,
    ) -> None:
        reading = reading_of(read)
        if read is not None and reading is None:
            self._log_unread(seat, read)
        fields = answers.in_fields(good, refused, reading, part, more)
        self._send(seat, Answer(invitation.turn, invitation.revision, *fields))

    async def _tell(self, seat: Seat, notice: Notice) -> None:
        try:
            hook = guarded(answers.notice_of, seat.instance)
            if inspect.iscoroutinefunction(hook):
                await self._loop.result(self._loop.start(lambda _tell: hook(*notice)), NOTICE_MS)
            elif hook is not None and not self._deaf.full:
                await self._notice_threads.run(NOTICE_MS, hook, *notice)
        except Exception as error:
            self._failed(seat, failure_of(error, self._bundle))
        finally:
            seat.noticing = None
        if self._seats.get(seat.call) is seat:
            self._go_on(seat)

    def _send(self, seat: Seat, message: Message) -> None:
        if seat.link is not None:
            seat.link.send(*message)

    def _failed(self, seat: Seat, failure: Failure) -> bool:
        """Make the agent anew; False where it has failed too often, or lost its link."""
        self._log_failure(seat.call, failure)
        if seat.link is None or not self._within_intensity(seat, failure.reason):
            return False
        try:
            seat.instance = guarded(self._class, self._agent, self._spec)
        except Exception as error:
            self._give_up(seat, failure_of(error, self._bundle))
            return False
        return True

    def _give_up(self, seat: Seat, failure: Failure) -> None:
        """It cannot be made anew, or say what it wants to be told of."""
        self._log_failure(seat.call, failure)
        self._leave(seat.call, f"gave up: {failure.reason}")
        self.resident.send(*GaveUp(seat.call, seat.agent, failure.reason))

    def _log_failure(self, call: str, failure: Failure) -> None:
        self.failures += 1
        log_failure(call, self._agent, failure)

    def _log_unread(self, seat: Seat, read: Any) -> None:
        """A reader gave no reading, or raised: that costs the reading, and nothing else."""
        if isinstance(read, Exception):
            self._log_failure(seat.call, failure_of(read, self._bundle))
            return
        self.failures += 1
        log_unread(seat.call, seat.agent, read)

    def _within_intensity(self, seat: Seat, reason: str) -> bool:
        verdict = decide(seat.history, time.monotonic_ns() // 1_000_000, INTENSITY, reason)
        seat.history = verdict.history
        if verdict.act is Act.RESTART:
            return True
        self._leave(seat.call, f"gave up: {verdict.why}")
        self.resident.send(*GaveUp(seat.call, seat.agent, verdict.why))
        return False

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _end(count: int) -> None:
    log.error("%d agents of this host are stuck: it ends itself", count)
    os._exit(1)


def _stop_telling(count: int) -> None:
    log.error("%d notices of this host are stuck: until one comes back, plain agents are told none", count)
