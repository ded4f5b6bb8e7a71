"""Labelled recordings brought onto a telephone line, and noises that are not speech. For measuring voice activity."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from offhook.actors.audio.mulaw import encode

FRAME_MS = 20
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """One file: at 16 kHz as recorded, at 8 kHz as mu-law, its labelled spans, and one label a 20 ms frame."""

    name: str
    wide: bytes  # 16-bit samples at 16 kHz
    audio: bytes  # mu-law at 8 kHz
    spans: tuple[tuple[float, float], ...]  # of speech, in seconds
    labels: tuple[int, ...]  # by the centre of the frame


def read_recordings(folder: Path) -> list[Recording]:
    """All `*.wav` with their `*.scv` in a folder, in order of name."""
    return [_read(path) for path in sorted(folder.glob("*.wav")) if path.with_suffix(".scv").exists()]


def _read(path: Path) -> Recording:
    with wave.open(str(path)) as sound:
        wide = sound.readframes(sound.getnframes())
    fields = path.with_suffix(".scv").read_text(encoding="utf-8").strip().split(",")[1:]
    labelled = [(float(fields[i]), float(fields[i + 1]), int(fields[i + 2])) for i in range(0, len(fields) - 2, 3)]
    spans = tuple((start, end) for start, end, speech in labelled if speech)
    frames = len(wide) // 2 // (16 * FRAME_MS)
    centres = [(index + 0.5) * FRAME_MS / 1_000 for index in range(frames)]
    labels = tuple(int(any(start <= centre < end for start, end in spans)) for centre in centres)
    return Recording(path.stem, wide, telephone(wide), spans, labels)


def quietened(recording: Recording) -> Recording:
    """The same recording on a quiet line: what is not speech 30 dB lower, so that speech begins out of silence."""
    samples = np.frombuffer(recording.wide, "<i2").astype(float)
    gain = np.full(len(samples), 10 ** (-30 / 20))
    for start, end in recording.spans:
        gain[int(start * 16_000) : int(end * 16_000)] = 1.0
    wide = to_bytes(samples * gain)
    return Recording(recording.name, wide, telephone(wide), recording.spans, recording.labels)


def telephone(wide: bytes) -> bytes:
    """16 kHz samples to 8 kHz mu-law, through a low-pass at 3.8 kHz."""
    taps = np.arange(63) - 31
    window = np.sinc(taps * 0.475) * np.hamming(63)
    samples = np.frombuffer(wide, "<i2").astype(float)
    narrow = np.convolve(samples, window / window.sum(), "same")[::2]
    return encode(to_bytes(narrow))


def to_bytes(samples: Floats) -> bytes:
    """Samples at 16-bit scale as little-endian bytes."""
    return np.clip(np.round(samples), -32_768, 32_767).astype("<i2").tobytes()


def prompts(folder: Path, most: int) -> list[tuple[bytes, int]]:
    """Clean prompts at 8 kHz as mu-law after two seconds of a quiet line, with their onset in ms.

    The onset is where the first 10 ms rise above -40 dB of full scale and stay there for 60 ms on average.
    """
    found = []
    chance = np.random.default_rng(5)
    for path in sorted(folder.glob("*.wav")):
        with wave.open(str(path)) as sound:
            if sound.getframerate() != 8_000 or sound.getnchannels() != 1 or "beep" in path.stem:
                continue
            samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(float)
        power = np.array([np.mean(samples[i : i + 80] ** 2) for i in range(0, len(samples) - 480, 80)])
        loud = power > (32_768 * 10 ** (-40 / 20)) ** 2
        onset = next((i for i in range(len(loud) - 6) if loud[i] and loud[i : i + 6].mean() > 0.8), None)
        if onset is None:
            continue
        quiet = int(chance.integers(15_800, 16_200))
        line = np.concatenate([np.zeros(quiet), samples])
        line += coloured(len(line), 0.5, chance) * 32_768 * 10 ** (-58 / 20)
        found.append((encode(to_bytes(line)), quiet // 8 + onset * 10))
        if len(found) == most:
            break
    return found


def coloured(count: int, tilt: float, chance: np.random.Generator) -> Floats:
    """Noise of unit level whose spectrum falls with `tilt` (0 white, 0.5 pink, 1 brown)."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    bins = np.maximum(1, np.arange(len(spectrum)))
    noise = np.fft.irfft(spectrum / bins**tilt, count)
    return np.asarray(noise / (np.std(noise) or 1.0))


def burst(kind: str, chance: np.random.Generator) -> Floats:
    """One sound of 100 ms that is not speech, unit level: a "click", a "knock", or a "cough"."""
    count = 800
    if kind == "click":  # a plosive pop, a handset being moved: 5 to 15 ms, then its echo
        sound = coloured(count, 0.0, chance) * np.exp(-np.arange(count) / chance.uniform(40, 120))
    elif kind == "knock":  # a damped low resonance
        hertz = chance.uniform(120, 500)
        sound = np.sin(2 * np.pi * hertz * np.arange(count) / 8_000) * np.exp(
            -np.arange(count) / chance.uniform(80, 250)
        )
        sound += 0.2 * coloured(count, 0.5, chance) * np.exp(-np.arange(count) / 60)
    else:  # the explosive phase of a cough: noise with two broad formants, a sharp attack
        spectrum = np.fft.rfft(coloured(count, 0.3, chance))
        hertz = np.arange(len(spectrum)) * 8_000 / count
        shape = sum(
            np.exp(-(((hertz - centre) / width) ** 2))
            for centre, width in ((chance.uniform(400, 900), 350), (chance.uniform(1_300, 2_200), 600))
        )
        attack = np.minimum(1.0, np.arange(count) / 60) * np.exp(-np.arange(count) / chance.uniform(250, 600))
        sound = np.fft.irfft(spectrum * shape, count) * attack
    return np.asarray(sound / (np.abs(sound).max() or 1.0))


def bursts(seconds: int, seed: int) -> bytes:
    """Mu-law audio without speech: quiet lines of different noise, with clicks, knocks and coughs strewn in."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(seconds):
        second = coloured(8_000, float(chance.choice([0.0, 0.3, 0.5, 1.0])), chance) * 10 ** (
            chance.uniform(-70, -35) / 20
        )
        if chance.random() < 0.8:
            at = int(chance.integers(0, 7_000))
            kind = str(chance.choice(["click", "knock", "cough"]))
            second[at : at + 800] += burst(kind, chance) * 10 ** (chance.uniform(-30, -6) / 20)
        parts.append(second)
    return encode(to_bytes(np.concatenate(parts) * 32_767))
