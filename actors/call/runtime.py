"""One live call: its parts wired together on one event loop. No Ray here; the call actor lends the process.

    gateway ─▶ phone line ─▶ hearing ─┐                   ┌─▶ voice ─▶ phone line ─▶ gateway
    agents, observers ─▶ broadcaster ├─▶ funnel (step) ─▶ ├─▶ timers, broadcaster
    recognizer, tools, operator ─────┘        │           └─▶ tools (by the supervisor)
                                              ▼
                                     recorder ─▶ supervisor (journal)

The hot path (frame -> ears -> step -> hold -> `clear` written) is one synchronous run inside `data_received`. Which
command goes where is the table CARRIERS; what it means, the parts know; whether it may be, the core has decided. A call
that another process led before is brought back by `takeover_resume.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from offhook.policies.conversation.view import view_of
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.policy import Policy
from offhook.policies.core.state import CallState, Line
from offhook.policies.gate import entry

from ..contracts import wire
from ..contracts.setup import Setup
from ..engines.engines import make_recognizer, make_synthesizer
from ..link.link import Link, LinkServer, Message
from ..process.clock import MonotonicClock
from ..process.metric_registry import MetricRegistry
from ..voice.voice import Voice
from .broadcaster import Broadcaster, Subscriber
from .call_figures import counts
from .call_links import AGENT, CallLinks
from .failsafe_goodbye import FailsafeGoodbye
from .funnel import Funnel
from .hearing import Hearing
from .measures import Measures
from .phone_line import Hearer, PhoneLine
from .recorder import Recorder
from .resume import order_of
from .swap import PolicySwap
from .takeover_resume import taken_over
from .timers import Timers
from .tool_calls import ToolCalls
from .usage import Meter, in_record

log = logging.getLogger(__name__)

HANGUP_GRACE_MS = 1_000  # for the gateway to say that the carrier's stream is closed; then it is closed here
LINGER_MS = 5_000  # after the end: for the journal's acknowledgement and for tools that are still at work


class Uplink(Protocol):
    """The way to the supervisor; a `Resident` is one."""

    metrics: MetricRegistry

    def send(self, *message: Any) -> bool: ...

    @property
    def up(self) -> bool: ...


class CallRuntime:
    """The loop of one live call. `start` it; it tells `on_over(outcome)` when nothing of it is left.

    Raises (from the constructor):
        ProtocolFault, pydantic.ValidationError: a setup that cannot be run; nothing was opened.
    """

    def __init__(self, setup: Setup, uplink: Uplink, server: LinkServer, on_over: Callable[[str], None]) -> None:
        self.setup = replace(setup, resume=())  # it is folded here, and large
        self._meter = Meter()
        self.uplink = uplink
        self._on_over = on_over
        self._loop = asyncio.get_running_loop()
        self.policy = Policy.model_validate(setup.policy)
        self.takeover_resume, legacy = taken_over(self, setup)
        if legacy is not None:
            self.policy = legacy.policy
        self.clock = MonotonicClock(setup.origin_unix_ms, setup.at_least_ms, setup.anchor)
        self.recorder = Recorder(setup.call, setup.epoch, uplink.send, self._journal_health, setup.after_seq)
        self._measures = Measures(self.recorder, uplink.metrics)
        state = legacy.state if legacy is not None else None
        self.funnel = Funnel(self.policy, self.recorder, self.carry_out, self._settled, self.give_up, state)
        self.broadcaster = Broadcaster(self._subscriber_left)
        self.broadcaster.follow(self.funnel)
        self.timers = Timers(self.clock, self._loop, self._timer_fired)
        self.tool_calls = ToolCalls(self.recorder, uplink.send, self._loop, self.take, self.now)
        self._early: list[ev.Event] | None = []  # what parts say before the call has begun
        self.hearing = Hearing(
            self.policy.ears,
            make_recognizer(setup.engines, self.take, self.clock, setup.call),
            self.broadcaster,
            self.recorder,
            self.clock,
            self._loop,
            self.take,
            lambda: self.state.hearing,
        )
        self.line = self.hearing.line = PhoneLine(
            setup.epoch,
            Hearer(self.hearing.frame, self._marked, self.hearing.digit, self._line_stopped, self._line_lost),
        )
        self.synthesizer = make_synthesizer(setup.engines, self.take, self.clock)
        self.voice = Voice(
            self.line, self.synthesizer, self.take, self.clock, self._loop, self.policy.voice, setup.epoch
        )
        self.call_links = CallLinks(self, server)
        self.swap = PolicySwap(self)
        self._failsafe = FailsafeGoodbye(self.voice, self.line, self.recorder, self._loop, self.now, self.end)
        self.refused_words = 0  # of operators and carriers: what was no event
        self.ending = ""  # why, from the moment at which the end began
        self._finished = False  # its end is written; nothing is taken in any more
        self._told = False
        self._snapshot_soon = False
        self._grace: list[asyncio.TimerHandle] = []

    @property
    def state(self) -> CallState:
        return self.funnel.state

    def now(self) -> int:
        """The present moment on the call's clock."""
        return self.clock.now_ms()

    # --- beginning --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the call's doors, fold its first event in (or go on with it), tell the supervisor."""
        setup = self.setup
        self.call_links.open()
        early, self._early = self._early or [], None
        if self.takeover_resume is not None:
            self.takeover_resume.begin(early)
            self._snapshot_later()  # whoever must take over next has little to fold
        else:
            self._begin(early)
        self.uplink.send(wire.ASSIGNED, setup.call, setup.epoch, "")

    def _begin(self, early: list[ev.Event]) -> None:
        setup, at_ms = self.setup, self.now()
        start = {
            "unix_ms": setup.origin_unix_ms,
            "policy_version": setup.policy_version,
            "policy": dict(setup.policy),
            "direction": setup.direction,
            "anchor": list(setup.anchor),
            "arm": setup.arm,
            "tenant": setup.tenant,
        }
        self.recorder.write(at_ms, "start", start)
        self.take(ev.CallCreated(at_ms, setup.call, setup.direction, setup.caller, setup.callee, setup.policy_version))
        for event in early:
            self.take(event)

    def hello(self, link: Link, role: str, name: str, rest: Message) -> None:
        """Somebody opened a link under one of this call's tokens. Raises: ProtocolFault."""
        self.call_links.hello(link, role, name, rest)

    # --- taking events in -------------------------------------------------------------------------------------------

    def take(self, event: ev.Event) -> None:
        """The one way in."""
        if self._early is not None:
            self._early.append(event)
        elif self._finished or self._parting:
            return
        elif self._failsafe.begun:
            self._failsafe.take(event)
        else:
            self.funnel.take(event)

    @property
    def _parting(self) -> bool:
        """Taken over only to say goodbye, and not saying it yet: nothing is led any more."""
        return self.takeover_resume is not None and bool(self.takeover_resume.parting) and not self._failsafe.begun

    @property
    def led_by_nobody(self) -> bool:
        """Only a goodbye is left, or is being said."""
        return self._parting or self._failsafe.begun

    def _marked(self, name: str) -> None:
        self.voice.marked(name)

    def _line_stopped(self, reason: str) -> None:
        self.take(ev.LineClosed(self.now(), reason))

    def _line_lost(self, reason: str) -> None:
        self.hearing.interrupt()
        self.take(ev.LineLost(self.now(), reason))

    def _timer_fired(self, timer: str, deadline_ms: int) -> None:
        self.take(ev.TimerFired(max(self.now(), deadline_ms), timer, deadline_ms))

    def _journal_health(self, up: bool) -> None:
        self.take(ev.HealthChanged(self.now(), "journal", up))

    def _subscriber_left(self, subscriber: Subscriber, reason: str) -> None:
        if subscriber.kind == AGENT and not self.ending:
            self.take(ev.AgentLost(self.now(), subscriber.name, reason))
            self.swap.agent_failed(subscriber.name, reason)

    # --- what the supervisor says -----------------------------------------------------------------------------------

    def told(self, message: Message) -> bool:
        """A message of the supervisor that concerns this call; False where it is none."""
        match message:
            case [wire.JOURNALED, self.setup.call, self.setup.epoch, int(seq)]:
                self.recorder.journaled(seq)
                self.line.journaled(self.recorder.safe_seq)
                self._finish_if_done()
                if self._finished and not self.recorder.unsafe:
                    self._over()
            case [wire.JOURNAL_AWAY, str()]:
                self.recorder.away()
            case [wire.BEGUN | wire.PERFORMED, *_]:
                self.tool_calls.told(message)
                self._finish_if_done()
            case [wire.SWAP, self.setup.call, self.setup.epoch, *offer]:
                self.swap.offered(offer)
            case [wire.EVENT, self.setup.call, list(array)]:
                self._told_event(array)
            case _:
                return False
        return True

    def _told_event(self, array: list[Any]) -> None:
        """An operator's or a carrier's word; one that is none costs itself."""
        try:
            event = entry.event_of(array, self.now())
        except CallerFault as fault:
            self.refused_words += 1
            log.warning("a word from outside is not taken: %s", fault, extra={"call": self.setup.call})
            return
        self.take(event)

    def supervisor_lost(self) -> None:
        """The supervisor is away: the call goes on, nothing irreversible is done."""
        self.recorder.away()

    def supervisor_back(self) -> None:
        """It is there again: hand over what it may not have, ask again for what it may not have done."""
        self.recorder.again()
        self.tool_calls.ask_again()

    # --- carrying commands out --------------------------------------------------------------------------------------

    def carry_out(self, command: cmd.Command) -> None:
        """Do what a command asks for."""
        CARRIERS[type(command)](self, command)
        self._measures.carried(command, self.state)

    def _speak(self, command: cmd.Command) -> None:
        if self.takeover_resume is not None and not self.takeover_resume.line_is_back:
            self.takeover_resume.speak(command)
            return
        before = self.line.clears
        self.voice.carry_out(command)
        if isinstance(command, cmd.HoldSpeech) and self.line.clears > before and self.line.reactions_us:
            us, onset_ms = self.line.reactions_us[-1], self.state.hearing.onset_ms
            self._measures.held(self.now(), command.utterance, us, onset_ms)

    def _publish(self, command: cmd.Publish) -> None:
        self.broadcaster.publish(command.topic, command.body, self.state.revision, self.state.turn)

    def _invite(self, command: cmd.InviteAgents) -> None:
        view = view_of(self.state, self.policy)
        for agent in self.broadcaster.invite(
            command.agents, command.turn, command.revision, command.reason, command.deadline_ms, view
        ):
            if self.takeover_resume is None or not self.takeover_resume.awaits(agent):
                self.take(ev.AgentLost(self.now(), agent, "it has no link to this call"))

    def _withdraw(self, command: cmd.Withdraw) -> None:
        granted = next((grant for grant in self.state.authority.grants if grant.id == command.grant), None)
        self.tool_calls.withdraw(command, order_of(granted, False) if granted is not None else None)

    def _transfer(self, command: cmd.TransferCall) -> None:
        if not self.line.transfer(command.target, command.announced):
            self.take(ev.ActionFinished(self.now(), command.grant, False, "nobody holds the line"))

    def _hang_up(self, command: cmd.HangUp) -> None:
        if self.line.hangup(command.reason):
            self.later(HANGUP_GRACE_MS, self._close_line, command.reason)
        else:
            self._close_line(command.reason)

    def _close_line(self, reason: str) -> None:
        if self.state.line is not Line.CLOSED:
            self.take(ev.LineClosed(self.now(), reason))

    def _settled(self, event: ev.Event) -> None:
        """After an event and its effects."""
        self._measures.settled(event, self.state)
        if self.state.line is Line.CLOSED:
            self.end(self.state.outcome or getattr(event, "reason", "") or "closed")
        elif self.funnel.snapshot_due:
            self._snapshot_later()
        self.swap.settled(event)

    def _snapshot_later(self) -> None:
        if not self._snapshot_soon:
            self._snapshot_soon = True
            self._loop.call_soon(self._snapshot)

    def _snapshot(self) -> None:
        self._snapshot_soon = False
        if not self.ending and not self._parting and not self._failsafe.begun:
            self.funnel.snapshot()
            self.hearing.write_place()

    def later(self, wait_ms: int, act: Callable[..., None], *arguments: Any) -> None:
        """Call `act` in a while, unless the call ends before."""
        self._grace.append(self._loop.call_later(wait_ms / 1_000, act, *arguments))

    # --- ending -----------------------------------------------------------------------------------------------------

    def give_up(self, reason: str) -> None:
        """The core fails at every turn: say goodbye without it."""
        log.error("giving the call up: %s", reason, extra={"call": self.setup.call})
        self.timers.clear()
        self._failsafe.begin(reason, self.policy.limits, self.now())

    def end(self, outcome: str) -> None:
        """Shut the doors; what is still on its way (a tool's answer) is waited for, then the end is written."""
        if self.ending:
            return
        self.ending = outcome
        self.swap.close()
        self.timers.clear()
        for handle in self._grace:
            handle.cancel()
        self.voice.close()
        self.synthesizer.close()
        self.hearing.close()
        self.broadcaster.close("the call is over")
        self.call_links.shut()
        self.line.close("the call is over")
        self.later(LINGER_MS if self.tool_calls else 0, self._finish)

    def _finish_if_done(self) -> None:
        """Whoever was waited for at the end has answered."""
        if self.ending and not self.tool_calls:
            self._finish()

    def _finish(self) -> None:
        """Write the end, the last record of all, and wait until the journal has it."""
        if self._finished:
            return
        self._finished = True
        self.tool_calls.close()
        if not self._failsafe.begun:
            self.funnel.snapshot()
        self._measures.close(self.funnel.faults)
        used = in_record(self._meter.read(self), self.setup.prices)
        self.recorder.write(self.now(), "end", {"outcome": self.ending, "counts": counts(self), **used})
        self.recorder.flush()
        self.later(LINGER_MS, self._over)

    def _over(self) -> None:
        """Nothing is left of the call, and the journal has it (or has had its time)."""
        if self._told:
            return
        if self.recorder.unsafe and not self.uplink.up:
            # The records of this call exist nowhere else: wait for the supervisor as long as it takes.
            self.later(LINGER_MS, self._over)
            return
        self._told = True
        for handle in self._grace:
            handle.cancel()
        self.recorder.close()
        self.uplink.send(wire.ENDED, self.setup.call, self.setup.epoch, self.ending)
        self._on_over(self.ending)


CARRIERS: dict[type[cmd.Command], Callable[[CallRuntime, Any], None]] = {
    cmd.Say: CallRuntime._speak,
    cmd.HoldSpeech: CallRuntime._speak,
    cmd.ResumeSpeech: CallRuntime._speak,
    cmd.CutSpeech: CallRuntime._speak,
    cmd.ArmTimer: lambda call, command: call.timers.arm(command.timer, command.deadline_ms),
    cmd.DisarmTimer: lambda call, command: call.timers.disarm(command.timer),
    cmd.InviteAgents: CallRuntime._invite,
    cmd.Publish: CallRuntime._publish,
    cmd.RecordVerdict: lambda _call, _verdict: None,  # the funnel has written it down: that is all
    cmd.AwaitJournal: lambda call, command: call.tool_calls.await_journal(command.grant),
    cmd.Perform: lambda call, command: call.tool_calls.go(command),
    cmd.Withdraw: CallRuntime._withdraw,
    cmd.TransferCall: CallRuntime._transfer,
    cmd.HangUp: CallRuntime._hang_up,
}
