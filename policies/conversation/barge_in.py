"""Barge-in, in two beats.

Beat one: voice activity confirms that the caller speaks while the agent does, and the agent is silenced at once
(*hold*). Beat two: within the decision window, words, duration and energy settle what it was: a barge-in (*cut*; the
heard text is kept, authority is suspended until the new words are understood), or a backchannel, a cough, noise
(*resume* from the held word). Speech that is not interruptible plays on, and what the caller said is kept. Recognized
words come late: after a resume the overlap is watched a while longer, so that words can still correct the decision.
How likely a floor take is, is `overlap.py`'s matter. The caller wins every unresolved tie: the agent is silent.

Nothing is cut before a word is read where a recognizer works: over sound without words the agent is held, and its
sentence goes on afterwards. How long one utterance may be held so, in all, is the policy's `barge_in.wordless`; what
goes on longer is noise, and holds it no more.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import (
    DigitPressed,
    PlaybackEnded,
    PlaybackFailed,
    SpeechEnded,
    SpeechMeasured,
    SpeechStarted,
    TimerFired,
    WordsHeard,
)
from ..core.parts import replace
from ..core.proposals import Asks
from ..core.state import AgentSpeech, CallState, Holder, Overlap, Playing, Utterance
from ..core.topics import Topic
from ..gate import debts, execution
from ..language.port import registry
from ..speech import speaking, turns
from ..speech.floor import Move
from . import endpointing, overlap

TIMER = "overlap"

_QUESTION_MS = 6_000  # before the end of an utterance; a question of fifteen words, the longest that is taken in


def speech_started(draft: Draft, event: SpeechStarted) -> None:
    """Beat one: the caller is heard over the agent, or over an utterance about to be heard."""
    state = draft.state
    current = state.speech.current
    if current is None:
        return
    if current.playing is Playing.HELD and state.overlap is not None:
        state.overlap = replace(state.overlap, spurt_over=False)  # goes on within the same overlap
        return
    noise = _known_noise(draft, current)
    deadline_ms = event.onset_ms + draft.policy.barge_in.decision_window_ms
    state.overlap = Overlap(
        utterance=current.id,
        onset_ms=event.onset_ms,
        confirmed_ms=event.at_ms,
        deadline_ms=max(deadline_ms, event.at_ms),
        held=current.interruptible and not noise,
        voiced_ms=state.hearing.voiced_ms,
        noise=noise,
    )
    draft.arm(TIMER, state.overlap.deadline_ms)
    if state.overlap.held:
        speaking.hold(draft)
        draft.publish(Topic.OVERLAP, what="held", utterance=current.id, onset_ms=event.onset_ms)


def speech_measured(draft: Draft, event: SpeechMeasured) -> None:
    """The overlap lasts: enough of it is a take before any word is known."""
    if draft.state.overlap is not None:
        draft.state.overlap = replace(draft.state.overlap, voiced_ms=event.voiced_ms)
        _judge(draft)


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Words of the overlap are in: they may settle it, or correct how it was settled."""
    state = draft.state
    if state.overlap is None or turns.belongs_to_an_earlier_turn(draft, event):
        return
    over = [s for s in state.hearing.segments if s.ended_ms > state.overlap.onset_ms and s.text]
    read_ms = max((s.ended_ms for s in over), default=0)
    state.overlap = replace(state.overlap, words=" ".join(s.text for s in over), read_ms=read_ms)
    _judge(draft)
    found = state.overlap
    if found is not None and found.held and over and state.now_ms >= found.deadline_ms:
        draft.arm(TIMER, max(state.now_ms, _words_due_ms(draft, found)))  # a token so far: settled with what follows it


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """The caller fell silent: a short sound is noise, a token may be recognized as one before the window closes."""
    state = draft.state
    if state.overlap is None:
        return
    found = state.overlap = replace(state.overlap, spurt_over=True, voiced_ms=event.voiced_ms)
    if found.held and event.voiced_ms < draft.policy.barge_in.noise_below_ms and not found.words:
        _listener(draft, "noise")
        return
    _judge(draft)
    if _watching(draft):
        _give_floor_back(draft, event.onset_ms)


def timer_fired(draft: Draft, _event: TimerFired) -> None:
    """The decision window has passed, or the watch after a resume is over."""
    state = draft.state
    if state.overlap is None:
        return
    if _watching(draft):
        if state.hearing.speaking:
            _keep_watching(draft)
        else:
            state.overlap = None
        return
    take = _estimate(draft)
    if _unread(state, state.overlap):
        _await_words(draft, state.overlap, take)
    elif take >= draft.policy.barge_in.take_at_share:
        _take(draft)
    elif state.hearing.speaking and not state.overlap.words:
        _tie(draft, state.overlap)
    else:
        _listener(draft, "backchannel")


def playback_ended(draft: Draft, event: PlaybackEnded | PlaybackFailed) -> None:
    """The utterance ended under the overlap: what the caller said over it is a turn like any other."""
    state = draft.state
    if state.overlap is None or state.overlap.utterance != event.utterance:
        return
    state.overlap = None
    draft.disarm(TIMER)
    if not state.hearing.speaking and state.floor.holder is Holder.CALLER:
        endpointing.arm(draft)
    elif not state.hearing.speaking:
        execution.floor_free(draft)
        debts.settle_up(draft)


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """A key is a take that leaves nothing to judge: nobody presses one to say "go on"."""
    current = draft.state.speech.current
    if current is not None and current.interruptible:
        voiced_ms = draft.state.overlap.voiced_ms if draft.state.overlap is not None else 0
        _interrupt(draft, current, "key", 1.0, voiced_ms)


# --- beat two -------------------------------------------------------------------------------------------------------


def _judge(draft: Draft) -> None:
    """Settle early where the evidence is already clear; the window's end settles the rest."""
    take = _estimate(draft)
    limits = draft.policy.barge_in
    found = draft.state.overlap
    if found is None:
        return
    window_over = draft.state.now_ms >= found.onset_ms + limits.decision_window_ms
    if _watching(draft):
        if found.words and take >= limits.take_at_share:
            _take(draft)
    elif _unread(draft.state, found):
        if found.spurt_over and window_over:
            _await_words(draft, found, take)
    elif take >= (limits.take_at_share if window_over else limits.early_take_at_share):
        _take(draft)
    elif found.spurt_over and (window_over or _nothing_to_come(draft, found, take)):
        _listener(draft, "backchannel")


def _unread(state: CallState, found: Overlap) -> bool:
    """Somebody listens for words, and has read none: the sound may be the caller, or anything."""
    return not found.words and "recognizer" not in state.lost_parts


def _await_words(draft: Draft, found: Overlap, take: float) -> None:
    """The window is over, and no word is in: the agent stays silent for those that may come, and no longer."""
    state, limits = draft.state, draft.policy.barge_in
    current = state.speech.current
    if current is None:
        return
    until_ms = found.onset_ms + max(limits.decision_window_ms, limits.wordless_ms - current.wordless_ms)
    if not state.hearing.speaking:
        if take < limits.take_at_share:
            _listener(draft, "backchannel")
            return
        until_ms = min(until_ms, state.hearing.ended_ms + limits.words_after_ms)
    if state.now_ms < until_ms:
        draft.arm(TIMER, until_ms)
        return
    state.overlap = replace(found, noise=state.hearing.speaking)
    _listener(draft, "noise")


def _known_noise(draft: Draft, current: Utterance) -> bool:
    """Sound that goes on with what has just been found to be noise, or over an utterance that was held long enough."""
    before = draft.state.overlap
    if "recognizer" in draft.state.lost_parts:
        return False
    spent = current.wordless_ms >= draft.policy.barge_in.wordless_ms
    return spent or (before is not None and before.noise and before.utterance == current.id)


def _tie(draft: Draft, found: Overlap) -> None:
    """The caller speaks on, and nobody can tell the words: the ears know soon whether it had ended in the window."""
    wait_until_ms = found.onset_ms + draft.policy.barge_in.decision_window_ms + draft.policy.ears.hangover_ms
    if draft.state.now_ms >= wait_until_ms:
        _take(draft)
    else:
        draft.arm(TIMER, wait_until_ms)


def _words_due_ms(draft: Draft, found: Overlap) -> int:
    """By when the words that an overlap began with are in."""
    return found.onset_ms + draft.policy.barge_in.decision_window_ms + draft.policy.barge_in.words_after_ms


def _nothing_to_come(draft: Draft, found: Overlap, take: float) -> bool:
    """The talkspurt is over, and the rest of the window would show nothing new: words are clear, or none can come."""
    limits = draft.policy.barge_in
    if found.words:
        return take <= 1.0 - limits.early_take_at_share
    return "recognizer" in draft.state.lost_parts and take < limits.take_at_share


def _estimate(draft: Draft) -> float:
    """Probability that the caller takes the floor, from what is known at this moment; kept in the overlap."""
    state = draft.state
    found, current = state.overlap, state.speech.current
    if found is None or current is None:
        return 0.0
    baseline = state.baseline
    hearing = state.hearing
    known = baseline.spurts > 0
    take = overlap.judge(
        overlap.OverlapView(
            elapsed_ms=state.now_ms - found.onset_ms,
            voiced_ms=found.voiced_ms,
            words=found.words,
            spurt_over=found.spurt_over,
            loudness_above_db=hearing.loudness_db - baseline.loudness_db if known else 0.0,
            pitch_above_share=hearing.pitch_hz / baseline.pitch_hz - 1.0
            if baseline.pitch_hz > 0 and hearing.pitch_hz > 0
            else 0.0,
            snr_db=hearing.snr_db,
            purpose=current.purpose,
            asks=current.asks if _question_near(current) else Asks.NOTHING,
            heard_share=_heard_share(current),
            held_ms=max(0, found.onset_ms - current.started_ms) if current.started_ms else 0,
            stage=state.stage,
            read_ms=max(0, found.read_ms - found.onset_ms),
        ),
        registry.of(draft.policy).overlap,
    )
    state.overlap = replace(found, take=take)
    return take


def _take(draft: Draft) -> None:
    """A barge-in: the caller has the floor, and nothing computed before this counts."""
    state = draft.state
    found = state.overlap
    current = state.speech.current
    if found is None or current is None:
        return
    if not current.interruptible:
        _watch_on(draft, found)  # it plays on; what was said over it is kept and answered afterwards
        return
    _interrupt(draft, current, "barge-in", found.take, found.voiced_ms)
    if not state.hearing.speaking:
        endpointing.arm(draft)


def _interrupt(draft: Draft, current: Utterance, what: str, take: float, voiced_ms: int) -> None:
    draft.state.overlap = None
    draft.disarm(TIMER)
    draft.publish(Topic.OVERLAP, what=what, utterance=current.id, take=round(take, 3), voiced_ms=voiced_ms)
    speaking.cut(draft, what)
    turns.take_up(draft, current)
    turns.new_turn(draft, "interrupted")
    draft.evidence_changed()
    execution.suspend(draft)


def _listener(draft: Draft, what: str) -> None:
    """A listener's token or noise: go on from the held word, and watch for words that say otherwise."""
    state = draft.state
    found = state.overlap
    current = state.speech.current
    if found is None or current is None:
        return
    draft.publish(Topic.OVERLAP, what=what, utterance=current.id, take=round(found.take, 3), voiced_ms=found.voiced_ms)
    if found.held and _unread(state, found):
        current = replace(current, wordless_ms=current.wordless_ms + state.now_ms - found.confirmed_ms)
        state.speech = AgentSpeech(current, state.speech.last)
    if not state.hearing.speaking:
        _give_floor_back(draft, found.onset_ms)
    speaking.resume(draft)
    _watch_on(draft, found)


def _give_floor_back(draft: Draft, onset_ms: int) -> None:
    """What was said over the agent claimed nothing; over speech that plays on regardless, its words are kept."""
    state = draft.state
    current = state.speech.current
    if current is None or state.floor.holder not in (Holder.CALLER, Holder.BOTH):
        return
    if current.interruptible:
        turns.forget_words(draft, onset_ms)
    turns.move(draft, Move.CALLER_YIELDS)


def _watch_on(draft: Draft, found: Overlap) -> None:
    draft.state.overlap = replace(found, held=False)
    _keep_watching(draft)


def _keep_watching(draft: Draft) -> None:
    state = draft.state
    if state.overlap is None:
        return
    deadline_ms = state.now_ms + max(1, draft.policy.barge_in.words_after_ms)
    state.overlap = replace(state.overlap, deadline_ms=deadline_ms)
    draft.arm(TIMER, deadline_ms)


def _watching(draft: Draft) -> bool:
    """True after the overlap was settled as a token, and for speech that is not interruptible."""
    found = draft.state.overlap
    return found is not None and not found.held


def _question_near(utterance: Utterance) -> bool:
    """A question stands at the end of what is said: long before it, there is nothing yet to answer."""
    return not utterance.total_ms or utterance.total_ms - utterance.heard_ms <= _QUESTION_MS


def _heard_share(utterance: Utterance) -> float:
    return min(1.0, utterance.heard_ms / utterance.total_ms) if utterance.total_ms > 0 else 0.0
