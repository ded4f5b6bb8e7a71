"""What can go wrong while calls are placed; the bases are those of `offhook.policies.core.errors`."""

from __future__ import annotations

from offhook.actors.contracts.errors import NoSpare


class Overflow(NoSpare):
    """A call got no slot within its ring budget. `act` says what becomes of it: "busy", "queue" (it keeps its place in
    line until it asks again), or "redirect" (to the number `to`)."""

    def __init__(self, act: str, why: str, to: str = "") -> None:
        super().__init__(act, why, to)
        self.act = act
        self.why = why
        self.to = to

    def __str__(self) -> str:
        return self.why
