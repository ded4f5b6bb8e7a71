"""The call's end of its media link: frames in, sound and orders out. One gateway link at a time, the newest counts.

Every order carries the epoch; a gateway obeys only the newest. Written on the hot path: a frame is handed on inside
`data_received`, and what follows from it (`clear`) is written before that returns. Pacing is the voice's matter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from . import wire
from .errors import ProtocolFault
from .link import Link, Message

CODEC = "mulaw8k"
FRAME_BYTES = 160  # 20 ms of mu-law at 8 kHz
FRAMES_PER_MESSAGE_MAX = 500  # 10 s: what a gateway keeps for a takeover; more at once is nonsense
ACK_EVERY = 10  # frames: 200 ms of sound that a gateway keeps longer than needed costs 1.6 kB and saves 8 messages
REACTIONS_MAX = 512  # kept for the state reply; the journal has all of them


@dataclass(frozen=True, slots=True)
class Hearer:
    """Who is told of what the gateway sends."""

    sound: Callable[[bytes], None]  # one 20 ms frame
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
        self._first = True
        self._to_ack: deque[tuple[int, int]] = deque()  # (newest record when the frame was folded, frame)
        self._safe_record = 0
        self._frame_at = 0.0  # perf_counter at the arrival of the frames being folded; 0 = none
        self.stream = ""
        self.frames = 0
        self.frames_lost = 0  # gaps in their numbers
        self.frames_doubled = 0
        self.played_bytes = 0
        self.clears = 0
        self.reactions_us: deque[int] = deque(maxlen=REACTIONS_MAX)  # frame arrived -> clear written

    @property
    def open(self) -> bool:
        """A gateway holds the line for us."""
        return self._link is not None and self._link.open

    def attach(self, link: Link, stream: str, codec: str) -> bool:
        """A gateway has come; an earlier one's link is closed. False = it is the first.

        Raises:
            ProtocolFault: another codec than ours.
        """
        if codec != CODEC:
            raise ProtocolFault(f"codec {codec!r}: a call takes {CODEC}")
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
            self.stream = stream
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
        if self._link is not None and self._link.send(wire.PLAY, self._epoch, audio):
            self.played_bytes += len(audio)

    def mark(self, name: str) -> None:
        """Have the carrier tell when all sound before this was played."""
        if self._link is not None:
            self._link.send(wire.MARK, self._epoch, name)

    def clear(self) -> None:
        """Have the carrier drop what it still buffers."""
        if self._link is not None and self._link.send(wire.CLEAR, self._epoch):
            self.clears += 1
            if self._frame_at:
                self.reactions_us.append(round((perf_counter() - self._frame_at) * 1e6))

    def hangup(self, reason: str) -> bool:
        """Have the gateway end the call on the wire; False while nobody holds the line."""
        return self._link is not None and self._link.send(wire.HANGUP, self._epoch, reason)

    def transfer(self, target: str, announced: bool) -> bool:
        """Have the gateway hand the line to `target`; False while nobody holds the line."""
        return self._link is not None and self._link.send(wire.TRANSFER, self._epoch, target, announced)

    # --- acknowledging ----------------------------------------------------------------------------------------------

    def acknowledge(self, newest_record: int) -> None:
        """Every `ACK_EVERY` frames: acknowledge them once what followed from them (`newest_record`) is journaled."""
        if self.frames % ACK_EVERY:
            return
        self._to_ack.append((newest_record, self._next_seq - 1))
        self.journaled(self._safe_record)

    def journaled(self, record: int) -> None:
        """Everything up to `record` is in the journal."""
        self._safe_record = record
        newest = -1
        while self._to_ack and self._to_ack[0][0] <= record:
            newest = self._to_ack.popleft()[1]
        if newest >= 0 and self._link is not None:
            self._link.send(wire.ACK, self._epoch, newest)

    # --- what the gateway sends -------------------------------------------------------------------------------------

    def _message(self, link: Link, message: Message) -> None:
        match message:
            case [wire.AUDIO, int(seq), bytes(sound)]:
                self._sound(seq, sound)
            case [wire.MARKED, str(name)]:
                self._hearer.marked(name)
            case [wire.DIGIT, str(digit)]:
                self._hearer.digit(digit)
            case [wire.STOPPED, str(reason)]:
                link.on_close = None
                self._link = None
                link.close("the carrier ended the stream")
                self._hearer.stopped(reason)
            case _:
                raise ProtocolFault(f"a gateway does not send {message[0]!r} with {len(message) - 1} fields")

    def _sound(self, seq: int, sound: bytes) -> None:
        count, rest = divmod(len(sound), FRAME_BYTES)
        if rest or not 0 < count <= FRAMES_PER_MESSAGE_MAX:
            raise ProtocolFault(f"{len(sound)} bytes of sound: send 1 to {FRAMES_PER_MESSAGE_MAX} frames of 160 bytes")
        skip = self._next_seq - seq if self._next_seq >= 0 else 0
        if skip < 0:
            self.frames_lost -= skip
            skip = 0
        elif skip:
            self.frames_doubled += min(skip, count)
        self._next_seq = max(self._next_seq, seq + count)
        self._frame_at = perf_counter()
        try:
            for start in range(skip * FRAME_BYTES, len(sound), FRAME_BYTES):
                self.frames += 1
                self._hearer.sound(sound[start : start + FRAME_BYTES])
        finally:
            self._frame_at = 0.0

    def _closed(self, link: Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            self._hearer.lost(reason)
