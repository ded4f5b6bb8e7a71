"""A call that this process has taken over: from its assignment until its line and its agents are back.

The state is there (`resume.fold`); here the parts of the runtime are brought to where their predecessors stood. What
comes back at once: the journal's numbers, health, deadlines, orders to tools. What has to be waited for: the gateway,
which knows how far the carrier is in playing, so that speech goes on behind what the caller still hears; and the
agents, for whom deadlines that passed meanwhile wait a little. A call that cannot be led any more is said goodbye to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.records import COMMANDS, VERDICT
from offhook.policies.core.state import Line, Playing, Utterance
from offhook.policies.core.version import CORE

from ..contracts.setup import Setup
from .phone_line import Played
from .resume import Legacy, encoded, fold, note_speech

if TYPE_CHECKING:
    from .runtime import CallRuntime

log = logging.getLogger(__name__)

SETTLE_MS = 120  # for agents to be at their seats again, and for deadlines that passed meanwhile; it takes about 10
LINE_MS = 3_000  # for the gateway; then the line counts as lost, and the policy says for how long


class TakeoverResume:
    """One takeover, on the side of the process that takes over. `parting`: why only a goodbye is left to be said."""

    def __init__(self, call: CallRuntime, legacy: Legacy | None, parting: str) -> None:
        self.parting = parting or (legacy.parting if legacy is not None else "")
        self.line_is_back = False
        self.over = False  # nothing is waited for any more
        self._call = call
        self._legacy = legacy
        self._awaited = set(legacy.state.agents) if legacy is not None else set()

    # --- at once ----------------------------------------------------------------------------------------------------

    def begin(self, early: Iterable[ev.Event]) -> None:
        """Own the call: everything that needs nobody else."""
        call, legacy = self._call, self._legacy
        call.later(LINE_MS, self._no_line)
        if legacy is None or self.parting:
            self.parting = self.parting or "its journal cannot be folded"
            return
        at_ms = call.now()
        self._write_what_was_decided(legacy, at_ms)
        call.hearing.go_on(legacy.place)
        call.broadcaster.go_on(legacy.place.notices, legacy.notices)
        if legacy.other_core:
            log.info("core %d has led this call; from here on it is led by %d", legacy.other_core, CORE)
            call.hearing.write_place()  # so that a replay knows where the one ends and the other begins
        call.take(ev.OwnerChanged(at_ms, call.setup.epoch))
        self._report_health(early)
        for timer, deadline_ms in call.state.timers.items():
            call.timers.arm(timer, deadline_ms, at_ms + SETTLE_MS)
        for order in legacy.orders:
            call.carry_out(order)
        call.later(SETTLE_MS, self._settled)
        if call.state.line is Line.CLOSED:
            call.end(call.state.outcome or "closed")

    def _write_what_was_decided(self, legacy: Legacy, at_ms: int) -> None:
        """The last event's commands, where its owner died before it could write them down."""
        if legacy.unwritten:
            recorder = self._call.recorder
            recorder.write(at_ms, COMMANDS, encoded(legacy.unwritten))
            for command in legacy.unwritten:
                if isinstance(command, cmd.RecordVerdict):
                    recorder.write(at_ms, VERDICT, encode(command.verdict))

    def _report_health(self, early: Iterable[ev.Event]) -> None:
        """What is up here and was not there, and the other way round."""
        call = self._call
        down = {event.part for event in early if isinstance(event, ev.HealthChanged) and not event.up}
        for part in sorted(down ^ call.state.lost_parts):
            call.take(ev.HealthChanged(call.now(), part, part not in down))

    # --- the line ---------------------------------------------------------------------------------------------------

    def line_back(self, played: Played | None) -> None:
        """The gateway is here and tells how far the carrier is (None = it does not know): speech goes on."""
        call, legacy = self._call, self._legacy
        self.line_is_back = True
        if legacy is None or self.parting:
            call.line.clear()
            call.give_up(self.parting)
            return
        utterance, sent_ms = _sent(played)
        heard_ms = max(0, sent_ms - played.unplayed_ms) if played is not None else 0
        state = call.state
        current, last = state.speech.current, state.speech.last
        if current is not None and current.id == utterance and played is not None:
            self._go_on(legacy, current, heard_ms, -1 if played.cleared else sent_ms)
        elif current is not None:
            self._begin_again(current)
        elif last is not None and legacy.stopping == last.id:
            call.voice.restore(last.id, last.text, heard_ms if last.id == utterance else last.heard_ms)
            call.voice.report_stop()
            call.voice.cut(last.id)
        elif played is not None and not played.cleared and played.unplayed_ms:
            call.line.clear()  # its silence was ordered, and the order was not carried out
        for transfer in legacy.transfers:
            call.carry_out(transfer)
        if state.outcome and state.speech.current is None and state.line is Line.OPEN:
            call.carry_out(cmd.HangUp(state.outcome))

    def _go_on(self, legacy: Legacy, current: Utterance, heard_ms: int, sent_ms: int) -> None:
        """The carrier has sound of the present utterance up to `sent_ms`; -1 = it was cleared at `heard_ms`."""
        voice = self._call.voice
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
        call = self._call
        if current.playing is Playing.SENT and not current.started_ms:
            call.line.clear()
            call.voice.say(current.id, current.text)
            return
        call.voice.restore(current.id, current.text, current.heard_ms)
        if current.playing is not Playing.HELD:
            call.voice.resume(current.id)

    def speak(self, command: cmd.Command) -> None:
        """A command for the voice while there is no line: the state has it, and `line_back` goes by the state."""
        if self._legacy is not None:
            note_speech(self._legacy, command)

    def _no_line(self) -> None:
        call = self._call
        if self.line_is_back or call.ending:
            return
        if self.parting:
            call.give_up(self.parting)
        elif call.state.line is Line.OPEN:
            call.take(ev.LineLost(call.now(), f"the gateway has not come back within {LINE_MS} ms of the takeover"))

    # --- the agents -------------------------------------------------------------------------------------------------

    def agent_back(self, agent: str) -> None:
        """It has a link to this process."""
        self._awaited.discard(agent)

    def awaits(self, agent: str) -> bool:
        """It is expected any moment; when it has come, the core asks it what is open."""
        return agent in self._awaited

    def _settled(self) -> None:
        call = self._call
        awaited, self._awaited = self._awaited, set()
        self.over = True
        for agent in sorted(awaited):
            if not call.ending:
                call.take(ev.AgentLost(call.now(), agent, "it has not come back after the takeover"))


def taken_over(call: CallRuntime, setup: Setup) -> tuple[TakeoverResume | None, Legacy | None]:
    """What a former owner left, folded; (None, None) for a call that begins here."""
    if not setup.resume and not setup.farewell:
        return None, None
    if setup.farewell:
        return TakeoverResume(call, None, setup.farewell), None
    try:
        legacy = fold(setup.resume, call.policy)
    except Exception as error:  # a bug, or a journal that is none: the caller shall hear a goodbye at least
        log.exception("the journal of a call cannot be folded", extra={"call": setup.call})
        return TakeoverResume(call, None, f"its journal cannot be folded: {type(error).__name__}"), None
    return TakeoverResume(call, legacy, ""), legacy


def _sent(played: Played | None) -> tuple[str, int]:
    """The utterance of which the carrier was sent sound last, and up to where in ms; "" = not known."""
    if played is None:
        return "", 0
    utterance, _, position = played.mark.partition("/")
    position = position.rpartition("/")[2]
    return (utterance, int(position) + played.after_ms) if position.isdecimal() else ("", 0)
