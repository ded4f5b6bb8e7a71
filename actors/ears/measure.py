"""What a stretch of telephone audio measures: loudness, pitch, periodicity. No decision here.

Pitch works on the signs of the samples alone (infinitely clipped speech keeps its period; Licklider 1948): the signs
of 40 ms are one integer, its autocorrelation at a lag is a shift, an exclusive-or and a count of bits, all in C.
"""

from __future__ import annotations

import math
from functools import cache

from ..audio.format import RATE_HZ
from ..audio.mulaw import LINEAR, decode

QUIETEST_DB = -80.0  # below what mu-law can say; digital silence reads as this
_FULL_SCALE = 32_768.0

_SIGNS = bytes(ord("0") if byte & 0x80 else ord("1") for byte in range(256))  # mu-law carries the sign in its top bit

# Mu-law's first segment: samples to 120 in steps of 8, whose squares in such steps fit a byte. A quiet line holds no
# others, and its loudness is one translation and one sum, four times cheaper than over samples.
_FINEST = 8
_FAINT_MOST = 15 * _FINEST
_FAINT = bytes(byte for byte in range(256) if abs(LINEAR[byte]) <= _FAINT_MOST)
_FAINT_SQUARES = bytes((LINEAR[byte] // _FINEST) ** 2 if byte in _FAINT else 0 for byte in range(256))

_SILENT = bytes(byte for byte in range(256) if LINEAR[byte] == 0)  # digital silence: both zeros of mu-law

_SHAPE_LAGS = (1, 2, 3, 4, 6, 8, 12)  # in samples; short ones tell hiss from voice, longer ones where the formants lie

PITCH_LOW_HZ, PITCH_HIGH_HZ = 62, 400  # of human voices on a telephone
_LONGEST = RATE_HZ // PITCH_LOW_HZ
_LAGS = range(RATE_HZ // PITCH_HIGH_HZ, _LONGEST + 1, 2)  # in samples
_OCTAVE_SHARE = 0.85  # an earlier peak this close to the best one is the true period, the best one its multiple
_TRIM_STEP = 20  # samples; as many tables of lags are kept as there are lengths
_SHORTEST = 240  # samples, 30 ms: less holds no two periods of a low voice
PERIODIC_SHARE = 0.45  # of agreement beyond chance, above which a stretch counts as voiced


class Frame:
    """20 ms of a line as the detectors see them; what costs more than a microsecond is worked out when first asked for.

    Args:
        audio: mu-law.
        before: the frame before it; a quiet one if there was none.
    """

    __slots__ = ("_pitch", "_samples", "_signs", "audio", "before", "floor_db", "loudness_db")

    def __init__(self, audio: bytes, before: bytes) -> None:
        self.audio = audio
        self.before = before
        self.floor_db = QUIETEST_DB  # the noise floor under it, once it has been compared
        self._signs = -1
        self._pitch: tuple[float, float] | None = None
        if audio.translate(None, _FAINT):
            self._samples = decode(audio)
            self.loudness_db = loudness_db(self._samples)
        else:
            self._samples = b""
            self.loudness_db = _faint_db(sum(audio.translate(_FAINT_SQUARES)), len(audio))

    @property
    def samples(self) -> bytes:
        """16-bit samples."""
        if not self._samples:
            self._samples = decode(self.audio)
        return self._samples

    @property
    def signs(self) -> int:
        """Of this frame and the one before it, 320 bits, the newest lowest."""
        if self._signs < 0:
            self._signs = signs(self.before + self.audio)
        return self._signs

    @property
    def pitch(self) -> tuple[float, float]:
        """(pitch in Hz or 0.0, periodicity) of the 40 ms that end with it."""
        if self._pitch is None:
            if self.before[:1] in _SILENT or self.audio[-1:] in _SILENT:
                self._pitch = pitch(*_sounding(self.signs, self.before + self.audio))
            else:
                self._pitch = pitch(self.signs, len(self.before) + len(self.audio))
        return self._pitch


def _faint_db(squares: int, count: int) -> float:
    """`loudness_db` of samples that are all faint, from the sum of their squares in mu-law's finest steps."""
    if not squares:
        return QUIETEST_DB
    return max(QUIETEST_DB, 10.0 * math.log10(squares * _FINEST**2 / (count * _FULL_SCALE**2)))


def loudness_db(samples: bytes) -> float:
    """Root mean square of 16-bit samples in dB below full scale; `QUIETEST_DB` for silence or nothing."""
    view = memoryview(samples).cast("h")
    if not view:
        return QUIETEST_DB
    level = math.hypot(*view) / (_FULL_SCALE * math.sqrt(len(view)))
    return max(QUIETEST_DB, 20.0 * math.log10(level)) if level > 0 else QUIETEST_DB


def signs(audio: bytes) -> int:
    """The signs of mu-law samples as one integer, oldest sample in the highest bit."""
    return int(audio.translate(_SIGNS), 2) if audio else 0


@cache
def _shape_comparisons(count: int) -> tuple[tuple[int, int, float], ...]:
    return tuple((lag, (1 << (count - lag)) - 1, 2.0 / (count - lag)) for lag in _SHAPE_LAGS)


def shape(bits: int, count: int) -> list[float]:
    """The coarse spectrum of the newest `count` signs: how far they agree with those a few samples later, -1 to 1."""
    newest = bits & ((1 << count) - 1)
    return [
        1.0 - ((newest ^ (newest >> lag)) & mask).bit_count() * share for lag, mask, share in _shape_comparisons(count)
    ]


def _sounding(bits: int, audio: bytes) -> tuple[int, int]:
    """The signs of what sounds between two digital silences, and how many; (0, 0) where it is too short for a pitch.

    Silence agrees with itself at every lag: beside it, the first frame of a cough would pass for a voice.
    """
    begun = audio.lstrip(_SILENT)
    sounding = begun.rstrip(_SILENT)
    count = len(sounding) - len(sounding) % _TRIM_STEP
    return (bits >> (len(begun) - len(sounding)), count) if count >= _SHORTEST else (0, 0)


@cache
def _comparisons(count: int) -> tuple[tuple[int, int, float], ...]:
    """(lag, mask, share per differing sign) of the lags that `count` signs allow."""
    lags = _LAGS if count > _LONGEST else ()
    return tuple((lag, (1 << (count - lag)) - 1, 2.0 / (count - lag)) for lag in lags)


def pitch(bits: int, count: int) -> tuple[float, float]:
    """(pitch in Hz, periodicity from 0 to 1) of `count` signs; pitch 0.0 = unvoiced.

    Wants 30 ms or more; a shorter stretch holds no two periods of a low voice and reads as unvoiced. A voice is read to
    within 5 %.
    """
    scores = [1.0 - ((bits ^ (bits >> lag)) & mask).bit_count() * share for lag, mask, share in _comparisons(count)]
    if not scores:
        return 0.0, 0.0
    best = max(scores)
    if best < PERIODIC_SHARE:
        return 0.0, max(0.0, best)
    enough = best * _OCTAVE_SHARE
    index = next(index for index, score in enumerate(scores) if score >= enough)
    last = len(scores) - 1
    while index < last and scores[index + 1] > scores[index]:  # up to the peak that this one belongs to
        index += 1
    return RATE_HZ / _LAGS[index], best
