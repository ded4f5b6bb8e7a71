"""Random counts that the standard library does not draw: Poisson and binomial numbers, for fleets of any size."""

from __future__ import annotations

import math
import random

NORMAL_FROM = 50.0  # a mean from which the rounded normal law stands in; its error is far below the sampling noise


def poisson(chance: random.Random, mean: float) -> int:
    """How many arrivals, where `mean` are expected."""
    if mean <= 0.0:
        return 0
    if mean > NORMAL_FROM:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    count, product, floor = 0, chance.random(), math.exp(-mean)
    while product > floor:
        count += 1
        product *= chance.random()
    return count


def binomial(chance: random.Random, trials: int, share: float) -> int:
    """How many of `trials` happen, each with probability `share`; below 1/2 in every use here."""
    mean = trials * share
    if mean <= 0.0:
        return 0
    if mean > NORMAL_FROM:
        return min(trials, max(0, round(chance.gauss(mean, math.sqrt(mean * (1.0 - share))))))
    # Skip from one that happens to the next: the gaps are geometric, so the work is the result, not the trials.
    count, at, scale = 0, 0, math.log1p(-share)
    while True:
        at += int(math.log(1.0 - chance.random()) / scale) + 1
        if at > trials:
            return count
        count += 1


def in_whole(chance: random.Random, number: float) -> int:
    """A whole number whose mean is `number`."""
    whole = math.floor(number)
    return whole + (chance.random() < number - whole)
