"""Cadence: how this caller pauses, learnt pause by pause, and how much patience that asks for.

Belongs here: the running statistics and their bounds. Which pauses count is decided in `conversation/endpointing.py`.
"""

from __future__ import annotations

from ..core.state import Cadence

# Pauses inside turns between 200 ms (shorter ones vanish in the detector's hang-over) and 1 s (longer ones are mostly
# answered, and then teach nothing), over all speakers of the ICSI MRDA development part;
# `tests/benchmarks/end_of_turn.py` prints both numbers.
PRIOR = Cadence(pauses=0, mean_ms=430.0, dev_ms=170.0)
_PRIOR_WEIGHT = 4  # pauses that the population's prior counts for
_MEMORY = 12  # later pauses keep this weight, so that a caller who slows down is followed
_SPREAD = 1.5  # mean + 1.5 mean absolute deviations: about nine pauses in ten are shorter
_RANGE = (0.7, 1.8)  # a caller's own pauses stretch or shrink patience by no more than this
_DEV_MIN_MS = 60.0  # nobody pauses like a clock


def factor(cadence: Cadence) -> float:
    """This caller's long pauses against the population's, bounded; 1 for a caller not known yet."""
    if cadence.pauses == 0:
        return 1.0
    own = cadence.mean_ms + _SPREAD * cadence.dev_ms
    usual = PRIOR.mean_ms + _SPREAD * PRIOR.dev_ms
    return min(max(own / usual, _RANGE[0]), _RANGE[1])


def learn(cadence: Cadence, pause_ms: int, step_share: float) -> Cadence:
    """The cadence after one more pause inside a turn; neither number moves by more than `step_share` of itself."""
    before = cadence if cadence.pauses else PRIOR
    weight = 1.0 / min(cadence.pauses + _PRIOR_WEIGHT, _MEMORY)
    away_ms = pause_ms - before.mean_ms
    mean_ms = before.mean_ms + _bounded(weight * away_ms, step_share * before.mean_ms)
    dev_ms = before.dev_ms + _bounded(weight * (abs(away_ms) - before.dev_ms), step_share * before.dev_ms)
    return Cadence(cadence.pauses + 1, mean_ms, max(_DEV_MIN_MS, dev_ms))


def _bounded(step: float, bound: float) -> float:
    return min(max(step, -bound), bound)
