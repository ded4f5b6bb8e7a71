"""Whether live calls feel the start of spares: the same calls talk twice, alone and while processes start beside them.

    python tests/benchmarks/spares.py [--calls 10] [--starts 10] [--seconds 30]

In the second part a further call is placed again and again and never answered: each takes a spare, and the pool starts
another process in its place. Both parts are measured from outside (onset -> `clear`) and inside (frame -> `clear`
written), in one run on one installation.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from live_calls import CLIP, HERE, Installation, heard, percentile, processes

SPARES = 2


def talk(installation: Installation, count: int, seconds: float, starts: int) -> dict[str, Any]:
    """`count` calls talk for `seconds`, while `starts` further ones are placed; 0 = none."""
    calls, urls = installation.place(count)
    time.sleep(SPARES * 3)  # the spares that these took are warm again
    listing = Path(installation.folder.name) / "urls"
    listing.write_text("\n".join(urls))
    before = set(processes(installation.process.pid)["call process"])
    command = [sys.executable, str(HERE / "probe.py"), "--urls", str(listing), "--seconds", str(seconds)]
    probe = subprocess.Popen([*command, "--clip", str(CLIP)], stdout=subprocess.PIPE, text=True)
    placed: list[str] = []
    crowd = threading.Thread(target=crowd_in, args=(installation, starts, seconds - 6, placed))
    crowd.start()
    out, _ = probe.communicate(timeout=seconds + 60)
    crowd.join()
    seen = json.loads(out)
    started = set(processes(installation.process.pid)["call process"]) - before
    inside_ms = [us / 1_000 for call in calls for us in heard(installation.journal(call))["holds_us"]]
    for call in placed:
        httpx.delete(f"{installation.api}/v1/calls/{call}", timeout=30)
    return {
        "started beside": len(started),
        "onset_to_clear_ms": {p: round(percentile(seen["reactions_ms"], p / 100), 1) for p in (50, 95, 99)},
        "frame_to_clear_ms": {p: round(percentile(inside_ms, p / 100), 2) for p in (50, 95, 99)},
        "interruptions": len(seen["reactions_ms"]),
        "missed": seen["missed"],
        "gaps": len(seen["gaps_ms"]),
        "probe_late_ms": seen["probe_late_ms"],
    }


def crowd_in(installation: Installation, starts: int, within_s: float, placed: list[str]) -> None:
    """Place calls one after the other, so that processes start all the time."""
    for _ in range(starts):
        answer = httpx.post(f"{installation.api}/v1/calls", json={}, timeout=30)
        if answer.status_code == 201:
            placed.append(answer.json()["call_id"])
        time.sleep(within_s / max(1, starts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    installation = Installation(options.calls + SPARES)
    try:
        installation.wait_for_spares(options.calls + SPARES)
        for name, starts in (("alone", 0), ("while spares start", options.starts)):
            print(name, json.dumps(talk(installation, options.calls, options.seconds, starts)), flush=True)
            time.sleep(5)
    finally:
        installation.close()


if __name__ == "__main__":
    main()
