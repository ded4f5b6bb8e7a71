"""The spike benchmark's line: it is the probe's, and knows when it reacted."""

from __future__ import annotations

import random
import sys

from source_tree import ROOT

sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from spike import Timed, quantiles


def test_a_reaction_is_noted_with_its_moment() -> None:
    line = Timed([b"\x00" * 160] * 3, random.Random(1), interrupts=True)
    line.spoken_ms, line.onset_at = 400, 10.0
    line.cleared(10.05)
    ((at, ms),) = line.at
    assert (at, round(ms)) == (10.05, 50)
    line.spoken_ms = 400
    line.cleared(11.0)  # nobody had interrupted
    assert len(line.at) == 1


def test_who_does_not_interrupt_never_does() -> None:
    assert Timed([b"\x00" * 160], random.Random(1), interrupts=False).next_ms == float("inf")


def test_quantiles_of_nothing_are_nothing() -> None:
    assert quantiles([], (50,)) == {}
    assert quantiles([1.0, 2.0, 3.0], (50,)) == {"p50": 2.0}
