"""Sound in numpy: any format into any other, levels, files of any rate. For the engines and the softphone.

Call processes do not use this (numpy costs them 22 MB each; `actors/audio/mulaw.py` has tables without it), and nothing
here knows what speech is. What a format is, says `actors/audio/format.py`. Rates are converted by soxr.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from offhook.actors.audio import mulaw, wav
from offhook.actors.audio.format import FRAME_MS, LINEAR16, MULAW, TELEPHONE, AudioFormat

Samples = NDArray[np.int16]
Waves = NDArray[np.float32]  # -1 to 1, one channel

QUALITY = "HQ"  # 20-bit; flat to 3.7 kHz and below -140 dB from 4.1 kHz on, at 1 % of a core for a hundred callers

_DECODED: Samples = np.array(mulaw.LINEAR, np.int16)
_ENCODED: NDArray[np.uint8] = np.frombuffer(mulaw.bytes_of_samples(), np.uint8)

# Magnitude of each code in 1/256 of full scale: with `bytes.translate` a frame's peak costs under a microsecond.
MAGNITUDE = bytes(np.minimum(np.abs(_DECODED.astype(np.int32)) >> 7, 255).astype(np.uint8))


def decode(coded: bytes) -> Samples:
    """mu-law bytes -> 16-bit samples."""
    return _DECODED[np.frombuffer(coded, np.uint8)]


def encode(samples: Samples) -> bytes:
    """16-bit samples -> mu-law bytes."""
    return _ENCODED[samples.astype(np.int16).view(np.uint16)].tobytes()


def samples_of(audio: bytes, form: AudioFormat) -> Samples:
    """Audio of one format -> 16-bit samples, its channels still interleaved."""
    return decode(audio) if form.encoding == MULAW else np.frombuffer(audio, "<i2").astype(np.int16)


def waves_of(audio: bytes, form: AudioFormat) -> Waves:
    """Audio of one format -> waves; several channels become their mean."""
    waves = samples_of(audio, form).astype(np.float32) / np.float32(32_768)
    return waves.reshape(-1, form.channels).mean(axis=1, dtype=np.float32) if form.channels > 1 else waves


def audio_of(waves: Waves, form: AudioFormat) -> bytes:
    """Waves of a format's rate -> its bytes; all channels are alike."""
    samples = np.repeat(to_samples(waves), form.channels)
    return encode(samples) if form.encoding == MULAW else samples.astype("<i2").tobytes()


def resampled(waves: Waves, from_hz: int, to_hz: int) -> Waves:
    """A whole piece of sound at another rate."""
    if from_hz == to_hz or not waves.size:
        return waves
    out: Waves = soxr.resample(waves, from_hz, to_hz, quality=QUALITY)
    return out


def convert(audio: bytes, source: AudioFormat, target: AudioFormat) -> bytes:
    """A whole piece of audio in another format."""
    if source == target:
        return audio
    return audio_of(resampled(waves_of(audio, source), source.rate_hz, target.rate_hz), target)


class Converter:
    """A stream of audio in another format. Times are kept: `finish` gives out what `feed` held back (100 ms)."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self._source = source
        self._target = target
        self._rest = b""  # of a sample that was cut in two
        self._stream: Any = None
        if source.rate_hz != target.rate_hz:
            self._stream = soxr.ResampleStream(source.rate_hz, target.rate_hz, 1, dtype="float32", quality=QUALITY)

    def feed(self, audio: bytes) -> bytes:
        """More of it; what of it is converted by now."""
        if self._source == self._target:
            return audio
        audio = self._rest + audio
        whole = len(audio) - len(audio) % self._source.step_bytes
        self._rest = audio[whole:]
        return self._through(waves_of(audio[:whole], self._source), last=False)

    def finish(self) -> bytes:
        """The rest of it."""
        return b"" if self._stream is None else self._through(np.zeros(0, np.float32), last=True)

    def _through(self, waves: Waves, last: bool) -> bytes:
        if self._stream is not None:
            waves = self._stream.resample_chunk(waves, last=last)
        return audio_of(waves, self._target)


def read_wav(path: Path, form: AudioFormat = TELEPHONE) -> bytes:
    """A WAV file's audio, converted where it has another format.

    Raises:
        OSError: the file cannot be read.
        WrongSound: it is no WAV file, or of an encoding that is not read; the message says what it is.
    """
    source, audio = wav.read(path.read_bytes())
    return convert(audio, source, form)


def wav_bytes(coded: bytes) -> bytes:
    """Telephone audio as a WAV file that everything can play: 16-bit PCM."""
    form = AudioFormat(LINEAR16, TELEPHONE.rate_hz)
    return wav.write(form, convert(coded, TELEPHONE, form))


def level_db(waves: Waves, rate_hz: int = TELEPHONE.rate_hz) -> float:
    """Loudness of the voiced part in dBFS: the mean over 20 ms pieces within 30 dB of the loudest. -120 for silence."""
    size = max(1, waves.size // (rate_hz * FRAME_MS // 1_000))
    powers = np.array(
        [float(np.mean(np.square(piece))) if piece.size else 0.0 for piece in np.array_split(waves, size)]
    )
    voiced = powers[powers > powers.max(initial=0.0) * 1e-3]
    return float(10 * np.log10(voiced.mean())) if voiced.size and voiced.mean() > 0 else -120.0


def leveled(waves: Waves, target_db: float, rate_hz: int = TELEPHONE.rate_hz) -> Waves:
    """Brought to `target_db` of voiced loudness, without clipping."""
    peak = float(np.max(np.abs(waves), initial=0.0))
    if peak == 0.0:
        return waves
    gain = min(10 ** ((target_db - level_db(waves, rate_hz)) / 20), 0.98 / peak)
    return (waves * np.float32(gain)).astype(np.float32)


def to_samples(waves: Waves) -> Samples:
    """-1 to 1 -> 16-bit."""
    return np.clip(np.rint(waves * 32_767), -32_768, 32_767).astype(np.int16)
