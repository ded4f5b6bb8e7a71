"""What is done to a running system to see whether it holds: the faults as a table, and a schedule of them from a seed.

A schedule is data: the same seed gives the same strikes at the same moments, and `draw` chooses the same one among the
same targets. Nothing is carried out here (`serve/chaos/strikes.py` does), and what must hold nevertheless is
`serve/chaos/journal_checks.py`'s matter.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import CallerFault

FIRST_MS = 3_000  # calls are placed and talk before the first fault
LAST_MS = 4_000  # before the end: what the last fault leads to is seen too


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of harm.

    `lasts_ms`: from and to, for harm that is undone again; `gap_ms`: the longest silence inside of the agent's speech
    that it may explain, -1 = as on any day; `rest_ms`: after it, until the next fault: the system has time to recover;
    `named`: it strikes only where it is asked for by name, because it needs a preparation.
    """

    about: str
    gap_ms: int = -1
    rest_ms: int = 1_000
    lasts_ms: tuple[int, int] = (0, 0)
    weight: int = 1
    named: bool = False


# A takeover's own gap must not be heard, so a kill explains none; a hung process is found out within 500 ms, and the
# carrier's buffer (up to 400 ms) hides the rest. Whoever waits for Ray to start a process waits for seconds.
FAULTS: dict[str, Fault] = {
    "call_kill": Fault("kill -9 of a call's process", weight=5),
    "call_stop": Fault("SIGSTOP of a call's process, SIGCONT after it was taken over", 1_000, 1_500, (2_000, 3_000), 2),
    "call_pause": Fault("SIGSTOP of a call's process, SIGCONT before anybody may notice", 200, 500, (80, 160)),
    "link_cut": Fault("one of a call process's sockets is shut down", 200, 1_500, weight=3),
    "slow_reader": Fault("an observer subscribes to a call and never reads", lasts_ms=(4_000, 6_000)),
    "agents_kill": Fault("kill -9 of an agent host", rest_ms=3_000, weight=2),
    "agents_stop": Fault("SIGSTOP of an agent host, SIGCONT later", rest_ms=3_000, lasts_ms=(1_000, 3_000)),
    "journal_away": Fault("the journal's store takes no records for a while", rest_ms=2_000, lasts_ms=(1_500, 4_000)),
    "engine_kill": Fault("kill -9 of a speech engine's process", 5_000, 5_000, weight=2),
    "supervisor_kill": Fault("kill -9 of the supervisor; Ray restarts it", rest_ms=6_000, weight=2),
    "supervisor_stop": Fault("SIGSTOP of the supervisor, SIGCONT later", rest_ms=3_000, lasts_ms=(500, 2_000)),
    "both_kill": Fault("kill -9 of a call's process and of the supervisor at the same moment", 12_000, 10_000),
    "gateway_kill": Fault("kill -9 of the gateway; the carriers come back by the resume webhook", 12_000, 8_000),
    "node_kill": Fault("kill -9 of a node's processes, where its journal is shared with another", 30_000, 30_000),
    "raylet_kill": Fault("kill -9 of a node's raylet alone, where its journal is shared", 30_000, 30_000),
    # Only of a Ray that the run itself has started (--policy), with RAY_REDIS_ADDRESS set: else the store forgets all.
    "store_kill": Fault("kill -9 of Ray's control store, started again later", -1, 10_000, (2_000, 5_000), named=True),
}
UNNAMED = tuple(name for name, fault in FAULTS.items() if not fault.named)


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault at one moment. `draw` (0 to 1) chooses among the targets there are then."""

    at_ms: int
    fault: str
    draw: float
    lasts_ms: int = 0


def schedule(seed: int, lasts_ms: int, faults: Sequence[str] = UNNAMED, per_minute: float = 12.0) -> list[Strike]:
    """Strikes for a run of `lasts_ms`, about `per_minute` of them where the faults' own rests leave room for as many.

    Raises:
        CallerFault: a fault that is not in the table, or a pace that is none.
    """
    if unknown := [name for name in faults if name not in FAULTS]:
        raise CallerFault(f"no such fault: {', '.join(unknown)}; known are {', '.join(FAULTS)}")
    if not faults or not 0 < per_minute <= 600:
        raise CallerFault("name at least one fault, and a pace of more than 0 and at most 600 a minute")
    chance = random.Random(seed)
    pause_ms = 60_000 / per_minute
    strikes: list[Strike] = []
    at_ms, rested_ms = FIRST_MS, 0
    while True:
        at_ms = max(at_ms + int(pause_ms * chance.uniform(0.5, 1.5)), rested_ms)
        (name,) = chance.choices(faults, [FAULTS[each].weight for each in faults])
        lasts = chance.randint(*FAULTS[name].lasts_ms)
        if at_ms + lasts > lasts_ms - LAST_MS:
            return strikes
        strikes.append(Strike(at_ms, name, chance.random(), lasts))
        rested_ms = at_ms + lasts + FAULTS[name].rest_ms
