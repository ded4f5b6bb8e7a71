"""Telephone sound in numpy: mu-law, WAV files, resampling, levels. For the engines and the softphone.

Call processes do not use this (numpy costs them 22 MB each; `actors/audio/mulaw.py` has tables without it), and nothing
here knows what speech is.
"""

from __future__ import annotations

import functools
import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Waves = NDArray[np.float32]  # -1 to 1

RATE_HZ = 8_000
FRAME_BYTES = 160  # 20 ms
FRAME_MS = 20
SILENCE = 0xFF  # mu-law zero

_BIAS = 0x84  # G.711: added before the logarithm so that segment 0 is linear
_CLIP = 32_635  # the largest magnitude that mu-law can carry
_TRANSITION_HZ = 700.0  # 3.3 to 4.0 kHz: the upper edge of a telephone channel
_STOPBAND_DB = 60.0  # below the quantization noise of mu-law


def _decode_table() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _BIAS) << ((code & 0x70) >> 4)) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _encode_table() -> NDArray[np.uint8]:
    sample = np.arange(-32_768, 32_768, dtype=np.int32)
    magnitude = np.minimum(np.abs(sample), _CLIP) + _BIAS
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    code = (np.where(sample < 0, 0x80, 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)) ^ 0xFF
    table: NDArray[np.uint8] = code.astype(np.uint8)
    return table


_DECODED = _decode_table()
_ENCODED = _encode_table()

# Magnitude of each code in 1/256 of full scale: with `bytes.translate` a frame's peak costs under a microsecond.
MAGNITUDE = bytes(np.minimum(np.abs(_DECODED.astype(np.int32)) >> 7, 255).astype(np.uint8))


def decode(coded: bytes) -> Samples:
    """mu-law bytes -> 16-bit samples."""
    return _DECODED[np.frombuffer(coded, np.uint8)]


def encode(samples: Samples) -> bytes:
    """16-bit samples -> mu-law bytes."""
    return _ENCODED[samples.astype(np.int32) + 32_768].tobytes()


def whole_frames(coded: bytes) -> bytes:
    """Padded with silence to a whole number of 20 ms frames."""
    return coded + bytes([SILENCE]) * (-len(coded) % FRAME_BYTES)


def read_wav(path: Path) -> bytes:
    """A WAV file (8 kHz, mono, 16-bit PCM) as mu-law bytes.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file; the message says what it is.
    """
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth() * 8)
            if form != (RATE_HZ, 1, 16):
                raise ValueError(
                    f"{form[0]} Hz, {form[1]} channels, {form[2]} bit; needed: 8000 Hz, 1 channel, 16-bit PCM"
                )
            return encode(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16))
    except (wave.Error, EOFError) as error:
        raise ValueError(f"not a WAV file with 16-bit PCM: {error or 'it ends too early'}") from error


def wav_bytes(coded: bytes) -> bytes:
    """mu-law bytes as a WAV file (8 kHz, mono, 16-bit PCM)."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes(decode(coded).astype("<i2").tobytes())
    return out.getvalue()


@functools.cache
def _filter_bank(rate_in_hz: int) -> tuple[int, int, Waves]:
    """(up, down, table): a Kaiser-windowed sinc low-pass, split into `up` phases of the output's position."""
    common = int(np.gcd(rate_in_hz, RATE_HZ))
    up, down = RATE_HZ // common, rate_in_hz // common
    edge_hz = RATE_HZ / 2 - _TRANSITION_HZ / 2
    beta = 0.1102 * (_STOPBAND_DB - 8.7)  # Kaiser's formula for over 50 dB
    taps = int(np.ceil((_STOPBAND_DB - 7.95) / (14.36 * _TRANSITION_HZ / rate_in_hz))) | 1
    offset = np.arange(taps) - taps // 2
    place = offset[None, :] - (np.arange(up) * down % up / up)[:, None]  # in input samples from the output's moment
    cutoff = edge_hz / rate_in_hz
    inside = np.clip(1 - (2 * place / (taps + 1)) ** 2, 0, None)
    table = 2 * cutoff * np.sinc(2 * cutoff * place) * np.i0(beta * np.sqrt(inside)) / np.i0(beta)
    return up, down, (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def to_telephone_rate(waves: Waves, rate_in_hz: int) -> Waves:
    """Resample to 8 kHz behind a low-pass (-60 dB from 4 kHz on). Length: ceil(n * 8000 / rate)."""
    if rate_in_hz == RATE_HZ or not waves.size:
        return waves
    up, down, table = _filter_bank(rate_in_hz)
    count = -(-waves.size * up // down)
    taps = table.shape[1]
    padded = np.pad(waves, (taps // 2, taps))
    out = np.empty(count, np.float32)
    for start in range(0, count, RATE_HZ):  # a second at a time: the gathered windows stay under 5 MB
        n = np.arange(start, min(start + RATE_HZ, count))
        windows = np.lib.stride_tricks.sliding_window_view(padded, taps)[n * down // up]
        out[n] = np.einsum("ij,ij->i", windows, table[n % up])
    return out


def level_db(waves: Waves) -> float:
    """Loudness of the voiced part in dBFS: the mean over 20 ms pieces within 30 dB of the loudest. -120 for silence."""
    size = max(1, waves.size // (RATE_HZ // 50))
    powers = np.array(
        [float(np.mean(np.square(piece))) if piece.size else 0.0 for piece in np.array_split(waves, size)]
    )
    voiced = powers[powers > powers.max(initial=0.0) * 1e-3]
    return float(10 * np.log10(voiced.mean())) if voiced.size and voiced.mean() > 0 else -120.0


def leveled(waves: Waves, target_db: float) -> Waves:
    """Brought to `target_db` of voiced loudness, without clipping."""
    peak = float(np.max(np.abs(waves), initial=0.0))
    if peak == 0.0:
        return waves
    gain = min(10 ** ((target_db - level_db(waves)) / 20), 0.98 / peak)
    return (waves * np.float32(gain)).astype(np.float32)


def to_samples(waves: Waves) -> Samples:
    """-1 to 1 -> 16-bit."""
    return np.clip(np.rint(waves * 32_767), -32_768, 32_767).astype(np.int16)


def from_pcm16(pcm: bytes) -> Waves:
    """Little-endian 16-bit PCM -> -1 to 1."""
    samples: NDArray[Any] = np.frombuffer(pcm, "<i2")
    return samples.astype(np.float32) / np.float32(32_768)
