"""What goes wrong in a simulated call, drawn from the call's own chance.

`share` scales all of it: 0 = a flawless world, 1 = the stock mixture. Each method answers one question at the moment
at which the world asks it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

# Probabilities of the stock mixture, each high enough that 5,000 calls meet it often.
WORDS_LATE = 0.05  # a final reading comes seconds after the speech
WORDS_LOST = 0.03
WORDS_REPEATED = 0.04
WORDS_REORDERED = 0.03  # a partial reading arrives after the final one
MARK_LOST = 0.04
AGENT_STUCK = 0.02  # never answers; it is lost and joins again
AGENT_SLOW = 0.08  # answers long after the round's deadline
REPEATED = 0.04  # an answer or a result is delivered twice
TOOL_FAILS = 0.15
JOURNAL_SLOW = 0.1  # it takes seconds until the journal has what led to an act
REGISTER_SLOW = 0.4  # ... until the register has begun it: so long it can be taken back
TRANSFER_UNANSWERED = 0.25
TIMER_LATE = 0.05
TIMER_STALE = 0.5  # of the firings that were disarmed or replaced, delivered all the same
CANNOT_SPEAK = 0.01
TAKEOVER = 0.15  # of calls: another process goes on from the encoded state
LINE_BREAKS = 0.08  # of calls
LINE_STAYS_AWAY = 0.25  # of those
PART_FAILS = 0.12  # of calls: a part that the call leans on is away for a while
POLICY_SWAP = 0.2  # of calls
SWAP_FORCED = 0.3  # of those: at its deadline, whatever is under way
SWAP_UNDONE = 0.2  # of those: the former policy is put back a moment later
HANG_UP_BY_OPERATOR = 0.03  # of calls
NO_ANSWER = 0.02  # of calls


@dataclass(frozen=True, slots=True)
class Faults:
    """One call's bad luck."""

    chance: random.Random
    share: float = 1.0

    def hits(self, probability: float) -> bool:
        """True with `probability`, scaled."""
        return self.chance.random() < probability * self.share

    def timer_late_ms(self) -> int:
        return self.chance.randint(1, 60) if self.hits(TIMER_LATE) else 0

    def stale_timer(self) -> bool:
        return self.hits(TIMER_STALE)

    def agent_delay_ms(self, usual_ms: int) -> int | None:
        """How long an agent takes; None = it never answers."""
        if self.hits(AGENT_STUCK):
            return None
        return usual_ms + 2_000 if self.hits(AGENT_SLOW) else usual_ms

    def repeated(self) -> bool:
        return self.hits(REPEATED)

    def journal_slow(self) -> bool:
        return self.hits(JOURNAL_SLOW)

    def register_slow(self) -> bool:
        return self.hits(REGISTER_SLOW)

    def tool_fails(self) -> bool:
        return self.hits(TOOL_FAILS)

    def transfer_unanswered(self) -> bool:
        return self.hits(TRANSFER_UNANSWERED)

    def mark_lost(self) -> bool:
        return self.hits(MARK_LOST)

    def cannot_speak(self) -> bool:
        return self.hits(CANNOT_SPEAK)

    def words_delays_ms(self, usual_ms: int) -> tuple[int, ...]:
        """When copies of one final reading arrive after the speech; empty = it is lost."""
        if self.hits(WORDS_LOST):
            return ()
        first = usual_ms + (self.chance.randint(800, 3_000) if self.hits(WORDS_LATE) else 0)
        return (first, first + 150) if self.hits(WORDS_REPEATED) else (first,)

    def words_reordered(self) -> bool:
        return self.hits(WORDS_REORDERED)
