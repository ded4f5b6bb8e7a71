"""How many calls does a rollout need to see that a candidate is worse, and how often does it accuse one that is not?

    python tests/benchmarks/canary.py [--json] [--streams N]

Calls are drawn to both arms by the share, each is marked by its arm's rate, and the guards of a usual plan (seven, with
one false alarm in a hundred rollouts in all) look after every call. Told is the number of the candidate's calls at the
rollback.
"""

from __future__ import annotations

import argparse
import json
import random

from offhook.policies.fleet import rollout, sequential
from offhook.policies.fleet.rollout import Plan

BASE = 0.02  # of the baseline's calls are marked
SHARES = (0.01, 0.05, 0.25)
RATES = (1.0, 0.2, 0.08, 0.02)  # of the candidate's
CALLS_MAX = 20_000
LEAST = rollout.needed(Plan())


def stream(draws: random.Random, share: float, rate: float) -> int:
    """The candidate's calls at the rollback; 0 = there was none."""
    mine = marked = others = 0
    for _ in range(CALLS_MAX):
        if draws.random() < share:
            mine += 1
            hit = draws.random() < rate
            marked += hit
        else:
            hit = draws.random() < BASE
            others += hit
        if hit and sequential.ratio([(share, marked, others)]) >= LEAST:
            return mine
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = []
    for share in SHARES:
        for rate in RATES:
            draws = random.Random(7)
            found = [stream(draws, share, rate) for _ in range(asked.streams)]
            alarms = sorted(each for each in found if each)
            at = {q: alarms[int(q * (len(alarms) - 1))] if alarms else 0 for q in (0.5, 0.95)}
            row = {"share": share, "marked": rate, "rolled_back": len(alarms) / len(found), "p50": at[0.5]}
            rows.append(row | {"p95": at[0.95]})
    if asked.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(
            f"{row['share']:.0%} of calls, {row['marked']:.0%} marked against {BASE:.0%}: "
            f"{row['rolled_back']:.1%} rolled back, after {row['p50']} (p50), {row['p95']} (p95) of its calls"
        )


if __name__ == "__main__":
    main()
