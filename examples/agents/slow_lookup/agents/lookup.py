"""An asynchronous agent: it says that it looks something up, awaits that, and says what it found.

What it yields is spoken at once, a sentence each. When the caller interrupts, or says something new, the lookup is
cancelled: CancelledError is raised where it awaits, and what it has open is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from offhook.policies.agents.base import Agent, View, heard
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.proposals import Asks, Proposal, Purpose

PARCELS = {"4711": "is on its way to you", "1234": "was delivered yesterday"}
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS = {word: str(number) for number, word in enumerate(WORDS)}


class Lookup(Agent):
    """Option `lookup_ms`: how long the parcel system takes, in ms."""

    LINES: ClassVar[Mapping[str, str]] = {}

    def __init__(self, name: str, spec: AgentSpec) -> None:
        super().__init__(name, spec)
        self.asked = 0  # lookups begun
        self.given_up = 0  # lookups that were cancelled

    async def propose(self, view: View, reason: str) -> AsyncIterator[Proposal]:
        """Greet; then for every turn of the caller, look up the number that is in it."""
        if reason == "answered":
            yield self.say(view, "greeting", Purpose.GREETING, Asks.DIGITS)
            return
        if reason not in ("turn_ended", "interrupted"):
            return
        number = number_in(view["pii_words"])
        if not number:
            if heard(view, "goodbye", "denial"):
                yield self.end(view, "done", "goodbye", priority=0.5, reason="the caller needs nothing else")
            else:
                yield self.say(view, "which", Purpose.QUESTION, Asks.DIGITS, reason="no number in what was said")
            return
        yield self.say(view, "one_moment", Purpose.ANSWER, values={"number": " ".join(number)})
        status = await self.status_of(number)
        yield self.say(view, "found", Purpose.ANSWER, values={"status": status}, reason="looked up")
        yield self.say(view, "anything_else", Purpose.QUESTION, Asks.YES_NO)

    async def status_of(self, number: str) -> str:
        """What the parcel system knows; here a table behind a pause."""
        self.asked += 1
        try:
            await asyncio.sleep(float(self.options.get("lookup_ms", 1_200)) / 1_000)
        except asyncio.CancelledError:
            self.given_up += 1  # close a connection here; there are 250 ms for it
            raise
        return PARCELS.get(number, "is not known to us")


def number_in(words: str) -> str:
    """The digits in what was said, as one number."""
    return "".join(
        DIGITS.get(word, word) for word in words.lower().replace(".", "").split() if word in DIGITS or word.isdigit()
    )
