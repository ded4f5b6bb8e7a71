"""What a command of the core means for the parts of a live call. Which part carries it out is the table CARRIERS.

Whether a thing may be done, the core has decided; how it is done, the parts know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offhook.policies.conversation.view import view_of
from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.state import Line

from .measures import Measures
from .resume import order_of
from .session import Parts, Session

HANGUP_GRACE_MS = 1_000  # for the gateway to say that the carrier's stream is closed; then it is closed here


class Effects:
    """Carries the commands of one call out."""

    def __init__(self, session: Session, parts: Parts, measures: Measures) -> None:
        self._session = session
        self._parts = parts
        self._measures = measures

    def carry_out(self, command: cmd.Command) -> None:
        """Do what a command asks for."""
        CARRIERS[type(command)](self, command)

    def _speak(self, command: cmd.Command) -> None:
        if self._session.awaited.line:
            self._session.awaited.speak(command)
            return
        line = self._parts.line
        before = line.clears
        self._parts.voice.carry_out(command)
        if isinstance(command, cmd.HoldSpeech) and line.clears > before and line.reactions_us:
            onset_ms = self._parts.funnel.state.hearing.onset_ms
            self._measures.held(self._session.now(), command.utterance, line.reactions_us[-1], onset_ms)

    def _arm(self, command: cmd.ArmTimer) -> None:
        self._parts.timers.arm(command.timer, command.deadline_ms)

    def _disarm(self, command: cmd.DisarmTimer) -> None:
        self._parts.timers.disarm(command.timer)

    def _publish(self, command: cmd.Publish) -> None:
        state = self._parts.funnel.state
        self._parts.broadcaster.publish(command.topic, command.body, state.revision, state.turn)

    def _invite(self, command: cmd.InviteAgents) -> None:
        session = self._session
        view = view_of(self._parts.funnel.state, session.policy)
        for agent in self._parts.broadcaster.invite(
            command.agents, command.turn, command.revision, command.reason, command.deadline_ms, view
        ):
            if agent not in session.awaited.agents:
                session.take(ev.AgentLost(session.now(), agent, "it has no link to this call"))

    def _recorded(self, _verdict: cmd.RecordVerdict) -> None:
        """The funnel has written it down: that is all."""

    def _await_journal(self, command: cmd.AwaitJournal) -> None:
        self._parts.tool_calls.await_journal(command.grant)

    def _perform(self, command: cmd.Perform) -> None:
        self._parts.tool_calls.go(command)

    def _withdraw(self, command: cmd.Withdraw) -> None:
        grants = self._parts.funnel.state.authority.grants
        granted = next((grant for grant in grants if grant.id == command.grant), None)
        self._parts.tool_calls.withdraw(command, order_of(granted, False) if granted is not None else None)

    def _transfer(self, command: cmd.TransferCall) -> None:
        if refused := self._parts.line.transfer(command.target):
            session = self._session
            session.take(ev.ActionFinished(session.now(), command.grant, False, refused))

    def _hang_up(self, command: cmd.HangUp) -> None:
        if self._parts.line.hangup(command.reason):
            self._session.later(HANGUP_GRACE_MS, self._close_line, command.reason)
        else:
            self._close_line(command.reason)

    def _close_line(self, reason: str) -> None:
        if self._parts.funnel.state.line is not Line.CLOSED:
            self._session.take(ev.LineClosed(self._session.now(), reason))


CARRIERS: dict[type[cmd.Command], Callable[[Effects, Any], None]] = {
    cmd.Say: Effects._speak,
    cmd.HoldSpeech: Effects._speak,
    cmd.ResumeSpeech: Effects._speak,
    cmd.CutSpeech: Effects._speak,
    cmd.ArmTimer: Effects._arm,
    cmd.DisarmTimer: Effects._disarm,
    cmd.InviteAgents: Effects._invite,
    cmd.Publish: Effects._publish,
    cmd.RecordVerdict: Effects._recorded,
    cmd.AwaitJournal: Effects._await_journal,
    cmd.Perform: Effects._perform,
    cmd.Withdraw: Effects._withdraw,
    cmd.TransferCall: Effects._transfer,
    cmd.HangUp: Effects._hang_up,
}
