"""How a speech engine behaves on its link: what it sends that is no message costs itself, and much of it the engine.

An engine is a program of somebody else's. A message of the wrong form is dropped and counted, and never closes the
link by itself; an engine whose last messages were mostly such is left for another. What a right message is, say
`recognition.py` and `synthesis.py`.
"""

from __future__ import annotations

from collections import deque

LOOKED_AT = 16  # of the last messages: two seconds of a lively recognizer


class Conduct:
    """Of one engine, for the length of one link; `refused` counts on over links."""

    def __init__(self) -> None:
        self.refused = 0  # messages, in this call
        self._bad: deque[bool] = deque(maxlen=LOOKED_AT)

    def new_link(self) -> None:
        """Another engine, or another chance."""
        self._bad.clear()

    def good(self) -> None:
        """A message as it should be."""
        self._bad.append(False)

    def refuse(self) -> bool:
        """A message that is none. True = most of the last ones were: leave the engine."""
        self.refused += 1
        self._bad.append(True)
        return sum(self._bad) > LOOKED_AT // 2
