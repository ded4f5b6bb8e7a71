"""A call that this process has taken over: from its assignment until its line and its agents are back.

The state is there (`resume.fold`); here the parts of the runtime are brought to where their predecessors stood. What
comes back at once: the journal's numbers, health, deadlines, orders to tools. What has to be waited for: the gateway,
which knows how far the carrier is in playing, so that speech goes on behind what the caller still hears; and the
agents, for whom deadlines that passed meanwhile wait a little. A call that cannot be led any more is said goodbye to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import COMMANDS, VERDICT
from offhook.policies.core.state import Line, Playing, Utterance
from offhook.policies.core.version import CORE

from ..contracts.setup import Setup
from .effects import Effects
from .failsafe_goodbye import FailsafeGoodbye
from .lifecycle import ENDED
from .phone_line import Played
from .resume import Awaited, Legacy, encoded, fold
from .session import Parts, Session

log = logging.getLogger(__name__)

SETTLE_MS = 120  # for agents to be at their seats again, and for deadlines that passed meanwhile; it takes about 10
LINE_MS = 3_000  # for the gateway; then the line counts as lost, and the policy says for how long


class TakeoverResume:
    """One takeover, on the side of the process that takes over. What is still waited for is `Session.awaited`."""

    def __init__(self, session: Session, parts: Parts, effects: Effects, goodbye: FailsafeGoodbye) -> None:
        self._session = session
        self._parts = parts
        self._effects = effects
        self._goodbye = goodbye
        self._awaited = session.awaited

    # --- at once ----------------------------------------------------------------------------------------------------

    def begin(self, early: Iterable[ev.Event]) -> None:
        """Own the call: everything that needs nobody else. `early`: what its parts have said already."""
        session, parts, legacy = self._session, self._parts, self._awaited.legacy
        session.later(LINE_MS, self._no_line)
        if legacy is None or self._awaited.parting:
            return
        at_ms = session.now()
        self._write_what_was_decided(legacy, at_ms)
        parts.hearing.go_on(legacy.place)
        parts.broadcaster.go_on(legacy.place.notices, legacy.notices)
        if legacy.other_core:
            log.info("core %d has led this call; from here on it is led by %d", legacy.other_core, CORE)
            parts.hearing.write_place()  # so that a replay knows where the one ends and the other begins
        session.take(ev.OwnerChanged(at_ms, session.setup.epoch))
        self._report_health(early)
        for timer, deadline_ms in parts.funnel.state.timers.items():
            parts.timers.arm(timer, deadline_ms, at_ms + SETTLE_MS)
        for order in legacy.orders:
            self._effects.carry_out(order)
        session.later(SETTLE_MS, self._settled)

    def _write_what_was_decided(self, legacy: Legacy, at_ms: int) -> None:
        """The last event's commands, where its owner died before it could write them down."""
        if legacy.unwritten:
            recorder = self._session.recorder
            recorder.write(at_ms, COMMANDS, encoded(legacy.unwritten))
            for command in legacy.unwritten:
                if isinstance(command, cmd.RecordVerdict):
                    recorder.write(at_ms, VERDICT, encode(command.verdict))

    def _report_health(self, early: Iterable[ev.Event]) -> None:
        """What is up here and was not there, and the other way round."""
        session = self._session
        down = {event.part for event in early if isinstance(event, ev.HealthChanged) and not event.up}
        for part in sorted(down ^ self._parts.funnel.state.lost_parts):
            session.take(ev.HealthChanged(session.now(), part, part not in down))

    # --- the line ---------------------------------------------------------------------------------------------------

    def line_back(self, played: Played | None) -> None:
        """The gateway is here and tells how far the carrier is (None = it does not know): speech goes on."""
        parts, legacy = self._parts, self._awaited.legacy
        self._awaited.line = False
        if legacy is None or self._awaited.parting:
            parts.line.clear()
            self._goodbye.begin(self._awaited.parting)
            return
        utterance, sent_ms = _sent(played)
        heard_ms = max(0, sent_ms - played.unplayed_ms) if played is not None else 0
        state = parts.funnel.state
        current, last = state.speech.current, state.speech.last
        if current is not None and current.id == utterance and played is not None:
            self._go_on(legacy, current, heard_ms, -1 if played.cleared else sent_ms)
        elif current is not None:
            self._begin_again(current)
        elif last is not None and legacy.stopping == last.id:
            parts.voice.restore(last.id, last.text, heard_ms if last.id == utterance else last.heard_ms)
            parts.voice.report_stop()
            parts.voice.cut(last.id)
        elif played is not None and not played.cleared and played.unplayed_ms:
            parts.line.clear()  # its silence was ordered, and the order was not carried out
        for transfer in legacy.transfers:
            self._effects.carry_out(transfer)
        if state.outcome and state.speech.current is None and state.line is Line.OPEN:
            self._effects.carry_out(cmd.HangUp(state.outcome))

    def _go_on(self, legacy: Legacy, current: Utterance, heard_ms: int, sent_ms: int) -> None:
        """The carrier has sound of the present utterance up to `sent_ms`; -1 = it was cleared at `heard_ms`."""
        voice = self._parts.voice
        if current.playing is Playing.HELD:
            voice.restore(current.id, current.text, heard_ms)
            if legacy.stopping == current.id:
                voice.report_stop()
        elif sent_ms < 0:
            voice.restore(current.id, current.text, heard_ms)
            voice.resume(current.id)
        else:
            started = current.playing is not Playing.SENT or current.started_ms > 0
            voice.restore(current.id, current.text, heard_ms, started=started, sent_ms=sent_ms)

    def _begin_again(self, current: Utterance) -> None:
        """The carrier knows nothing of the present utterance: it was never sent, or this is another line."""
        parts = self._parts
        if current.playing is Playing.SENT and not current.started_ms:
            parts.line.clear()
            parts.voice.say(current.id, current.text)
            return
        parts.voice.restore(current.id, current.text, current.heard_ms)
        if current.playing is not Playing.HELD:
            parts.voice.resume(current.id)

    def _no_line(self) -> None:
        session = self._session
        if not self._awaited.line or session.stage in ENDED:
            return
        if self._awaited.parting:
            self._goodbye.begin(self._awaited.parting)
        elif self._parts.funnel.state.line is Line.OPEN:
            why = f"the gateway has not come back within {LINE_MS} ms of the takeover"
            session.take(ev.LineLost(session.now(), why))

    # --- the agents -------------------------------------------------------------------------------------------------

    def _settled(self) -> None:
        session = self._session
        missing, self._awaited.agents = self._awaited.agents, set()
        self._awaited.settled = True
        for agent in sorted(missing):
            if session.stage not in ENDED:
                session.take(ev.AgentLost(session.now(), agent, "it has not come back after the takeover"))


def awaited_by(setup: Setup, policy: Policy) -> Awaited:
    """What a former owner left, folded, and what is to be waited for; nothing for a call that begins here."""
    if setup.farewell:
        return Awaited(taken_over=True, parting=setup.farewell, line=True, settled=False)
    if not setup.resume:
        return Awaited()
    try:
        legacy = fold(setup.resume, policy)
    except Exception as error:  # a bug, or a journal that is none: the caller shall hear a goodbye at least
        log.exception("the journal of a call cannot be folded", extra={"call": setup.call})
        why = f"its journal cannot be folded: {type(error).__name__}"
        return Awaited(taken_over=True, parting=why, line=True, settled=False)
    return Awaited(True, legacy, legacy.parting, line=True, agents=set(legacy.state.agents), settled=False)


def _sent(played: Played | None) -> tuple[str, int]:
    """The utterance of which the carrier was sent sound last, and up to where in ms; "" = not known."""
    if played is None:
        return "", 0
    utterance, _, position = played.mark.partition("/")
    position = position.rpartition("/")[2]
    return (utterance, int(position) + played.after_ms) if position.isdecimal() else ("", 0)
