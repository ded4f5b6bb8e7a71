"""The claim on a line: where the owner of a call takes its media."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the owner of a call takes its line: one link may open at `endpoint` under `token`."""

    endpoint: str
    token: str
    epoch: int
