"""Sound without an engine: one short tone a word, or recorded clips.

For load tests, and for a call whose engine is gone: both are complete at once, with exact word times. Speech engines
are elsewhere (`serve/engines`).
"""

from __future__ import annotations

import hashlib
import math
import struct
from functools import lru_cache
from pathlib import Path

from ..audio import mulaw, wav
from ..audio.format import BYTES_PER_MS, FRAME_MS, LINEAR16, RATE_HZ, SILENCE, TELEPHONE, AudioFormat
from ..audio.sound import Sound
from ..contracts.errors import EngineAway, WrongSound
from .port import SynthesisOptions

WORD_MS_BASE = 100  # with MS_PER_LETTER: 400 ms for a word of five letters, 150 words a minute
MS_PER_LETTER = 60
WORD_MS_MAX = 1_200
PAUSE_MS = 200  # after a sentence or a clause
PLANS_CACHED = 256  # texts; the sound itself is put together from one pre-rendered tone
TONE_HZ = 400  # eight whole periods in a frame: any whole number of frames joins without a click
TONE_LEVEL = 0.25  # of full scale, -12 dBFS: a voice's level on the phone
TONE_SHARE = 0.7  # of a word's time; the rest is the silence between words


def text_key(text: str) -> str:
    """The name under which a text's recording is kept: 16 hex digits of its SHA-256, whatever its spacing."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


@lru_cache(PLANS_CACHED)
def plan(text: str) -> tuple[tuple[str, int, int], ...]:
    """When each word of a text begins and ends, read at 150 words a minute: (word, start_ms, end_ms), whole frames."""
    words: list[tuple[str, int, int]] = []
    now_ms = 0
    for word in text.split():
        letters = sum(character.isalnum() for character in word)
        end_ms = now_ms + _whole_frames(min(WORD_MS_BASE + MS_PER_LETTER * letters, WORD_MS_MAX))
        words.append((word, now_ms, end_ms))
        now_ms = end_ms + (PAUSE_MS if word[-1] in ".,;:!?" else 0)
    return tuple(words)


class ToneSource:
    """A tone for every word. Costs the call a few microseconds a word."""

    used_s = 0.0  # no engine
    refused = 0

    def speak(self, utterance: str, sound: Sound) -> None:
        """See `Synthesizer`."""
        del utterance
        audio = bytearray()
        for _word, start_ms, end_ms in plan(sound.text):
            audio += SILENCE * (start_ms * BYTES_PER_MS - len(audio))
            audio += _tone()[: _whole_frames(int((end_ms - start_ms) * TONE_SHARE)) * BYTES_PER_MS]
            audio += SILENCE * (end_ms * BYTES_PER_MS - len(audio))
        _fill(sound, bytes(audio))

    def speak_by(self, options: SynthesisOptions) -> None:
        """See `Synthesizer`."""

    def cancel(self, utterance: str) -> None:
        """See `Synthesizer`."""

    def close(self) -> None:
        """See `Synthesizer`."""


class ClipSource:
    """Recordings from a folder: `<text_key>.wav` for known texts, `default.wav` looped or cut to length for all others.

    8 kHz mono WAV files, 16-bit or (smaller, and read without converting) mu-law. A known text's words share its
    recording by their estimated lengths.

    Raises:
        EngineAway: the folder or a file in it cannot be read, or holds no clip.
        WrongSound: a file is not 8 kHz mono 16-bit or mu-law; the message names it.
    """

    used_s = 0.0  # no engine
    refused = 0

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._clips = _clips(folder)

    def speak(self, utterance: str, sound: Sound) -> None:
        """See `Synthesizer`."""
        words = plan(sound.text)
        clip = self._clips.get(text_key(sound.text))
        if clip is not None:
            planned_ms = words[-1][2] if words else 1
            ratio = len(clip) // BYTES_PER_MS / planned_ms
            sound.time([(word, int(end_ms * ratio)) for word, _start_ms, end_ms in words])
            sound.add(clip)
            sound.finish()
        elif (loop := self._clips.get("default")) is not None:
            size = words[-1][2] * BYTES_PER_MS if words else 0
            _fill(sound, (loop * (size // len(loop) + 1))[:size])
        else:
            sound.fail(f"{utterance}: no clip of this text, and no default.wav")

    def exchange(self, other: ClipSource) -> None:
        """Speak with the other's recordings from now on, and the other with these; what was begun is whole already."""
        self._clips, other._clips = other._clips, self._clips
        self.folder, other.folder = other.folder, self.folder

    def speak_by(self, options: SynthesisOptions) -> None:
        """See `Synthesizer`."""

    def cancel(self, utterance: str) -> None:
        """See `Synthesizer`."""

    def close(self) -> None:
        """See `Synthesizer`."""


def read_clip(path: Path) -> bytes:
    """The telephone audio of an 8 kHz mono WAV file, 16-bit or mu-law; a call's process converts no rates.

    Raises:
        EngineAway: it cannot be read.
        WrongSound: it is something else; the message names the file and what it is.
    """
    try:
        form, audio = wav.read(path.read_bytes())
    except OSError as error:
        raise EngineAway(f"{path}: {error.strerror}") from error
    except WrongSound as fault:
        raise WrongSound(f"{path}: {fault}") from fault
    if form == TELEPHONE:
        return audio
    if form != AudioFormat(LINEAR16, RATE_HZ):
        raise WrongSound(f"{path}: {form}; a clip must be linear16 or mulaw, {RATE_HZ} Hz, 1 channel")
    return mulaw.encode(audio)


def _fill(sound: Sound, audio: bytes) -> None:
    sound.time([(word, end_ms) for word, _start_ms, end_ms in plan(sound.text)])
    sound.add(audio)
    sound.finish()


@lru_cache(8)
def _clips(folder: str) -> dict[str, bytes]:
    """All clips of a folder; kept by the process, since its next call most likely has the same."""
    paths = sorted(Path(folder).glob("*.wav"))
    clips = {path.stem: clip for path in paths if (clip := read_clip(path))}
    if not clips:
        raise EngineAway(f"{folder}: no clip (*.wav) in it")
    return clips


@lru_cache(1)
def _tone() -> bytes:
    """One word's tone of the greatest length."""
    period = RATE_HZ // TONE_HZ
    peak = TONE_LEVEL * 32_767
    samples = [round(peak * math.sin(2 * math.pi * sample / period)) for sample in range(period)]
    return mulaw.encode(struct.pack(f"<{period}h", *samples)) * (WORD_MS_MAX * BYTES_PER_MS // period)


def _whole_frames(ms: int) -> int:
    return -(-ms // FRAME_MS) * FRAME_MS
