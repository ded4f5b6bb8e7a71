"""Weights of `confirm.py`, written by `tests/benchmarks/voice_activity_training.py`; generated."""

from __future__ import annotations

# fmt: off
# ruff: noqa: E501
BIAS = 2.06
WEIGHTS: tuple[float, ...] = (
    0.8261, 0.3449, 0.5259, 0.2765, 0.4226, 0.2104, -0.08606, 0.0934, 0.06616, -0.03394, -0.1649, -0.3411, 0.04489,  # now
    0.792, 0.291, 1.353, 0.2005, 0.4567, 0.5517, 0.0182, 0.1156, -0.01422, -0.1732, -0.3362, -0.6695, 0.04717,  # smoothed over 40 ms
    0.6906, 0.09999, -3.319, -0.2146, 0.4325, 1.223, 1.058, 0.6421, 0.2583, -0.1037, -0.2978, -1.149, -0.3705,  # smoothed over 200 ms
)
