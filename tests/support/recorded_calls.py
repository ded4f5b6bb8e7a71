"""Recorded calls for tests and benchmarks: simulated ones, written down in the journal's real format."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from offhook.actors.sqlite_journal import SqliteJournal
from offhook.policies.codec import encode
from offhook.policies.commands import RecordVerdict
from offhook.policies.policy import Policy
from offhook.policies.simulation.run import HORIZON_MS, assembled

UNIX_MS = 1_760_000_000_000  # when the first of them began
APART_MS = 5_000  # between the beginnings of two calls


def recorded(seed: int, policy: Policy, *, fault_share: float = 0.3) -> list[list[Any]]:
    """One simulated call as its journal's records; the same every time."""
    world, _ = assembled(seed, fault_share=fault_share, policy=policy)
    world.run(HORIZON_MS)
    return journal_of(f"sim-{seed}", policy, world.records, UNIX_MS + seed * APART_MS)


def journal_of(call: str, policy: Policy, steps: Iterable[Any], unix_ms: int = 0) -> list[list[Any]]:
    """Steps (event, commands, state) as the records that a call's funnel writes of them."""
    records: list[list[Any]] = []

    def write(at_ms: int, kind: str, body: Any) -> None:
        records.append([call, 1, len(records) + 1, at_ms, kind, body])

    plain = policy.model_dump(mode="json")
    write(0, "start", {"unix_ms": unix_ms, "policy_version": "recorded", "policy": plain, "direction": "inbound"})
    last = None
    for last in steps:
        at_ms = last.event.at_ms
        write(at_ms, "event", encode(last.event))
        if last.commands:
            write(at_ms, "commands", [encode(command) for command in last.commands])
            for command in last.commands:
                if isinstance(command, RecordVerdict):
                    write(at_ms, "verdict", encode(command.verdict))
    if last is not None:
        write(last.state.now_ms, "snapshot", encode(last.state))
        write(last.state.now_ms, "end", {"outcome": last.state.outcome, "counts": {}})
    return records


def calls(count: int, policy: Policy, *, first_seed: int = 1, fault_share: float = 0.3) -> Iterator[list[list[Any]]]:
    """The journals of `count` simulated calls."""
    for seed in range(first_seed, first_seed + count):
        yield recorded(seed, policy, fault_share=fault_share)


def store(path: Path, journals: Iterable[list[list[Any]]]) -> Path:
    """Write journals into one SQLite file, as a supervisor does."""

    async def write() -> None:
        journal = SqliteJournal(path, power_safe=False)
        loop = asyncio.get_running_loop()
        for records in journals:
            stored: asyncio.Future[Any] = loop.create_future()
            journal.append(records, stored.set_result)
            fault = await stored
            if fault is not None:
                raise fault
        await journal.close()

    asyncio.run(write())
    return path
