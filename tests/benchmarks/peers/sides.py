"""The sides that the black-box probe drives, and the one measurement that all of them get.

A side is a program that answers the Twilio Media Streams protocol with the same scripted agent: one long speech at the
start and after every turn of the caller, the same tones for words everywhere. The probe (`../probe.py`) knows the
protocol and nothing of any side. CPU and memory are those of all processes below a side's own, whatever they are.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any

from live_calls import CLIP, EXAMPLES, Installation, cpu_s, percentile, processes, pss_mb
from offhook.actors.audio import mulaw
from offhook.actors.audio.format import RATE_HZ
from offhook.actors.audio.sound import Sound
from offhook.actors.engines.sources import ToneSource

from .environments import python_of, variables_of

HERE = Path(__file__).resolve().parent
MURMURS = (EXAMPLES / "audio" / "marcus" / "mm-hm.wav", EXAMPLES / "audio" / "noises" / "cough.wav")
GAP_MS = 100  # a shorter pause is covered by a carrier's own buffer; tones for words pause for up to 200 ms, as sound
SETTLE_S = 4.0  # after the lines open, before CPU is counted


def below(roots: list[int]) -> list[int]:
    """Process ids of `roots` and everything that they started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = set(roots)
    for pid in parents:
        line = [pid]
        while line[-1] not in found and line[-1] in parents:
            line.append(parents[line[-1]])
        if line[-1] in found:
            found.update(line)
    return sorted(found)


class Offhook:
    """`offhook up` with a warm process for each call, and none beside them."""

    name = "offhook"

    def __init__(self, calls: int) -> None:
        os.environ.setdefault("OFFHOOK_LATE_MS", "1000")  # how a node behaves under load is measured, not avoided
        self.installation = Installation(calls, slots=calls)
        self.roots = [self.installation.process.pid]
        try:
            self.installation.wait_for_spares(calls)
            self.urls = self.installation.place(calls)[1]
        except BaseException:
            self.close()
            raise

    def leading(self) -> list[int]:
        """The processes that lead calls: call actors, gateway, supervisor, agent host; the rest is Ray and Serve."""
        return [pid for pids in processes(self.roots[0]).values() for pid in pids]

    def close(self) -> None:
        self.installation.close()


class Pipecat:
    """Pipecat's agent, in one process or in a process a call; see `pipecat_agent.py`."""

    def __init__(self, calls: int, folder: Path, *, tuned: bool, process_a_call: bool) -> None:
        how = "a process a call" if process_a_call else "one process"
        self.name = f"pipecat {'tuned' if tuned else 'default'}, {how}"
        self.folder = tempfile.TemporaryDirectory(prefix="offhook-bench-")
        sound = monologue(Path(self.folder.name) / "speech.wav")
        python = python_of("pipecat", folder)
        command = [python, str(HERE / "pipecat_agent.py"), "--sound", str(sound), *["--tuned"] * tuned]
        pipe = subprocess.PIPE
        variables = {**variables_of(python), "LOGURU_LEVEL": "ERROR"}  # it greets at every import
        self.processes = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=variables)
            for _ in range(calls if process_a_call else 1)
        ]
        self.roots = [process.pid for process in self.processes]
        lines = [process.stdout.readline().strip() for process in self.processes if process.stdout]
        self.urls = lines if process_a_call else lines * calls

    def leading(self) -> list[int]:
        """All of them lead calls."""
        return below(self.roots)

    def close(self) -> None:
        for process in self.processes:
            if process.stdin:
                process.stdin.close()  # it ends with its input
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.folder.cleanup()


def monologue(path: Path) -> Path:
    """The first speech of the monologue policy as a recording: what offhook's tone voice says of it."""
    code = EXAMPLES / "policies" / "monologue" / "agents" / "monologue.py"
    spec = importlib.util.spec_from_file_location("monologue", code)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sound = Sound(module.SPEECHES[0])
    ToneSource().speak("", sound)
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE_HZ)
        writer.writeframes(mulaw.decode(sound.slice(0, sound.length_ms)))
    return path


def measure(side: Offhook | Pipecat, seconds: float) -> dict[str, Any]:
    """One row: all of the side's lines talk for `seconds`, interrupted, murmured and coughed at."""
    count = len(side.urls)
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        listing = Path(folder) / "urls"
        listing.write_text("\n".join(side.urls))
        probe = subprocess.Popen(
            [
                *(sys.executable, str(HERE.parent / "probe.py"), "--urls", str(listing), "--seconds", str(seconds)),
                *("--clip", str(CLIP), "--murmurs", *map(str, MURMURS)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(SETTLE_S)
            pids, leading = below(side.roots), set(side.leading())
            before, began = cpu_s(pids), time.monotonic()
            time.sleep(max(1.0, seconds - SETTLE_S - 2.0))
            elapsed = time.monotonic() - began
            used_s = {pid: s - before.get(pid, 0.0) for pid, s in cpu_s(pids).items()}
            memory_mb = {pid: mb for pid in pids if (mb := resident_mb(pid)) == mb}
            out, _ = probe.communicate(timeout=seconds + 60)
        finally:
            probe.kill()
            probe.wait()
    seen = json.loads(out)
    return {
        "calls": count,
        **reactions(seen),
        "cpu_ms_per_call_second": round(sum(used_s.values()) * 1_000 / elapsed / count, 1),
        "leading_cpu_ms": round(sum(used_s[pid] for pid in leading & used_s.keys()) * 1_000 / elapsed / count, 1),
        "pss_mb_per_call": round(sum(memory_mb.values()) / count, 1),
        "leading_pss_mb": round(sum(memory_mb[pid] for pid in leading & memory_mb.keys()) / count, 1),
        "probe_late_ms_p99": seen["probe_late_ms"]["99"],
    }


def reactions(seen: dict[str, Any]) -> dict[str, Any]:
    """What the probe saw, as the columns of a table."""
    answered, missed = seen["reactions_ms"], seen["missed"]
    row: dict[str, Any] = {
        "onset_to_clear_ms": {str(p): round(percentile(answered, p / 100), 1) for p in (50, 95, 99)},
        "interruptions": len(answered) + missed,
        "missed": missed,
    }
    for path in MURMURS:
        outcomes = [stopped for name, stopped in seen["murmured"] if name == path.stem]
        row[path.stem] = {"heard": len(outcomes), "stopped": sum(outcomes)}
    gaps = seen["murmur_gaps_ms"]
    row["silent_after_false_stop_ms"] = {str(p): round(percentile(gaps, p / 100)) if gaps else None for p in (50, 95)}
    long_gaps = sum(gap >= GAP_MS for gap in seen["gaps_ms"])
    row["gaps_per_100_utterances"] = round(100 * long_gaps / max(1, seen["utterances"]), 1)
    row["silent_lines"] = seen["silent_lines"]
    return row


def end_orderly() -> None:
    """Have SIGTERM (of `timeout`, say) unwind, so that everything that was started is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def resident_mb(pid: int) -> float:
    """Proportional set size; NaN of a process that is gone."""
    try:
        return pss_mb(pid)
    except OSError:
        return float("nan")
