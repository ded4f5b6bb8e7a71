"""Prosody: this caller's own loudness, pitch and pace, and when the voice leaves them.

A caller is compared with nobody but themselves. Each talkspurt moves the baseline by a bounded step and is judged
against what was known before it; speech over the agent is judged but teaches nothing (people raise their voice to be
heard over another). A shift becomes a TONE signal in the ledger; what it means is for those who read the ledger.
"""

from __future__ import annotations

from ..core.draft import Draft
from ..core.events import SpeechEnded, WordsHeard
from ..core.parts import replace
from ..core.state import Baseline, Sign
from ..evidence import evidence

_SPURT_MIN_MS = 300  # shorter talkspurts hold a syllable: neither loudness nor pitch of a voice
_SPURTS_KNOWN = 3  # a baseline from fewer says nothing about a shift
_SHIFT_DEVIATIONS = 2.5  # mean absolute deviations; about 2 sigma for a normal spread
_LOUDNESS_DEV_MIN_DB = 3.0  # a telephone's level wanders by this much on its own
_PITCH_DEV_MIN_SHARE = 0.12  # two semitones: the melody of calm speech
_RATE_DEV_MIN = 0.7  # words a second
_RATE_WORDS_MIN = 4  # fewer words have no pace
_RATE_MS_MIN = 800
_STEP = 0.2  # weight of one talkspurt once the baseline is known
_BOUND_DEVIATIONS = 2.0  # an outlier moves the mean as if it lay this far out
_STRENGTH_MAX = 0.6  # tone alone proves little


def speech_ended(draft: Draft, event: SpeechEnded) -> None:
    """Judge the talkspurt's loudness and pitch, then learn from it."""
    if event.voiced_ms < _SPURT_MIN_MS:
        return
    state = draft.state
    before = state.baseline
    loudness_floor = _LOUDNESS_DEV_MIN_DB
    pitch_floor = before.pitch_hz * _PITCH_DEV_MIN_SHARE
    if before.spurts >= _SPURTS_KNOWN:
        _shift(
            draft, event.loudness_db - before.loudness_db, max(before.loudness_dev, loudness_floor), "louder", "softer"
        )
        if event.pitch_hz > 0 and before.pitch_hz > 0:
            _shift(draft, event.pitch_hz - before.pitch_hz, max(before.pitch_dev, pitch_floor), "higher", "lower")
    if state.overlap is not None:
        return
    loudness, loudness_dev = _learn(
        event.loudness_db, before.loudness_db, before.loudness_dev, loudness_floor, before.spurts
    )
    pitch, pitch_dev = before.pitch_hz, before.pitch_dev
    if event.pitch_hz > 0:
        known = before.spurts if before.pitch_hz > 0 else 0
        pitch, pitch_dev = _learn(event.pitch_hz, pitch, pitch_dev, pitch_floor, known)
    state.baseline = replace(
        before,
        spurts=before.spurts + 1,
        loudness_db=loudness,
        loudness_dev=loudness_dev,
        pitch_hz=pitch,
        pitch_dev=pitch_dev,
    )


def words_heard(draft: Draft, event: WordsHeard) -> None:
    """Judge the pace of a finished segment, then learn from it."""
    duration_ms = event.ended_ms - event.started_ms
    if not event.final or duration_ms < _RATE_MS_MIN:
        return
    words = len(event.text.split())
    if words < _RATE_WORDS_MIN:
        return
    state = draft.state
    before: Baseline = state.baseline
    rate = words * 1_000 / duration_ms
    known = before.rates
    if known >= _SPURTS_KNOWN:
        _shift(draft, rate - before.words_per_s, max(before.rate_dev, _RATE_DEV_MIN), "faster", "slower")
    mean, dev = _learn(rate, before.words_per_s, before.rate_dev, _RATE_DEV_MIN, known)
    state.baseline = replace(before, words_per_s=mean, rate_dev=dev, rates=known + 1)


def _shift(draft: Draft, difference: float, dev: float, above: str, below: str) -> None:
    deviations = abs(difference) / dev
    if deviations < _SHIFT_DEVIATIONS:
        return
    strength = min(_STRENGTH_MAX, round(0.1 * deviations, 3))
    evidence.add(draft, Sign.TONE, strength, source="prosody", topic=above if difference > 0 else below)


def _learn(observed: float, mean: float, dev: float, dev_floor: float, known: int) -> tuple[float, float]:
    """The running mean and mean absolute deviation after one more observation, moved by a bounded step."""
    if known == 0:
        return observed, dev_floor
    bound = _BOUND_DEVIATIONS * max(dev, dev_floor)
    difference = max(-bound, min(bound, observed - mean))
    weight = max(_STEP, 1.0 / (known + 1))
    return mean + weight * difference, dev + weight * (abs(difference) - dev)
