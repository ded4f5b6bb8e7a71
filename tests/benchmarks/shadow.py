"""What does a shadow cost the call that it shadows, and what does it cost itself?

    python tests/benchmarks/shadow.py [--json] [--calls N]

Simulated calls led by the stock sales policy are told, event by event, to a shadow in a process of its own at priority
10, over a Unix socket as in a live node; and once more to nobody. CPU time of the telling process is taken over all of
it. A call's second has as many events as these recordings have.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from offhook.actors.shadows.shadow import Shadow
from offhook.actors.shadows.shadow_host import be_nice
from offhook.actors.shadows.trial import agents_of
from recorded_calls import calls
from shadow_stage import SALES, Stage, stricter

ROUNDS = 3  # the least CPU time of them counts


def listen(endpoint: str, tokens: list[str], begin: Any, told: Any) -> None:
    """The shadow's process: one call after the other; tells its CPU time."""
    be_nice()

    async def one(token: str) -> None:
        shadow = Shadow("c", stricter(), agents_of(stricter(), ""), lambda _call, _found: None)
        await shadow.join(endpoint, token)
        await shadow.over.wait()

    async def all_of_them() -> None:
        for token in tokens:
            await asyncio.to_thread(begin.get)
            await one(token)

    before = resource.getrusage(resource.RUSAGE_SELF)
    uvloop.run(all_of_them())
    after = resource.getrusage(resource.RUSAGE_SELF)
    told.put(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


async def tell(journals: list[list[list[Any]]], path: Path, shadowed: bool) -> tuple[float, float]:
    """CPU seconds of the telling and of the shadow."""
    stage = Stage(path)
    await stage.server.start(stage.endpoint)
    context = get_context("spawn")
    begin, told = context.Queue(), context.Queue()
    tokens = [stage.server.admit("x") for _ in journals]
    if shadowed:
        child = context.Process(target=listen, args=(stage.endpoint, tokens, begin, told))
        child.start()
    spent = 0.0
    for journal in journals:
        if shadowed:
            begin.put(None)
            while not stage.broadcaster.stats()["subscribers"]:  # noqa: ASYNC110  # a child connects
                await asyncio.sleep(0.001)
        began = time.process_time()
        for number, record in enumerate(journal):
            if record[4] == "event":
                after = journal[number + 1] if number + 1 < len(journal) else record
                assert stage.funnel.follower is not None
                stage.funnel.follower(record[5], after[5] if after[4] == "commands" else [], 1, 1)
                await asyncio.sleep(0)
        spent += time.process_time() - began
        for subscriber in list(stage.broadcaster._subscribers):
            subscriber.link.close("the call is over")
        while stage.broadcaster.stats()["subscribers"]:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    await stage.server.stop()
    if shadowed:
        cost = await asyncio.to_thread(told.get, True, 120)
        child.join(30)
        return spent, cost
    return spent, 0.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    journals = list(calls(asked.calls, SALES))
    events = sum(record[4] == "event" for journal in journals for record in journal)
    talk_s = sum(journal[-1][3] for journal in journals) / 1_000
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        runs = {
            name: [
                uvloop.run(tell(journals, Path(folder) / f"{name}{number}", name == "shadowed"))
                for number in range(ROUNDS)
            ]
            for name in ("alone", "shadowed")
        }
    alone_s, with_s = (min(spent for spent, _ in runs[name]) for name in ("alone", "shadowed"))
    shadow_s = min(cost for _, cost in runs["shadowed"])
    figures = {
        "calls": len(journals),
        "events": events,
        "events_a_call_second": round(events / talk_s, 2),
        "call_us_an_event": round((with_s - alone_s) / events * 1e6, 1),
        "call_ms_a_call_second": round((with_s - alone_s) / talk_s * 1e3, 4),
        "shadow_ms_a_call_second": round(shadow_s / talk_s * 1e3, 3),
    }
    print(json.dumps(figures) if asked.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
