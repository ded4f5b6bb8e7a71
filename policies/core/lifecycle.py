"""What every lifecycle has in common: a stage, and a table of legal moves. A missing row raises and changes nothing.

The tables themselves lie beside what they are about: each has its stages, its moves and their rules in one file.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from .errors import IllegalMove

S = TypeVar("S", bound=StrEnum)
M = TypeVar("M", bound=StrEnum)


class Lifecycle(Generic[S, M]):
    """Where one thing stands.

    Args:
        what: its name in the message of an illegal move: "call c1".
        moves: (stage, move) -> the next stage.
        stage: the first one.
    """

    __slots__ = ("_moves", "_what", "stage")

    def __init__(self, what: str, moves: Mapping[tuple[S, M], S], stage: S) -> None:
        self.stage = stage
        self._what = what
        self._moves = moves

    def may(self, move: M) -> bool:
        """Whether the present stage allows this move."""
        return (self.stage, move) in self._moves

    def move(self, move: M) -> S:
        """Go on to the next stage, which is returned.

        Raises:
            IllegalMove: the table has no such row; the stage is as it was.
        """
        after = self._moves.get((self.stage, move))
        if after is None:
            legal = ", ".join(f"'{known}'" for stage, known in self._moves if stage is self.stage) or "nothing"
            raise IllegalMove(f"{self._what} is {self.stage}: '{move}' cannot happen; legal now: {legal}")
        self.stage = after
        return after
