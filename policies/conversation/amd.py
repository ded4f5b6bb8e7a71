"""Who picked up: a person, a machine, or a call screener.

The cadence of the greeting decides as Asterisk's AMD does (`amd_cadence.py`: same names, same comparisons,
reasons like "MAXWORDS-3-3"); recognized words decide earlier and may correct it for a while; a beep decides at once.
Every move is a row of `answering_moves.MOVES`. Speech is locked while undecided, and on a machine until its beep; a
hard deadline with the policy's default ends the doubt. That it is a machine can be revised until the call is over: by
a question to the caller, by words that only somebody says who is there, by a key. Only outbound calls are asked. How
words are read is the language's matter; what a tone is, the ears decide.
"""

from __future__ import annotations

from collections.abc import Callable

from ..core.commands import RoundReason
from ..core.draft import Draft
from ..core.events import (
    DigitPressed,
    LineAnswered,
    PlaybackEnded,
    PlaybackFailed,
    SpeechEnded,
    SpeechMeasured,
    SpeechStarted,
    TimerFired,
    ToneHeard,
    WordsHeard,
)
from ..core.parts import replace
from ..core.proposals import CORE, Kind, Proposal, Purpose
from ..core.state import Answering, Holder
from ..core.topics import Topic
from ..gate import arbitration
from ..language.port import registry
from ..language.port.port import Heard, Voice
from ..speech import speaking, turns
from . import amd_cadence as cadence
from .amd_greeting import of_turn
from .amd_moves import DECIDED, MOVES, UNDECIDED, Cause, Phase

QUIET = "answering.quiet"  # the silence that decides
DEADLINE = "answering.deadline"  # the end of doubt, or of waiting for a beep
ATTEMPT = "answering.attempt"  # what is to be said could not be said yet
HARD_END = "limits.machine"  # limits': the call ends then, whatever became of the hang-up
_ATTEMPT_MS = 200
_P, _C = Phase, Cause
_MACHINES = (_P.SUSPECTED, _P.GREETING, _P.BEEPED, _P.SCREENING)  # decided, and nothing was said yet
_TURNS_MIN = 2  # short talkspurts over the message that are somebody's; one, where no words could have told


def arm(draft: Draft) -> None:
    """Ask the question (again): speech is locked from here on until it is answered."""
    state, limits = draft.state, draft.policy.answering
    state.answering = Answering(
        armed=True, phase=_P.WAITING.value, armed_ms=state.now_ms, screened=state.answering.screened
    )
    # A person whose screener is reading along takes longer to pick up than a beep takes to come.
    patient = state.answering.screened > 0
    draft.arm(DEADLINE, state.now_ms + (limits.beep_wait_ms if patient else limits.total_analysis_time_ms))
    draft.disarm(ATTEMPT)
    if patient:
        draft.disarm(QUIET)
    else:
        draft.arm(QUIET, state.now_ms + limits.initial_silence_ms)
    draft.publish(Topic.ANSWERING, phase=str(_P.WAITING), decided="", reason="")


# --- what is heard --------------------------------------------------------------------------------------------------


def answered(draft: Draft, event: LineAnswered) -> None:
    """Audio flows: where the policy wants to know who picked up, nothing is said until it knows."""
    if draft.policy.answering.enabled and draft.state.direction == "outbound":
        arm(draft)


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """A talkspurt: the first word, or the next one."""
    now = draft.state.answering
    if now.phase in UNDECIDED:
        draft.state.answering = cadence.started(now, event.onset_ms)
        draft.disarm(QUIET)
        _move(draft, _C.VOICE, "")
    elif now.phase != _P.OFF:
        draft.disarm(QUIET)


def speech_measured(draft: Draft, event: SpeechMeasured) -> None:
    """The talkspurt goes on: count its words and its length against the limits."""
    now, limits = draft.state.answering, draft.policy.answering
    if now.phase == _P.TALKING:
        unvoiced_ms = event.at_ms - event.onset_ms - event.voiced_ms
        draft.state.answering = cadence.counted(now, limits, event.voiced_ms, unvoiced_ms)
        _compare(draft)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A pause: long enough after a short greeting, it is a person waiting."""
    state, limits = draft.state, draft.policy.answering
    now = state.answering
    if now.phase == _P.TALKING:
        counted = cadence.counted(now, limits, event.voiced_ms, event.ended_ms - event.onset_ms - event.voiced_ms)
        state.answering = cadence.ended(counted, limits, event.voiced_ms, event.ended_ms)
        _compare(draft)
        if state.answering.phase == _P.TALKING:
            _move(draft, _C.QUIET, "")
            _await_silence(draft)
    elif now.phase in (*_MACHINES, _P.LEAVING):
        current = state.speech.current
        if now.phase == _P.LEAVING and current is not None and 0 < current.started_ms <= event.onset_ms:
            state.answering = cadence.turn_counted(now, limits, event.voiced_ms)
        _await_answer(draft)


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Words say more than cadence: a machine's, a screener's, or a person's."""
    state = draft.state
    now = state.answering
    if now.phase in (_P.OFF, _P.OVER) or not event.text or _correcting_too_late(draft):
        return
    suspected = now.phase == _P.SUSPECTED
    late = suspected and now.reason.startswith(_C.INITIALSILENCE)
    pause_ms = draft.policy.answering.after_greeting_silence_ms
    segments = () if now.phase == _P.HUMAN else state.hearing.segments  # what made it a person stands
    found = of_turn(registry.of(draft.policy), segments, event, pause_ms, suspected=suspected, late=late)
    if now.phase in (_P.LEAVING, _P.REPLYING):
        _answered_over(draft, event, found)
    elif found.voice is Voice.SCREENER:
        _move(draft, _C.SCREENINGWORDS, f"SCREENINGWORDS-{found.phrase}")
    elif found.voice is Voice.MACHINE:
        state.answering = replace(now, question=False, human_phrase="", sure=now.sure or found.sure)
        if not _move(draft, _C.MACHINEWORDS, f"MACHINEWORDS-{found.phrase}"):
            _await_answer(draft)
    elif found.voice is Voice.PERSON:
        _person(draft, found.phrase, event.final)
    elif now.phase in UNDECIDED:
        kept = found.phrase if found.voice is Voice.GREETING else now.human_phrase
        state.answering = replace(now, human_phrase=kept, question=False)
        if now.phase == _P.PAUSING:
            _await_silence(draft)
    elif now.question:
        state.answering = replace(now, human_phrase="", question=False)  # it was not the last clause


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """A key: somebody is there, whatever was heard before."""
    _move(draft, _C.KEY, f"KEY-{event.at_ms - draft.state.answering.armed_ms}")


def tone_heard(draft: Draft, event: ToneHeard) -> None:
    """A single pure tone of a beep's length; ringback and digits are two tones, music is not pure."""
    limits = draft.policy.answering
    now = draft.state.answering
    if now.phase == _P.OFF or event.tones != 1 or _correcting_too_late(draft):
        return
    if event.purity < limits.beep_purity_share or event.duration_ms < limits.beep_minimum_ms:
        return
    draft.state.answering = replace(now, beep_ms=event.started_ms + event.duration_ms)
    pure = f"{event.frequency_hz:.0f} Hz pure {event.purity:.2f}"
    if not _move(draft, _C.BEEP, f"BEEP-{event.duration_ms}-{limits.beep_minimum_ms} {pure}"):
        draft.state.answering = replace(draft.state.answering, beep_ms=now.beep_ms)


def playback_ended(draft: Draft, event: PlaybackEnded | PlaybackFailed) -> None:
    """The message is left; or the screener has its answer: who picks up now is asked anew."""
    now, last = draft.state.answering, draft.state.speech.last
    if now.phase not in (_P.LEAVING, _P.REPLYING) or last is None or last.id != event.utterance:
        return
    if now.phase == _P.LEAVING:
        _move(draft, _C.SAID, "")
    else:
        draft.state.answering = replace(now, screened=now.screened + 1)
        arm(draft)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """A silence, or a deadline, has passed."""
    now, limits = draft.state.answering, draft.policy.answering
    if event.timer == QUIET:
        _decide_by_silence(draft)
    elif event.timer == ATTEMPT:
        _attempt(draft)
    elif now.phase in UNDECIDED:
        waited_ms = event.at_ms - now.armed_ms
        _move(draft, _C.TOOLONG, f"TOOLONG-{waited_ms}-{limits.total_analysis_time_ms} default {limits.default}")
    elif now.phase == _P.LEAVING:
        _move(draft, _C.NOBEEP, f"{now.reason} message longer than {limits.message_ms} ms")
    else:
        _move(draft, _C.NOBEEP, f"{now.reason} NOBEEP-{limits.beep_wait_ms}-{limits.beep_wait_ms}")


# --- what words and silences say ------------------------------------------------------------------------------------


def _person(draft: Draft, phrase: str, final: bool) -> None:
    """Words that only a person says; a partial reading, or one in mid-speech, waits for the silence behind it."""
    state = draft.state
    if state.answering.phase == _P.HUMAN:
        return
    state.answering = replace(state.answering, human_phrase=phrase, question=True)
    if state.hearing.speaking:
        return
    if final:
        _move(draft, _C.HUMANWORDS, f"HUMANWORDS-{phrase}")
    elif state.answering.phase in UNDECIDED:
        _await_silence(draft)
    else:
        _await_answer(draft)


def _answered_over(draft: Draft, event: WordsHeard, found: Heard) -> None:
    """Words while the message (or the reply to a screener) is heard: a live answer takes its place."""
    current = draft.state.speech.current
    begun_ms = (current.started_ms or current.sent_ms) if current is not None else draft.state.now_ms
    if event.started_ms < begun_ms or found.voice in (Voice.MACHINE, Voice.SCREENER):
        return  # the end of the greeting, read late
    phrase = (
        found.phrase if found.voice in (Voice.PERSON, Voice.GREETING) else registry.of(draft.policy).live(event.text)
    )
    if phrase:
        _move(draft, _C.HUMANWORDS, f"HUMANWORDS-{phrase} over the {draft.state.answering.phase}")


def _await_silence(draft: Draft) -> None:
    """Undecided: a short greeting, and then a silence, is a person who waits for an answer."""
    draft.arm(QUIET, cadence.silence_due_ms(draft.state.answering, draft.policy.answering, draft.state.now_ms))


def _await_answer(draft: Draft) -> None:
    """Decided for a machine: a silence behind a question is a person's, behind a greeting there is nothing to come."""
    state, limits = draft.state, draft.policy.answering
    if state.hearing.speaking:
        return
    now = state.answering = replace(state.answering, quiet_since_ms=state.hearing.ended_ms)
    turns_min = 1 if "recognizer" in state.lost_parts else _TURNS_MIN
    if now.question:
        draft.arm(QUIET, max(state.now_ms, now.quiet_since_ms + limits.human_words_silence_ms))
    elif now.phase == _P.GREETING and not limits.message:  # nothing to leave; but somebody may still say hello
        draft.arm(QUIET, max(state.now_ms, now.quiet_since_ms + limits.initial_silence_ms))
    elif now.phase == _P.LEAVING and now.turns >= turns_min:
        draft.arm(QUIET, max(state.now_ms, now.quiet_since_ms + limits.after_greeting_silence_ms))


def _decide_by_silence(draft: Draft) -> None:
    now, limits = draft.state.answering, draft.policy.answering
    if now.phase == _P.PAUSING and not now.words_heard and not now.human_phrase:
        draft.state.answering = replace(now, phase=_P.WAITING.value)  # what was heard was no greeting
    _move(draft, *cadence.by_silence(draft.state.answering, limits, draft.state.now_ms))


def _compare(draft: Draft) -> None:
    exceeded = cadence.exceeded(draft.state.answering, draft.policy.answering)
    if exceeded is not None:
        _move(draft, *exceeded)


def _correcting_too_late(draft: Draft) -> bool:
    """A person who speaks of a mailbox in mid-conversation is still a person; so is one who has pressed a key."""
    now = draft.state.answering
    late = draft.state.now_ms - max(now.armed_ms, now.decided_ms) > draft.policy.answering.correction_ms
    return now.phase == _P.HUMAN and (late or now.reason.startswith(_C.KEY))


# --- moves ----------------------------------------------------------------------------------------------------------


def _move(draft: Draft, cause: Cause, reason: str) -> bool:
    """Move by a row of the table; False where there is none."""
    now = draft.state.answering
    after = MOVES.get((Phase(now.phase), cause))
    if after is None:
        return False
    if cause is _C.TOOLONG and draft.policy.answering.default == "machine":
        after = _P.SUSPECTED
    draft.state.answering = replace(
        now, phase=after.value, decided=DECIDED.get(after, now.decided), reason=reason or now.reason
    )
    if after in _ENTER:
        draft.publish(Topic.ANSWERING, phase=str(after), decided=draft.state.answering.decided, reason=reason)
        _ENTER[after](draft)
    return True


def _enter_human(draft: Draft) -> None:
    state = draft.state
    for timer in (QUIET, DEADLINE, ATTEMPT):
        draft.disarm(timer)
    state.answering = replace(state.answering, decided_ms=state.now_ms)
    if state.speech.current is not None and state.speech.current.agent == CORE:  # the message, or a screener's reply
        state.overlap = None
        draft.disarm("overlap")
        speaking.cut(draft, "a person answers")
    if not state.hearing.speaking:  # whoever still speaks is answered at the end of that turn
        arbitration.open_round(draft, RoundReason.ANSWERED)


def _enter_machine(draft: Draft) -> None:
    draft.disarm(QUIET)
    turns.drop_round(draft)
    speaking.cut(draft, "a machine answers")
    draft.arm(DEADLINE, draft.state.now_ms + draft.policy.answering.beep_wait_ms)
    _await_answer(draft)


def _enter_greeting(draft: Draft) -> None:
    _enter_machine(draft)
    if draft.state.answering.sure and not draft.policy.answering.message:
        _move(draft, _C.NOBEEP, f"{draft.state.answering.reason} no message to leave")


def _enter_beeped(draft: Draft) -> None:
    _enter_machine(draft)
    if draft.policy.answering.message:
        _attempt(draft)
    else:
        _move(draft, _C.NOBEEP, f"{draft.state.answering.reason} no message to leave")


def _enter_saying(draft: Draft) -> None:
    now = draft.state.answering
    left = now.left_message or now.phase == _P.LEAVING
    draft.state.answering = replace(now, left_message=left, turns=0)
    draft.disarm(QUIET)
    draft.arm(DEADLINE, draft.state.now_ms + draft.policy.answering.message_ms)


def _enter_screening(draft: Draft) -> None:
    _enter_machine(draft)
    if (
        draft.policy.answering.screening_reply
        and draft.state.answering.screened < draft.policy.answering.screenings_max
    ):
        draft.arm(ATTEMPT, draft.state.now_ms + _ATTEMPT_MS)
    else:
        _move(draft, _C.NOBEEP, f"{draft.state.answering.reason} no reply to give")


def _enter_over(draft: Draft) -> None:
    for timer in (QUIET, DEADLINE, ATTEMPT):
        draft.disarm(timer)
    draft.arm(HARD_END, draft.state.now_ms + draft.policy.limits.grace_ms)
    if not draft.state.outcome:
        _offer(draft, Kind.HANGUP, "", Purpose.GOODBYE)


_ENTER: dict[Phase, Callable[[Draft], None]] = {
    _P.HUMAN: _enter_human,
    _P.SUSPECTED: _enter_machine,
    _P.GREETING: _enter_greeting,
    _P.BEEPED: _enter_beeped,
    _P.LEAVING: _enter_saying,
    _P.SCREENING: _enter_screening,
    _P.REPLYING: _enter_saying,
    _P.OVER: _enter_over,
}


def _attempt(draft: Draft) -> None:
    """Say what is due (the message, the screener's answer) once the line is quiet; ask again until it is being said."""
    state, limits = draft.state, draft.policy.answering
    phase = state.answering.phase
    if phase not in (_P.BEEPED, _P.SCREENING):
        return
    if state.floor.holder is Holder.NOBODY and not state.hearing.speaking:
        if phase == _P.BEEPED:
            _offer(draft, Kind.HANGUP, limits.message, Purpose.MESSAGE)
        else:
            _offer(draft, Kind.SAY, limits.screening_reply, Purpose.ANSWER)
    current = draft.state.speech.current
    if current is not None and current.agent == CORE:
        _move(draft, _C.SAYING, "")
    else:
        draft.arm(ATTEMPT, state.now_ms + _ATTEMPT_MS)


def _offer(draft: Draft, kind: Kind, text: str, purpose: Purpose) -> None:
    state = draft.state
    arbitration.offer(
        draft,
        Proposal(
            id=f"core:answering:{state.revision}",
            agent=CORE,
            kind=kind,
            turn=state.turn,
            basis=state.revision,
            text=text,
            purpose=purpose,
            priority=1.0,
            interruptible=False,
            reason=state.answering.reason,
        ),
    )
