"""Live calls on this machine: from labelled onset to `clear`, what was heard, CPU and memory per call.

    python tests/benchmarks/live_calls.py [--calls 1 20 100] [--seconds 60] [--json]

Starts `offhook up` (policy monologue, tone voice, no recognizer), and a probe of its own process that holds the
carriers' lines and interrupts the agents with recorded speech. From outside: first frame of the speech sent -> `clear`
received. From inside (the call's journal): confirming frame arrived -> `clear` written. Heard text is compared with
what the probe had played, by the tone voice's exact word times. CPU and PSS are read from /proc.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from offhook.actors.engines.sources import plan
from offhook.policies.core.codec import decode
from offhook.policies.core.commands import Say
from offhook.policies.core.events import PlaybackStopped

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
CLIP = EXAMPLES / "audio" / "dana" / "too-expensive.wav"
TICK = os.sysconf("SC_CLK_TCK")
KINDS = {"call process": "ray::CallActor", "gateway": "ray::Gateway", "supervisor": "ray::Supervisor",
         "agent host": "ray::AgentHost"}  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    """The value at `share` of the sorted list; NaN for none."""
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


def processes(root: int) -> dict[str, list[int]]:
    """Process ids below `root` by kind, read from the command line that Ray gives its workers."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                lines[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for pid, line in lines.items():
        above = pid
        while above not in (0, root):
            above = parents.get(above, 0)
        for kind, start in KINDS.items():
            if above == root and line.startswith(start):
                found[kind].append(pid)
    return found


def cpu_s(pids: list[int]) -> dict[int, float]:
    """User and system seconds of each of these processes that is there."""
    used: dict[int, float] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # Ray ends what it has no use for
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used[pid] = (int(fields[11]) + int(fields[12])) / TICK
    return used


def pss_mb(pid: int) -> float:
    """Proportional set size: shared pages count by the share of their users."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Installation:
    """`offhook up` in a folder of its own, with at most `slots` call processes, busy or not."""

    def __init__(self, spares: int, policy_in: Callable[[Path], Path] | None = None, slots: int = 250) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="offhook-bench-")
        words = f"up --port 0 --media-port 0 --spares {spares} --recognizer none --voice tone --json".split()
        policy = policy_in(Path(self.folder.name)) if policy_in else EXAMPLES / "policies" / "monologue"
        folders = ["--policy", str(policy), "--state-dir", self.folder.name]
        command = [str(Path(sys.executable).with_name("offhook")), *words, *folders]
        variables = {**os.environ, "OFFHOOK_SLOTS": str(slots)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=self.folder.name, env=variables)
        assert self.process.stdout is not None
        self.api = json.loads(self.process.stdout.readline())["api"]

    def wait_for_spares(self, count: int, within_s: float = 300) -> None:
        """Until so many call processes exist."""
        deadline = time.monotonic() + within_s
        while len(processes(self.process.pid)["call process"]) < count and time.monotonic() < deadline:
            time.sleep(0.5)
        time.sleep(3)

    def place(self, count: int) -> tuple[list[str], list[str]]:
        """Reserve calls; returns their ids and media URLs."""
        made = [httpx.post(f"{self.api}/v1/calls", json={}, timeout=30).raise_for_status().json() for _ in range(count)]
        return [call["call_id"] for call in made], [call["media_url"] for call in made]

    def live_pids(self) -> set[int]:
        """The processes that lead a call now."""
        return {
            row["pid"] for row in httpx.get(f"{self.api}/v1/calls?live=true&limit=1000", timeout=30).json()["calls"]
        }

    def journal(self, call: str) -> list[dict[str, Any]]:
        """All records of a call."""
        records: list[dict[str, Any]] = []
        while True:
            after = records[-1]["seq"] if records else 0
            page = httpx.get(f"{self.api}/v1/calls/{call}/journal", params={"after_seq": after}, timeout=30).json()
            if not page["records"]:
                return records
            records += page["records"]

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(90)
        self.folder.cleanup()


def measure(installation: Installation, count: int, seconds: float) -> dict[str, Any]:
    """One row: `count` calls talk for `seconds`."""
    calls, urls = installation.place(count)
    listing = Path(installation.folder.name) / "urls"
    listing.write_text("\n".join(urls))
    found = processes(installation.process.pid)
    live = installation.live_pids()
    found["waiting spare"] = [pid for pid in found["call process"] if pid not in live]
    found["call process"] = [pid for pid in found["call process"] if pid in live]
    probe = subprocess.Popen([sys.executable, str(HERE / "probe.py"), "--urls", str(listing), "--seconds", str(seconds),
                              "--clip", str(CLIP)], stdout=subprocess.PIPE, text=True)  # fmt: skip
    time.sleep(4)
    before = {kind: cpu_s(pids) for kind, pids in found.items()}
    began = time.monotonic()
    time.sleep(max(1.0, seconds - 6))
    elapsed = time.monotonic() - began
    used = {kind: sum(s - before[kind].get(pid, s) for pid, s in cpu_s(pids).items()) for kind, pids in found.items()}
    memory = sorted(pss_mb(pid) for pid in found["call process"])
    out, _ = probe.communicate(timeout=seconds + 60)
    seen = json.loads(out)
    inside = [heard(installation.journal(call)) for call in calls[: min(count, 20)]]
    holds_us = [us for call in inside for us in call["holds_us"]]
    words_off = [off for call, cuts in zip(inside, seen["cuts"], strict=False) for off in words_apart(call, cuts)]
    busy = max(1, len(found["call process"]))
    shares = {kind: len(pids) if kind == "waiting spare" else count for kind, pids in found.items()}
    return {
        "calls": count,
        "onset_to_clear_ms": {p: round(percentile(seen["reactions_ms"], p / 100), 1) for p in (50, 95, 99)},
        "interruptions": len(seen["reactions_ms"]),
        "missed": seen["missed"],
        "frame_to_clear_ms": {p: round(percentile(holds_us, p / 100) / 1_000, 2) for p in (50, 99)},
        "heard_words_off": {"max": max(words_off, default=None), "checked": len(words_off)},
        "gaps_share": round(len(seen["gaps_ms"]) / max(1, seen["utterances"]), 4),
        "cpu_ms_per_call_second": {
            kind: round(s * 1_000 / elapsed / max(1, shares[kind]), 2) for kind, s in used.items()
        },
        "pss_mb": {"median": round(percentile(memory, 0.5), 1), "max": round(memory[-1], 1), "processes": busy},
        "probe_late_ms": seen["probe_late_ms"],
        "closed": seen["closed"],
    }


def heard(records: list[dict[str, Any]]) -> dict[str, Any]:
    """From a journal: reaction times, and of each stopped utterance its text and what was heard of it."""
    texts: dict[str, str] = {}
    stops: list[tuple[str, str, str]] = []
    holds_us: list[float] = []
    for record in records:
        body = record["body"]
        if record["kind"] == "measure" and body["what"] == "hold":
            holds_us.append(body["us"])
        elif record["kind"] == "commands":
            said = [command for command in map(decode, body) if isinstance(command, Say)]
            texts.update({command.utterance: command.text for command in said})
        elif record["kind"] == "event":
            event = decode(body)
            if isinstance(event, PlaybackStopped) and event.heard_ms:
                stops.append((event.utterance, texts.get(event.utterance, ""), event.heard_text))
    return {"holds_us": holds_us, "stops": stops}


def words_apart(call: dict[str, Any], cuts: list[int]) -> list[int]:
    """Words between what the journal says was heard and what the probe had played, for each cut in order."""
    apart, before = [], set()
    for (utterance, text, heard_text), played_ms in zip(call["stops"], cuts, strict=False):
        if utterance not in before:  # after a resume the probe counts from the held word, the journal from the start
            played = sum(1 for _, _, end_ms in plan(text) if end_ms <= played_ms)
            apart.append(abs(len(heard_text.split()) - played))
        before.add(utterance)
    return apart


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 20])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true", help="one line of JSON a row")
    options = parser.parse_args()
    # No more processes than calls: spares that were started beside a measurement would be measured too.
    installation = Installation(max(options.calls), slots=max(options.calls))
    try:
        installation.wait_for_spares(max(options.calls))
        for count in options.calls:
            row = measure(installation, count, options.seconds)
            print(json.dumps(row) if options.json else "\n".join(f"{name:24} {value}" for name, value in row.items()))
            print(flush=True)
            time.sleep(3)
    finally:
        installation.close()


if __name__ == "__main__":
    main()
