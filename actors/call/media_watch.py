"""Watches for media that stop in the middle of a talkspurt while the carrier's socket stays open.

The ears judge frames, so without frames they would hear somebody speak for ever. Where none has come for the policy's
`ears.media_stall_ms` inside a talkspurt, it is over; what follows is silence, and is read as any other. Outside of one
nothing is watched: carriers that suppress silence send nothing then, and the silence ladder ends a call in which nobody
is left. For the same reason the call is not ended here: such carriers stop in mid-word at every pause.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ears import Ears
from ..process.clock import Alarm, Cancellable, Clock

BURST_SHARE = 1.5  # of the time between a carrier's bursts, where it sends in bursts: then it has stopped
STALL_MS_MAX = 2_000  # however far apart they are


class MediaWatch:
    """One timer at most, and only while a talkspurt lasts; a frame costs nothing.

    Args:
        stall_ms: the policy's limit.
        ears: know when the last frame came.
        speaking: whether the call takes the caller to be speaking.
        line_open: whether somebody holds the line; a line that is away is another's matter.
        stalled: ends the talkspurt.
    """

    def __init__(
        self,
        alarm: Alarm,
        clock: Clock,
        stall_ms: int,
        ears: Ears,
        speaking: Callable[[], bool],
        line_open: Callable[[], bool],
        stalled: Callable[[], None],
    ) -> None:
        self.stall_ms = stall_ms
        self._alarm = alarm
        self._clock = clock
        self._ears = ears
        self._speaking = speaking
        self._line_open = line_open
        self._stalled = stalled
        self._armed: Cancellable | None = None
        self._since_ms = 0  # frames are missed from here on at the earliest

    def begin(self) -> None:
        """A talkspurt has begun, or goes on under this owner of the call."""
        self._since_ms = self._clock.now_ms()
        if self._armed is None:
            self._arm(self._limit_ms())

    def close(self) -> None:
        """The call is over."""
        if self._armed is not None:
            self._armed.cancel()

    def _limit_ms(self) -> int:
        return max(self.stall_ms, min(round(self._ears.burst_ms * BURST_SHARE), STALL_MS_MAX))

    def _arm(self, wait_ms: int) -> None:
        self._armed = self._alarm.call_later(wait_ms / 1_000, self._look)

    def _look(self) -> None:
        self._armed = None
        if not self._speaking():
            return
        now_ms = self._clock.now_ms()
        if not self._line_open():
            self._since_ms = now_ms  # its frames come all at once when it is back
        left_ms = max(self._ears.heard_ms, self._since_ms) + self._limit_ms() - now_ms
        if left_ms > 0:
            self._arm(left_ms)
        else:
            self._stalled()
