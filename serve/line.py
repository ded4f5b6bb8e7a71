"""One caller's line at the gateway, whatever the carrier: the owner's link, unacknowledged audio, the epoch.

A line outlives the process that leads its call. It numbers the inbound frames, keeps what the owner has not yet
acknowledged (10 s at most), and hands all of it to the next owner. It obeys only the owner with the current epoch.
How a carrier words things is `carriers/`' matter; who may open a line is `gateway.py`'s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.actors import wire
from offhook.actors.errors import Fenced, ProtocolFault
from offhook.actors.link import Link, Message, connect

FRAME_BYTES = 160  # 20 ms of mu-law at 8 kHz
UNACKNOWLEDGED_FRAMES_MAX = 500  # 10 s: no takeover takes longer, and older words are no longer worth an answer
UNSENT_NOTES_MAX = 64  # marks and digits that came while no owner was linked
CODEC = "mulaw8k"


class Carrier(Protocol):
    """What a line asks of the carrier's side; every call is carried out at once, none waits."""

    def play(self, audio: bytes) -> None:
        """Play mu-law audio after what is already buffered."""

    def mark(self, name: str) -> None:
        """Tell (`Line.marked`) when everything before it was played."""

    def clear(self) -> None:
        """Drop what is buffered."""

    def hang_up(self, reason: str) -> None:
        """End the stream; what the carrier does with the caller then is the resume webhook's answer."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Where the owner of a call takes its line: one link may open at `endpoint` under `token`."""

    endpoint: str
    token: str
    epoch: int


class Line:
    """One stream of one call. Everything runs on the gateway's loop; only `attach` awaits."""

    def __init__(self, call: str, stream: str, carrier: Carrier, on_orphaned: Callable[[Line, str], None]) -> None:
        self.call = call
        self.stream = stream
        self.epoch = 0
        self.over = False
        self.frames_in = 0
        self.frames_lost = 0  # older than the 10 s that are kept
        self.fenced = 0  # messages of an owner that is no longer the owner
        self._carrier = carrier
        self._on_orphaned = on_orphaned
        self._link: Link | None = None
        self._kept: deque[bytes] = deque()
        self._kept_from = 0  # sequence number of the first kept frame
        self._rest = b""  # an incomplete frame
        self._notes: deque[tuple[Any, ...]] = deque(maxlen=UNSENT_NOTES_MAX)

    # --- from the carrier -------------------------------------------------------------------------------------------

    def heard(self, audio: bytes) -> None:
        """The caller's voice: usually one frame; any other length is cut into frames."""
        if len(audio) == FRAME_BYTES and not self._rest:
            self._frame(audio)
            return
        audio = self._rest + audio
        whole = len(audio) - len(audio) % FRAME_BYTES
        for start in range(0, whole, FRAME_BYTES):
            self._frame(audio[start : start + FRAME_BYTES])
        self._rest = audio[whole:]

    def _frame(self, frame: bytes) -> None:
        kept = self._kept
        kept.append(frame)
        if len(kept) > UNACKNOWLEDGED_FRAMES_MAX:
            kept.popleft()
            self._kept_from += 1
            self.frames_lost += 1
        if self._link is not None:
            self._link.send(wire.AUDIO, self.frames_in, frame)
        self.frames_in += 1

    def marked(self, name: str) -> None:
        """The carrier has played everything before this mark."""
        self._tell(wire.MARKED, name)

    def digit(self, digit: str) -> None:
        """A key was pressed."""
        self._tell(wire.DIGIT, digit)

    def stopped(self, reason: str) -> None:
        """The carrier ended the stream: the caller hung up."""
        self._tell(wire.STOPPED, reason)
        self._end(reason)

    def lost(self, reason: str) -> None:
        """The carrier's socket closed without a goodbye; the owner sees its link close and waits for a new line."""
        self._end(reason)

    def _tell(self, *note: Any) -> None:
        if self._link is None or not self._link.send(*note):
            self._notes.append(note)

    # --- the owner --------------------------------------------------------------------------------------------------

    @property
    def attached(self) -> bool:
        """True while an owner is linked."""
        return self._link is not None

    @property
    def unacknowledged(self) -> int:
        """Frames kept for the next owner."""
        return len(self._kept)

    async def attach(self, claim: Claim) -> None:
        """Link to the call's owner and hand over what is kept; from here on only this epoch is obeyed.

        Raises:
            Fenced: a newer owner already has the line.
            LinkLost: the owner cannot be reached.
        """
        if claim.epoch < self.epoch:
            raise Fenced(f"epoch {claim.epoch} claims the line of call {self.call}, which obeys epoch {self.epoch}")
        link = await connect(
            claim.endpoint, claim.token, self.stream, CODEC, on_message=self._obey, on_close=self._unlinked
        )
        if self.over or claim.epoch < self.epoch:
            link.close("the line is over" if self.over else "a newer owner has the line")
            return
        before, self._link, self.epoch = self._link, link, claim.epoch
        if before is not None:
            before.close("a newer owner has the line")
        if self._kept:
            link.send(wire.AUDIO, self._kept_from, b"".join(self._kept))
        while self._notes:
            link.send(*self._notes.popleft())

    def _obey(self, link: Link, message: Message) -> None:
        if link is not self._link or len(message) < 2 or message[1] != self.epoch:
            self.fenced += 1
            return
        act = _ACTS.get(message[0])
        if act is None:
            raise ProtocolFault(f"a call does not say {message[0]!r} to its line; it says {', '.join(_ACTS)}")
        try:
            act(self, *message[2:])
        except TypeError as error:
            raise ProtocolFault(f"{message[0]!r} with {len(message) - 2} fields: {error}") from None

    def _unlinked(self, link: Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            if not self.over:
                self._on_orphaned(self, reason)

    def _acknowledged(self, sequence: int) -> None:
        kept = self._kept
        while kept and self._kept_from <= sequence:
            kept.popleft()
            self._kept_from += 1

    def _play(self, audio: bytes) -> None:
        self._carrier.play(audio)

    def _mark(self, name: str) -> None:
        self._carrier.mark(name)

    def _clear(self) -> None:
        self._carrier.clear()

    def _transfer(self, target: str, announced: bool) -> None:
        # The journal has the target: the resume webhook reads it there, even after this gateway is gone.
        del target, announced
        self.hang_up("transferred")

    def hang_up(self, reason: str) -> None:
        """End the call on the wire; the owner, where there is one, hears that the stream has stopped."""
        if not self.over:
            self._carrier.hang_up(reason)
            self.stopped(reason)

    def make_way(self, reason: str) -> None:
        """Another line of the same call takes over: this one ends, the call does not."""
        if not self.over:
            self._carrier.hang_up(reason)
            self.lost(reason)

    def _end(self, reason: str) -> None:
        self.over = True
        self._kept.clear()
        if self._link is not None:
            self._link.close(reason)


_ACTS: dict[str, Callable[..., None]] = {
    wire.ACK: Line._acknowledged,
    wire.PLAY: Line._play,
    wire.MARK: Line._mark,
    wire.CLEAR: Line._clear,
    wire.HANGUP: Line.hang_up,
    wire.TRANSFER: Line._transfer,
}
