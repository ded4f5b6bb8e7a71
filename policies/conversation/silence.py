"""Silence: nobody speaks. How it is read, and the ladder that is climbed while it lasts.

Belongs here: what a silence follows, how long it is left alone, and which rung comes next, all of it in the table
LADDER. Does not belong here: when a caller's turn is over (`endpointing.py`), what the agents say (their proposals).

Deadlines are absolute: they count from the moment at which the caller had heard the agent out, as the carrier
confirmed it, and noise never moves them. Words end a silence. The core's own lines do not: the ladder goes on after
them, with room for an answer. While a tool is at work or the caller is on hold the ladder stands still; it is resumed
explicitly. Sound without words puts a rung off only so long, and the ladder stands still only so long (`silence.noise`,
`speech`, `busy`, `hold`): every silence ends in words or in the ladder's last rung.
"""

from __future__ import annotations

from ..core.commands import RoundReason
from ..core.draft import Draft
from ..core.events import (
    ActionFinished,
    DigitPressed,
    PlaybackEnded,
    PlaybackFailed,
    SpeechStarted,
    TimerFired,
    WordsHeard,
)
from ..core.parts import part, replace
from ..core.proposals import CORE, Asks, Kind, Proposal, Purpose
from ..core.state import CallState, Line, Sign, Silence, Stage, Utterance
from ..core.topics import Topic
from ..evidence import evidence
from ..gate import arbitration
from ..speech import cadence, turns

TIMER = "silence"


@part
class Rung:
    """One step of the ladder: how the silence is read from here on, and what is done about it."""

    name: str
    mood: str  # "thinking", "hesitating", "absent"
    act: str  # "room" = leave it alone, "say" a line, "round" = ask the agents, "close" = goodbye and hang up
    line: str = ""  # key of the policy's `silence.lines`


_ROOM = Rung("room", "thinking", "room")
_REASSURE = Rung("reassure", "hesitating", "say", "reassure")
_CLARIFY = Rung("clarify", "hesitating", "say", "clarify")
_CHECK = Rung("check", "hesitating", "say", "check")
_AGENTS = Rung("agents", "hesitating", "round")
_REENGAGE = Rung("reengage", "absent", "say", "reengage")
_HELP = Rung("help", "absent", "say", "help")
_CLOSE = Rung("close", "absent", "close", "close")

# What came before the silence -> its rungs, in order. The last one ends the call.
LADDER: dict[str, tuple[Rung, ...]] = {
    "question": (_ROOM, _CLARIFY, _REENGAGE, _HELP, _CLOSE),
    "offer": (_ROOM, _REASSURE, _REENGAGE, _HELP, _CLOSE),  # a price is thought over
    "confirmation": (_ROOM, _REASSURE, _REENGAGE, _HELP, _CLOSE),
    "statement": (_ROOM, _AGENTS, _REENGAGE, _HELP, _CLOSE),  # nothing was asked: the agents may go on
    "wait": (_ROOM, _CHECK, _REENGAGE, _HELP, _CLOSE),  # "hold on a second"
    "turn": (_ROOM, _AGENTS, _REENGAGE, _HELP, _CLOSE),  # the caller spoke and no agent answered
    "interruption": (_ROOM, _AGENTS, _REENGAGE, _HELP, _CLOSE),  # the agent gave way, and nothing came
    "answered": (_ROOM, _AGENTS, _REENGAGE, _CLOSE),  # the line is open and nobody has said anything yet
}

ASKS_FOR_THEM = 2  # the rung of every ladder from which the caller is taken for absent

_AFTER_PURPOSE = {
    Purpose.OFFER: "offer",
    Purpose.QUESTION: "question",
    Purpose.CONFIRMATION: "confirmation",
}

# Where the conversation stands stretches the room: a calendar is looked up, an offer is weighed; at the opening a
# silent line is more often a missed greeting than a thought.
_STAGE_ROOM = {Stage.OPENING: 0.8, Stage.OFFERING: 1.2, Stage.BOOKING: 1.25, Stage.CLOSING: 0.8}
_CADENCE_ROOM = (0.9, 1.5)  # a slow speaker thinks slowly too; a fast one is not rushed
_LATE_MS = 100  # a timer that is due may fire so late on a busy machine; looking again sooner would be a loop
_STRENGTH = {"hesitating": 0.3, "absent": 0.5}  # of the HESITATION that a climbed rung is


# --- events ---------------------------------------------------------------------------------------------------------


def playback_ended(draft: Draft, event: PlaybackEnded | PlaybackFailed) -> None:
    """The caller has heard the agent out: from here on it is their silence."""
    state = draft.state
    last = state.speech.last
    if last is None or last.id != event.utterance or state.speech.current is not None or state.outcome:
        return
    present = state.silence
    if last.agent == CORE and present.since_ms:
        answerable_ms = state.now_ms + draft.policy.silence.hesitating_after_ms
        state.silence = replace(present, deadline_ms=max(present.deadline_ms, answerable_ms))
        if not state.hearing.speaking:
            draft.arm(TIMER, state.silence.deadline_ms)
        return
    begin(draft, _after(state, last))


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """Somebody may be answering: the rung is put off, by so much and no more however often it is noise."""
    if draft.state.silence.since_ms and TIMER in draft.timers:
        draft.arm(TIMER, _put_off_ms(draft))


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Words end the silence, however long it was; a second reading of words already answered does not."""
    state = draft.state
    decided = state.end_of_turn
    if not event.text.strip() or turns.belongs_to_an_earlier_turn(draft, event):
        return
    if decided.decided_ms and turns.plain(decided.decided_words) == turns.plain(state.hearing.words):
        return
    end(draft)


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """A key is an answer."""
    end(draft)


def action_finished(draft: Draft, event: ActionFinished) -> None:
    """What kept the ladder still may be done."""
    goes_on(draft)


def goes_on(draft: Draft) -> None:
    """Something that the caller waited for is over: the ladder goes on, unless there is more."""
    if draft.state.silence.suspended_ms and not arbitration.busy(draft.state):
        _resume_suspended(draft)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """The present rung's time is over: climb, unless somebody is about to be heard."""
    state = draft.state
    silence = state.silence
    if not silence.since_ms or state.line is not Line.OPEN or state.speech.current is not None or state.outcome:
        return
    if state.hearing.speaking and state.now_ms < _put_off_ms(draft):
        draft.arm(TIMER, _put_off_ms(draft))
        return
    if _stands_still(draft):
        _suspend(draft)
    elif silence.suspended_ms:
        _resume_suspended(draft)
    elif state.answering.armed and state.answering.decided != "human":  # `amd.py` has limits of its own
        draft.arm(TIMER, state.now_ms + draft.policy.silence.hesitating_after_ms)
    elif state.round is not None:
        draft.arm(TIMER, max(state.now_ms, state.round.deadline_ms) + 1)  # an answer is under way
    else:
        _climb(draft)


# --- for other files ------------------------------------------------------------------------------------------------


def begin(draft: Draft, after: str) -> None:
    """Nobody speaks from this moment on; the ladder of `after` (a key of LADDER) starts at its first rung.

    A caller who has not said a word for `silence.alone`, however much the agents said meanwhile, is taken for absent:
    the ladder goes on at the rung that asks for them, and what the agents say moves it no more.
    """
    state, before = draft.state, draft.state.silence
    if state.presence.recorded:
        return  # nobody is there to be silent; how long that is borne is `presence.py`'s matter
    alone_since_ms = before.alone_since_ms or max(1, state.now_ms)
    rung, deadline_ms = 1, state.now_ms + room_ms(draft, after)
    if state.now_ms - alone_since_ms >= draft.policy.silence.alone_ms:
        rung, deadline_ms = max(ASKS_FOR_THEM, before.rung), max(before.deadline_ms, state.now_ms)
    state.silence = Silence(
        after,
        max(1, state.now_ms),
        rung=rung,
        mood=LADDER[after][rung - 1].mood,
        deadline_ms=deadline_ms,
        stood_ms=_stood_ms(state),
        alone_since_ms=alone_since_ms,
    )
    draft.arm(TIMER, deadline_ms)


def end(draft: Draft) -> None:
    """Somebody speaks, and means it."""
    if draft.state.silence.since_ms:
        draft.state.silence = Silence()
        draft.disarm(TIMER)


def resume(draft: Draft) -> None:
    """It was noise: the ladder goes on as if nothing had been heard."""
    state = draft.state
    if state.silence.since_ms:
        draft.arm(TIMER, max(state.now_ms, state.silence.deadline_ms))
    elif state.speech.current is None and state.speech.last is not None and not state.outcome:
        begin(draft, _after(state, state.speech.last))


def caller_finished(draft: Draft) -> None:
    """The caller's turn is over and an answer is due; if none comes, the ladder asks for it.

    Sound without words does not restart a ladder that is being climbed.
    """
    state = draft.state
    wordless = not state.hearing.words and "recognizer" not in state.lost_parts
    if wordless and state.silence.since_ms:
        resume(draft)
        return
    begin(draft, "wait" if _asked_to_wait(state) else "turn")


def room_ms(draft: Draft, after: str) -> int:
    """How long this silence is left alone: by what came before it, the stage, and this caller's cadence."""
    ladder = draft.policy.silence
    base = {"offer": ladder.room_after_offer_ms, "wait": ladder.room_after_wait_ms}.get(
        after, ladder.hesitating_after_ms
    )
    if after in ("wait", "turn"):
        return base  # the caller named it, or it is ours to answer
    own = min(max(cadence.factor(draft.state.cadence), _CADENCE_ROOM[0]), _CADENCE_ROOM[1])
    return round(base * own * _STAGE_ROOM.get(draft.state.stage, 1.0))


# --- the ladder -----------------------------------------------------------------------------------------------------


def _climb(draft: Draft) -> None:
    state = draft.state
    silence = state.silence
    ladder = LADDER[silence.after]
    rung = ladder[min(silence.rung, len(ladder) - 1)]
    state.silence = replace(silence, rung=silence.rung + 1, mood=rung.mood)
    waited_ms = state.now_ms - silence.since_ms
    draft.publish(Topic.SILENCE, rung=rung.name, mood=rung.mood, after=silence.after, waited_ms=waited_ms)
    if silence.after not in ("turn", "answered", "wait"):
        evidence.add(draft, Sign.HESITATION, _STRENGTH[rung.mood], source="silence", topic="")
    _await_rung(draft, _next_deadline_ms(draft))
    if rung.act == "round":
        arbitration.open_round(draft, RoundReason.SILENCE)
    else:
        arbitration.offer(draft, _proposal(draft, rung))


def _put_off_ms(draft: Draft) -> int:
    """The moment up to which sound may put the present rung off, counted from the rung's own deadline."""
    state, ladder = draft.state, draft.policy.silence
    return state.silence.deadline_ms + (ladder.speech_ms if "recognizer" in state.lost_parts else ladder.noise_ms)


def _next_deadline_ms(draft: Draft) -> int:
    """When the rung after the present one is due, counted from the silence's beginning."""
    state = draft.state
    ladder = draft.policy.silence
    second_ms = state.silence.since_ms + ladder.absent_after_ms
    return max(second_ms if state.silence.rung == 2 else 0, state.now_ms + ladder.rung_gap_ms)


def _await_rung(draft: Draft, deadline_ms: int) -> None:
    draft.state.silence = replace(draft.state.silence, deadline_ms=deadline_ms)
    draft.arm(TIMER, deadline_ms)


def _proposal(draft: Draft, rung: Rung) -> Proposal:
    state = draft.state
    text = draft.policy.silence.lines.get(rung.line, "")
    if rung.act == "close" and state.hearing.speaking:
        text = ""  # endless noise: nobody would hear a goodbye, and it would wait for the floor for ever
    return Proposal(
        id=f"core-silence-{state.revision}",
        agent=CORE,
        kind=Kind.HANGUP if rung.act == "close" else Kind.SAY,
        turn=state.turn,
        basis=state.revision,
        text=text,
        purpose=Purpose.GOODBYE if rung.act == "close" else Purpose.REASSURANCE,
        action="silence" if rung.act == "close" else "",
        priority=1.0,
        reason=f"silence after {state.silence.after}: {rung.name}",
    )


def _after(state: CallState, last: Utterance) -> str:
    if state.silence.after == "wait" and last.asks is Asks.NOTHING:
        return "wait"  # the agent said "sure, take your time"
    named = _AFTER_PURPOSE.get(last.purpose)
    return named or ("statement" if last.asks is Asks.NOTHING else "question")


def _asked_to_wait(state: CallState) -> bool:
    """True where the newest thing that the caller's words said in this turn is a request to wait."""
    for signal in reversed(state.ledger.signals):
        if signal.turn != state.turn:
            return False
        if signal.source == "words" and signal.id not in state.ledger.retracted:
            if signal.sign is Sign.WAIT:
                return True
            if signal.sign not in (Sign.HESITATION, Sign.RETRACTION):
                return False
    return False


# --- standing still -------------------------------------------------------------------------------------------------


def _stands_still(draft: Draft) -> bool:
    """A hold lasts as long as it was meant to, a tool only so long as tools do; and neither is begun anew for ever."""
    state, ladder = draft.state, draft.policy.silence
    if arbitration.HOLD in state.timers:
        return _stood_ms(state) < ladder.hold_ms
    since_ms = state.silence.suspended_ms
    if state.authority.approvals:
        return True  # it has a limit of its own
    return arbitration.busy(state) and (not since_ms or state.now_ms - since_ms < ladder.busy_ms)


def _stood_ms(state: CallState) -> int:
    """How long the ladder has stood still since the caller last said a word."""
    since_ms = state.silence.suspended_ms
    return state.silence.stood_ms + (state.now_ms - since_ms if since_ms else 0)


def _suspend(draft: Draft) -> None:
    state, ladder = draft.state, draft.policy.silence
    since_ms = state.silence.suspended_ms or state.now_ms
    state.silence = replace(state.silence, suspended_ms=since_ms)
    until_ms = since_ms + ladder.busy_ms
    if arbitration.HOLD in state.timers:
        until_ms = min(state.timers[arbitration.HOLD] + 1, since_ms + ladder.hold_ms - state.silence.stood_ms)
    _await_rung(draft, max(state.now_ms + _LATE_MS, until_ms))
    draft.publish(Topic.SILENCE, rung="", mood="suspended", after=state.silence.after, waited_ms=0)


def _resume_suspended(draft: Draft) -> None:
    """The ladder goes on at its rung with a full gap: what was waited for the call is not held against the caller."""
    state = draft.state
    since_ms = state.silence.since_ms + state.now_ms - state.silence.suspended_ms
    state.silence = replace(state.silence, since_ms=since_ms, suspended_ms=0, stood_ms=_stood_ms(state))
    _await_rung(draft, state.now_ms + draft.policy.silence.hesitating_after_ms)
