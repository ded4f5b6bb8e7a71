"""Prosody: a caller's own baseline, bounded learning, and shifts as evidence."""

from __future__ import annotations

import pytest
from offhook.policies.core import events as ev
from offhook.policies.core.state import Sign
from scene import Scene


def spurt(found: Scene, *, loudness_db: float = -24.0, pitch_hz: float = 120.0, ms: int = 700) -> None:
    onset_ms = found.now_ms
    found.passes(60)
    found.happens(ev.SpeechStarted, onset_ms=onset_ms, loudness_db=loudness_db, snr_db=25.0, pitch_hz=pitch_hz)
    found.passes(ms)
    found.happens(
        ev.SpeechEnded,
        onset_ms=onset_ms,
        ended_ms=onset_ms + ms,
        voiced_ms=ms,
        loudness_db=loudness_db,
        pitch_hz=pitch_hz,
    )
    found.passes(100)


def tones(found: Scene) -> list[str]:
    return [signal.topic for signal in found.state.ledger.signals if signal.sign is Sign.TONE]


def known(times: int = 4) -> Scene:
    found = Scene().answered("booking")
    for number in range(times):
        spurt(found, loudness_db=-24.0 + number % 2)
    return found


@pytest.mark.parametrize(
    ("shift", "topic"),
    [
        ({"loudness_db": -10.0}, "louder"),
        ({"loudness_db": -38.0}, "softer"),
        ({"pitch_hz": 200.0}, "higher"),
        ({"pitch_hz": 70.0}, "lower"),
    ],
)
def test_a_voice_that_leaves_its_own_baseline_is_evidence(shift: dict[str, float], topic: str) -> None:
    found = known()
    assert not tones(found)
    spurt(found, **shift)
    assert tones(found) == [topic]


def test_a_stranger_has_no_baseline_to_leave() -> None:
    found = known(2)
    spurt(found, loudness_db=-5.0)
    assert not tones(found)


def test_a_short_sound_teaches_nothing() -> None:
    found = known()
    before = found.state.baseline
    spurt(found, loudness_db=-5.0, ms=200)
    assert found.state.baseline == before


def test_one_outlier_moves_the_baseline_by_a_bounded_step() -> None:
    found = known()
    before = found.state.baseline.loudness_db
    spurt(found, loudness_db=0.0)
    assert 0 < found.state.baseline.loudness_db - before < 2.0


def test_an_unvoiced_talkspurt_leaves_the_pitch_alone() -> None:
    found = known()
    before = found.state.baseline.pitch_hz
    spurt(found, pitch_hz=0.0)
    assert found.state.baseline.pitch_hz == before


def test_pace_is_measured_on_final_readings() -> None:
    found = known()

    def reads(number: int, words: int) -> None:
        found.passes(10)
        found.happens(
            ev.WordsHeard,
            segment=number,
            text=" ".join(["so"] * words),
            final=True,
            started_ms=found.now_ms - 2_000,
            ended_ms=found.now_ms,
        )

    found.passes(3_000)
    for number in range(4):
        reads(number, 6)
    assert found.state.baseline.words_per_s == pytest.approx(3.0)
    reads(9, 12)
    assert tones(found) == ["faster"]
