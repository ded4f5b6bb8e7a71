"""Voice activity against labelled recordings, on a telephone line: accuracy, reaction, false starts, cost.

    python tests/benchmarks/voice_activity.py --data FOLDER [--detectors webrtc,confirmed,silero]

Frames are judged by the label at their centre. "now" is what the detector says of a frame the moment it ends; "dated"
is what the talkspurts say afterwards, from `onset_ms` to `ended_ms`. A frame's reaction is the end of the first voiced
frame, searched from 100 ms before the labelled onset (negative = it was firing already); the event's is the moment of
`SpeechStarted`, for onsets after 300 ms of labelled silence or more. A false start is a `SpeechStarted` none of whose
talkspurt is labelled speech. Clicks, knocks and coughs of 100 ms are made here, 10 to 35 dB above a quiet line.

`confirmed` was trained on these very files; what it gives on files that it has not seen, `voice_activity_training.py
--cross-validate` says.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import webrtcvad
from offhook.actors.audio.mulaw import encode
from offhook.actors.ears import Ears
from offhook.policies.core.events import SpeechEnded, SpeechStarted
from offhook.policies.core.policy import Ears as EarsPolicy
from voice_activity_material import FRAME_MS, Recording, burst, coloured, prompts, read_recordings, to_bytes

FRAME = 160
SEARCH_MS, QUIET_BEFORE_MS = 100, 300


@dataclass
class Score:
    """What one detector did on all recordings."""

    hits: int = 0
    said: int = 0
    true: int = 0
    dated_hits: int = 0
    dated_said: int = 0
    frame_delays_ms: list[float] = field(default_factory=list)
    event_delays_ms: list[float] = field(default_factory=list)
    missed: int = 0
    false_starts: int = 0
    minutes: float = 0.0
    costs_us: list[float] = field(default_factory=list)


def hear(audio: bytes, detector: str) -> tuple[list[bool], list[tuple[int, int, int]], float]:
    """(voiced per frame, talkspurts as (onset, confirmed, ended) in ms, microseconds a frame)."""
    ears = Ears(EarsPolicy.model_validate({"detector": detector}))
    voiced, spurts, at_ms, spent = [], [], 0, 0.0
    begun: SpeechStarted | None = None
    for start in range(0, len(audio) - FRAME + 1, FRAME):
        at_ms += FRAME_MS
        before = time.thread_time()
        events = ears.feed(audio[start : start + FRAME], at_ms)
        spent += time.thread_time() - before
        voiced.append(ears.voiced)
        for event in events:
            if isinstance(event, SpeechStarted):
                begun = event
            elif isinstance(event, SpeechEnded) and begun is not None:
                spurts.append((begun.onset_ms, begun.at_ms, event.ended_ms))
                begun = None
    if begun is not None:
        spurts.append((begun.onset_ms, begun.at_ms, at_ms))
    return voiced, spurts, spent / max(1, len(voiced)) * 1e6


def score(recordings: list[Recording], detector: str) -> Score:
    """All recordings through the ears as a call has them, at 8 kHz mu-law."""
    total = Score()
    for recording in recordings:
        add(total, recording, detector)
    return total


def add(total: Score, recording: Recording, detector: str) -> None:
    """One recording."""
    voiced, spurts, frame_us = hear(recording.audio, detector)
    total.costs_us.append(frame_us)
    add_frames(total, recording, voiced)
    dated = [any(on <= (i + 0.5) * FRAME_MS < off for on, _, off in spurts) for i in range(len(voiced))]
    total.dated_hits += sum(d and label for d, label in zip(dated, recording.labels, strict=False))
    total.dated_said += sum(dated)
    add_starts(total, recording, spurts)


def score_wide(recordings: list[Recording], mode: int) -> Score:
    """webrtcvad alone on the 16 kHz recordings: the ceiling that a telephone takes away from."""
    total = Score()
    for recording in recordings:
        vad, size = webrtcvad.Vad(mode), 2 * 16 * FRAME_MS
        frames = [recording.wide[i : i + size] for i in range(0, len(recording.wide) - size + 1, size)]
        add_frames(total, recording, [vad.is_speech(frame, 16_000) for frame in frames])
    return total


def add_frames(total: Score, recording: Recording, voiced: list[bool]) -> None:
    """Frame by frame, and how soon after each labelled onset a frame is voiced."""
    total.minutes += len(voiced) * FRAME_MS / 60_000
    total.hits += sum(said and label for said, label in zip(voiced, recording.labels, strict=False))
    total.said += sum(voiced)
    total.true += sum(recording.labels[: len(voiced)])
    for start, end in recording.spans:
        first = next(
            (
                (i + 1) * FRAME_MS
                for i, said in enumerate(voiced)
                if said and start * 1_000 - SEARCH_MS <= (i + 1) * FRAME_MS <= end * 1_000
            ),
            None,
        )
        if first is None:
            total.missed += 1
        else:
            total.frame_delays_ms.append(first - start * 1_000)


def add_starts(total: Score, recording: Recording, spurts: list[tuple[int, int, int]]) -> None:
    """How soon after an onset out of silence the call is told, and how often it is told of nothing."""
    ends = [0.0, *(end for _, end in recording.spans)]
    for (start, end), before in zip(recording.spans, ends, strict=False):
        if (start - before) * 1_000 < QUIET_BEFORE_MS:
            continue
        told = [at for _, at, _ in spurts if start * 1_000 - SEARCH_MS <= at <= end * 1_000]
        if told:
            total.event_delays_ms.append(told[0] - start * 1_000)
    total.false_starts += sum(
        not any(on < end * 1_000 and off > start * 1_000 for start, end in recording.spans) for on, _, off in spurts
    )


def holds_of_100(kind: str, detector: str, cases: int = 100) -> int:
    """How many of 100 bursts on an otherwise quiet line would make the agent hold."""
    chance = np.random.default_rng(11)
    held = 0
    for _ in range(cases):
        line = coloured(24_000, 0.5, chance) * 10 ** (-58 / 20)
        line[16_000:16_800] += burst(kind, chance) * 10 ** (chance.uniform(-35, -8) / 20)
        held += bool(hear(encode(to_bytes(line * 32_767)), detector)[1])
    return round(held * 100 / cases)


def quiet_line_delays_ms(clean: list[tuple[bytes, int]], detector: str) -> tuple[list[float], int]:
    """From the onset in silence to `SpeechStarted`, and how many onsets were told of too early or not at all."""
    delays: list[float] = []
    wrong = 0
    for audio, onset_ms in clean:
        told = [at - onset_ms for _, at, _ in hear(audio, detector)[1] if at > onset_ms - SEARCH_MS]
        if told and told[0] < 500:
            delays.append(told[0])
        else:
            wrong += 1
    return delays, wrong


def line(name: str, total: Score) -> str:
    """One row of the table."""
    now = 2 * total.hits / max(1, total.said + total.true)
    dated = 2 * total.dated_hits / max(1, total.dated_said + total.true) if total.dated_said else 0.0
    frame = quantiles(total.frame_delays_ms)
    event = quantiles(total.event_delays_ms)
    return (
        f"{name:22} {total.hits / max(1, total.said):6.3f} {total.hits / total.true:6.3f} {now:6.3f} "
        f"{dated or float('nan'):7.3f} {frame:>13} {total.missed:7d} {event:>13} "
        f"{total.false_starts / total.minutes:8.1f} {statistics.mean(total.costs_us or [0.0]):8.1f}"
    )


def quantiles(delays_ms: list[float]) -> str:
    """p50 / p90."""
    if len(delays_ms) < 2:
        return "-"
    ordered = sorted(delays_ms)
    return f"{ordered[len(ordered) // 2]:.0f} / {ordered[int(len(ordered) * 0.9)]:.0f}"


def main() -> None:
    """Print the tables, or why there is nothing to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with labelled recordings (*.wav, *.scv)")
    parser.add_argument(
        "--prompts",
        type=Path,
        default=Path("/usr/share/asterisk/sounds/en_US_f_Allison"),
        help="folder with clean 8 kHz speech (Debian: asterisk-core-sounds-en-wav)",
    )
    parser.add_argument("--detectors", default="webrtc,confirmed")
    options = parser.parse_args()
    detectors = options.detectors.split(",")
    recordings = read_recordings(options.data) if options.data.is_dir() else []
    if recordings:
        onsets = sum(len(recording.spans) for recording in recordings)
        seconds = sum(len(recording.labels) for recording in recordings) * FRAME_MS / 1_000
        print(f"{len(recordings)} recordings, {seconds:.0f} s, {onsets} onsets")
        columns = f"{'prec':>6} {'recall':>6} {'F1 now':>6} {'F1dated':>7} {'frame p50/p90':>13} {'missed':>7}"
        print(f"{'detector':22} {columns} {'event p50/p90':>13} {'false/min':>8} {'us/frame':>8}")
        print(line("webrtcvad 2, 16 kHz", score_wide(recordings, 2)))
        for detector in detectors:
            print(line(f"{detector}, 8 kHz mu-law", score(recordings, detector)))
    else:
        print(f"skipped: no labelled recordings (*.wav with *.scv) in {options.data}")
    clean = prompts(options.prompts, 150) if options.prompts.is_dir() else []
    print(f"\nonset to SpeechStarted on a quiet line, {len(clean)} clean prompts, ms p50 / p90 (not told in 500 ms):")
    if not clean:
        print(f"skipped: no 8 kHz prompts in {options.prompts}")
    for detector in detectors if clean else ():
        delays_ms, wrong = quiet_line_delays_ms(clean, detector)
        print(f"{detector:22} {quantiles(delays_ms)} ({wrong})")
    print("\nbursts of 100 ms that make the agent hold, of 100:")
    for detector in detectors:
        print(
            f"{detector:22} "
            + "  ".join(f"{kind} {holds_of_100(kind, detector)}" for kind in ("click", "knock", "cough"))
        )


if __name__ == "__main__":
    main()
