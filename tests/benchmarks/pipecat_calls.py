"""offhook beside Pipecat: the same probe, protocol, audio and script; nothing recognizes, thinks or synthesizes.

    python tests/benchmarks/pipecat_calls.py [--sides offhook pipecat pipecat-tuned pipecat-each pipecat-tuned-each
        livekit-idle] [--calls 1 5 10 15 20] [--seconds 40] [--json FILE] [--env FOLDER]

`-each` = a process a call. For every size: labelled onset of an interruption on the wire -> `clear` received; stops at
a listener's "mm-hm" and at a cough, and how long the caller then waits for sound; gaps of 100 ms and more in
utterances; CPU and memory of all processes of the side, and of those that lead calls (the rest is Ray and Serve). A
size whose p99 is over ten times that of the first, or whose lines stay silent, is the last one tried. Pipecat is
installed once into an environment of its own under `--env`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

from peers.environments import DEFAULT, python_of, variables_of
from peers.figures import keep, show
from peers.sides import Offhook, Pipecat, end_orderly, measure

SIDES = ("offhook", "pipecat", "pipecat-tuned", "pipecat-each", "pipecat-tuned-each", "livekit-idle")
LIVEKIT = Path(__file__).resolve().parent / "peers" / "livekit_idle.py"
BROKEN = 10.0  # times the first size's p99: more calls would only show more of the same


def start(side: str, calls: int, folder: Path) -> Offhook | Pipecat:
    if side == "offhook":
        return Offhook(calls)
    return Pipecat(calls, folder, tuned="tuned" in side, process_a_call=side.endswith("each"))


def grow(side: str, options: argparse.Namespace, first: bool) -> None:
    """One side through all sizes, until it breaks."""
    least_ms, doubled = 0.0, 0
    for calls in options.calls:
        running = start(side, calls, options.env)
        name = running.name
        try:
            row = measure(running, options.seconds)
        finally:
            running.close()
        keep(options.json, "live", name, row)
        show("live", name, row, first=first)
        first = False
        p99_ms = row["onset_to_clear_ms"]["99"]
        least_ms = least_ms or p99_ms
        doubled = doubled or (calls if not p99_ms < 2 * least_ms else 0)
        if not p99_ms < BROKEN * least_ms or row["silent_lines"]:
            break
        time.sleep(2)
    print(f"<!-- {name}: p99 doubles at {doubled or f'over {calls}'} calls -->", flush=True)


def idle_livekit(options: argparse.Namespace) -> None:
    """LiveKit takes no call without its server; what its job processes cost while they wait can be told."""
    python = python_of("livekit", options.env)
    for vad in (False, True):
        command = [python, str(LIVEKIT), "--processes", "8", *["--vad"] * vad]
        out = subprocess.run(
            command,
            env=variables_of(python),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
        ).stdout
        row = json.loads(out.splitlines()[-1])
        name = f"livekit, idle job process{', with its VAD' if vad else ''}"
        keep(options.json, "idle", name, {"calls": 0, **row})
        print(f"{name}: PSS {row['pss_mb_median']} MB (median of {row['processes']}), "
              f"{row['idle_cpu_ms_per_second']} ms CPU a second", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 5, 10, 15, 20])
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--env", type=Path, default=DEFAULT)
    options = parser.parse_args()
    end_orderly()
    if any(side.startswith("pipecat") for side in options.sides):
        python_of("pipecat", options.env)
    for place, side in enumerate(side for side in options.sides if side != "livekit-idle"):
        grow(side, options, first=place == 0)
    if "livekit-idle" in options.sides:
        idle_livekit(options)


if __name__ == "__main__":
    main()
