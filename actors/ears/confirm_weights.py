"""Weights of `confirm.py`, written by `tests/benchmarks/voice_activity_training.py`; generated."""

from __future__ import annotations

# fmt: off
# ruff: noqa: E501
BIAS = 2.06
NOW: tuple[float, ...] = (0.8261, 0.3449, 0.5259, 0.2765, 0.4226, 0.2104, -0.0861, 0.0934, 0.0662, -0.0339, -0.1649, -0.3411, 0.0449)  # as it is
FAST: tuple[float, ...] = (0.792, 0.291, 1.3529, 0.2005, 0.4567, 0.5517, 0.0182, 0.1156, -0.0142, -0.1732, -0.3362, -0.6695, 0.0472)  # smoothed over 40 ms
SLOW: tuple[float, ...] = (0.6906, 0.1, -3.3192, -0.2146, 0.4325, 1.2228, 1.0579, 0.6421, 0.2583, -0.1037, -0.2978, -1.1492, -0.3705)  # smoothed over 200 ms
