"""What a call has used, measured where it was used: the call process's own CPU time and memory, seconds of engines.

CPU is that of the process between the call's assignment and its end, which serves one call at a time; memory is the
process's PSS at the end for as long as the call was there, which errs upwards, since a call only grows. Of a call that
was taken over, processor and engines are those of its last owner: what a killed process used, nobody can tell.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from offhook.policies.core.records import Cost
from offhook.policies.fleet.cost import Prices, Usage, bill

from .session import Parts, Session

FRAME_S = 0.02


class Meter:
    """One call's, begun when the call is assigned to this process."""

    def __init__(self) -> None:
        self._cpu_s = time.process_time()
        self._began_s = time.monotonic()

    def read(self, session: Session, parts: Parts) -> Usage:
        """What was used up to now. Takes some milliseconds: not while the call is live."""
        state = parts.funnel.state
        held_s = time.monotonic() - self._began_s
        talk_s = max(0, session.now() - state.answered_ms) / 1_000 if state.answered_ms else 0.0
        return Usage(
            talk_s=talk_s,
            cpu_s=max(0.0, time.process_time() - self._cpu_s),
            memory_byte_s=pss_kb() * 1_024 * held_s,
            recognizer_s=parts.hearing.recognizer.used_s,
            synthesizer_s=parts.synthesizer.used_s,
            carrier_s=talk_s if session.awaited.taken_over else parts.line.frames * FRAME_S,
            tool_cents=state.authority.spent_cents,
        )


def in_record(usage: Usage) -> dict[str, float]:
    """As the end's record of a call has it."""
    return {name: round(value, 4) for name, value in asdict(usage).items()}


def cost_of(usage: Usage, prices: Mapping[str, Any]) -> Cost:
    """What that costs, as the end's record has it."""
    cost = bill(usage, Prices.model_validate(dict(prices)))
    return Cost(round(cost.cents, 4), {item.name: round(item.cents, 4) for item in cost.items})


def pss_kb(pid: int | str = "self") -> int:
    """Proportional set size of a process in kB: what it really costs, shared pages divided among those who share."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
