"""What a checker finds: something that must never be. Which things those are is every checker's own matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[str, str], None]  # the promise, and how it is broken


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be, found in one call."""

    checker: str
    at_ms: int
    message: str
