"""Autonomy of a version, step by step: the same policy with less authority than its bundle gives it.

A capped policy is a version of its own, `VERSION+LEVEL`, so that everything that goes by versions (pinning, takeover,
swap, journal) goes by authority too. The cap holds for tools and transfers; what is said, and hanging up, stay as they
are: a call that may only observe still talks.
"""

from __future__ import annotations

from ..core.policy import Level, Policy

LADDER: tuple[Level, ...] = ("observe", "suggest", "approve", "act")
MARK = "+"  # between a version and the level that it is capped to


def lower(one: Level, other: Level) -> Level:
    """The one that permits less."""
    return min(one, other, key=LADDER.index)


def capped(policy: Policy, level: Level) -> Policy:
    """The policy with no more authority than `level`."""
    cap = lower(policy.gate.autonomy_max, level)
    return policy.model_copy(update={"gate": policy.gate.model_copy(update={"autonomy_max": cap})})


def version_at(version: str, level: Level) -> str:
    """The name of a version that is capped to a level."""
    return version if level == "act" else f"{version}{MARK}{level}"
