"""What audio bytes are: encoding, sample rate, channels, and the sizes that follow. The one place for these numbers.

Calls and links carry `TELEPHONE` unless a hello names another format. What is converted is converted at the edges
(`serve/engines/sound.py`); the law of mu-law is in `mulaw.py`, files are in `wav.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..contracts.errors import WrongSound

MULAW = "mulaw"  # ITU-T G.711, one byte a sample
LINEAR16 = "linear16"  # 16-bit little-endian samples
ENCODINGS = (MULAW, LINEAR16)

FRAME_MS = 20  # what carriers send at a time
RATE_HZ_MIN, RATE_HZ_MAX = 4_000, 192_000  # outside, a number is no sample rate but a mistake
CHANNELS_MAX = 8

_SAMPLE_BYTES = {MULAW: 1, LINEAR16: 2}
_ZERO = {MULAW: b"\xff", LINEAR16: b"\0\0"}  # one sample of silence
_NAME = re.compile(r"(mulaw|linear16)-?(\d+(?:\.\d+)?)k(?:x(\d))?")


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """One format of audio bytes; channels are interleaved.

    Raises:
        WrongSound: no such encoding, or a rate or a number of channels that cannot be meant.
    """

    encoding: str
    rate_hz: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise WrongSound(f"audio encoding {self.encoding!r}: known are {', '.join(ENCODINGS)}")
        if not RATE_HZ_MIN <= self.rate_hz <= RATE_HZ_MAX:
            raise WrongSound(f"a sample rate of {self.rate_hz} Hz: allowed are {RATE_HZ_MIN} to {RATE_HZ_MAX} Hz")
        if not 1 <= self.channels <= CHANNELS_MAX:
            raise WrongSound(f"{self.channels} channels: allowed are 1 to {CHANNELS_MAX}")

    @property
    def name(self) -> str:
        """How links name it: "mulaw8k", "linear16-22.05k", "linear16-48kx2"."""
        dash = "" if self.encoding == MULAW else "-"
        channels = f"x{self.channels}" if self.channels > 1 else ""
        return f"{self.encoding}{dash}{self.rate_hz / 1_000:g}k{channels}"

    @classmethod
    def named(cls, name: str) -> AudioFormat:
        """The format of a name.

        Raises:
            WrongSound: no format has this name.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise WrongSound(f"audio format {name[:40]!r}: formats are named as {TELEPHONE.name!r} or 'linear16-16k'")
        return cls(found[1], round(float(found[2]) * 1_000), int(found[3] or 1))

    @property
    def step_bytes(self) -> int:
        """Bytes of one sample of every channel: audio is cut between such steps only."""
        return _SAMPLE_BYTES[self.encoding] * self.channels

    @property
    def bytes_per_s(self) -> int:
        """Bytes of one second."""
        return self.rate_hz * self.step_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame of FRAME_MS."""
        return self.bytes_of(FRAME_MS)

    def bytes_of(self, ms: int) -> int:
        """Bytes of so many ms, whole samples."""
        return self.rate_hz * ms // 1_000 * self.step_bytes

    def ms_of(self, size: int) -> int:
        """Whole ms in so many bytes."""
        return size * 1_000 // self.bytes_per_s

    def silence(self, ms: int) -> bytes:
        """So many ms of zero samples."""
        return _ZERO[self.encoding] * (self.bytes_of(ms) // _SAMPLE_BYTES[self.encoding])

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.encoding}, {self.rate_hz} Hz, {channels}"


TELEPHONE = AudioFormat(MULAW, 8_000)  # what every carrier speaks

# Its sizes as plain numbers, for what runs once a frame.
RATE_HZ = TELEPHONE.rate_hz
BYTES_PER_S = TELEPHONE.bytes_per_s
BYTES_PER_MS = TELEPHONE.bytes_of(1)
FRAME_BYTES = TELEPHONE.frame_bytes
SILENCE = _ZERO[MULAW]  # one sample: times BYTES_PER_MS is a millisecond
SILENT_FRAME = TELEPHONE.silence(FRAME_MS)


def whole_frames(audio: bytes) -> bytes:
    """Telephone audio, filled up with silence to whole frames: carriers take no others."""
    return audio + SILENCE * (-len(audio) % FRAME_BYTES)
