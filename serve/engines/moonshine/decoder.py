"""One call's sound in a model that reads whole segments anew: fed piece by piece, renewed in pauses. No thread here.

Which readings are worth telling is `readings.py`'s matter.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..port import Reading
from ..sound import Samples
from .readings import Line, Readings

RENEW_MS = 15_000  # a model stream keeps all its sound: it is renewed in a pause after this long
QUIET_MS = 1_000  # ... that has lasted this long
OVERLAP_MS = 400  # ... and the new one is given this much of what went before: the beginning of a word may be in it
READ_LAG_MS = 500  # of sound that was decoded: a segment that began longer ago is open by now (measured: 450 at most)
START_SLACK_MS = 200  # by which the model may put a segment's beginning earlier once it has read more (measured: 128)


class Stream(Protocol):
    """One call's sound in a model. Used from the worker thread only."""

    def feed(self, samples: Samples) -> list[Line]:
        """More sound; the lines that changed."""
        ...

    def finish(self) -> list[Line]:
        """No more sound; the lines that changed. The stream is gone afterwards."""
        ...


class Model(Protocol):
    """Loaded once, opens streams. Used from the worker thread only."""

    def open(self, rate_hz: int) -> Stream:
        """A stream of sound of this rate."""
        ...


class Decoder:
    """One call's sound in the model, renewed in pauses; runs in the worker thread."""

    def __init__(self, model: Model, rate_hz: int) -> None:
        self._model = model
        self._rate_hz = rate_hz
        self._stream: Stream | None = None
        self._readings = Readings()
        self._base_ms = 0  # where the model stream's beginning lies in the call's sound
        self.now_ms = 0  # how much of the call's sound was decoded
        self._spoken_ms = 0  # end of the last line
        self._nothing: Samples = np.zeros(0, np.int16)
        self._recent = self._nothing

    @property
    def segments(self) -> int:
        """How many were told."""
        return self._readings.count

    @property
    def read_ms(self) -> int:
        """How far the sound is read: of what lies before, nothing more is to come."""
        if self._readings.open:
            return max(0, self._readings.open_from_ms - START_SLACK_MS)
        return self.now_ms if self._stream is None else max(0, self.now_ms - READ_LAG_MS)

    def decode(self, samples: Samples) -> list[Reading]:
        """Readings that are worth telling after this piece."""
        if self._stream is None:
            self._open()
        assert self._stream is not None
        told = self._read(self._stream.feed(samples))
        self.now_ms += self._ms(samples)
        self._recent = np.concatenate((self._recent, samples))[-OVERLAP_MS * self._rate_hz // 1_000 :]
        quiet = not self._readings.open and self.now_ms - self._spoken_ms >= QUIET_MS
        return told + self.finish() if quiet and self.now_ms - self._base_ms >= RENEW_MS else told

    def skip(self, ms: int) -> list[Reading]:
        """So much is missing: the model must not glue together what does not belong together."""
        told = self.finish()
        self.now_ms += ms
        self._recent = self._nothing
        return told

    def finish(self) -> list[Reading]:
        """What the model's stream still has to tell; another one is opened when more sound comes."""
        if self._stream is None:
            return []
        stream, self._stream = self._stream, None
        return self._read(stream.finish())

    def _open(self) -> None:
        self._stream = self._model.open(self._rate_hz)
        self._readings.forget_ids()
        self._base_ms = self.now_ms - self._ms(self._recent)
        if self._recent.size:
            self._stream.feed(self._recent)

    def _read(self, lines: list[Line]) -> list[Reading]:
        told = []
        for line in lines:
            self._spoken_ms = self._base_ms + round((line.start_s + line.duration_s) * 1_000)
            reading = self._readings.read(line, self._base_ms)
            if reading is not None:
                told.append(reading)
        return told

    def _ms(self, samples: Samples) -> int:
        return int(samples.size) * 1_000 // self._rate_hz
