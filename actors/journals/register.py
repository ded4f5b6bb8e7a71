"""The register of acts: what was begun under which key, by whom, and what came of it. What every register holds to.

A store's own matter is in its file: `sqlite_register.py` for one node, `redis_register.py` for a cluster; `stores.py`
chooses by the journal's URL, for the register goes by the journal's epochs. `tests/integration/test_register.py` runs
these rules against each:

1. `begin` is one step: two who begin the same key at once do not both go ahead.
2. An order of an older epoch than the call's newest is refused, where the journal has only been fenced too.
3. What is done under a key is told to whoever orders it again: a success always, else to the same grant only; a
   further grant after a failure, or after a withdrawal, is a retry under the same key.
4. What was begun and not finished may have happened. Until its time is over it is left to its holder where that is
   another node; then, or where the holder is this node (in a former life), it goes on `in_doubt`.
5. `finish` counts for the newest `begin` of a key only. It is not compared with the call's epoch: an act that was begun
   in time did happen, and its outcome is what a new owner will ask for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..contracts.orders import Order, Outcome

KEEP_MS = 30 * 86_400_000  # an act is remembered as long as the journal remembers its call
GRACE_MS = 2_000  # beyond an order's time: how far clocks of two nodes, and a busy one's timers, may be off


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer to `begin`: exactly one of the first three says something, or the act is the asker's to carry out."""

    outcome: Outcome | None = None  # it was done before
    newer_epoch: int = 0  # of the call's owner; the order is refused
    wait_ms: int = 0  # another node may be doing it; ask again after this
    in_doubt: bool = False  # it was begun before, and may have happened
    tries: int = 1


def state_of(outcome: Outcome) -> str:
    """The word under which an outcome is kept: "ok", "failed", "withdrawn" or "unknown"."""
    if outcome.withdrawn:
        return "withdrawn"
    return "ok" if outcome.ok else "failed" if outcome.known else "unknown"


def outcome_of(state: str, result: str) -> Outcome:
    """The outcome that was kept."""
    return Outcome(state == "ok", result, state != "unknown", state == "withdrawn")


class Register(Protocol):
    """A store of acts. Used from one event loop; nothing here blocks it. Raises JournalAway where the store is away."""

    async def begin(self, order: Order, token: str, time_ms: int) -> Begun:
        """Write down that an act begins.

        Args:
            token: of this try; the same one again (an answer was lost on its way) gets the same answer.
            time_ms: within which the asker acts, or gives it up.
        """
        ...

    async def finish(self, order: Order, token: str, outcome: Outcome) -> bool:
        """Write down what came of it. False: somebody else has begun it since, or finished it."""
        ...

    async def acts(self, call: str) -> list[tuple[str, str, int]]:
        """What was begun in a call, in order: (action, key, how often)."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...
