"""Where the carrier stands in playing what it was sent: sans-IO arithmetic on the call's clock, corrected by marks.

The model: audio sent at `t` is heard at `t + lag`, one after the other, without a gap as long as more is sent in time.
A mark that comes back says how far the carrier has really come, and moves the model there. No audio, no words and no
timers here; `voice.py` has those.

What the caller will have heard once a `clear` takes effect lies one round trip after the position known now: that is as
old as a mark's way back, and the clear needs its way out. The round trip is measured by a mark without audio before it,
which a carrier returns at once.
"""

from __future__ import annotations

LAG_MS_MAX = 1_000  # beyond it a line does not just take its time but stalls: more audio would only wait there


class Playout:
    """The playing of one line. Positions in ms of the present utterance, moments in ms on the call's clock."""

    __slots__ = (
        "_at_least_ms",
        "_from_ms",
        "_since_ms",
        "lag_ms",
        "round_trip_ms",
        "sent_ms",
        "starved_ms",
        "starved_times",
    )

    def __init__(self) -> None:
        self.sent_ms = 0  # position up to which audio was sent
        # Of playing behind sending, as marks report it: the way out, the carrier's buffer, the way back.
        self.lag_ms = 0
        self.round_trip_ms = 0  # the part of it that is the line's
        self.starved_ms = 0  # for how long the carrier had nothing to play in the middle of speech, in all
        self.starved_times = 0
        self._at_least_ms = 0  # known to be heard
        self._from_ms = 0
        self._since_ms = 0  # the moment at which position `_from_ms` was, or will be, played

    def begin(self, from_ms: int) -> None:
        """The next audio sent starts at this position; nothing is buffered at the carrier."""
        self.sent_ms = self._at_least_ms = self._from_ms = from_ms
        self._since_ms = -1

    def adopt(self, heard_ms: int, sent_ms: int, now_ms: int) -> None:
        """A former owner sent audio up to `sent_ms`, and `heard_ms` of it was heard by now."""
        self.sent_ms = sent_ms
        self._at_least_ms = self._from_ms = heard_ms
        self._since_ms = now_ms

    def sent(self, to_ms: int, now_ms: int) -> None:
        """Audio up to `to_ms` has just been sent."""
        if self._since_ms < 0:
            self._from_ms, self._since_ms = self.sent_ms, now_ms + self.lag_ms
        else:
            gap_ms = self._position(now_ms) - self.sent_ms
            if gap_ms > 0:  # the carrier ran dry before this audio came
                self.starved_ms += gap_ms
                self.starved_times += 1
                self._from_ms, self._since_ms = self.sent_ms, now_ms + self.lag_ms
        self.sent_ms = to_ms

    def heard_ms(self, now_ms: int) -> int:
        """How far the caller has heard, as far as is known now."""
        return max(self._at_least_ms, min(self.sent_ms, self._position(now_ms)))

    def sendable_ms(self, ahead_ms: int) -> int:
        """How far beyond the position heard audio may be sent so that it is `ahead_ms` ahead of real time."""
        return ahead_ms + min(self.lag_ms, LAG_MS_MAX)

    def stopped_ms(self, now_ms: int) -> int:
        """How far the caller will have heard when a clear that leaves now takes effect."""
        return max(self._at_least_ms, min(self.sent_ms, self._position(now_ms) + min(self.round_trip_ms, self.lag_ms)))

    def plays_at(self, position_ms: int) -> int:
        """The moment at which a position is (or was) played, if audio keeps coming."""
        return self._since_ms + position_ms - self._from_ms

    def marked(self, position_ms: int, now_ms: int) -> None:
        """The carrier has played everything before `position_ms`."""
        late_ms = self._position(now_ms) - position_ms
        self._since_ms += late_ms
        self.lag_ms = max(0, self.lag_ms + late_ms)
        self._at_least_ms = max(self._at_least_ms, position_ms)

    def _position(self, now_ms: int) -> int:
        return self._from_ms + now_ms - self._since_ms if self._since_ms >= 0 else self._from_ms
