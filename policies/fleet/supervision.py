"""Supervision: whether a child that went down is started again, in OTP's words and semantics.

The supervisor (`actors/node/supervisor.py`) executes what is decided here. Its strategy is one_for_one: a call's
children do not depend on each other, so a restart takes nobody along. `decide` is pure: the restarts so far, the
moment, the child's spec and how it ended go in; restart, stop or give up and the new history come out. As in OTP's
`supervisor`, the window is per supervisor: children that share an intensity share one history, and history is kept only
for restarts (https://www.erlang.org/doc/system/sup_princ.html, `add_restart` in OTP's `supervisor.erl`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..core.errors import CallerFault


class Restart(StrEnum):
    """Which ends are followed by a restart."""

    PERMANENT = "permanent"  # every end
    TRANSIENT = "transient"  # an abnormal end only
    TEMPORARY = "temporary"  # never


class Act(StrEnum):
    """What follows from a child's end."""

    RESTART = "restart"
    STOP = "stop"  # it was meant to end, or is not worth a restart: forget it
    GIVE_UP = "give_up"  # over the intensity: the supervisor itself fails and its parent decides


NORMAL = frozenset({"normal", "shutdown"})  # reasons that are no failure, as in OTP


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How one child is supervised: at most `intensity` restarts within `period_ms`.

    Raises:
        CallerFault: intensity is negative or the period is not positive.
    """

    restart: Restart = Restart.PERMANENT
    intensity: int = 3
    period_ms: int = 5_000

    def __post_init__(self) -> None:
        if self.intensity < 0 or self.period_ms <= 0:
            raise CallerFault(
                f"intensity {self.intensity} within {self.period_ms} ms cannot be counted; "
                "intensity is 0 or more, period_ms is 1 or more"
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, the restarts that still count (ms, newest first), and why in words."""

    act: Act
    history: tuple[int, ...]
    why: str


def decide(history: tuple[int, ...], now_ms: int, spec: ChildSpec, reason: str) -> Decision:
    """What follows from a child's end.

    `history` holds the moments of earlier restarts, in any order; `now_ms` is on the same clock. A restart counts
    while it is not older than `period_ms`. More than `intensity` of them give up; an intensity of 0 never restarts.
    """
    abnormal = reason not in NORMAL
    if spec.restart is Restart.TEMPORARY or (spec.restart is Restart.TRANSIENT and not abnormal):
        return Decision(Act.STOP, history, f"{spec.restart} child ended: {reason}")
    counted = (now_ms, *sorted((at for at in history if now_ms - at <= spec.period_ms), reverse=True))
    why = f"{len(counted)} restarts within {spec.period_ms} ms, {spec.intensity} allowed; ended: {reason}"
    if len(counted) > spec.intensity:
        return Decision(Act.GIVE_UP, counted, why)
    return Decision(Act.RESTART, counted, why)
