"""The ears on sounds made here: what is told, when, and what is not told."""

from __future__ import annotations

import math
import random
from array import array
from itertools import pairwise

import pytest
from offhook.actors.audio.format import SILENCE
from offhook.actors.audio.mulaw import LINEAR, decode, encode
from offhook.actors.ears import Ears
from offhook.actors.ears.measure import QUIETEST_DB, Frame, loudness_db, pitch, signs
from offhook.actors.ears.vad import NoiseFloor
from offhook.policies.core.events import Event, SpeechEnded, SpeechMeasured, SpeechStarted, ToneHeard
from offhook.policies.core.policy import Ears as EarsPolicy

FRAME = 160
QUIET = SILENCE * FRAME


def sound(samples: list[float]) -> bytes:
    return encode(array("h", [max(-32_768, min(32_767, round(sample))) for sample in samples]).tobytes())


def line(ms: int, level: float = 20.0, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(0, level) for _ in range(ms * 8)]


def vowel(ms: int, pitch_hz: float = 120.0, level: float = 6_000.0) -> list[float]:
    """A voice: harmonics of a pitch that moves, shaped by two formants, with the flutter of a glottis."""
    chance = random.Random(2)
    phase, samples = 0.0, []
    for n in range(ms * 8):
        hertz = pitch_hz * (1 + 0.15 * math.sin(2 * math.pi * 3 * n / 8_000)) * (1 + chance.gauss(0, 0.01))
        phase += 2 * math.pi * hertz / 8_000
        value = 0.0
        for harmonic in range(1, 25):
            at = harmonic * hertz
            if at > 3_600:
                break
            value += (
                math.exp(-(((at - 600) / 300) ** 2)) + 0.4 * math.exp(-(((at - 1_400) / 400) ** 2)) + 0.03
            ) * math.sin(harmonic * phase)
        samples.append(value * level * (0.7 + 0.3 * math.sin(2 * math.pi * 4 * n / 8_000)) + chance.gauss(0, 30))
    return samples


def breath(ms: int, seed: int, level: float = 1.0) -> list[float]:
    """A burst of a cough: noise around 900 Hz, a sharp attack, then falling."""
    chance = random.Random(seed)
    ringing, before, samples = 0.0, 0.0, []
    for n in range(ms * 8):
        ringing, before = 1.28 * ringing - 0.72 * before + chance.gauss(0, 1), ringing
        samples.append(4_000 * level * ringing * min(1.0, n / 60) * math.exp(-n / (ms * 3)))
    return samples


def tone(ms: int, *hertz: float, level: float = 7_000.0) -> list[float]:
    return [sum(level * math.sin(2 * math.pi * f * n / 8_000) for f in hertz) for n in range(ms * 8)]


def hear(samples: list[float], detector: str = "confirmed") -> list[Event]:
    ears = Ears(EarsPolicy.model_validate({"detector": detector}))
    audio = sound(samples)
    events: list[Event] = []
    for index in range(len(audio) // FRAME):
        events += ears.feed(audio[index * FRAME : (index + 1) * FRAME], (index + 1) * 20)
    return events


def test_mulaw_round_trip_is_exact_for_every_byte() -> None:
    every = bytes(range(256))
    again = decode(encode(decode(every)))
    assert again == decode(every)
    assert LINEAR[SILENCE[0]] == 0
    assert (LINEAR[0x00], LINEAR[0x80]) == (-32_124, 32_124)  # G.711's extremes


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        encode(b"\0\0\0")


def test_loudness_of_a_full_scale_square_wave_is_zero_db() -> None:
    assert loudness_db(array("h", [32_767, -32_767] * 80).tobytes()) == pytest.approx(0.0, abs=0.01)
    assert loudness_db(b"") == loudness_db(bytes(320)) == QUIETEST_DB


@pytest.mark.parametrize("hertz", [80, 110, 160, 220, 300])
def test_pitch_is_read_from_the_signs(hertz: float) -> None:
    audio = sound(
        [sum(4_000 / k * math.sin(2 * math.pi * k * hertz * n / 8_000) for k in (1, 2, 3)) for n in range(320)]
    )
    found, periodicity = pitch(signs(audio), 320)
    assert found == pytest.approx(hertz, rel=0.08)
    assert periodicity > 0.7


def test_noise_has_no_pitch() -> None:
    assert pitch(signs(sound(line(40, 3_000))), 320)[0] == 0.0


def test_the_noise_floor_follows_the_quietest_frames_not_the_loud_ones() -> None:
    floor = NoiseFloor()
    for index in range(200):
        floor.hear(-20.0 if index % 5 else -45.0)
    assert floor.db == pytest.approx(-45.0)
    for _ in range(200):
        floor.hear(-30.0)
    assert floor.db == pytest.approx(-30.0)


@pytest.mark.parametrize("detector", ["webrtc", "confirmed"])
def test_a_voice_out_of_silence_is_told_once_with_its_true_bounds(detector: str) -> None:
    events = hear(line(1_000) + vowel(800) + line(1_000), detector)
    started = [event for event in events if isinstance(event, SpeechStarted)]
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    assert len(started) == len(ended) == 1
    assert 960 <= started[0].onset_ms <= 1_040
    assert started[0].at_ms <= 1_120
    assert 1_700 <= ended[0].ended_ms <= 1_960
    assert ended[0].at_ms - ended[0].ended_ms >= 160
    assert 600 <= ended[0].voiced_ms <= 960
    assert ended[0].pitch_hz == pytest.approx(120, rel=0.2)
    assert started[0].snr_db > 15


def test_a_talkspurt_is_measured_every_100_ms() -> None:
    measured = [event for event in hear(line(500) + vowel(1_000) + line(500)) if isinstance(event, SpeechMeasured)]
    assert {after.at_ms - before.at_ms for before, after in pairwise(measured)} == {100}
    voiced = [event.voiced_ms for event in measured]
    assert voiced == sorted(voiced)


def test_silence_and_steady_noise_are_nobody_speaking() -> None:
    assert hear([0.0] * 16_000) == []
    assert hear(line(4_000, 400.0)) == []


def test_a_click_makes_nobody_hold() -> None:
    chance = random.Random(4)
    for _ in range(20):
        click = [chance.gauss(0, 6_000) * math.exp(-n / 70) for n in range(800)]
        assert not [event for event in hear(line(1_000) + click + line(1_000)) if isinstance(event, SpeechStarted)]


@pytest.mark.parametrize("hush", [[0.0] * 8_000, line(1_000, 2.0), line(1_000, 30.0)])
def test_a_cough_makes_nobody_hold_wherever_in_a_frame_it_begins(hush: list[float]) -> None:
    for phase in range(0, 160, 8):
        cough = breath(130, phase) + [0.0] * 560 + breath(100, phase + 1, 0.6)
        heard = hear(hush + [0.0] * phase + cough + [0.0] * 4_000)
        assert not [event for event in heard if isinstance(event, SpeechStarted)], f"at sample {phase}"


def test_a_voice_out_of_digital_silence_is_told_wherever_in_a_frame_it_begins() -> None:
    for phase in range(0, 160, 20):
        heard = hear([0.0] * (8_000 + phase) + vowel(500) + [0.0] * 4_000)
        (started,) = [event for event in heard if isinstance(event, SpeechStarted)]
        (ended,) = [event for event in heard if isinstance(event, SpeechEnded)]
        assert started.at_ms - (1_000 + phase / 8) <= 80
        assert ended.pitch_hz == pytest.approx(120, rel=0.2), "the silence behind it has no pitch to mix in"


def test_silence_lends_no_pitch_to_the_noise_beside_it() -> None:
    for seed in range(20):
        quiet, noise = SILENCE * FRAME, sound(line(20, 3_000, seed))
        assert Frame(noise, quiet).pitch[0] == Frame(quiet, noise).pitch[0] == Frame(quiet, quiet).pitch[0] == 0.0


def test_what_sounds_for_30_ms_beside_silence_has_its_own_pitch() -> None:
    audio = sound([4_000 * math.sin(2 * math.pi * 150 * n / 8_000) for n in range(250)])
    stretch = SILENCE * 70 + audio
    assert Frame(stretch[FRAME:], stretch[:FRAME]).pitch[0] == pytest.approx(150, rel=0.08)


@pytest.mark.parametrize(
    ("hertz", "tones"), [((1_000,), 1), ((700,), 1), ((440, 480), 2), ((697, 1_209), 2), ((480, 620), 2)]
)
def test_a_tone_is_told_with_its_length_and_how_many_it_is(hertz: tuple[float, ...], tones: int) -> None:
    heard = [event for event in hear(line(500) + tone(500, *hertz) + line(500)) if isinstance(event, ToneHeard)]
    assert len(heard) == 1
    assert heard[0].tones == tones
    assert heard[0].duration_ms == pytest.approx(500, abs=60)
    assert heard[0].started_ms == pytest.approx(500, abs=60)
    assert min(abs(heard[0].frequency_hz - f) for f in hertz) < 8
    assert heard[0].purity > 0.9 if tones == 1 else heard[0].purity < 0.7


def test_an_endless_tone_is_told_while_it_sounds_and_once() -> None:
    heard = [event for event in hear(tone(6_000, 425.0)) if isinstance(event, ToneHeard)]
    assert [event.at_ms < 4_500 for event in heard] == [True]


def test_a_voice_is_no_tone() -> None:
    assert not [event for event in hear(vowel(3_000, 210.0)) if isinstance(event, ToneHeard)]


def test_a_tone_ends_what_sounded_like_speech() -> None:
    events = hear(line(500) + tone(1_000, 1_000) + line(500))
    ends = [event.at_ms for event in events if isinstance(event, SpeechEnded)]
    starts = [event.at_ms for event in events if isinstance(event, SpeechStarted)]
    assert len(ends) == len(starts) <= 1
    assert all(end < 750 for end in ends)


def test_a_lost_line_ends_the_talkspurt() -> None:
    ears = Ears(EarsPolicy())
    audio = sound(line(500) + vowel(600))
    events: list[Event] = []
    for index in range(len(audio) // FRAME):
        events += ears.feed(audio[index * FRAME : (index + 1) * FRAME], (index + 1) * 20)
    assert isinstance(events[-1], SpeechMeasured)
    assert [type(event) for event in ears.interrupt(1_400)] == [SpeechEnded]
    assert ears.interrupt(1_500) == []


def test_frames_after_a_hole_end_the_talkspurt_first() -> None:
    ears = Ears(EarsPolicy())
    audio = sound(line(500) + vowel(600))
    for index in range(len(audio) // FRAME):
        ears.feed(audio[index * FRAME : (index + 1) * FRAME], (index + 1) * 20)
    assert [type(event) for event in ears.feed(QUIET, 5_000)] == [SpeechEnded]


def test_other_packet_sizes_give_the_same_talkspurts() -> None:
    audio = sound(line(500) + vowel(700) + line(500))
    told = []
    for size in (160, 240, 400, 800):
        ears = Ears(EarsPolicy())
        events: list[Event] = []
        for start in range(0, len(audio), size):
            events += ears.feed(audio[start : start + size], (start + size) // 8)
        told.append([(type(e), e.onset_ms) for e in events if isinstance(e, SpeechStarted | SpeechEnded)])
    assert [[kind for kind, _ in each] for each in told] == [[SpeechStarted, SpeechEnded]] * 4
    assert all(abs(each[0][1] - told[0][0][1]) <= 100 for each in told)
