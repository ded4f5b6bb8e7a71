"""Recorded calls for tests and benchmarks: simulated ones, in the journal's real format and store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from offhook.policies.core.policy import Policy
from offhook.policies.simulation.journal import recorded
from offhook.serve.cli.simulated import store

__all__ = ["calls", "recorded", "store"]

UNIX_MS = 1_760_000_000_000  # when the first of them began
APART_MS = 5_000  # between the beginnings of two calls


def calls(count: int, policy: Policy, *, first_seed: int = 1, fault_share: float = 0.3) -> Iterator[list[list[Any]]]:
    """The journals of `count` simulated calls."""
    for seed in range(first_seed, first_seed + count):
        yield recorded(seed, policy, fault_share=fault_share, unix_ms=UNIX_MS + seed * APART_MS)
