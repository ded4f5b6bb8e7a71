"""What one live call measures of itself as it goes, from the events and commands that pass its funnel anyway.

Counts and durations go to the process's registry (`contracts/metrics.py` declares them), which outlives the call and
travels with beats. For whoever asks how quick a single call was, two of them are "measure" records too:

    hold    utterance, us: from the frame that confirmed an overlap to the `clear` on the line
    reply   utterance, ms: from the end of the caller's speech to the first sound of the answer

The metric of a reply has four parts, and is given up where the caller goes on before the sound, or where the silence
ladder speaks first: then nobody replied.

    caller falls silent ─ end_of_turn ─▶ turn is over ─ round ─▶ round is settled ─ gate ─▶ Say ─ synthesis ─▶ sound

Nothing is measured at a frame. Sums and counts of a whole call are `call_figures.py`'s matter, what it used is
`usage.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev
from offhook.policies.core.records import HOLD, REPLY, Measure
from offhook.policies.core.state import CallState
from offhook.policies.core.topics import Topic

from ..contracts import metrics
from ..process.metric_registry import MetricRegistry
from .recorder import Recorder

NO_RULE = "none"  # the rule of a verdict that none stood against
HELD, OPEN = "held", "open"
TURNED_OUT = {"barge-in": "taken", "key": "taken", "backchannel": "backchannel", "noise": "noise"}
TURN_ROUNDS = (
    cmd.RoundReason.TURN_ENDED,
    cmd.RoundReason.INTERRUPTED,
)  # reasons of a round that is to answer the caller's turn


@dataclass(slots=True)
class _Reply:
    """A turn of the caller that waits for its answer; moments on the call's clock, 0 = not yet."""

    silent_ms: int
    over_ms: int
    settled_ms: int = 0
    said_ms: int = 0
    utterance: str = ""


class Measures:
    """The measurements of one call. An event or a command that shows nothing costs a look-up."""

    def __init__(self, recorder: Recorder, registry: MetricRegistry) -> None:
        self._recorder = recorder
        self._registry = registry
        self._caller_ended_ms = 0  # end of the caller's speech that no utterance has followed yet
        self._reply: _Reply | None = None
        self._hold = ""  # what the present hold turned out to be so far; "" = there is none
        self._invited_ms: dict[str, int] = {}  # agent -> when it was asked

    def held(self, at_ms: int, utterance: str, us: int, onset_ms: int) -> None:
        """An utterance was silenced on the line, `us` after the frame that caused it; the onset was earlier."""
        self._recorder.tell(at_ms, Measure(HOLD, utterance, us=us))
        self._registry.observe(metrics.REACTION, (at_ms - onset_ms) / 1_000)
        self._registry.observe(metrics.CLEAR, us / 1_000_000)

    def carried(self, command: cmd.Command, state: CallState) -> None:
        """A command was carried out."""
        found = _CARRIED.get(type(command))
        if found is not None:
            found(self, command, state)

    def settled(self, event: ev.Event, state: CallState) -> None:
        """After an event and its effects."""
        found = _SETTLED.get(type(event))
        if found is not None:
            found(self, event, state)
        if self._hold and state.overlap is None:
            self._close_hold()

    def close(self, faults: int) -> None:
        """The call is over; its core has failed so often."""
        if self._hold:
            self._close_hold()
        if self._recorder.lost:
            self._registry.count(metrics.RECORDS_LOST, by=self._recorder.lost)
        if faults:
            self._registry.count(metrics.CORE_FAULTS, by=faults)

    # --- commands ---------------------------------------------------------------------------------------------------

    def _judged(self, command: cmd.RecordVerdict, _state: CallState) -> None:
        rule = next((each.rule for each in command.verdict.rules if not each.ok), NO_RULE)
        self._registry.count(metrics.VERDICTS, command.verdict.answer, rule)

    def _invited(self, command: cmd.InviteAgents, state: CallState) -> None:
        for agent in command.agents:
            self._invited_ms[agent] = state.now_ms
        over = state.end_of_turn
        if command.reason in TURN_ROUNDS and over.decided_ms == state.now_ms and over.anchor_ms:
            self._reply = _Reply(over.anchor_ms, over.decided_ms)

    def _said(self, command: cmd.Say, state: CallState) -> None:
        reply = self._reply
        if reply is not None and not reply.utterance:
            reply.utterance, reply.said_ms = command.utterance, state.now_ms
            reply.settled_ms = reply.settled_ms or state.now_ms

    def _published(self, command: cmd.Publish, state: CallState) -> None:
        found = _TOPICS.get(command.topic)
        if found is not None:
            found(self, command.body, state)

    def _overlap(self, body: Mapping[str, Any], _state: CallState) -> None:
        """Beat one, or beat two. Words that come late correct beat two, so it counts once the overlap is over."""
        if body["what"] == HELD:
            if self._hold:
                self._close_hold()
            self._hold = OPEN
        elif self._hold:
            self._hold = TURNED_OUT.get(body["what"], self._hold)

    def _round(self, body: Mapping[str, Any], state: CallState) -> None:
        if body["what"] != "settled":
            return
        for agent in body["late"]:
            self._registry.count(metrics.AGENTS_LATE, agent)
        if self._reply is not None and body["reason"] in TURN_ROUNDS:
            self._reply.settled_ms = self._reply.settled_ms or state.now_ms

    def _debt(self, body: Mapping[str, Any], _state: CallState) -> None:
        if body["what"] == "written off":
            self._registry.count(metrics.DEBTS_WRITTEN_OFF, body["kind"])

    # --- events -----------------------------------------------------------------------------------------------------

    def _words(self, event: ev.WordsHeard, _state: CallState) -> None:
        if event.text and event.ended_ms:
            reading = "final" if event.final else "partial"
            self._registry.observe(metrics.WORD_LAG, (event.at_ms - event.ended_ms) / 1_000, reading)

    def _answered(self, event: ev.AgentAnswered, _state: CallState) -> None:
        asked_ms = self._invited_ms.pop(event.agent, None)
        if asked_ms is not None:
            self._registry.observe(metrics.PROPOSAL, (event.at_ms - asked_ms) / 1_000, event.agent)

    def _lost(self, event: ev.AgentLost, _state: CallState) -> None:
        self._invited_ms.pop(event.agent, None)
        self._registry.count(metrics.AGENTS_LOST, event.agent)

    def _speech_started(self, _event: ev.SpeechStarted, _state: CallState) -> None:
        self._reply = None

    def _speech_ended(self, event: ev.SpeechEnded, _state: CallState) -> None:
        self._caller_ended_ms = event.ended_ms

    def _timer(self, event: ev.TimerFired, _state: CallState) -> None:
        if event.timer.startswith("silence"):
            self._reply = None

    def _owner_changed(self, _event: ev.OwnerChanged, state: CallState) -> None:
        if state.overlap is not None and state.overlap.held:
            self._hold = OPEN  # begun under the former owner

    def _playback_started(self, event: ev.PlaybackStarted, _state: CallState) -> None:
        if self._caller_ended_ms:
            waited_ms = event.at_ms - self._caller_ended_ms
            self._caller_ended_ms = 0
            self._recorder.tell(event.at_ms, Measure(REPLY, event.utterance, ms=waited_ms))
        reply = self._reply
        if reply is None or reply.utterance != event.utterance:
            return
        self._reply = None
        self._registry.observe(metrics.REPLY, (event.at_ms - reply.silent_ms) / 1_000)
        moments = (reply.silent_ms, reply.over_ms, reply.settled_ms, reply.said_ms, event.at_ms)
        for part, (began_ms, ended_ms) in zip(metrics.REPLY_PARTS, pairwise(moments), strict=True):
            self._registry.observe(metrics.REPLY_PART, (ended_ms - began_ms) / 1_000, part)

    def _close_hold(self) -> None:
        self._registry.count(metrics.HOLDS, self._hold)
        self._hold = ""


_CARRIED: dict[type[cmd.Command], Callable[[Measures, Any, CallState], None]] = {
    cmd.Say: Measures._said,
    cmd.InviteAgents: Measures._invited,
    cmd.RecordVerdict: Measures._judged,
    cmd.Publish: Measures._published,
}
_TOPICS: dict[str, Callable[[Measures, Mapping[str, Any], CallState], None]] = {
    Topic.OVERLAP: Measures._overlap,
    Topic.ROUND: Measures._round,
    Topic.DEBT: Measures._debt,
}
_SETTLED: dict[type[ev.Event], Callable[[Measures, Any, CallState], None]] = {
    ev.WordsHeard: Measures._words,
    ev.AgentAnswered: Measures._answered,
    ev.AgentLost: Measures._lost,
    ev.SpeechStarted: Measures._speech_started,
    ev.SpeechEnded: Measures._speech_ended,
    ev.TimerFired: Measures._timer,
    ev.OwnerChanged: Measures._owner_changed,
    ev.PlaybackStarted: Measures._playback_started,
}
