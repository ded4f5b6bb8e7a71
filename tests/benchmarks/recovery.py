"""How long is a call without its state after a takeover, an hour into it; and what does compaction cost live calls?

    python tests/benchmarks/recovery.py [--seconds N] [--json FILE]

The hour is the dense one of `step.py`, one call of nothing but talk, with the records that a call writes: events,
commands, verdicts, a snapshot and a place after every 256 events. Recovery is what a new owner waits for: fence, read,
fold to the state. "from the snapshot" is the way it goes; "from the start" is what it would be without snapshots.

Compaction: 200 calls append ten records a second each while the store holds twenty such hours that are over; "with" has
it drop them meanwhile, "without" leaves them. SQLite against a Redis that is started for this, both power safe.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import uvloop
from journal import Store, live_calls, share, stores
from offhook.actors.call.resume import fold, trimmed
from offhook.actors.journals import redis_journal, sqlite_journal
from offhook.actors.journals.journal import Journal, Retention
from offhook.actors.journals.queries import since_snapshot
from offhook.policies.conversation.machine import step
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import RecordVerdict
from offhook.policies.core.records import Record
from offhook.policies.core.state import CallState
from step import LED_BY, dense_hour

SNAPSHOT_EVERY = 256  # events, as a call does
OLD_CALLS = 20
RUNS = 9
NEVER = Retention(compact_after_ms=10**12)
AT_ONCE = Retention(compact_after_ms=0)
Records = list[Record]


def an_hour(call: str, snapshots: bool) -> Records:
    """The journal of one call of an hour."""
    records: Records = []

    def write(kind: str, body: Any) -> None:
        records.append(Record(call, 1, len(records) + 1, state.now_ms, kind, body))

    state = CallState()
    write("start", {"policy": LED_BY.model_dump(mode="json"), "policy_version": "v1"})
    for number, (event, policy) in enumerate(dense_hour()[0], 1):
        decision = step(state, event, policy)
        state = decision.state
        write("event", encode(event))
        if decision.commands:
            write("commands", [encode(command) for command in decision.commands])
        for command in decision.commands:
            if isinstance(command, RecordVerdict):
                write("verdict", encode(command.verdict))
        if snapshots and number % SNAPSHOT_EVERY == 0:
            write("snapshot", encode(state))
            write("place", ["MZ1", number, 0, 0, 0, 0, -1])
    return records


async def fill(journal: Journal, records: Records) -> None:
    for start in range(0, len(records), 500):
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        journal.append(records[start : start + 500], done.set_result)
        assert await done is None


@contextmanager
def no_steps() -> Iterator[None]:
    """Compaction waits."""
    modules = (redis_journal, sqlite_journal)
    before = [module.COMPACT_IDLE_MS for module in modules]
    for module in modules:
        module.COMPACT_IDLE_MS = 10**9
    yield
    for module, idle_ms in zip(modules, before, strict=True):
        module.COMPACT_IDLE_MS = idle_ms


async def recovery(store: Store, run: int, records: Records) -> dict[str, float]:
    """Fence, read, fold: the times of each, from the journal as a new owner finds it."""
    journal = store.open(run, NEVER)
    await fill(journal, records)
    fenced, read, folded, whole = [], [], [], []
    found: Records = []
    for epoch in range(2, 2 + RUNS):
        start = time.perf_counter()
        await journal.fence("hour", epoch)
        fenced_at = time.perf_counter()
        found, damage = await since_snapshot(journal, "hour")
        assert damage is None
        found = [trimmed(record) for record in found]
        read_at = time.perf_counter()
        legacy = fold(found, LED_BY)
        end = time.perf_counter()
        assert legacy.state.now_ms == records[-1][3]
        for times, took in ((fenced, fenced_at - start), (read, read_at - fenced_at), (folded, end - read_at)):
            times.append(took * 1_000)
        whole.append((end - start) * 1_000)
    await journal.close()
    return {
        "whole_p50_ms": share(whole, 0.5),
        "whole_max_ms": max(whole),
        "fence_p50_ms": share(fenced, 0.5),
        "read_p50_ms": share(read, 0.5),
        "fold_p50_ms": share(folded, 0.5),
        "records_read": len(found),
        "records": len(records),
    }


async def compaction(store: Store, run: int, hour: Records, seconds: float, retention: Retention) -> dict[str, float]:
    """What 200 calls' appends cost beside old calls that are dropped, or not."""
    with no_steps():
        journal = store.open(run, retention)
        for number in range(OLD_CALLS):
            old = [[f"old-{number}", *record[1:]] for record in hour]
            await fill(journal, [*old, [f"old-{number}", 1, len(hour) + 1, hour[-1][3], "end", {}]])
        await journal.close()
    with no_steps() if retention is NEVER else nullcontext():
        found = await live_calls(store, run, 200, seconds, retention)
    with no_steps():
        journal = store.open(run, retention)
        dropped = 0
        for number in range(OLD_CALLS):
            kept = await journal.kept(f"old-{number}")
            dropped += kept.dropped if kept is not None else 0
        await journal.close()
    return found | {"dropped": dropped}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement of compaction")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    chosen = parser.parse_args()
    with_snapshots, without = an_hour("hour", True), an_hour("hour", False)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder, stores(Path(folder)) as each:
        for store in (one for one in each if one.power_safe):
            found[f"recovery from the snapshot, {store.kind}"] = uvloop.run(recovery(store, 1, with_snapshots))
            found[f"recovery from the start, {store.kind}"] = uvloop.run(recovery(store, 2, without))
            for name, run, retention in (("without", 3, NEVER), ("with", 4, AT_ONCE)):
                work = compaction(store, run, with_snapshots, chosen.seconds, retention)
                found[f"200 calls {name} compaction, {store.kind}"] = uvloop.run(work)
    for name, values in found.items():
        print(f"{name:38}", "  ".join(f"{key} {value:,.1f}" for key, value in values.items()))
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
