"""What the ears leave undone on a line where nothing is to be heard; what it costs is `benchmarks/ears_cost.py`."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from offhook.actors.audio.format import SILENCE
from offhook.actors.audio.mulaw import LINEAR, decode, encode
from offhook.actors.ears import Ears, confirm, tones
from offhook.actors.ears.measure import QUIETEST_DB, Frame, loudness_db
from offhook.policies.core.events import ToneHeard
from offhook.policies.core.policy import Ears as EarsPolicy

FRAME = 160
QUIET = SILENCE * FRAME


def frames_of(samples: list[float]) -> list[bytes]:
    audio = encode(array("h", [round(sample) for sample in samples]).tobytes())
    return [audio[start : start + FRAME] for start in range(0, len(audio) - FRAME + 1, FRAME)]


@pytest.mark.parametrize("most", [0, 8, 60, 120, 132, 4_000])
def test_the_short_way_to_a_frames_loudness_gives_what_the_long_way_gives(most: int) -> None:
    chance = random.Random(most)
    allowed = [byte for byte in range(256) if abs(LINEAR[byte]) <= most]
    for _ in range(50):
        audio = bytes(chance.choice(allowed) for _ in range(FRAME))
        assert Frame(audio, QUIET).loudness_db == pytest.approx(loudness_db(decode(audio)), abs=1e-6)
    assert Frame(QUIET, QUIET).loudness_db == QUIETEST_DB


@pytest.mark.parametrize("level", [0.0, 8.0, 20.0])
def test_on_a_quiet_line_no_detector_is_asked(level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Frame] = []
    monkeypatch.setattr(confirm.Confirmation, "inputs", lambda _, frame: asked.append(frame))
    ears, chance = Ears(EarsPolicy()), random.Random(3)
    for index, frame in enumerate(frames_of([chance.gauss(0, level) for _ in range(80_000)])):
        assert ears.feed(frame, index * 20 + 20) == []
    assert not asked


def test_hiss_is_never_looked_at_as_a_tone(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    monkeypatch.setattr(tones, "transform", lambda samples: looked.append(samples) or [])
    detector, chance, before = tones.ToneDetector(), random.Random(8), QUIET
    for index, audio in enumerate(frames_of([chance.gauss(0, 1_500) for _ in range(480_000)])):
        detector.hear(Frame(audio, before), index * 20 + 20)
        before = audio
    assert not looked


def test_a_tone_that_stops_between_the_two_halves_of_its_look_is_told() -> None:
    detector, before = tones.ToneDetector(), QUIET
    told: list[ToneHeard | None] = []
    for tail in range(1, 4):  # one of these ends where the transform is done and not yet read
        for audio in [*frames_of([7_000 * math.sin(2 * math.pi * n / 8) for n in range((6 + tail) * FRAME)]), QUIET]:
            told.append(detector.hear(Frame(audio, before), len(told) * 20 + 20))
            before = audio
    heard = [event for event in told if event is not None]
    assert len(heard) >= 2
    assert all(event.frequency_hz == pytest.approx(1_000, abs=8) for event in heard)
