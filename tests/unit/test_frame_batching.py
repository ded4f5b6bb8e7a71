"""Quiet frames travel together, and never at the cost of a sound."""

from __future__ import annotations

import random

import pytest
from offhook.serve.gateway.frame_batching import SETTLE_FRAMES, TOGETHER, FrameBatching, loud
from phone import SILENCE, mulaw, voice


def noise(rms: float, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    return bytes(mulaw(round(chance.gauss(0, rms))) for _ in range(160))


def test_speech_is_loud_and_an_idle_line_is_not() -> None:
    assert all(loud(frame) for frame in voice(20))
    assert not loud(SILENCE)
    assert not loud(b"\x7f" * 160)  # minus zero
    assert not any(loud(noise(30, seed)) for seed in range(20))  # -61 dB
    assert all(loud(noise(300, seed)) for seed in range(20))  # -41 dB


def test_a_sound_leaves_at_once_with_the_quiet_frames_before_it() -> None:
    together = FrameBatching()
    for _ in range(SETTLE_FRAMES):
        assert together.add(SILENCE) == SILENCE  # the end of what was said before may depend on it
    assert together.add(SILENCE) == b""
    sound = voice(1)[0]
    assert together.add(sound) == SILENCE + sound
    assert together.add(SILENCE) == SILENCE  # one by one again


def test_an_idle_line_wakes_its_call_a_third_as_often() -> None:
    together = FrameBatching()
    messages = [left for left in (together.add(SILENCE) for _ in range(SETTLE_FRAMES + 30)) if left]
    assert len(messages) == SETTLE_FRAMES + 30 // TOGETHER


def test_while_the_caller_speaks_sounds_travel_together_and_afterwards_none_waits() -> None:
    together = FrameBatching()
    sounds = voice(8)
    together.pace = 3
    left = [together.add(sound) for sound in sounds]
    assert left == [b"", b"", b"".join(sounds[:3]), b"", b"", b"".join(sounds[3:6]), b"", b""]
    together.pace = 1
    assert together.add(SILENCE) == sounds[6] + sounds[7] + SILENCE
    assert together.add(sounds[0]) == sounds[0]


@pytest.mark.parametrize("seed", range(20))
def test_every_frame_leaves_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    together = FrameBatching()
    sounds = voice(4)
    sent, left = b"", b""
    for number in range(500):
        frame = SILENCE[:-1] + bytes([number % 251]) if chance.random() < 0.97 else sounds[number % 4]
        sent += frame
        left += together.add(frame)
        assert len(sent) - len(left) <= (TOGETHER - 1) * 160
        if chance.random() < 0.02:
            together.pace = chance.choice((1, TOGETHER))
        if chance.random() < 0.05:
            left += together.take()
            assert left == sent
    assert left + together.take() == sent
