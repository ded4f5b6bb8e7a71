"""Cues: from the caller's words, as they arrive, to signals in the ledger.

What one segment's words say is read in `language/en/reading.py`. Here that is compared with what the ledger holds of
the segment, and only the difference is written down: a reading that a later one does not bear out is retracted, never
erased. Only the segment that changed is read again.
"""

from __future__ import annotations

from collections.abc import Collection

from ..core.draft import Draft
from ..core.events import DigitPressed, WordsHeard
from ..core.parts import replace
from ..core.proposals import Asks
from ..core.state import CallState, Playing, Sign, Signal, Utterance
from ..language.port import registry
from ..language.port.port import DIGITS, Asked, Cue
from . import concerns, evidence, heard, slots

FINALS_KEPT = 16  # segments whose final words are remembered; recognizers repeat themselves within a few
LOOK_BACK = 128  # signals looked through for those of one segment

DIGIT_YES, DIGIT_NO, DIGIT_HUMAN = "1", "2", "0"  # what callers are used to from other lines


# --- reducers -------------------------------------------------------------------------------------------------------


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Bring the ledger up to this reading of the segment."""
    state = draft.state
    done = event.segment in state.ledger.finals
    if not event.text.strip() and (done or not event.final):
        return  # no reading: the recognizer tells how far it is, or has nothing to add to the final words
    if done and not event.final:
        return  # late or repeated: the final words are in
    earlier = _of_segment(state, event.segment, done)
    cues = registry.of(draft.policy).read(event.text, asked_of(state))
    kept: dict[tuple[Sign, str], Signal] = {}
    told = {(cue.sign, cue.topic) for cue in cues}
    for signal in earlier:
        key = (signal.sign, signal.topic)
        if key in told and key not in kept:
            kept[key] = signal
        else:
            _take_back(draft, signal, "final words differ" if event.final else "words changed")
    fresh = []
    for cue in cues:
        known = kept.get((cue.sign, cue.topic))
        if known is not None and known.provisional is not event.final:
            continue  # a partial says again what is provisional, or a final what is firm
        fresh.append(_write(draft, event, cue, known))
    if event.final and not done:
        finals = (*state.ledger.finals, event.segment)[-FINALS_KEPT:]
        state.ledger = replace(state.ledger, finals=finals)
    for signal in sorted(fresh, key=_values_first):
        concerns.hear(draft, signal)
        slots.hear(draft, signal)


def digit_pressed(draft: Draft, event: DigitPressed) -> None:
    """A key: part of a number that was asked for, or the answer that callers know it for."""
    asked = asked_of(draft.state)
    sign, strength, topic = Sign.DETAIL, 0.5, DIGITS
    if asked.asks is Asks.DIGITS:
        utterance = utterance_asked(draft.state)
        topic = (utterance.slot if utterance is not None else "") or DIGITS
    elif asked.asks is Asks.YES_NO and event.digit == DIGIT_YES:
        sign, strength, topic = Sign.CONFIRMATION, 0.9, ""
    elif asked.asks is Asks.YES_NO and event.digit == DIGIT_NO:
        sign, strength, topic = Sign.DENIAL, 0.9, ""
    elif event.digit == DIGIT_HUMAN:
        sign, strength, topic = Sign.HUMAN, 0.9, ""
    draft.state.said_revision = draft.state.revision  # a key is a word of the caller's
    signal = evidence.add(draft, sign, strength, source="digits", text=event.digit, topic=topic)
    concerns.hear(draft, signal)
    slots.hear(draft, signal)


def disregard(draft: Draft, segments: Collection[int]) -> None:
    """Nobody said these words to the agent: what was read from them is taken back."""
    for signal in draft.state.ledger.signals[-LOOK_BACK:]:
        if signal.source == "words" and signal.segment in segments and _stands(draft.state, signal):
            _take_back(draft, signal, "a recording's words")


def utterance_asked(state: CallState) -> Utterance | None:
    """The utterance that the caller's words answer: the one that plays, once most of it was heard, else the last."""
    current = state.speech.current
    if current is not None and current.started_ms and current.playing is not Playing.FAILED and heard.whole(current):
        return current
    last = state.speech.question or state.speech.last
    return None if last is not None and last.playing is Playing.FAILED else last


def asked_of(state: CallState) -> Asked:
    """What the caller was asked, as far as the caller has heard it."""
    utterance = utterance_asked(state)
    current = state.speech.current
    speaking = current is not None and current.playing in (Playing.PLAYING, Playing.HELD)
    if utterance is None:
        return Asked(overheard=speaking)
    asks = utterance.asks if utterance is current else state.hearing.answering
    return Asked(asks, utterance.purpose, utterance.topic, utterance.slot, speaking and utterance is not current)


def _values_first(signal: Signal) -> bool:
    """ "No, wednesday": the value is there before the "no" is looked at, which then is not a "no" to it."""
    return signal.sign is not Sign.DETAIL


def _of_segment(state: CallState, segment: int, done: bool) -> list[Signal]:
    """The signals that stand for this segment: the open ones, or the final ones where it is done."""
    ledger = state.ledger
    if not done:
        return [ledger.signals[id] for id in ledger.open if ledger.signals[id].segment == segment]
    recent = ledger.signals[-LOOK_BACK:]
    return [s for s in recent if s.segment == segment and s.source == "words" and _stands(state, s)]


def _stands(state: CallState, signal: Signal) -> bool:
    return signal.sign is not Sign.RETRACTION and signal.id not in state.ledger.retracted


def _take_back(draft: Draft, signal: Signal, why: str) -> None:
    evidence.retract(draft, signal.id, why)
    concerns.forget(draft, signal.id)
    slots.forget(draft, signal.id)


def _write(draft: Draft, event: WordsHeard, cue: Cue, known: Signal | None) -> Signal:
    return evidence.add(
        draft,
        cue.sign,
        cue.strength,
        source="words",
        text=cue.text,
        topic=cue.topic,
        segment=event.segment,
        provisional=not event.final,
        refers=known.id if known is not None else -1,
    )
