"""Tests that may be looked at after every call: evidence that a candidate does worse, as log e-values.

Both are likelihood ratios of a mixture of alternatives against the null (mixture SPRT; H. Robbins, "Statistical methods
related to the law of the iterated logarithm", Ann. Math. Stat. 41, 1970; R. Johari, P. Koomen, L. Pekelis, D. Walsh,
"Always valid inference", Operations Research 70, 2022). Under the null such a ratio is a nonnegative supermartingale
that begins at 1, so by J. Ville's inequality (1939) it ever reaches 1/alpha with a probability of alpha at most,
however often it is looked at and whenever one stops.

`ratio` compares two arms by the counts of marked calls alone, as M. Lindon and A. Malek do for canaries ("Anytime-valid
inference for multinomial count data", NeurIPS 2022): where a call goes is drawn, so among calls that were marked the
candidate's part is its share, whatever the rate is and however it moves over the day. `excess` compares one arm with a
limit. Neither needs a least number of calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, inf, log

RATIOS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)  # alternatives: how many times the permitted ratio
EXCESSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)  # alternatives: part of the way from the limit to every call


def ratio(spans: Iterable[tuple[float, int, int]], ratio_max: float = 1.0) -> float:
    """Log e-value against "the candidate's calls are marked at most `ratio_max` times as often as the baseline's".

    Args:
        spans: (share, candidate, baseline) for each span of constant share: the share of calls that the candidate was
            given, 0 to 1, and how many calls of each arm were marked.
    """
    logs = [0.0] * len(RATIOS)
    for share, candidate, baseline in spans:
        if not 0.0 < share < 1.0:
            continue  # there is nothing to compare with
        null = _part(ratio_max, share)
        for number, times in enumerate(RATIOS):
            part = _part(ratio_max * times, share)
            logs[number] += candidate * log(part / null) + baseline * log((1.0 - part) / (1.0 - null))
    return _mean(logs)


def excess(marked: int, calls: int, limit_share: float) -> float:
    """Log e-value against "at most `limit_share` of the calls are marked", for a limit above 0 and below 1."""
    logs = []
    for way in EXCESSES:
        part = limit_share + (1.0 - limit_share) * way
        logs.append(marked * log(part / limit_share) + (calls - marked) * log((1.0 - part) / (1.0 - limit_share)))
    return _mean(logs)


def needed(alpha_share: float) -> float:
    """The log e-value at which the null is rejected with a false alarm in `alpha_share` of all rollouts at most."""
    return log(1.0 / alpha_share)


def _part(times: float, share: float) -> float:
    """The candidate's part of the marked calls where it is marked `times` as often."""
    return times * share / (times * share + 1.0 - share)


def _mean(logs: list[float]) -> float:
    """Log of the mean of e-values that are given as logs."""
    most = max(logs)
    return most + log(sum(exp(each - most) for each in logs) / len(logs)) if most > -inf else -inf
