"""What the ears of one call cost: microseconds of CPU a frame, on average and at worst, by what is on the line.

    python tests/benchmarks/ears_cost.py [--prompts FOLDER] [--data FOLDER] [--detectors confirmed,webrtc]

Each line is fed three times and each frame's cheapest time counts, which leaves out what other processes do to the
caches and the garbage collector does to one frame; "worst of any" is the dearest single `feed` of all three runs.
"""

from __future__ import annotations

import argparse
import time
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from offhook.actors.audio.format import SILENCE
from offhook.actors.audio.mulaw import encode
from offhook.actors.ears import Ears
from offhook.policies.core.policy import Ears as EarsPolicy
from voice_activity_material import FRAME_MS, Floats, bursts, coloured, read_recordings, to_bytes

FRAME = 160
RUNS = 3
SECONDS = 20
RATE = 8_000


def tones(parts: list[tuple[tuple[float, ...], int]], level: float = 6_000.0) -> bytes:
    """(frequencies in Hz, ms) one after the other, over a little hiss."""
    pieces = []
    for hertz, ms in parts:
        at = np.arange(ms * RATE // 1_000) / RATE
        pieces.append(sum((level * np.sin(2 * np.pi * f * at) for f in hertz), np.zeros(len(at))))
    sound = np.concatenate(pieces)
    return encode(to_bytes(sound + np.random.default_rng(3).normal(0, 8, len(sound))))


def music(seconds: int) -> bytes:
    """Chords of decaying notes with three harmonics: steady enough to be looked at as tones, again and again."""
    chance = np.random.default_rng(9)
    pieces: list[Floats] = []
    for _ in range(seconds * 2):
        at = np.arange(RATE // 2) / RATE
        chord = np.zeros(len(at))
        for _ in range(int(chance.integers(1, 4))):
            hertz = 220 * 2 ** (int(chance.integers(0, 25)) / 12)
            for harmonic in range(1, int(chance.integers(2, 5))):
                chord += 3_000 / harmonic**2 * np.sin(2 * np.pi * hertz * harmonic * at)
        pieces.append(chord * np.exp(-at * float(chance.uniform(0.3, 4))))
    return encode(to_bytes(np.concatenate(pieces)))


def hiss(db: float) -> bytes:
    """Pink noise at a level, in dB of full scale."""
    noise = coloured(SECONDS * RATE, 0.5, np.random.default_rng(4))
    return encode(to_bytes(noise * 32_767 * 10 ** (db / 20)))


def recorded(folder: Path, most_seconds: int) -> bytes:
    """The 8 kHz prompts of a folder, half a second apart."""
    parts: list[bytes] = []
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path)) as sound:
            if sound.getframerate() == RATE and sound.getnchannels() == 1:
                parts += [encode(sound.readframes(sound.getnframes())), hiss(-58)[: RATE // 2]]
        if sum(map(len, parts)) > most_seconds * RATE:
            break
    return b"".join(parts)


def lines(prompts: Path, data: Path | None) -> dict[str, bytes]:
    """What a line may carry."""
    digits = [((697.0 + 80 * (n % 4), 1_209.0 + 130 * (n % 3)), 120) for n in range(40)]
    found = {
        "digital silence": SILENCE * (SECONDS * RATE),
        "hiss -70 dB": hiss(-70),
        "hiss -58 dB": hiss(-58),
        "hiss -45 dB": hiss(-45),
        "hiss -30 dB": hiss(-30),
        "clicks, knocks, coughs": bursts(SECONDS, 5),
        "digits": tones([part for digit in digits for part in (digit, ((), 60))]),
        "ringback, beeps": tones(
            [((440.0, 480.0), 2_000), ((), 1_000), ((1_000.0,), 400), ((), 500), ((425.0,), 6_000), ((), 300)] * 2
        ),
        "a tone that never ends": tones([((350.0, 440.0), SECONDS * 1_000)]),
        "music": music(SECONDS),
    }
    if prompts.is_dir():
        found["prompts (clean speech)"] = recorded(prompts, 400)
    if data is not None and data.is_dir():
        found["labelled speech in noise"] = b"".join(recording.audio for recording in read_recordings(data))
    return found


def costs(audio: bytes, detector: str) -> NDArray[np.float64]:
    """Microseconds of CPU of each `feed`, one row a run."""
    rows = []
    for _ in range(RUNS):
        ears = Ears(EarsPolicy.model_validate({"detector": detector}))
        frames = [audio[start : start + FRAME] for start in range(0, len(audio) - FRAME + 1, FRAME)]
        row, clock = [], time.thread_time_ns
        for index, frame in enumerate(frames):
            before = clock()
            ears.feed(frame, (index + 1) * FRAME_MS)
            row.append(clock() - before)
        rows.append(row)
    empty = min(-(clock() - clock()) for _ in range(1_000))
    return (np.array(rows, float) - empty) / 1_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with labelled recordings (*.wav, *.scv)")
    parser.add_argument(
        "--prompts",
        type=Path,
        default=Path("/usr/share/asterisk/sounds/en_US_f_Allison"),
        help="folder with clean 8 kHz speech (Debian: asterisk-core-sounds-en-wav)",
    )
    parser.add_argument("--detectors", default="confirmed")
    options = parser.parse_args()
    material = lines(options.prompts, options.data)
    for detector in options.detectors.split(","):
        print(f"{detector + ', us a frame':28} {'mean':>7} {'p50':>7} {'p99':>7} {'worst':>8} {'worst of any':>13}")
        for name, audio in material.items():
            spent = costs(audio, detector)
            best = spent.min(0)
            print(
                f"{name:28} {best.mean():7.1f} {np.quantile(best, 0.5):7.1f} {np.quantile(best, 0.99):7.1f} "
                f"{best.max():8.1f} {spent.max():13.1f}"
            )


if __name__ == "__main__":
    main()
