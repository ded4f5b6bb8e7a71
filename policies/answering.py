"""Who picked up: a person, a machine, or a call screener.

The cadence of the greeting decides as Asterisk's AMD does (`apps/app_amd.c`: same names, same comparisons, reasons
like "MAXWORDS-3-3"); recognized words decide earlier and may correct it for a while; a beep decides at once. Every
move is a row of `answering_moves.MOVES`. Speech is locked while undecided, and on a machine until its beep; a hard
deadline with the policy's default ends the doubt. The phrases are `greetings.py`; what a tone is, the ears decide.
"""

from __future__ import annotations

from collections.abc import Callable

from . import arbitration, greetings, speaking, turns
from .answering_moves import DECIDED, MOVES, UNDECIDED, Cause, Phase
from .draft import Draft
from .events import (
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
from .parts import replace
from .proposals import Kind, Proposal, Purpose
from .state import Answering, Holder

QUIET = "answering.quiet"  # the silence that decides
DEADLINE = "answering.deadline"  # the end of doubt, or of waiting for a beep
ATTEMPT = "answering.attempt"  # what is to be said could not be said yet
_ATTEMPT_MS = 200
_P, _C = Phase, Cause
_HUMAN_WORDS_MAX = 6  # a short greeting made of human words needs no long silence after it


def locked(answering: Answering, purpose: Purpose) -> str:
    """Why nothing may be said for this purpose now; empty = it may."""
    if not answering.armed or answering.decided == "human":
        return ""
    if not answering.decided:
        return "who picked up is undecided"
    if answering.decided == "screening":
        return ""
    if answering.beep_ms and purpose is Purpose.MESSAGE:
        return ""
    return "a machine is answered after its beep only" if not answering.beep_ms else "a machine is left a message only"


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
    draft.publish("answering", phase=str(_P.WAITING), decided="", reason="")


# --- what is heard --------------------------------------------------------------------------------------------------


def answered(draft: Draft, event: LineAnswered) -> None:
    """Audio flows: where the policy wants to know who picked up, nothing is said until it knows."""
    if draft.policy.answering.enabled:
        arm(draft)


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """A talkspurt: the first word, or the next one."""
    now = draft.state.answering
    if now.phase in UNDECIDED:
        draft.state.answering = replace(
            now, talk_started_ms=now.talk_started_ms or event.onset_ms, spurt_ms=0, gap_ms=0
        )
        draft.disarm(QUIET)
        _move(draft, _C.VOICE, "")


def speech_measured(draft: Draft, event: SpeechMeasured) -> None:
    """The talkspurt goes on: count its words and its length against the limits."""
    if draft.state.answering.phase == _P.TALKING:
        _count(draft, event.voiced_ms, event.at_ms - event.onset_ms - event.voiced_ms)
        _compare(draft)


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """A pause: long enough after a short greeting, it is a person waiting."""
    if draft.state.answering.phase != _P.TALKING:
        return
    _count(draft, event.voiced_ms, event.ended_ms - event.onset_ms - event.voiced_ms)
    now, limits = draft.state.answering, draft.policy.answering
    word = event.voiced_ms - now.word_from_ms >= limits.minimum_word_length_ms
    draft.state.answering = replace(
        now,
        words_heard=now.words_heard + word,
        voiced_ms=now.voiced_ms + now.spurt_ms,
        spurt_ms=0,
        word_from_ms=0,
        gap_ms=0,
        quiet_since_ms=event.ended_ms,
    )
    _compare(draft)
    if draft.state.answering.phase == _P.TALKING:
        _move(draft, _C.QUIET, "")
        _await_silence(draft)


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Words say more than cadence: a machine's, a screener's, or a person's."""
    now = draft.state.answering
    if now.phase == _P.OFF or not event.text or _correcting_too_late(draft):
        return
    said = turns.plain(f"{draft.state.hearing.words} {event.text}")
    if phrase := greetings.find(greetings.SCREENING, said):
        _move(draft, _C.SCREENINGWORDS, f"SCREENINGWORDS-{phrase}")
    elif phrase := greetings.find(greetings.MACHINE, said):
        _move(draft, _C.MACHINEWORDS, f"MACHINEWORDS-{phrase}")
    elif phrase := greetings.find(greetings.HUMAN, said):
        question = greetings.find(greetings.QUESTIONS, said)
        short = len(said.split()) <= _HUMAN_WORDS_MAX
        if now.phase == _P.SUSPECTED and (question or (short and now.reason.startswith(_C.INITIALSILENCE))):
            _move(draft, _C.HUMANWORDS, f"HUMANWORDS-{question or phrase}")
        elif now.phase in UNDECIDED and (question or short):
            draft.state.answering = replace(now, human_phrase=question or phrase, question=bool(question))
            if now.phase == _P.PAUSING:
                _await_silence(draft)


def tone_heard(draft: Draft, event: ToneHeard) -> None:
    """A single pure tone of a beep's length; ringback and digits are two tones, music is not pure."""
    limits = draft.policy.answering
    now = draft.state.answering
    if now.phase == _P.OFF or event.tones != 1 or _correcting_too_late(draft):
        return
    if event.purity < limits.beep_purity_share or event.duration_ms < limits.beep_minimum_ms:
        return
    draft.state.answering = replace(now, beep_ms=event.started_ms + event.duration_ms)
    moved = _move(
        draft,
        _C.BEEP,
        f"BEEP-{event.duration_ms}-{limits.beep_minimum_ms} {event.frequency_hz:.0f} Hz pure {event.purity:.2f}",
    )
    if not moved:
        draft.state.answering = replace(draft.state.answering, beep_ms=now.beep_ms)


def playback_ended(draft: Draft, event: PlaybackEnded | PlaybackFailed) -> None:
    """The screener has its answer: who picks up now is asked anew."""
    last = draft.state.speech.last
    if draft.state.answering.phase == _P.REPLYING and last is not None and last.id == event.utterance:
        draft.state.answering = replace(draft.state.answering, screened=draft.state.answering.screened + 1)
        arm(draft)


def timer_fired(draft: Draft, event: TimerFired) -> None:
    """A silence, or a deadline, has passed."""
    now, limits = draft.state.answering, draft.policy.answering
    if event.timer == QUIET and now.phase == _P.WAITING:
        waited_ms = event.at_ms - now.armed_ms
        _move(draft, _C.INITIALSILENCE, f"INITIALSILENCE-{waited_ms}-{limits.initial_silence_ms}")
    elif event.timer == QUIET and now.phase == _P.PAUSING:
        _decide_by_silence(draft, event.at_ms - now.quiet_since_ms)
    elif event.timer == ATTEMPT:
        _attempt(draft)
    elif event.timer == DEADLINE and now.phase in UNDECIDED:
        waited_ms = event.at_ms - now.armed_ms
        _move(draft, _C.TOOLONG, f"TOOLONG-{waited_ms}-{limits.total_analysis_time_ms} default {limits.default}")
    elif event.timer == DEADLINE:
        _move(draft, _C.NOBEEP, f"{now.reason} NOBEEP-{limits.beep_wait_ms}-{limits.beep_wait_ms}")


# --- cadence --------------------------------------------------------------------------------------------------------


def _count(draft: Draft, voiced_ms: int, unvoiced_ms: int) -> None:
    """Take a talkspurt's figures in; a gap inside it that is long enough ends a word, as Asterisk counts them."""
    now, limits = draft.state.answering, draft.policy.answering
    words, word_from_ms = now.words_heard, now.word_from_ms
    if unvoiced_ms - now.gap_ms >= limits.between_words_silence_ms:
        words += voiced_ms - word_from_ms >= limits.minimum_word_length_ms
        word_from_ms = voiced_ms
    draft.state.answering = replace(
        now, words_heard=words, word_from_ms=word_from_ms, spurt_ms=voiced_ms, gap_ms=unvoiced_ms
    )


def _compare(draft: Draft) -> None:
    """The three limits of a greeting. A question put to the caller outweighs them: no machine waits for an answer."""
    now, limits = draft.state.answering, draft.policy.answering
    if now.question:
        return
    greeting_ms = limits.greeting_ms * (2 if now.human_phrase else 1)  # words that only people say buy time
    compared = (
        (_C.MAXWORDS, now.words_heard, limits.maximum_number_of_words),
        (_C.LONGGREETING, now.voiced_ms + now.spurt_ms, greeting_ms),
        (_C.MAXWORDLENGTH, now.spurt_ms - now.word_from_ms, limits.maximum_word_length_ms),
    )
    for cause, actual, limit in compared:
        if actual >= limit:
            _move(draft, cause, f"{cause}-{actual}-{limit}")
            return


def _await_silence(draft: Draft) -> None:
    now, limits = draft.state.answering, draft.policy.answering
    if not now.words_heard:  # a click is no greeting
        draft.arm(QUIET, now.armed_ms + max(limits.initial_silence_ms, draft.state.now_ms - now.armed_ms + 1))
        return
    needed_ms = limits.human_words_silence_ms if now.human_phrase else limits.after_greeting_silence_ms
    draft.arm(QUIET, max(draft.state.now_ms, now.quiet_since_ms + needed_ms))


def _decide_by_silence(draft: Draft, silent_ms: int) -> None:
    now, limits = draft.state.answering, draft.policy.answering
    if not now.words_heard:
        draft.state.answering = replace(now, phase=_P.WAITING.value)
        waited_ms = draft.state.now_ms - now.armed_ms
        _move(draft, _C.INITIALSILENCE, f"INITIALSILENCE-{waited_ms}-{limits.initial_silence_ms}")
    elif now.human_phrase:
        words = f"HUMANWORDS-{now.human_phrase} {silent_ms}-{limits.human_words_silence_ms}"
        _move(draft, _C.HUMANWORDS, words)
    else:
        _move(draft, _C.HUMAN, f"HUMAN-{silent_ms}-{limits.after_greeting_silence_ms}")


def _correcting_too_late(draft: Draft) -> bool:
    """A person who speaks of a mailbox in mid-conversation is still a person."""
    now = draft.state.answering
    return now.phase == _P.HUMAN and draft.state.now_ms - now.armed_ms > draft.policy.answering.correction_ms


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
        draft.publish("answering", phase=str(after), decided=draft.state.answering.decided, reason=reason)
        _ENTER[after](draft)
    return True


def _enter_human(draft: Draft) -> None:
    draft.disarm(QUIET)
    draft.disarm(DEADLINE)
    if not draft.state.hearing.speaking:  # whoever still speaks is answered at the end of that turn
        arbitration.open_round(draft, "answered")


def _enter_machine(draft: Draft) -> None:
    draft.disarm(QUIET)
    arbitration.drop_round(draft)
    speaking.cut(draft, "a machine answers")
    limits = draft.policy.answering
    draft.arm(DEADLINE, draft.state.now_ms + limits.beep_wait_ms)
    if not limits.message and draft.state.answering.phase == _P.GREETING:
        _move(draft, _C.NOBEEP, f"{draft.state.answering.reason} no message to leave")


def _enter_beeped(draft: Draft) -> None:
    _enter_machine(draft)
    if draft.policy.answering.message:
        _attempt(draft)
    else:
        _move(draft, _C.NOBEEP, f"{draft.state.answering.reason} no message to leave")


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
    draft.disarm(QUIET)
    draft.disarm(DEADLINE)
    draft.disarm(ATTEMPT)
    if not draft.state.answering.left_message:
        _offer(draft, Kind.HANGUP, "", Purpose.GOODBYE)


_ENTER: dict[Phase, Callable[[Draft], None]] = {
    _P.HUMAN: _enter_human,
    _P.SUSPECTED: _enter_machine,
    _P.GREETING: _enter_machine,
    _P.BEEPED: _enter_beeped,
    _P.SCREENING: _enter_screening,
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
    if current is not None and current.agent == "core":
        if phase == _P.BEEPED:
            draft.state.answering = replace(draft.state.answering, left_message=True)
        _move(draft, _C.SAYING, "")
    else:
        draft.arm(ATTEMPT, state.now_ms + _ATTEMPT_MS)


def _offer(draft: Draft, kind: Kind, text: str, purpose: Purpose) -> None:
    state = draft.state
    arbitration.offer(
        draft,
        Proposal(
            id=f"core:answering:{state.revision}",
            agent="core",
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
