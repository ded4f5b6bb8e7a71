"""How long does it take to lead 1,000 recorded calls again by another policy?

    python tests/benchmarks/backtest.py [--json] [--calls N] [--ray]

The calls are simulated ones (callers who pause, interrupt and are silent, the usual faults), led by the stock sales
policy and written into an SQLite journal; three in a hundred were swapped to another policy on the way. The candidate
asks for more readiness before it books. What is timed is all of `offhook backtest` but the start of the program: the
workers' start, reading the journal, leading the calls again, the sums.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from offhook.serve.bundles.policy_files import load
from offhook.serve.cli.backtest import Candidate, chosen, in_processes, in_ray
from offhook.serve.views import backtest_report
from recorded_calls import calls, store

SALES = Path(__file__).resolve().parents[2] / "examples" / "policies" / "sales"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    policy = load(SALES).policy
    actions = dict(policy.gate.actions)
    actions["book_meeting"] = actions["book_meeting"].model_copy(update={"readiness_share": 0.7})
    stricter = policy.model_copy(update={"gate": policy.gate.model_copy(update={"actions": actions})})
    with tempfile.TemporaryDirectory() as folder:
        journal = str(store(Path(folder) / "journal.sqlite", calls(asked.calls, policy)))
        figures = {}
        for name, tried in (("the same policy", policy), ("a stricter one", stricter)):
            candidate = Candidate(tried.model_dump(mode="json"), "", False, 400)
            began = time.perf_counter()
            wanted = [(journal, call) for call in chosen(journal, None, None, asked.calls)]
            run = in_ray(candidate, wanted, None) if asked.ray else in_processes(candidate, wanted)
            told = [each for batch in run for each in batch]
            figures[name] = backtest_report.summary(told, name, "", time.perf_counter() - began)
    keys = ("calls", "events", "talk_s", "took_s", "calls_a_minute", "same", "diverged", "known_share", "counts")
    shown = {name: {key: report[key] for key in keys} for name, report in figures.items()}
    if asked.json:
        print(json.dumps(shown))
    else:
        for name, report in shown.items():
            print(name, *(f"  {key}: {value}" for key, value in report.items()), sep="\n")


if __name__ == "__main__":
    main()
