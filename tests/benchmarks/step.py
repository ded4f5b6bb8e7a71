"""How many events a second does one core fold, and how long does a recorded hour of talk take to replay?

    python tests/benchmarks/step.py [--json] [--runs N]

Two hours are folded. The `realistic` one is made of simulated calls (`policies/simulation`: callers who pause, murmur,
interrupt and are silent, four stock agents, the usual faults) until they add up to an hour. The `dense` one is a single
call of nothing but talk: short answers, words every 300 ms and a measurement every 100 ms while the caller speaks.
`fold` is `step` alone on events in memory; `replay` is all of `replay()`: decoding, folding, encoding the commands and
comparing them byte for byte with the journal. Figures are CPU time of this process, the least of several runs: a busy
machine takes turns away from it, and what is asked for here is what the work costs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from offhook.policies.conversation.machine import step
from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.proposals import Asks, Purpose
from offhook.policies.core.state import CallState
from offhook.policies.replay.replay import replay
from offhook.policies.simulation import run
from scene import Scene, policy

HOUR_MS = 3_600_000
LED_BY = policy(limits={"call": "120 min"})
PHRASES = ("how much does it cost", "and when could you start", "that sounds fine to me", "we have about ten people")

Call = list[tuple[ev.Event, Policy]]  # each event with the policy of its moment


def realistic_hour() -> list[Call]:
    """Simulated calls that add up to an hour."""
    calls: list[Call] = []
    lasted_ms = 0
    while lasted_ms < HOUR_MS:
        world = run.assembled(seed=len(calls) + 1)[0]
        world.run(run.HORIZON_MS)
        calls.append([(record.event, record.policy) for record in world.records])
        lasted_ms += world.state.now_ms
    return calls


def dense_hour() -> list[Call]:
    """One call of an hour's talk, by playing it and keeping what was fed."""
    fed: Call = []
    scene = Scene(LED_BY)

    def keep(event: ev.Event):  # type: ignore[no-untyped-def]
        fed.append((event, LED_BY))
        return feed(event)

    feed, scene.feed = scene.feed, keep  # type: ignore[method-assign]
    scene.answered("booking")
    turn = 0
    while scene.now_ms < HOUR_MS and str(scene.state.line) == "open":
        _exchange(scene, turn)
        turn += 1
    return [fed]


def _exchange(scene: Scene, turn: int) -> None:
    if scene.state.speech.current is None and scene.state.floor.holder == "nobody":
        scene.agent_says(f"Answer number {turn} to what you said just now", purpose=Purpose.QUESTION, asks=Asks.OPEN)
    current = scene.state.speech.current
    if current is not None:
        for reached in range(500, 4_000, 500):
            scene.passes(500)
            scene.happens(ev.PlaybackReached, utterance=current.id, heard_ms=reached, total_ms=4_000, confirmed=True)
        scene.happens(ev.PlaybackEnded, utterance=current.id, confirmed=True)
    scene.passes(400)
    scene.speech_starts()
    words = PHRASES[turn % len(PHRASES)].split()
    for heard in range(1, len(words) + 1):
        scene.speech_goes_on(300)
        scene.words(" ".join(words[:heard]), final=False, segment=turn)
    scene.speech_ends()
    scene.words(" ".join(words), segment=turn)
    scene.passes(1_500)


def fold(calls: list[Call]) -> None:
    """Every event through `step`, each call from its beginning."""
    for call in calls:
        state = CallState()
        for event, led_by in call:
            state = step(state, event, led_by).state


def journals_of(calls: list[Call]) -> list[list[list[Any]]]:
    """The calls as their journals hold them, a swap of the policy included."""
    journals = []
    for call in calls:
        records: list[list[Any]] = []
        state, known = CallState(), None

        def write(at_ms: int, kind: str, body: Any, records: list[list[Any]] = records) -> None:
            records.append(["call", 1, len(records) + 1, at_ms, kind, body])

        for event, led_by in call:
            if led_by is not known:
                write(event.at_ms, "policy" if known else "start", {"policy": led_by.model_dump(mode="json")})
                known = led_by
            decision = step(state, event, led_by)
            state = decision.state
            write(event.at_ms, "event", encode(event))
            write(event.at_ms, "commands", [encode(command) for command in decision.commands])
        journals.append(records)
    return journals


def replay_all(journals: list[list[list[Any]]]) -> None:
    for journal in journals:
        found = replay(journal)
        assert found.same, found.divergence


def least_s(work: Callable[[], None], runs: int) -> float:
    """CPU seconds of the cheapest of several runs, after one to warm up."""
    work()
    taken = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def measured(calls: list[Call], runs: int) -> dict[str, int | float]:
    events = sum(map(len, calls))
    journals = journals_of(calls)
    fold_s = least_s(lambda: fold(calls), runs)
    replay_s = least_s(lambda: replay_all(journals), runs)
    measurements = sum(isinstance(event, ev.SpeechMeasured) for call in calls for event, _ in call)
    return {
        "calls": len(calls),
        "events": events,
        "measurements_share": round(measurements / events, 2),
        "events_per_s": round(events / fold_s),
        "us_per_event": round(fold_s / events * 1e6, 1),
        "fold_of_an_hour_ms": round(fold_s * 1_000, 1),
        "replay_of_an_hour_ms": round(replay_s * 1_000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    found = {
        "realistic": measured(realistic_hour(), options.runs),
        "dense": measured(dense_hour(), options.runs),
    }
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'an hour':24}" + "".join(f"{name:>12}" for name in found))
    for name in found["realistic"]:
        print(f"{name:24}" + "".join(f"{figures[name]:12,}" for figures in found.values()))


if __name__ == "__main__":
    main()
