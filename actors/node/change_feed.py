"""Which calls came and went on a node, and how long its processes took to start, numbered, for the director.

The director asks for what is new since a number, so a lost answer loses nothing. A director that has just started asks
for all of it, and has its accounts again. After the supervisor's restart, or when too much was missed, it is told so
and compares the live calls. Counts only: what people said is not here.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import islice

from ..contracts.node_operations import Change, NodeFigures, NodeReport

BEGAN = "began"  # with call, tenant
ENDED = "ended"  # with call, tenant, policy version, seconds, usage
STARTED = "started"  # a process was warm after so many seconds

NOTES_MAX = 5_000  # a director that is away for a minute at 80 calls a second misses nothing


class ChangeFeed:
    """Changes of one supervisor's life.

    Args:
        began_unix_ns: when that life began, which is also its name; 0 = now. No two lives of a node have the same.
    """

    def __init__(self, began_unix_ns: int = 0) -> None:
        self.life = began_unix_ns or time.time_ns()  # numbers count within it
        self._changes: deque[Change] = deque(maxlen=NOTES_MAX)
        self._number = 0

    def note(self, change: Change) -> None:
        """One more thing happened."""
        self._number += 1
        self._changes.append(change)

    def since(self, life: int, number: int, stats: NodeFigures) -> NodeReport:
        """The figures with what is new since change `number` of `life`; another life: what is still here."""
        new = self._number - number
        kept = len(self._changes)
        whole = life == self.life and 0 <= new <= kept
        changes = tuple(islice(self._changes, kept - new, None)) if whole else tuple(self._changes)
        return NodeReport(stats, self.life, self._number, changes, whole, len(changes) == self._number)
