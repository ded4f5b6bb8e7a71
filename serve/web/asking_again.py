"""How often a carrier has asked in vain: counted in the address that it is told to ask again, so that it ends.

A carrier follows redirects for as long as it is told to. What is told here has a count and a moment in its query; asks
that follow one another within STEADY_S add up, and a stream that lasted longer begins a new count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

COUNT, MOMENT = "try", "at"
STEADY_S = 30  # between two asks: whatever came in between went well
COUNT_MAX = 10_000  # what a query may claim


@dataclass(frozen=True, slots=True)
class Asked:
    """`count` asks in a row led nowhere before this one."""

    count: int

    @classmethod
    def of(cls, query: Mapping[str, str], now_s: float) -> Asked:
        """What the address says that was asked; 0 where it says nothing that makes sense."""
        count, moment_s = _number(query.get(COUNT, "")), _number(query.get(MOMENT, ""))
        return cls(count if count <= COUNT_MAX and abs(now_s - moment_s) < STEADY_S else 0)  # by another's clock, too

    def again(self, path: str, query: Mapping[str, str], now_s: float) -> str:
        """The address for the next ask, with what else was in the query of this one."""
        rest = {name: value for name, value in query.items() if name not in (COUNT, MOMENT)}
        return f"{path}?{urlencode({**rest, COUNT: self.count + 1, MOMENT: int(now_s)})}"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else 0
