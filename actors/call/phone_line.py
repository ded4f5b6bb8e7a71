"""The call's end of its media link: frames in, sound and orders out. One gateway link at a time, the newest counts.

Every order carries the epoch; a gateway obeys only the newest. Written on the hot path: a frame is handed on inside
`data_received`, and what follows from it (`clear`) is written before that returns. Pacing is the voice's matter.

Frames and keys are numbered within a stream, and counted here; after a takeover the count goes on (`go_on`), and what
was taken in before is recognized by its number. Frames that come in a bunch tell their age, 20 ms each, so what the
ears make of them has true times. A number that cannot be is dropped with its message, and counted.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from ..audio.format import FRAME_BYTES, FRAME_MS, TELEPHONE
from ..contracts.errors import ProtocolFault
from ..contracts.message import Message, among, read
from ..contracts.messages import (
    Ack,
    Audio,
    Clear,
    Digit,
    Hangup,
    Mark,
    Marked,
    Pace,
    Past,
    Play,
    Stopped,
    Transfer,
)
from ..link.link import Array, Link

log = logging.getLogger(__name__)

FRAMES_PER_MESSAGE_MAX = 500  # 10 s: what a gateway keeps for a takeover; more at once is nonsense
ACK_EVERY = 25  # frames: half a second of sound that a next owner hears again costs it 2 ms; an ACK costs two processes
# a wake-up each
FRAMES_MAX = 7 * 86_400_000 // FRAME_MS  # of a stream: a week, and the longest call is a day
# A minute; a gateway sends every frame that came since its hello, or the last 10 s.
FRAMES_AHEAD_MAX = 60_000 // FRAME_MS
KEYS_AHEAD_MAX = 1_000  # pressed while nobody held the line; a gateway keeps 64
PLAYED_MS_MAX = 86_400_000  # the longest call
REACTIONS_MAX = 512  # kept for the state reply; the journal has all of them


@dataclass(frozen=True, slots=True)
class Played:
    """How far the carrier is in playing what the gateway was told to play."""

    mark: str  # the last one sent before `after_ms` of sound; "" = none since the line was cleared for good
    after_ms: int
    unplayed_ms: int  # of all sound sent: not heard yet, or (`cleared`) never heard
    cleared: bool

    @classmethod
    def from_fields(cls, fields: list[object]) -> Played | None:
        """What a gateway says of it; None where it says nothing, or nothing that makes sense."""
        match fields:
            case [str(mark), int(after_ms), int(unplayed_ms), int(cleared)] if (
                after_ms <= PLAYED_MS_MAX and unplayed_ms <= PLAYED_MS_MAX
            ):
                return cls(mark, max(0, after_ms), max(0, unplayed_ms), bool(cleared))
        return None


@dataclass(frozen=True, slots=True)
class Hearer:
    """Who is told of what the gateway sends."""

    sound: Callable[[bytes, int, bool], None]  # one 20 ms frame, its age in ms, and whether it is news
    marked: Callable[[str], None]
    digit: Callable[[str], None]
    stopped: Callable[[str], None]
    lost: Callable[[str], None]  # the gateway's link closed without a goodbye


class PhoneLine:
    """`play`, `mark` and `clear` are the `Line` that the voice speaks through."""

    def __init__(self, epoch: int, hearer: Hearer) -> None:
        self._epoch = epoch
        self._hearer = hearer
        self._link: Link | None = None
        self._next_seq = -1  # of the next frame that is news; -1 = the first to come, whatever its number
        self._next_digit = 0
        self._frames_in = 0  # at the gateway when it came: with it the age of what it had kept is known
        self._warming = False  # frames that a former owner has taken in are of use
        self._first = True
        self._to_ack: deque[tuple[int, int]] = deque()  # (newest record when the frame was folded, frame)
        self._safe_record = 0
        self._frame_at = 0.0  # perf_counter at the arrival of the frames being folded; 0 = none
        self.stream = ""
        self.transfers = True  # the carrier can hand the caller over; as the gateway says
        self.frames = 0
        self.frames_lost = 0  # gaps in their numbers
        self.frames_doubled = 0
        self.refused = 0  # messages with a number that cannot be
        self.played_bytes = 0
        self.clears = 0
        self.reactions_us: deque[int] = deque(maxlen=REACTIONS_MAX)  # frame arrived -> clear written

    @property
    def open(self) -> bool:
        """A gateway holds the line for us."""
        return self._link is not None and self._link.open

    @property
    def frames_taken(self) -> int:
        """How many frames of the present stream were taken in, with those that were lost on the way."""
        return max(0, self._next_seq)

    @property
    def digits_taken(self) -> int:
        """How many keys of the present stream."""
        return self._next_digit

    def go_on(self, stream: str, frames: int, digits: int) -> None:
        """A former owner has taken in so much of `stream`."""
        self.stream, self._next_seq, self._next_digit = stream, frames if stream else -1, digits
        self._warming = True

    def attach(self, link: Link, stream: str, codec: str, frames_in: int = 0, transfers: bool = True) -> bool:
        """A gateway has come; an earlier one's link is closed. False = it is the first.

        Raises:
            ProtocolFault: another codec than ours, or more frames than a stream can have.
        """
        if codec != TELEPHONE.name:
            raise ProtocolFault(f"codec {codec!r}: a call takes {TELEPHONE.name}")
        if not 0 <= frames_in <= FRAMES_MAX:
            raise ProtocolFault(f"frames {frames_in}: a stream has 0 to {FRAMES_MAX}")
        former, self._link = self._link, link
        if former is not None:
            former.on_close = None
            former.close("another gateway took this call")
        link.on_message = self._message
        link.on_close = self._closed
        again = not self._first
        self._first = False
        if stream != self.stream:  # another stream of the carrier counts its frames anew
            self._next_seq = -1
            self._next_digit = 0
            self._warming = self._warming and not self.stream
            self.stream = stream
        self._frames_in = frames_in
        self.transfers = transfers
        return again

    def close(self, reason: str) -> None:
        """Nothing more is heard or said."""
        if self._link is not None:
            self._link.on_close = None
            self._link.close(reason)
            self._link = None

    # --- orders -----------------------------------------------------------------------------------------------------

    def play(self, audio: bytes) -> None:
        """Queue whole frames of sound behind what the carrier still plays."""
        if self._link is not None and self._link.send(*Play(self._epoch, audio)):
            self.played_bytes += len(audio)

    def mark(self, name: str) -> None:
        """Have the carrier tell when all sound before this was played."""
        if self._link is not None:
            self._link.send(*Mark(self._epoch, name))

    def pace(self, frames: int) -> None:
        """Have so many frames come in one message from now on; a new gateway begins at 1."""
        if self._link is not None:
            self._link.send(*Pace(self._epoch, frames))

    def clear(self) -> None:
        """Have the carrier drop what it still buffers."""
        if self._link is not None and self._link.send(*Clear(self._epoch)):
            self.clears += 1
            if self._frame_at:
                self.reactions_us.append(round((perf_counter() - self._frame_at) * 1e6))

    def hangup(self, reason: str) -> bool:
        """Have the gateway end the call on the wire; False while nobody holds the line."""
        return self._link is not None and self._link.send(*Hangup(self._epoch, reason))

    def transfer(self, target: str) -> str:
        """Have the gateway hand the line to `target`; why it does not, "" = it is asked to."""
        if not self.transfers:
            return "the carrier offers no transfer"
        if self._link is None or not self._link.send(*Transfer(self._epoch, target)):
            return "nobody holds the line"
        return ""

    # --- acknowledging ----------------------------------------------------------------------------------------------

    @property
    def acknowledgement_due(self) -> bool:
        """True every `ACK_EVERY` frames."""
        return self.frames % ACK_EVERY == 0

    def acknowledge(self, newest_record: int) -> None:
        """Acknowledge all frames taken in, once what followed from them (`newest_record`) is journaled."""
        self._to_ack.append((newest_record, self._next_seq - 1))
        self.journaled(self._safe_record)

    def journaled(self, record: int) -> None:
        """Everything up to `record` is in the journal."""
        self._safe_record = record
        newest = -1
        while self._to_ack and self._to_ack[0][0] <= record:
            newest = self._to_ack.popleft()[1]
        if newest >= 0 and self._link is not None:
            self._link.send(*Ack(self._epoch, newest))

    # --- what the gateway sends -------------------------------------------------------------------------------------

    def _message(self, link: Link, array: Array) -> None:
        told = read(array, TAKEN, link.newer)
        if told is not None:
            _HEARS[type(told)](self, told)

    def _digit(self, digit: str, number: int) -> None:
        if not -1 <= number <= self._next_digit + KEYS_AHEAD_MAX:
            self._refuse(f"key {number}; {self._next_digit} is next")
            return
        number = number if number >= 0 else self._next_digit
        if number >= self._next_digit:
            self._next_digit = number + 1
            self._hearer.digit(digit)

    def _stopped(self, reason: str) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.on_close = None
            link.close("the carrier ended the stream")
        self._hearer.stopped(reason)

    def _sound(self, seq: int, sound: bytes) -> None:
        self._frame_at = perf_counter()
        try:
            if seq == self._next_seq >= self._frames_in and len(sound) == FRAME_BYTES:  # nearly every message
                self._next_seq = seq + 1
                self.frames += 1
                self._hearer.sound(sound, 0, True)
            else:
                self._bunch(seq, sound)
        finally:
            self._frame_at = 0.0

    def _bunch(self, seq: int, sound: bytes) -> None:
        """Frames some of which may be missing, or known."""
        if not self._can_be(seq):
            return
        known = self._next_seq - seq if self._next_seq >= 0 else 0
        for at, frame in enumerate(frames := _frames(sound)):
            news = at >= known
            if news:
                self.frames_lost += max(0, seq + at - self._next_seq) if self._next_seq >= 0 else 0
                self._next_seq = seq + at + 1
                self._warming = False
                self.frames += 1
            else:
                self.frames_doubled += 1
            if news or self._warming:
                self._hearer.sound(frame, self._age_ms(seq + at, len(frames) - 1 - at), news)

    def _past(self, seq: int, sound: bytes) -> None:
        """Frames that a former owner has acknowledged; whoever has heard frames of its own needs none of them."""
        frames = _frames(sound)
        if not self._can_be(seq):
            return
        if self._warming and self._next_seq >= 0:
            self._next_seq = max(self._next_seq, seq + len(frames))
        for at, frame in enumerate(frames):
            if self._warming:
                self._hearer.sound(frame, self._age_ms(seq + at, len(frames) - 1 - at), False)

    def _can_be(self, seq: int) -> bool:
        """Whether a frame of this number can come now; what cannot is counted."""
        due = max(self._next_seq, self._frames_in)
        fits = 0 <= seq <= due + FRAMES_AHEAD_MAX
        if not fits:
            self._refuse(f"frame {seq}; {due} is due")
        return fits

    def _refuse(self, what: str) -> None:
        self.refused += 1
        if self.refused == 1:
            log.warning("the gateway sent a number that cannot be: %s", what, extra={"stream": self.stream})

    def _age_ms(self, seq: int, behind: int) -> int:
        """One by one they are new; kept ones are as old as what has come in after them, which is 10 s at most."""
        return max(behind, min(self._frames_in - 1 - seq, FRAMES_PER_MESSAGE_MAX)) * FRAME_MS

    def _closed(self, link: Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            self._hearer.lost(reason)


_HEARS: dict[type[Message], Callable[[PhoneLine, Any], None]] = {
    Audio: lambda line, told: line._sound(told.seq, told.sound),
    Marked: lambda line, told: line._hearer.marked(told.mark),
    Digit: lambda line, told: line._digit(told.digit, told.number),
    Past: lambda line, told: line._past(told.seq, told.sound),
    Stopped: lambda line, told: line._stopped(told.reason),
}
TAKEN = among(*_HEARS)  # what a gateway may send: `messages.TO_CALL_FROM_GATEWAY`


def _frames(sound: bytes) -> list[bytes]:
    """The frames of a message.

    Raises:
        ProtocolFault: not whole frames, none, or too many.
    """
    count, rest = divmod(len(sound), FRAME_BYTES)
    if rest or not 0 < count <= FRAMES_PER_MESSAGE_MAX:
        raise ProtocolFault(
            f"{len(sound)} bytes of sound: send 1 to {FRAMES_PER_MESSAGE_MAX} frames of {FRAME_BYTES} bytes"
        )
    return [sound[start : start + FRAME_BYTES] for start in range(0, len(sound), FRAME_BYTES)]
