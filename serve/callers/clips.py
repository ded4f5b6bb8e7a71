"""The stock clip of the synthesizer "clip": three seconds that look like speech to a detector, for load tests.

Where there is a folder of real recordings (`--clips DIR`, or `clips/` in the default policy's bundle), that is used.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

from offhook.actors.audio import wav
from offhook.actors.audio.format import LINEAR16, RATE_HZ, AudioFormat

LENGTH_S = 3
PEAK = 8_000  # of 32,768: -12 dBFS, a voice's level on the phone
SYLLABLES_PER_S = 4.0  # the rhythm of speech
PITCH_HZ = 120.0
FORMANTS_HZ = ((500.0, 1.0), (1_500.0, 0.5), (2_500.0, 0.25))  # of a neutral vowel, with their weights


def stock_clips(folder: Path) -> Path:
    """The folder with the stock clip in it, written where it is not there yet."""
    clip = folder / "default.wav"
    if not clip.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        fresh = clip.with_suffix(".new")
        fresh.write_bytes(wav.write(AudioFormat(LINEAR16, RATE_HZ), _murmur()))
        fresh.replace(clip)
    return folder


def _murmur() -> bytes:
    """Harmonics of one voice under formants, rising and falling in syllables; 16-bit samples at -12 dBFS."""
    harmonics = [(PITCH_HZ * n, _weight(PITCH_HZ * n)) for n in range(1, 26)]
    waves = []
    for index in range(RATE_HZ * LENGTH_S):
        t = index / RATE_HZ
        syllable = max(0.0, math.sin(math.pi * ((t * SYLLABLES_PER_S) % 1.0))) ** 0.5
        waves.append(syllable * sum(weight * math.sin(math.tau * hz * t) for hz, weight in harmonics))
    loudest = max(map(abs, waves))
    return struct.pack(f"<{len(waves)}h", *(round(PEAK * wave / loudest) for wave in waves))


def _weight(hz: float) -> float:
    return sum(weight / (1 + ((hz - formant) / 120) ** 2) for formant, weight in FORMANTS_HZ) + 0.02
