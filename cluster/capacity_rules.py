"""What a cluster's capacity is kept by, as one map that the director is started with: goals, admission, prices.

Checked here, decided nowhere: `policies/` has the meaning of every field, `serve/config/settings.py` the names under
which operators set them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offhook.policies.core.units import Section
from offhook.policies.fleet.admission_rules import Admission
from offhook.policies.fleet.capacity import Goals
from offhook.policies.fleet.cost import Prices
from pydantic import Field


class CapacityRules(Section):
    """Without `scale` nobody starts or ends nodes: calls go wherever there is a supervisor, and a node's `call_slot`
    resource, where it has one, bounds its calls. With it, only nodes that have `call_slot` take calls, and the
    autoscaler is told how many of them are wanted."""

    goals: Goals = Field(default_factory=Goals)
    admission: Admission = Field(default_factory=Admission)
    prices: Prices = Field(default_factory=Prices)
    scale: bool = False
    spares_min: int = Field(2, ge=0, le=1_000)  # a node, whatever the traffic
    spares_max: int = Field(0, ge=0, le=1_000)  # a node; 0 = as `spares_min`, so that spares do not follow the traffic

    @classmethod
    def of(cls, plain: Mapping[str, Any], options: Mapping[str, Any]) -> CapacityRules:
        """What was set (plain values), over what the supervisors' options say."""
        known: dict[str, Any] = {"spares_min": options["spares"]} if "spares" in options else {}
        if "ring_ms" in options:
            known["admission"] = {"ring_ms": options["ring_ms"]}
        return cls.model_validate(known | dict(plain))
