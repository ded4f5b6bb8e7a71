"""Which carriers an installation works with. Names and options only, so that any process can be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CarrierChoice:
    """A carrier by the name of its entry point, with its options as they were set (secrets among them)."""

    name: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
