"""The second stage of voice activity: how likely a frame is speech, from what telephone audio shows cheaply.

A logistic regression over loudness, webrtcvad's two opinions, the clipped signal's autocorrelation (its coarse
spectrum) and its periodicity, each as it is now and smoothed over 40 and 200 ms. The weights (`confirm_weights.py`) are
trained by `tests/benchmarks/voice_activity_training.py`. The periodicity, the dearest of them, is looked for only where
the first stage fires.
"""

from __future__ import annotations

from math import exp
from operator import mul

import webrtcvad

from .confirm_weights import BIAS, WEIGHTS
from .measure import Frame, pitch, shape
from .mulaw import RATE_HZ

PERMISSIVE, STRICT = 1, 3  # webrtcvad's modes whose opinions are weighed
FAST, SLOW = 0.6, 0.9  # what a frame leaves of the past in the smoothed values


class Confirmation:
    """Listens to one line, frame by frame."""

    def __init__(self) -> None:
        self._permissive = webrtcvad.Vad(PERMISSIVE)
        self._strict = webrtcvad.Vad(STRICT)
        self._loudness_db = -60.0
        self._fast: list[float] = []
        self._slow: list[float] = []
        self.periodic = False  # the last frame had a pitch

    def probability(self, frame: Frame) -> float:
        """That the frame is speech, 0 to 1."""
        odds = BIAS + sum(map(mul, WEIGHTS, self.inputs(frame)))
        return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, odds))))

    def inputs(self, frame: Frame) -> list[float]:
        """What is weighed, in the order of the weights."""
        permissive = self._permissive.is_speech(frame.samples, RATE_HZ)
        periodicity = 0.0
        self.periodic = False
        if permissive:
            hertz, periodicity = pitch(frame.signs, frame.span)
            self.periodic = hertz > 0
        now = [
            frame.loudness_db / 20.0,
            (frame.loudness_db - frame.floor_db) / 20.0,
            (frame.loudness_db - self._loudness_db) / 20.0,
            float(permissive),
            float(self._strict.is_speech(frame.samples, RATE_HZ)),
            periodicity,
        ]
        now += shape(frame.signs, len(frame.audio))
        self._loudness_db = frame.loudness_db
        if self._fast:
            self._fast = [FAST * old + (1.0 - FAST) * new for old, new in zip(self._fast, now, strict=True)]
            self._slow = [SLOW * old + (1.0 - SLOW) * new for old, new in zip(self._slow, now, strict=True)]
        else:
            self._fast = self._slow = now
        return now + self._fast + self._slow
