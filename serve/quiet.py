"""Quiet frames travel together: while nothing is heard on a line, a call need not be woken fifty times a second.

A frame with sound leaves at once, with the quiet ones before it, so an onset is never later by this. What follows a
sound leaves frame by frame too, for as long as the end of a talkspurt may depend on it. Ages stay exact: a call dates
the frames of one message back from the last.
"""

from __future__ import annotations

LOUD_PCM = 128  # of 32,767, -48 dB: above the idle noise of digital lines, below the softest speech that is understood
LOUD_SAMPLES = 4  # in a frame: fewer are a click or the noise's own peaks
SETTLE_FRAMES = 40  # 800 ms after the last sound: the end of any talkspurt has been told by then
TOGETHER = 3  # frames in one message, 60 ms: later by it are only measurements of silence; keys let all go


def _magnitude(code: int) -> int:
    """Of one mu-law sample. Source: ITU-T G.711, table 2a."""
    low = ~code & 0xFF
    return (((low & 0x0F) << 3) + 0x84 << ((low & 0x70) >> 4)) - 0x84


_LOUD = bytes(_magnitude(code) > LOUD_PCM for code in range(256))


def loud(frame: bytes) -> bool:
    """Whether a mu-law frame has sound in it; takes a third of a microsecond."""
    return frame.translate(_LOUD).count(1) >= LOUD_SAMPLES


class Together:
    """The frames of one line on their way to its call: which leave now."""

    __slots__ = ("_quiet", "_waiting")

    def __init__(self) -> None:
        self._quiet = 0  # frames in a row
        self._waiting: list[bytes] = []

    def add(self, frame: bytes) -> bytes:
        """The frames that leave now, this one the last of them; b"" = it waits for the next."""
        waiting = self._waiting
        if loud(frame):
            self._quiet = 0
        else:
            self._quiet += 1
            if self._quiet > SETTLE_FRAMES and len(waiting) < TOGETHER - 1:
                waiting.append(frame)
                return b""
        if not waiting:
            return frame
        waiting.append(frame)
        return self.take()

    def take(self) -> bytes:
        """All that waits: something else is to be told, and nothing overtakes a frame."""
        frames = b"".join(self._waiting)
        self._waiting.clear()
        return frames
