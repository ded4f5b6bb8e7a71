"""The second stage of voice activity: how likely a frame is speech, from what telephone audio shows cheaply.

A logistic regression over loudness, webrtcvad's two opinions, the clipped signal's autocorrelation (its coarse
spectrum) and its periodicity, each as it is now and smoothed over 40 and 200 ms. Smoothing is linear, so what is
smoothed is not the inputs but their two weighted sums. The weights (`confirm_weights.py`) are trained by
`tests/benchmarks/voice_activity_training.py`. The periodicity, the dearest input, is looked for only where webrtcvad
fires.
"""

from __future__ import annotations

from math import exp
from operator import mul

import webrtcvad

from ..audio.format import RATE_HZ
from . import confirm_weights
from .measure import Frame, shape

PERMISSIVE, STRICT = 1, 3  # webrtcvad's modes whose opinions are weighed; the other two add nothing
# Digital silence counts as faint comfort noise: out of nothing, any rise would be further than the weights have seen.
QUIETEST_WEIGHED_DB = -65.0
FAST, SLOW = 0.6, 0.9  # what a frame leaves of the past in the smoothed sums


class Confirmation:
    """Listens to one line, frame by frame."""

    def __init__(self) -> None:
        self._permissive = webrtcvad.Vad(PERMISSIVE)
        self._strict = webrtcvad.Vad(STRICT)
        self._bias = confirm_weights.BIAS
        self._now, self._fast, self._slow = confirm_weights.NOW, confirm_weights.FAST, confirm_weights.SLOW
        self._loudness_db = -60.0
        self._fast_sum = self._slow_sum = 0.0
        self._begun = False
        self._last_passed: Frame | None = None
        self._passed = 0  # frames since the last one that was judged

    def passed(self, frame: Frame) -> None:
        """Take note of a frame about which nobody asks; all that is kept of a run of them is its length and its end."""
        self._passed += 1
        self._last_passed = frame

    def probability(self, frame: Frame) -> float:
        """That the frame is speech, 0 to 1."""
        if self._last_passed is not None:
            self._catch_up(self._last_passed)
        inputs = self.inputs(frame)
        self._smooth(inputs, 1)
        odds = self._bias + sum(map(mul, self._now, inputs)) + self._fast_sum + self._slow_sum
        return 1.0 / (1.0 + exp(-max(-30.0, min(30.0, odds))))

    def inputs(self, frame: Frame) -> list[float]:
        """What is weighed, in the order of the weights."""
        permissive = self._permissive.is_speech(frame.samples, RATE_HZ)
        loudness_db = max(QUIETEST_WEIGHED_DB, frame.loudness_db)
        rise_db, self._loudness_db = loudness_db - self._loudness_db, loudness_db
        return [
            loudness_db / 20.0,
            (loudness_db - frame.floor_db) / 20.0,
            rise_db / 20.0,
            float(permissive),
            float(self._strict.is_speech(frame.samples, RATE_HZ)),
            frame.pitch[1] if permissive else 0.0,
            *shape(frame.signs, len(frame.audio)),
        ]

    def _catch_up(self, last: Frame) -> None:
        """Let the frames that were passed over fade what came before them, as so many frames like the last one."""
        self._smooth(passed_inputs(last), self._passed)
        self._loudness_db = max(QUIETEST_WEIGHED_DB, last.loudness_db)
        self._passed, self._last_passed = 0, None

    def _smooth(self, inputs: list[float], frames: int) -> None:
        fast, slow = (FAST**frames, SLOW**frames) if self._begun else (0.0, 0.0)
        self._begun = True
        self._fast_sum = fast * self._fast_sum + (1.0 - fast) * sum(map(mul, self._fast, inputs))
        self._slow_sum = slow * self._slow_sum + (1.0 - slow) * sum(map(mul, self._slow, inputs))


def passed_inputs(frame: Frame) -> list[float]:
    """What a frame that was passed over counts as: as loud as it was, steady, no voice, no shape."""
    loudness_db = max(QUIETEST_WEIGHED_DB, frame.loudness_db)
    return [loudness_db / 20.0, (loudness_db - frame.floor_db) / 20.0] + [0.0] * (len(confirm_weights.NOW) - 2)
