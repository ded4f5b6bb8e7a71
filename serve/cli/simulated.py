"""Simulated calls written into a journal (`offhook simulate --journal`): something to try a policy on, before any
call was taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from offhook.policies.core.errors import CallerFault
from offhook.policies.core.records import Record


def record(file: Path, folder: Path, calls: int, seed: int) -> dict[str, Any]:
    """Have the bundle in `folder` lead `calls` simulated calls, and write them into the SQLite journal `file`.

    Raises:
        PolicyError: the bundle cannot be used. CallerFault: the file is there already.
    """
    from offhook.actors.shadows.trial import agents_of
    from offhook.policies.simulation.journal import recorded

    from ..bundles.policy_files import load

    if file.exists():
        raise CallerFault(f"{file} is there already; simulated calls are written into a new journal")
    if not file.absolute().parent.is_dir():
        raise CallerFault(f"{file.absolute().parent}: no such folder")
    bundle = load(folder)
    agents = agents_of(bundle.policy, str(bundle.path))
    unix_ms = time.time_ns() // 1_000_000
    policy = bundle.policy
    seeds = range(seed, seed + calls)
    journals = [recorded(each, policy, agents=agents, fault_share=0.0, unix_ms=unix_ms) for each in seeds]
    store(file, journals)
    return {"policy": bundle.name, "version": bundle.version, "journal": str(file), "calls": len(journals)}


def store(path: Path, journals: Iterable[list[Record]]) -> Path:
    """Write whole journals into one SQLite file, as a supervisor does.

    Raises:
        JournalAway: the file cannot be written.
    """
    from offhook.actors.journals.sqlite_journal import SqliteJournal

    async def write() -> None:
        journal = SqliteJournal(path, power_safe=False)
        loop = asyncio.get_running_loop()
        try:
            for records in journals:
                stored: asyncio.Future[Any] = loop.create_future()
                journal.append(records, stored.set_result)
                fault = await stored
                if fault is not None:
                    raise fault
        finally:
            await journal.close()

    asyncio.run(write())
    return path
