"""Live calls swapped to another policy version while they talk.

    python tests/benchmarks/swap.py [--calls 20] [--seconds 10] [--deadline-ms 800] [--json]

One supervised node, no recognizer, tone voice; callers on lines of the test exchange (the gateway's own, without a
WebSocket) talk for `--seconds`, interrupting the agent every few seconds. Then all calls are swapped at once: first
forced at `--deadline-ms` where no safe point came before, then back, kept as they are where none came within 30 s. From
the journals: when each call was led by the new version; whether an event or a frame is missing; whether all of it
replays to the same decisions over both swaps; the reaction (confirming frame in -> `clear` written) before and during.
From outside: first frame of speech sent -> `clear` received, and silences inside of the agent's speech.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import ray
import uvloop
from live_calls import percentile

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from caller import Caller, Exchange
from installation import Installation, start_ray
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.contracts.operations import plain
from offhook.policies.replay.replay import replay
from phone import SILENCE, voice

FRAME_S = 0.02
LISTENED_S = (1.0, 4.0)  # the agent is heard for so long before it is interrupted
PAUSED_S = (0.3, 1.5)  # ... or nobody speaks for so long
SPOKEN_FRAMES = 35
DURING_S = 3.0  # what counts as during a swap, from its order on
KEPT_MS = 30_000

AGENT = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Talker:
    topics = ()
    def __init__(self, name, spec):
        self.turns = 0
    def propose(self, view, reason):
        if reason not in ("answered", "turn_ended", "interrupted"):
            return []
        self.turns += 1
        text = "This is %s, who says for the %%dth time what takes a while." %% self.turns
        return [Proposal("", "", Kind.SAY, 0, 0, text, Purpose.ANSWER)]
    def remember(self):
        return {"turns": self.turns}
    def upgrade(self, memory):
        self.turns = memory["turns"]
"""
POLICY: dict[str, Any] = {
    "gate": {"repeats_max": 100},
    "arbitration": {"fallback_line": ""},
    "silence": {"hesitating_after_ms": 30_000, "absent_after_ms": 60_000, "rung_gap_ms": 60_000},
}


class Talking:
    """One caller: listens, interrupts, waits, speaks."""

    def __init__(self, caller: Caller, chance: random.Random) -> None:
        self.caller = caller
        self.onset_at = 0.0
        self.reactions: list[tuple[float, float]] = []  # (perf_counter, ms)
        self._chance = chance
        self._clears = 0
        self._mouth: list[bytes] = []
        self._speaks_at = 0.0
        self._heard = False

    def tick(self) -> None:
        """20 ms."""
        now = time.perf_counter()
        caller = self.caller
        clears = caller.count("clear")
        if clears > self._clears and self.onset_at:
            self.reactions.append((now, (self._cleared_at() - self.onset_at) * 1_000))
            self.onset_at = 0.0
        self._clears = clears
        if self._mouth:
            caller.send(self._mouth.pop())
            return
        caller.send(SILENCE)
        heard = caller.buffered_s > 0
        if heard != self._heard or not self._speaks_at:
            self._heard = heard
            self._speaks_at = now + self._chance.uniform(*(LISTENED_S if heard else PAUSED_S))
        elif now > self._speaks_at:
            self._mouth = voice(SPOKEN_FRAMES)[::-1]
            self.onset_at = now if heard else 0.0
            self._speaks_at = 0.0

    def _cleared_at(self) -> float:
        return next(at for at, name, _ in reversed(self.caller.events) if name == "clear")


class Bench:
    """The whole run."""

    def __init__(self, installation: Installation, options: argparse.Namespace) -> None:
        self.installation = installation
        self.options = options
        self.talking: list[Talking] = []
        self.late_ms: list[float] = []
        self.orders: list[dict[str, Any]] = []
        self._over = False

    async def run(self) -> dict[str, Any]:
        """Both swaps; one row each, and what was lost."""
        installation, count = self.installation, self.options.calls
        former, latter = [await installation.publish(AGENT % name, **POLICY) for name in ("Anna", "Bert")]
        await installation.supervisor.ready(count, 600)
        chance = random.Random(1)
        exchange = Exchange.of(installation.supervisor)
        calls = [f"call{number}" for number in range(count)]
        for call in calls:
            await installation.supervisor.reserve(CallRequest(call, caller="+1", callee="+2", policy=former))
            self.talking.append(Talking(exchange.dial(call), random.Random(chance.random())))
        pace = asyncio.get_running_loop().create_task(self._pace())
        await asyncio.sleep(self.options.seconds)
        await self._swap("forced at the deadline", latter, self.options.deadline_ms, "force")
        await asyncio.sleep(self.options.seconds)
        await self._swap("kept without a safe point", former, KEPT_MS, "keep")
        await asyncio.sleep(DURING_S)
        for talking in self.talking:
            talking.caller.leave()
        self._over = True
        await pace
        for call in calls:
            await installation.ended(call)
        return await self._report(calls)

    async def _pace(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self._over:
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.late_ms.append((loop.time() - due) * 1_000)
            for talking in self.talking:
                if not talking.caller.closed:
                    talking.tick()

    async def _swap(self, name: str, version: str, deadline_ms: int, at_deadline: str) -> None:
        at, unix_ms = time.perf_counter(), time.time() * 1_000
        answer = await self.installation.supervisor.swap_policy(version, "", [], deadline_ms, at_deadline)
        took_ms = (time.perf_counter() - at) * 1_000
        order = {"name": name, "at": at, "unix_ms": unix_ms, "took_ms": took_ms, "version": version}
        self.orders.append({**order, "deadline_ms": deadline_ms, **plain(answer)})

    async def _report(self, calls: list[str]) -> dict[str, Any]:
        created = {row.call: row.created_unix_ms for row in (await self.installation.supervisor.calls()).calls}
        lost = {
            "records": 0,
            "events": 0,
            "events_missing": 0,
            "diverged": 0,
            "frames_lost": 0,
            "faults": 0,
            "illegal": 0,
        }
        holds: list[tuple[float, float]] = []  # (unix ms, reaction in ms)
        led: dict[str, list[float]] = {}  # version -> moments
        for call in calls:
            records = await self._journal(call)
            lost["records"] += len(records)
            found = replay(records)
            lost["events"] += found.events
            lost["events_missing"] += found.state.revision - found.events  # each that was folded is one revision
            lost["diverged"] += not found.same
            for _call, _epoch, _seq, at_ms, kind, body in records:
                if kind == "measure" and body["what"] == "hold":
                    holds.append((created[call] + at_ms, body["us"] / 1_000))
                elif kind == "policy":
                    led.setdefault(body["version"], []).append(created[call] + at_ms)
                elif kind == "end":
                    for name in ("frames_lost", "faults", "illegal"):
                        lost[name] += body["counts"].get(name, 0)
        rows = {order["name"]: self._row(order, led, holds) for order in self.orders}
        gaps_ms = [s * 1_000 for talking in self.talking for _, s in talking.caller.gaps if s < 0.25]
        return {
            "calls": len(calls),
            **rows,
            "before": self._reactions(0.0, self.orders[0]["at"], 0.0, self.orders[0]["unix_ms"], holds),
            "lost": lost,
            "gaps_in_speech_ms": spread(gaps_ms),
            "probe_late_ms": spread(self.late_ms),
        }

    def _row(
        self, order: dict[str, Any], led: dict[str, list[float]], holds: list[tuple[float, float]]
    ) -> dict[str, Any]:
        until_ms = [at - order["unix_ms"] for at in led.get(order["version"], [])]
        at, unix_ms = order["at"], order["unix_ms"]
        during = self._reactions(at, at + DURING_S, unix_ms, unix_ms + DURING_S * 1_000, holds)
        counts = {name: order[name] for name in ("asked", "seated_ms", "swapped", "kept")}
        return {
            **counts,
            "refused": len(order["refused"]),
            "before_the_deadline": sum(
                ms < order["seated_ms"] + order["deadline_ms"] for ms in until_ms
            ),  # so at a safe point
            "until_the_new_version_leads_ms": spread(until_ms),
            "of_it_since_all_had_seats_ms": spread([ms - order["seated_ms"] for ms in until_ms]),
            "until_all_have_passed_their_trial_ms": round(order["took_ms"]),
            **during,
        }

    def _reactions(
        self, since: float, until: float, since_ms: float, until_ms: float, holds: list[tuple[float, float]]
    ) -> dict[str, Any]:
        seen = [ms for talking in self.talking for at, ms in talking.reactions if since <= at < until]
        return {
            "onset_to_clear_ms": spread(seen),
            "frame_to_clear_ms": spread([ms for at, ms in holds if since_ms <= at < until_ms]),
        }

    async def _journal(self, call: str) -> list[list[Any]]:
        records: list[list[Any]] = []
        while page := await self.installation.supervisor.journal(call, records[-1][2] if records else -1, 2_000):
            records += page
        return records


def spread(values: list[float]) -> dict[str, float]:
    """p50, p99 and the maximum."""
    return {
        "n": len(values),
        "p50": round(percentile(values, 0.5), 2),
        "p99": round(percentile(values, 0.99), 2),
        "max": round(max(values, default=float("nan")), 2),
    }


def show(rows: dict[str, Any]) -> None:
    """A table for people."""
    for name, row in rows.items():
        if not isinstance(row, dict):
            print(f"{name:48} {row}")
            continue
        print(name)
        for what, value in row.items():
            told = "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
            print(f"    {what.replace('_', ' '):44} {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10, help="of talk before each swap")
    parser.add_argument("--deadline-ms", type=int, default=800, help="of the first swap, which is forced then")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = start_ray()
    try:
        installation = Installation(folder, spares=options.calls, slots_max=options.calls + 4, starting_max=2)
        try:
            rows = uvloop.run(Bench(installation, options).run())
            print(json.dumps(rows)) if options.json else show(rows)
        finally:
            installation.close()
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
