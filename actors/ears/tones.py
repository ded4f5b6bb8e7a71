"""Tones on the line: a machine's beep, ringback, a digit's two tones. What they mean is decided in `policies/`.

Three steps, because a spectrum costs half a millisecond: a frame whose coarse shape and loudness stay the same belongs
to a steady sound, which speech hardly ever is; six such frames in a row are looked at if the last two repeat
themselves, which hiss does not; the look's Fourier transform is spread over two frames, so that none takes long.
"""

from __future__ import annotations

from cmath import exp, pi
from math import cos
from operator import add, itemgetter, mul, sub

from offhook.policies.core.events import ToneHeard

from ..audio.format import FRAME_BYTES, FRAME_MS, RATE_HZ
from .measure import Frame, shape

LOUD_ENOUGH_DB = -42.0  # a beep is as loud as speech
_SAME_SHAPE = 0.08  # most that a steady sound's coarse spectrum moves from its first frame on; a vowel drifts away
_KEPT = 0.8  # of what the sound has been so far: the first frames hold some of what was before it
_SAME_DB = 9.0  # ... and its loudness: two tones 40 Hz apart beat by that much within a frame
_LOOK_FRAMES = 6  # 120 ms: enough to tell 440 from 480 Hz
_LOOK_EVERY_FRAMES = 10
_SHAPE_SIGNS = 320  # 40 ms: longer than a beat of two tones
_REPEATS = 0.33  # least periodicity of a tone's signs (two close tones in noise: 0.40); of hiss at most 0.27
_BITS = 9
_HALF = 1 << _BITS  # complex values transformed: two samples each
_SIZE = 2 * _HALF  # samples, padded; 7.8 Hz a bin
_LOBE_BINS = 4  # half a windowed tone's width
_LOWEST_HZ = 330.0  # of a tone on a telephone; a hummed vowel lies below
_LOWEST_BIN = 12  # 94 Hz: below lies hum
_TONAL_SHARE = 0.92  # of the energy in two frequencies or fewer: a line 12 dB above its noise; vowels have harmonics
_SECOND_SHARE = 0.12  # ... in the second one, from which there are two
REPORT_AFTER_MS = 4_000  # a tone that outlasts this is reported while it sounds: a dial tone never ends

_LOOK = _LOOK_FRAMES * FRAME_BYTES  # samples
_WINDOW = [0.5 - 0.5 * cos(2 * pi * n / (_LOOK - 1)) for n in range(_LOOK)]
# Pease's arrangement of the transform (1968): every stage does the same to the same places, so that each is four maps
# over whole lists; only the turns differ, and the result comes out in the order of reversed bits.
_TURNS = [[exp(-2j * pi * ((k >> stage) << stage) / _HALF) for k in range(_HALF // 2)] for stage in range(_BITS)]
_IN_ORDER = itemgetter(*[int(f"{n:0{_BITS}b}"[::-1], 2) for n in range(_HALF)])
_UNPACK = [-1j * exp(-2j * pi * n / _SIZE) for n in range(_HALF)]


class ToneDetector:
    """Hears steady tones on one line, frame by frame."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._shape: list[float] = []
        self._loudness_db = -80.0
        self._steady = 0
        self._tone: tuple[float, float, int] | None = None  # frequency, purity, how many
        self._reported = False
        self._half_seen: list[complex] = []  # a look's transform, to be read with the next frame

    @property
    def sounding(self) -> bool:
        """Whether a tone is on the line now."""
        return self._tone is not None

    def hear(self, frame: Frame, at_ms: int) -> ToneHeard | None:
        """Judge one frame that ended at `at_ms`; a tone is reported when it has ended or outlasted the limit."""
        loudness_db = frame.loudness_db
        if loudness_db < LOUD_ENOUGH_DB:
            return self._end(at_ms) if self._steady else None
        now = shape(frame.signs, _SHAPE_SIGNS)
        before = self._shape
        same = (
            bool(before)
            and abs(loudness_db - self._loudness_db) < _SAME_DB
            and max(map(abs, [new - old for new, old in zip(now, before, strict=True)])) < _SAME_SHAPE
        )
        self._loudness_db = loudness_db
        if not same:
            ended = self._end(at_ms) if self._steady else None
            self._shape = now
            return ended
        self._steady += 1
        self._shape = [_KEPT * old + (1.0 - _KEPT) * new for old, new in zip(before, now, strict=True)]
        self._frames.append(frame.samples)
        del self._frames[:-_LOOK_FRAMES]
        if self._half_seen:
            self._read()
        elif self._steady % _LOOK_EVERY_FRAMES == _LOOK_FRAMES and frame.pitch[1] >= _REPEATS:
            self._half_seen = transform(b"".join(self._frames))
        if self._tone is not None and not self._reported and self._steady * FRAME_MS >= REPORT_AFTER_MS:
            self._reported = True
            return self._report(at_ms, at_ms)
        return None

    def _read(self) -> None:
        self._tone = tone_in(self._half_seen) or self._tone
        self._half_seen = []

    def _end(self, at_ms: int) -> ToneHeard | None:
        heard = None
        if self._half_seen:
            self._read()
        if self._tone is not None and not self._reported:
            heard = self._report(at_ms, at_ms - FRAME_MS)
        self._frames.clear()
        self._shape = []
        self._steady = 0
        self._tone = None
        self._reported = False
        return heard

    def _report(self, at_ms: int, ended_ms: int) -> ToneHeard:
        frequency, purity, tones = self._tone or (0.0, 0.0, 0)
        # Two frames more than were steady: the signs reach back over both.
        started_ms = max(0, ended_ms - (self._steady + 2) * FRAME_MS)
        return ToneHeard(
            at_ms=at_ms,
            started_ms=started_ms,
            duration_ms=ended_ms - started_ms,
            frequency_hz=round(frequency, 1),
            purity=round(purity, 3),
            tones=tones,
        )


def transform(samples: bytes) -> list[complex]:
    """The first half of a look at 120 ms: their windowed discrete Fourier transform, samples taken in pairs."""
    windowed = list(map(mul, memoryview(samples).cast("h"), _WINDOW))
    windowed += [0.0] * (_SIZE - len(windowed))
    values = list(map(complex, windowed[::2], windowed[1::2]))
    for turns in _TURNS:
        early, late = values[: _HALF // 2], values[_HALF // 2 :]
        values[::2] = map(add, early, late)
        values[1::2] = map(mul, map(sub, early, late), turns)
    return list(_IN_ORDER(values))


def tone_in(transformed: list[complex]) -> tuple[float, float, int] | None:
    """The second half: (strongest frequency in Hz, its share of the energy, how many tones); None = no one or two."""
    power = _power(transformed)
    power[:_LOWEST_BIN] = [0.0] * _LOWEST_BIN
    total = sum(power)
    if not total:
        return None
    first, share = _peak(power, total)
    low, high = max(0, first - _LOBE_BINS), first + _LOBE_BINS + 1
    weights = power[low:high]
    frequency = sum(map(mul, range(low, low + len(weights)), weights)) / sum(weights) * RATE_HZ / _SIZE
    power[low:high] = [0.0] * len(weights)
    _, second = _peak(power, total)
    if share + second < _TONAL_SHARE or frequency < _LOWEST_HZ:
        return None
    return frequency, share, 2 if second >= _SECOND_SHARE else 1


def _power(paired: list[complex]) -> list[float]:
    """Energy by frequency of real samples that were transformed in pairs (Press et al., Numerical Recipes, 12.3)."""
    mirrored = [value.conjugate() for value in (paired[0], *paired[:0:-1])]
    turned = map(mul, map(sub, paired, mirrored), _UNPACK)
    return [value.real**2 + value.imag**2 for value in map(add, map(add, paired, mirrored), turned)]


def _peak(power: list[float], total: float) -> tuple[int, float]:
    first = power.index(max(power))
    return first, sum(power[max(0, first - _LOBE_BINS) : first + _LOBE_BINS + 1]) / total
