"""Runs every benchmark, one after another, each as its own process; what lacks its data says so and is passed over.

    python tests/benchmarks/all.py [--data FOLDER] [--only NAME ...]

`--data` holds what the field measures on (overlaps_*.jsonl, cues_dev.csv, vad/); it is never part of the project.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHMARKS: dict[str, tuple[str, ...]] = {  # name -> arguments; DATA and VAD stand for folders
    "step": (),
    "backtest": (),
    "shadow": (),
    "canary": (),
    "overlap": ("--data", "DATA"),
    "cues": ("--data", "DATA"),
    "end_of_turn": ("--data", "DATA"),
    "voice_activity": ("--data", "VAD", "--detectors", "webrtc,confirmed"),
    "answering": (),
    "link": (),
    "journal": (),
    "recovery": (),
    "live_calls": ("--calls", "1", "20", "--seconds", "45"),
    "swap": ("--calls", "100"),
    "spike": ("--base", "5", "--peak", "20", "--within", "10", "--spares", "20", "2"),
    "growth": ("--calls", "1", "20", "50"),
    "task_queue": ("--calls", "1", "10", "50"),  # these two install peers into environments of their own, once
    "pipecat_calls": ("--calls", "1", "10", "20"),
    "limits": (),
    "spares": (),
    "memory": (),
    "takeover": ("--kills", "100", "--stops", "10"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--only", nargs="*", choices=list(BENCHMARKS), default=list(BENCHMARKS))
    options = parser.parse_args()
    failed = []
    for name in options.only:
        print(f"\n== {name}", flush=True)
        arguments = BENCHMARKS[name]
        if options.data is None and {"DATA", "VAD"} & set(arguments):
            print("passed over: say where the field's data is with --data FOLDER")
            continue
        folders = {"DATA": str(options.data), "VAD": str(options.data / "vad") if options.data else ""}
        command = [sys.executable, str(HERE / f"{name}.py"), *(folders.get(word, word) for word in arguments)]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
