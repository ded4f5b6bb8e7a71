"""What a program that makes the sound of one phrase at a time has to be, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..sound import Waves
from .phrasing import Phoneme


@dataclass(frozen=True, slots=True)
class Rendered:
    """One phrase as the program gave it; `phonemes` is empty where it does not tell how long each of them lasts."""

    waves: Waves
    rate_hz: int
    phonemes: tuple[Phoneme, ...] = ()


class Program(Protocol):
    """Makes the sound of one phrase at a time."""

    async def start(self) -> None:
        """Get ready. Raises: StartFault: it cannot."""
        ...

    async def stop(self) -> None:
        """End it."""
        ...

    async def render(self, text: str) -> Rendered:
        """The phrase's sound. Raises: EngineAway: not this time; once more may help."""
        ...
