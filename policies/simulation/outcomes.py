"""Checked from outside: what is said of an act is what was done.

The lines of a booking, whatever is booked, and the core's own name what came of an act, and of which: "You are booked
for {time}". Whatever is said in their words is held against the orders and what the tools reported of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from ..agents.booking import Booking
from ..core.commands import Say
from ..core.policy import Policy
from ..language.lines.lines import section
from .account import Account, Ordered, plain
from .violations import Report

SAID = "what is said of an act is what was done"

# Which claim a line makes: of the booking agent, and of the gate where no agent says anything.
BOOKING_LINES = {
    "booked": "done",
    "failed": "failed",
    "withdrawn": "not done",
    "too_late": "done",
    "undone": "undone",
    "not_undone": "not undone",
    "kept": "done",
}
GATE_LINES = {"done": "done", "failed": "failed", "withdrawn": "not done", "regretted": "done"}

_PLACE = re.compile(r"\\\{[a-z_]+\\\}")
_UNNAMED = "that"  # what an agent says where it knows no value


class Outcomes:
    """Watches what one call says of its acts."""

    def __init__(self, account: Account, report: Report) -> None:
        self._account = account
        self._report = report
        account.on(Say, self._say)

    def _say(self, command: Say) -> None:
        found = claim_in(command.text, self._account.world.policy)
        if found is None:
            return
        claim, named = found
        if named != _UNNAMED and _NAMES_A_TIME.isdisjoint(plain(named)):
            return  # it speaks of another kind of act
        acts = list(self._account.acts.values())
        if not _HOLDS[claim](acts, plain(named)):
            told = ", ".join(f"{act.action} of {act.value} {act.outcome or 'under way'}" for act in acts) or "nothing"
            self._report(SAID, f"'{claim}' is said of {named}; what came of it: {told}")


def claim_in(text: str, policy: Policy) -> tuple[str, str] | None:
    """What a text says of an act, and of which."""
    for pattern, claim in _patterns(_templates(policy)):
        found = pattern.fullmatch(text)
        if found is not None:
            return claim, found[1] if found.groups() else _UNNAMED
    return None


def _templates(policy: Policy) -> tuple[tuple[str, str], ...]:
    """What each line claims: of every agent whose lines have the booking agent's names, whatever its act is."""
    lines = [section(policy.language, Booking.SECTION)] if "booking" in policy.agents else []
    own = [
        (spoken[name], claim)
        for spoken in (*lines, *(spec.lines for spec in policy.agents.values()))
        for name, claim in BOOKING_LINES.items()
        if spoken.get(name)
    ]
    return (*own, *((policy.gate.lines[name], claim) for name, claim in GATE_LINES.items() if policy.gate.lines[name]))


@cache
def _patterns(templates: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_PLACE.sub("(.+)", re.escape(text))), claim) for text, claim in templates)


# --- whether a claim holds ------------------------------------------------------------------------------------------


def _named(act: Ordered, words: list[str]) -> bool:
    """The words name this act: its value stands in them, or they name none."""
    value = plain(act.value)
    holds = any(words[at : at + len(value)] == value for at in range(len(words) - len(value) + 1))
    return holds or words == [_UNNAMED]


def _of(acts: list[Ordered], words: list[str], outcome: str, *, undoing: bool = False) -> list[Ordered]:
    """Acts that undo are told apart from all others by the policy (`gate.actions.NAME.undo`), never by their names."""
    found = [act for act in acts if act.action and act.undoes is undoing and act.outcome == outcome]
    return [act for act in found if _named(act, words)]


def _done(acts: list[Ordered], words: list[str]) -> bool:
    return bool(_of(acts, words, "done") or _of(acts, words, "done", undoing=True))


def _failed(acts: list[Ordered], words: list[str]) -> bool:
    unwritten = any(not act.action and act.outcome == "failed" for act in acts)  # the journal has not taken it
    return unwritten or bool(_of(acts, words, "failed") or _of(acts, words, "failed", undoing=True))


def _not_done(acts: list[Ordered], words: list[str]) -> bool:
    """No booking of it stands: what was taken back before it had left was never ordered."""
    booked, undone = _of(acts, words, "done"), _of(acts, words, "done", undoing=True)
    under_way = [act for act in acts if act.action and not act.undoes and not act.outcome and act.begun_ms >= 0]
    return len(booked) <= len(undone) and not any(_named(act, words) for act in under_way)


def _undone(acts: list[Ordered], words: list[str]) -> bool:
    return bool(_of(acts, words, "done", undoing=True))


def _not_undone(acts: list[Ordered], words: list[str]) -> bool:
    return bool(_of(acts, words, "failed", undoing=True) or _of(acts, words, "withdrawn", undoing=True))


_HOLDS: dict[str, Callable[[list[Ordered], list[str]], bool]] = {
    "done": _done,
    "failed": _failed,
    "not done": _not_done,
    "undone": _undone,
    "not undone": _not_undone,
}
_NAMES_A_TIME = frozenset(
    ["monday", "tuesday", "wednesday", "thursday", "friday", "today", "tomorrow", "next", "at", "morning", "afternoon"]
)
