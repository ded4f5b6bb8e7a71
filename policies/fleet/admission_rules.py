"""The rules of admission, and the gauge by which a node closes when it reacts late and opens once it is calm again.

Belongs here: priorities, tenants' limits, what becomes of a call that gets no slot, lag with its hysteresis. The desk
that decides by them is `admission.py`'s. A node's limit is where live calls would begin to feel one more, which its
reaction lag shows and its CPU does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Literal

from pydantic import Field

from ..core.units import Section


class Priority(IntEnum):
    """Who goes first; the higher one."""

    LOW = 0  # campaigns that can be called again
    NORMAL = 1
    HIGH = 2
    URGENT = 3  # a call that was live and lost its node


class Then(StrEnum):
    """What becomes of a call that does not get a slot within its ring budget."""

    BUSY = "busy"
    QUEUE = "queue"  # answered by a message, kept in line
    REDIRECT = "redirect"  # to another number, or site


class Tenant(Section):
    """One tenant's limits; those of `""` are for tenants that are not listed."""

    calls_max: int = Field(1_000_000, ge=0)  # live at once
    starts_max: int = Field(1_000_000, ge=1)  # within `starts_within_ms`
    starts_within_ms: int = Field(1_000, ge=1, le=3_600_000)


class Admission(Section):
    """The rules. Set by operators."""

    ring_ms: int = Field(5_000, ge=0, le=60_000)
    ringing_max: int = Field(10_000, ge=0, le=1_000_000)
    then: Literal["busy", "queue", "redirect"] = "busy"
    queue_ms: int = Field(120_000, ge=0, le=3_600_000)
    queue_max: int = Field(1_000, ge=0, le=1_000_000)
    redirect_to: str = ""
    late_ms: float = Field(30.0, gt=0, le=10_000)  # reaction lag at which a node takes no more calls
    calm_ms: float = Field(15.0, gt=0, le=10_000)  # lag below which it may take calls again ...
    calm_for_ms: int = Field(5_000, ge=0, le=600_000)  # ... once it has been that calm for so long
    # Of all slots, those that only this priority and higher ones may take ("trunk reservation").
    kept_share: dict[Literal["normal", "high", "urgent"], float] = Field(default_factory=dict)
    tenants: dict[str, Tenant] = Field(default_factory=dict)
    promise_ms: int = Field(
        15_000, ge=100, le=600_000
    )  # a promised slot that is not taken is free again; a queue's message is shorter


# --- lag: a node opens and closes with hysteresis -------------------------------------------------------------------


class Zone(StrEnum):
    """Where a measured lag lies."""

    CALM = "calm"
    BETWEEN = "between"
    LATE = "late"


# (takes calls, zone) -> takes calls. "ripen": once it has been calm for `calm_for_ms`.
LAG: dict[tuple[bool, Zone], bool | Literal["ripen"]] = {
    (True, Zone.CALM): True,
    (True, Zone.BETWEEN): True,
    (True, Zone.LATE): False,
    (False, Zone.LATE): False,
    (False, Zone.BETWEEN): False,
    (False, Zone.CALM): "ripen",
}


@dataclass(frozen=True, slots=True)
class Gauge:
    """One node's reaction lag as admission sees it; `calm_since_ms` -1 = it is not calm."""

    open: bool = True
    lag_ms: float = 0.0
    calm_since_ms: int = -1

    def read(self, lag_ms: float, now_ms: int, rules: Admission) -> Gauge:
        """The gauge after one more look."""
        zone = Zone.LATE if lag_ms >= rules.late_ms else Zone.CALM if lag_ms <= rules.calm_ms else Zone.BETWEEN
        since_ms = -1 if zone is not Zone.CALM else self.calm_since_ms if self.calm_since_ms >= 0 else now_ms
        opens = LAG[self.open, zone]
        if opens == "ripen":
            opens = now_ms - since_ms >= rules.calm_for_ms
        return Gauge(opens, lag_ms, since_ms)
