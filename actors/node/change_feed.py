"""The change feed: which calls came and went on a node, and how long its processes took to start, numbered.

The director asks for what is new since a number, so a lost answer loses nothing. A director that has just started asks
for all of it, and has its accounts again. After the supervisor's restart, or when too much was missed, it is told so
and compares the live calls. Counts only: what people said is not here.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import Any

BEGAN = "began"  # call, tenant
ENDED = (
    "ended"  # call, tenant, policy version, holding_s, usage (map, see policies/fleet/cost.py; empty = not measured)
)
STARTED = "started"  # a process was warm after so many seconds

NOTES_MAX = 5_000  # a director that is away for a minute at 80 calls a second misses nothing


class ChangeFeed:
    """Notes of one supervisor's life.

    Args:
        began_unix_ns: when that life began, which is also its name; 0 = now. No two lives of a node have the same.
    """

    def __init__(self, began_unix_ns: int = 0) -> None:
        self.life = began_unix_ns or time.time_ns()  # numbers count within it
        self._notes: deque[list[Any]] = deque(maxlen=NOTES_MAX)
        self._number = 0

    def note(self, kind: str, *fields: Any) -> None:
        """One more thing happened."""
        self._number += 1
        self._notes.append([kind, *fields])

    def since(self, life: int, number: int) -> dict[str, Any]:
        """{life, number, notes, whole, all}: what is new since `number` of `life`; another life: what is still here.

        `whole` False = it does not follow what was told before; `all` = nothing of this life was left out.
        """
        new = self._number - number
        whole = life == self.life and 0 <= new <= len(self._notes)
        kept = len(self._notes)
        notes = list(islice(self._notes, kept - new, None)) if whole else list(self._notes)
        told = {"life": self.life, "number": self._number, "notes": notes}
        return {**told, "whole": whole, "all": len(notes) == self._number}
