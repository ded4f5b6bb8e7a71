"""One live call: its parts wired together on one event loop. No Ray here; the call actor lends the process.

    gateway ─▶ phone line ─▶ hearing ─┐                   ┌─▶ voice ─▶ phone line ─▶ gateway
    agents, observers ─▶ broadcaster ├─▶ funnel (step) ─▶ ├─▶ timers, broadcaster
    recognizer, tools, operator ─────┘        │           └─▶ tools (by the supervisor)
                                              ▼
                                     recorder ─▶ supervisor (journal)

The hot path (frame -> ears -> step -> hold -> `clear` written) is one synchronous run inside `data_received`. What a
command means is the table in `effects.py`, where a call may go from where it stands the one in `lifecycle.py`; whether
something may be done, the core has decided. A call that another process led before is brought back by
`takeover_resume.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import FORMAT, End, Start
from offhook.policies.core.state import CallState, Line
from offhook.policies.core.version import CORE
from offhook.policies.gate import entry
from offhook.policies.language.port import registry

from ..contracts.message import Message
from ..contracts.node_messages import Assigned, Begun, Ended, Journaled, JournalGone, Performed, Swap, Told
from ..contracts.sent_policy import sent_policy
from ..contracts.setup import Setup
from ..engines.engines import make_recognizer, make_synthesizer
from ..link.link import LinkServer
from ..voice.voice import Voice
from .agent_seats import AGENT, AgentSeats
from .broadcaster import Broadcaster, Subscriber
from .call_figures import counts, describe
from .call_links import CallLinks
from .call_tokens import CallTokens
from .effects import Effects
from .failsafe_goodbye import FailsafeGoodbye
from .funnel import Funnel
from .hearing import Hearing
from .lifecycle import ENDED, Move, Stage
from .measures import Measures
from .phone_line import Hearer, PhoneLine
from .session import Parts, Session, Uplink
from .swap import PolicySwap
from .takeover_resume import TakeoverResume, awaited_by
from .timers import Timers
from .tool_calls import ToolCalls
from .usage import Meter, cost_of, in_record

log = logging.getLogger(__name__)

LINGER_MS = 5_000  # after the end: for the journal's acknowledgement and for tools that are still at work


class CallRuntime:
    """The loop of one live call. `start` it; it tells `on_over(outcome)` when nothing of it is left.

    Raises (from the constructor):
        ProtocolFault, PolicyError: a setup that cannot be run; nothing was opened.
    """

    def __init__(self, setup: Setup, uplink: Uplink, server: LinkServer, on_over: Callable[[str], None]) -> None:
        self._meter = Meter()
        self._on_over = on_over
        policy = sent_policy(setup.policy)
        registry.of(policy)  # it can be understood here
        awaited = awaited_by(setup, policy)
        legacy = awaited.legacy
        self.session = session = Session(setup, legacy.policy if legacy is not None else policy, uplink, awaited)
        self._snapshot_soon = False
        self._measures = Measures(session.recorder, uplink.metrics)
        self._make_parts(legacy.state if legacy is not None else None)
        tokens = CallTokens(server)
        seats = AgentSeats(session, self.broadcaster, tokens)
        self._tokens, self._seats = tokens, seats
        self._effects = Effects(session, self.parts, self._measures)
        self._goodbye = FailsafeGoodbye(session, self.voice, self.line, self.timers, self.end)
        self._resume = None
        if awaited.taken_over:
            self._resume = TakeoverResume(session, self.parts, self._effects, self._goodbye)
        self._links = CallLinks(session, self.parts, tokens, self._resume)
        self.swap = PolicySwap(session, self.parts, seats, tokens)

    def _make_parts(self, state: CallState | None) -> None:
        session, setup, policy = self.session, self.session.setup, self.session.policy
        clock, loop, take = session.clock, session.loop, session.take
        self.recorder = session.recorder
        self.funnel = Funnel(policy, self.recorder, self.carry_out, self._settled, self.give_up, state)
        self.broadcaster = Broadcaster(self._subscriber_left)
        self.broadcaster.follow(self.funnel)
        self.timers = Timers(clock, loop, self._timer_fired)
        self.tool_calls = ToolCalls(self.recorder, session.uplink.send, loop, take, session.now)
        self.hearing = Hearing(
            policy.ears,
            make_recognizer(setup, policy.engine_speech(), take, clock),
            self.broadcaster,
            self.recorder,
            clock,
            loop,
            take,
            lambda: self.state.hearing,
        )
        hearer = Hearer(self.hearing.frame, self._marked, self.hearing.digit, self._line_stopped, self._line_lost)
        self.line = self.hearing.line = PhoneLine(setup.epoch, hearer)
        self.synthesizer = make_synthesizer(setup, policy.engine_speech(), take, clock)
        self.voice = Voice(self.line, self.synthesizer, take, clock, loop, policy.voice, setup.epoch)
        self.parts = Parts(
            self.funnel,
            self.broadcaster,
            self.timers,
            self.tool_calls,
            self.hearing,
            self.line,
            self.synthesizer,
            self.voice,
        )

    @property
    def setup(self) -> Setup:
        """As it was assigned; after a swap, as the present version was offered."""
        return self.session.setup

    @property
    def policy(self) -> Policy:
        """That leads the call now."""
        return self.session.policy

    @property
    def state(self) -> CallState:
        return self.funnel.state

    def describe(self) -> dict[str, Any]:
        """The state reply."""
        return describe(self.session, self.parts)

    # --- beginning --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the call's links, fold its first event in (or go on with it), tell the supervisor."""
        session, setup = self.session, self.setup
        self._links.open()
        self._seats.admit(setup.agent_tokens)
        early = session.begin(Move.PART if session.awaited.parting else Move.BEGIN, self.funnel, self._goodbye)
        if self._resume is not None:
            self._resume.begin(early)
            if session.stage is Stage.LIVE and self.state.line is Line.CLOSED:
                self.end(self.state.outcome or "closed")
            self._snapshot_later()  # whoever must take over next has little to fold
        else:
            self._begin(early)
        session.uplink.send(*Assigned(setup.call, setup.epoch, ""))

    def _begin(self, early: list[ev.Event]) -> None:
        setup, at_ms = self.setup, self.now()
        start = Start(
            policy_version=setup.policy_version,
            policy=setup.policy,
            unix_ms=setup.origin_unix_ms,
            direction=setup.direction,
            anchor=setup.anchor,
            arm=setup.arm,
            tenant=setup.tenant,
            format=FORMAT,
            core=CORE,
        )
        self.recorder.tell(at_ms, start)
        self.take(ev.CallCreated(at_ms, setup.call, setup.direction, setup.caller, setup.callee, setup.policy_version))
        for event in early:
            self.take(event)

    # --- taking events in -------------------------------------------------------------------------------------------

    def now(self) -> int:
        """The present moment on the call's clock."""
        return self.session.now()

    def take(self, event: ev.Event) -> None:
        """The one way in."""
        self.session.take(event)

    def _marked(self, name: str) -> None:
        self.voice.marked(name)

    def _line_stopped(self, reason: str) -> None:
        self.take(ev.LineClosed(self.now(), reason))

    def _line_lost(self, reason: str) -> None:
        self.hearing.interrupt()
        self.take(ev.LineLost(self.now(), reason))

    def _timer_fired(self, timer: str, deadline_ms: int) -> None:
        self.take(ev.TimerFired(max(self.now(), deadline_ms), timer, deadline_ms))

    def _subscriber_left(self, subscriber: Subscriber, reason: str) -> None:
        if subscriber.kind == AGENT and self.session.stage not in ENDED:
            self.take(ev.AgentLost(self.now(), subscriber.name, reason))

    # --- what the supervisor says -----------------------------------------------------------------------------------

    def told(self, message: Message) -> bool:
        """A message of the supervisor; False where it is of another call, or meant for another owner."""
        match message:
            case Journaled(self.setup.call, self.setup.epoch, seq):
                self.recorder.journaled(seq)
                self.line.journaled(self.recorder.safe_seq)
                self._finish_if_done()
                if self.session.may(Move.CLOSE) and not self.recorder.unsafe:
                    self._over()
            case JournalGone():
                self.recorder.away()
            case Begun() | Performed():
                self.tool_calls.told(message)
                self._finish_if_done()
            case Swap(self.setup.call, self.setup.epoch):
                self.swap.offered(message)
            case Told(self.setup.call, array):
                self._told_event(array)
            case _:
                return False
        return True

    def _told_event(self, array: list[Any]) -> None:
        """An operator's or a carrier's word; one that is none costs itself."""
        try:
            event = entry.event_of(array, self.now())
        except CallerFault as fault:
            self.session.refused_words += 1
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

    # --- what an event leads to -------------------------------------------------------------------------------------

    def carry_out(self, command: cmd.Command) -> None:
        """Do what a command asks for."""
        self._effects.carry_out(command)
        self._measures.carried(command, self.state)

    def give_up(self, reason: str) -> None:
        """The core fails at every turn: say goodbye without it."""
        self._goodbye.begin(reason)

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
            self.session.loop.call_soon(self._snapshot)

    def _snapshot(self) -> None:
        self._snapshot_soon = False
        if self.session.stage is Stage.LIVE:
            self.funnel.snapshot()
            self.hearing.write_place()

    # --- ending -----------------------------------------------------------------------------------------------------

    def end(self, outcome: str) -> None:
        """Shut the links; what is still on its way (a tool's answer) is waited for, then the end is written."""
        session = self.session
        if session.stage in ENDED or not session.move(Move.END):
            return
        session.outcome = outcome
        self.swap.close()
        self.timers.clear()
        session.cancel_waits()
        self.voice.close()
        self.synthesizer.close()
        self.hearing.close()
        self.broadcaster.close("the call is over")
        self._tokens.shut()
        self.line.close("the call is over")
        session.later(LINGER_MS if self.tool_calls else 0, self._finish)

    def _finish_if_done(self) -> None:
        """Whoever was waited for at the end has answered."""
        if not self.tool_calls:
            self._finish()

    def _finish(self) -> None:
        """Write the end, the last record of all, and wait until the journal has it; nothing where it does not end."""
        session = self.session
        if not session.may(Move.FINISH):
            return
        folded = session.stage is Stage.ENDING
        session.move(Move.FINISH)
        self.tool_calls.close()
        if folded:
            self.funnel.snapshot()
        self._measures.close(self.funnel.faults)
        usage = self._meter.read(session, self.parts)
        end = End(session.outcome, counts(session, self.parts), in_record(usage), cost_of(usage, self.setup.prices))
        self.recorder.tell(self.now(), end)
        self.recorder.flush()
        session.later(LINGER_MS, self._over)

    def _over(self) -> None:
        """Nothing is left of the call, and the journal has it (or has had its time)."""
        session = self.session
        if not session.may(Move.CLOSE):
            return
        if self.recorder.unsafe and not session.uplink.up:
            # The records of this call exist nowhere else: wait for the supervisor as long as it takes.
            session.later(LINGER_MS, self._over)
            return
        session.move(Move.CLOSE)
        session.cancel_waits()
        self.recorder.close()
        session.uplink.send(*Ended(self.setup.call, self.setup.epoch, session.outcome))
        self._on_over(session.outcome)
