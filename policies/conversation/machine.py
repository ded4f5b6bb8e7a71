"""The one door of a call: `step(state, event, policy) -> Decision(state, commands)`.

Pure: the same state, event and policy give the same decision, byte for byte. Which reducers hear of which event, and in
which order, is the table REDUCERS; the rules themselves live in the reducers. An event that the state does not allow
raises `IllegalEvent` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..core import events as ev
from ..core.commands import ArmTimer, Command, DisarmTimer
from ..core.draft import Draft, FollowUp
from ..core.errors import IllegalEvent
from ..core.parts import part
from ..core.policy import Policy
from ..core.state import CallState, Line
from ..evidence import cues
from ..gate import acts, approvals, arbitration, consent, debts, execution
from ..speech import prosody, speaking, turns
from . import amd, barge_in, endpointing, limits, presence, silence, stages, swap, unheard

Reducer = Callable[[Draft, Any], None]


@part
class Decision:
    """What follows from one event: the new state, and the effects to carry out, in order."""

    state: CallState
    commands: tuple[Command, ...]


# Which reducers hear of an event, in this order.
REDUCERS: dict[type[ev.Event], tuple[Reducer, ...]] = {
    ev.CallCreated: (turns.created, limits.created),
    ev.LineAnswered: (limits.answered, amd.answered, arbitration.answered),
    ev.LineLost: (speaking.line_lost, limits.line_lost),
    ev.LineResumed: (limits.line_resumed, speaking.line_resumed),
    ev.LineClosed: (limits.line_closed,),
    ev.SpeechStarted: (
        turns.speech_started,
        amd.speech_started,
        presence.speech_started,
        silence.speech_started,
        endpointing.speech_started,
        barge_in.speech_started,
    ),
    ev.SpeechMeasured: (turns.speech_measured, amd.speech_measured, barge_in.speech_measured),
    ev.SpeechEnded: (
        turns.speech_ended,
        prosody.speech_ended,
        amd.speech_ended,
        presence.speech_ended,
        barge_in.speech_ended,
        endpointing.speech_ended,
        debts.speech_ended,
        unheard.speech_ended,
    ),
    ev.ToneHeard: (amd.tone_heard,),
    ev.WordsHeard: (
        turns.words_heard,
        cues.words_heard,
        consent.words_heard,
        prosody.words_heard,
        amd.words_heard,
        stages.words_heard,
        acts.reconsider,
        barge_in.words_heard,
        silence.words_heard,
        endpointing.words_heard,
    ),
    ev.DigitPressed: (
        cues.digit_pressed,  # first: it looks at the question that was being asked
        acts.reconsider,
        barge_in.digit_pressed,
        silence.digit_pressed,
        endpointing.digit_pressed,
        presence.digit_pressed,
        amd.digit_pressed,
    ),
    ev.PlaybackStarted: (speaking.playback_started,),
    ev.PlaybackReached: (speaking.playback_reached,),
    ev.PlaybackStopped: (speaking.playback_stopped,),
    ev.PlaybackEnded: (
        speaking.playback_ended,
        barge_in.playback_ended,
        endpointing.playback_ended,
        amd.playback_ended,
        silence.playback_ended,
    ),
    ev.PlaybackFailed: (
        speaking.playback_failed,
        barge_in.playback_ended,
        endpointing.playback_ended,
        amd.playback_ended,
        silence.playback_ended,
    ),
    ev.AgentJoined: (arbitration.agent_joined,),
    ev.AgentLost: (arbitration.agent_lost,),
    ev.AgentAnswered: (arbitration.agent_answered,),
    ev.Journaled: (acts.journaled,),
    ev.ActionBegun: (acts.action_begun,),
    ev.ActionFinished: (
        acts.action_finished,
        stages.action_finished,
        silence.action_finished,
        arbitration.action_finished,
    ),
    ev.OperatorDecided: (approvals.operator_decided,),
    ev.HangupRequested: (limits.hangup_requested,),
    ev.HealthChanged: (execution.health_changed, unheard.health_changed),
    ev.OwnerChanged: (speaking.owner_changed, arbitration.owner_changed),
    ev.PolicyChanged: (swap.policy_changed,),
}

# Which reducer a timer belongs to, by the first part of its name ("silence", "limits.call" -> "limits").
TIMERS: dict[str, Reducer] = {
    "overlap": barge_in.timer_fired,
    "end_of_turn": endpointing.timer_fired,
    "silence": silence.timer_fired,
    "round": arbitration.timer_fired,
    "answering": amd.timer_fired,
    "limits": limits.timer_fired,
    "gate": approvals.timer_fired,
    "owed": debts.timer_fired,
    "presence": presence.timer_fired,
}

# Who sees to what a reducer asked for (`Draft.then`).
FOLLOW_UPS: dict[FollowUp, Callable[..., object]] = {
    FollowUp.FLOOR_FREE: execution.floor_free,
    FollowUp.SETTLE_UP: debts.settle_up,
    FollowUp.ROUND_OVER: debts.round_over,
    FollowUp.DEBTS_OVERFLOW: debts.write_off_excess,
    FollowUp.WAIT_OVER: silence.goes_on,
    FollowUp.APPROVAL_ASKED: approvals.tell,
}

_AFTER_CLOSE: tuple[type[ev.Event], ...] = (
    ev.LineClosed,
    ev.PlaybackStopped,
    ev.PlaybackEnded,
    ev.PlaybackFailed,
    ev.ActionFinished,
    ev.AgentLost,
    ev.HealthChanged,
    ev.OwnerChanged,
)


def step(state: CallState, event: ev.Event, policy: Policy) -> Decision:
    """Fold one event in.

    Raises:
        IllegalEvent: the event is of an unknown kind, runs backwards in time, or cannot happen in this state.
    """
    reducers = _reducers_for(state, event)
    draft = Draft(state, policy)
    after = draft.state
    after.revision += 1
    after.now_ms = event.at_ms
    for reducer in reducers:
        reducer(draft, event)
        if draft.follow_ups:
            follow_up(draft)
    if draft.timers is not state.timers or after.line is Line.CLOSED:
        fired = event.timer if isinstance(event, ev.TimerFired) else ""
        _turn_timers_into_commands(draft, state.timers, fired)
    return Decision(after, tuple(draft.commands))


def follow_up(draft: Draft) -> None:
    """See to what a reducer has asked the layers above it for, in order, and to what that asks for."""
    while draft.follow_ups:
        (what, arguments), *rest = draft.follow_ups
        draft.follow_ups = tuple(rest)
        FOLLOW_UPS[what](draft, *arguments)


def _reducers_for(state: CallState, event: ev.Event) -> tuple[Reducer, ...]:
    kind = type(event)
    if event.at_ms < state.now_ms:
        raise IllegalEvent(f"{kind.__name__} at {event.at_ms} ms: the call has already reached {state.now_ms} ms")
    if not state.call and kind is not ev.CallCreated:
        raise IllegalEvent(f"{kind.__name__} before CallCreated: every call begins with CallCreated")
    if state.line is Line.CLOSED and kind not in _AFTER_CLOSE:
        return ()
    if isinstance(event, ev.TimerFired):
        if state.timers.get(event.timer) != event.deadline_ms:
            return ()  # disarmed or re-armed since; a late firing changes nothing
        return (_forget_timer, TIMERS[event.timer.partition(".")[0]])
    reducers = REDUCERS.get(kind)
    if reducers is None:
        raise IllegalEvent(
            f"{kind.__name__} is not an event of a call; known: {', '.join(k.__name__ for k in REDUCERS)}"
        )
    return reducers


def _forget_timer(draft: Draft, event: ev.TimerFired) -> None:
    draft.disarm(event.timer)


def _turn_timers_into_commands(draft: Draft, before: Mapping[str, int], fired: str) -> None:
    """What the reducers made of the timers, as commands. The one that `fired` needs no disarming; it is gone."""
    if draft.state.line is Line.CLOSED:
        draft.timers = {}
    for timer in before:
        if timer not in draft.timers and timer != fired:
            draft.command(DisarmTimer(timer))
    for timer, deadline_ms in draft.timers.items():
        if before.get(timer) != deadline_ms or timer == fired:
            draft.command(ArmTimer(timer, deadline_ms))
    draft.state.timers = draft.timers
