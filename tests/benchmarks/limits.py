"""How many live calls this machine holds, and what each costs: the same measurement at 1, 50, 100, 150, 200 calls.

    python tests/benchmarks/limits.py [--calls 1 50 100 150 200] [--seconds 60] [--json]

A row is `live_calls.measure`: onset -> `clear` from outside, frame -> `clear` written from inside, gaps, CPU per
call-second by kind of process (a waiting spare's per second of its own), the probe's lateness. A row holds when the
99th percentiles stay under the goals, no interruption is missed and fewer than one utterance in a hundred has an
audible gap. A probe that is late itself (p99 over LATE_MS_MAX) proves nothing about the row, which is then marked so.

The processes are started before anything is measured, about one a second: allow four minutes for 200.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from live_calls import Installation, measure, processes

ONSET_TO_CLEAR_P99_MS = 150.0
FRAME_TO_CLEAR_P99_MS = 50.0
GAPS_SHARE_MAX = 0.01
LATE_MS_MAX = 10.0
CPU_MS_MAX = 8.0  # a call-second, call process and gateway together
START_S = 3.0  # for one process on a busy machine, at worst


def verdict(row: dict[str, Any]) -> str:
    """ "held", or what was over which limit."""
    over = []
    outside, inside = row["onset_to_clear_ms"][99], row["frame_to_clear_ms"][99]
    if not outside < ONSET_TO_CLEAR_P99_MS:
        over.append(f"onset -> clear p99 {outside} ms, allowed {ONSET_TO_CLEAR_P99_MS:g}")
    if not inside < FRAME_TO_CLEAR_P99_MS:
        over.append(f"frame -> clear p99 {inside} ms, allowed {FRAME_TO_CLEAR_P99_MS:g}")
    if row["missed"]:
        over.append(f"{row['missed']} interruptions missed")
    if row["gaps_share"] >= GAPS_SHARE_MAX:
        over.append(f"{row['gaps_share']:.1%} of utterances with a gap, allowed {GAPS_SHARE_MAX:.0%}")
    late_ms = row["probe_late_ms"]["99"]
    note = f" (the probe itself was late: p99 {late_ms} ms)" if late_ms > LATE_MS_MAX else ""
    return ("; ".join(over) or "held") + note


def line(row: dict[str, Any]) -> str:
    """The row as one of a Markdown table."""
    outside, cpu = row["onset_to_clear_ms"], row["cpu_ms_per_call_second"]
    both = cpu["call process"] + cpu["gateway"]
    cells = [
        str(row["calls"]),
        f"{outside[50]} / {outside[95]} / {outside[99]} ms",
        f"{row['frame_to_clear_ms'][50]} / {row['frame_to_clear_ms'][99]} ms",
        f"{row['interruptions']}, {row['missed']}",
        f"{row['gaps_share']:.2%}",
        f"{cpu['call process']} + {cpu['gateway']} = {both:.1f} ms",
        f"{cpu['supervisor']} / {cpu['agent host']} / {cpu['waiting spare']} ms",
        f"{row['probe_late_ms']['99']} ms",
        verdict(row),
    ]
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| calls | onset -> clear, p50 / p95 / p99 | frame -> clear, p50 / p99 | answered, missed | utterances with a gap"
    " | CPU per call-second: call process + gateway | supervisor / agent host / a waiting spare | probe late, p99"
    " | verdict |\n" + "|---" * 9 + "|"
)


def settled(installation: Installation, within_s: float) -> int:
    """Waits until no more processes come up; how many there are."""
    deadline = time.monotonic() + within_s
    before, since = -1, time.monotonic()
    while time.monotonic() < deadline:
        now = len(processes(installation.process.pid)["call process"])
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > 8:
            break
        time.sleep(0.5)
    return before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 50, 100, 150, 200])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true", help="one line of JSON a row")
    options = parser.parse_args()
    most = max(options.calls)
    installation = Installation(most, slots=most)  # no more processes than calls: their start would be measured too
    try:
        settled(installation, most * START_S + 30)
        if not options.json:
            print(HEAD, flush=True)
        for count in options.calls:
            row = measure(installation, count, options.seconds)
            print(json.dumps({**row, "verdict": verdict(row)}) if options.json else line(row), flush=True)
            settled(installation, 60)
    finally:
        installation.close()


if __name__ == "__main__":
    main()
