"""One caller's line at the gateway, whatever the carrier: the owner's link, unacknowledged audio, the epoch.

A line outlives the process that leads its call. It numbers the inbound frames and keys, keeps the last ten seconds, and
hands them to the next owner: what the former one has acknowledged, for ears to warm up on, and the rest. It knows how
far the carrier is in playing, so the next owner goes on in mid-sentence. It obeys only the current epoch's owner.
How a carrier words things is `carriers/`' matter; who may open a line is `gateway.py`'s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from offhook.actors.audio.format import BYTES_PER_S, FRAME_BYTES, TELEPHONE
from offhook.actors.contracts.errors import Fenced
from offhook.actors.contracts.message import Message, among, read
from offhook.actors.contracts.messages import (
    PROTOCOL,
    Ack,
    Audio,
    Clear,
    Digit,
    GatewayHello,
    Hangup,
    Mark,
    Marked,
    Pace,
    Past,
    Play,
    Stopped,
    Transfer,
)
from offhook.actors.link.link import Array, Link, connect

from ..contracts.claim import Claim
from .frame_batching import TOGETHER, FrameBatching

FRAMES_KEPT = 500  # 10 s: no takeover takes longer, and older words are no longer worth an answer
KEYS_KEPT = 64  # pressed and not acknowledged
UNSENT_NOTES_MAX = 64  # marks that came while no owner was linked
STOP_READ_S = 0.5  # for an owner to read that the stream has stopped; it takes a millisecond
READ_OUT_S = 0.05  # for what a former owner had sent before its death; it is in a socket of this machine, mostly
TRANSFERRED = "transferred"  # why a line makes way for the number that its caller is handed to


class CarrierStream(Protocol):
    """What a line asks of the carrier's side; every call is carried out at once, none waits."""

    @property
    def transfers(self) -> bool:
        """The carrier can hand a caller over. The call is told, and asks for no transfer where it cannot."""

    def play(self, audio: bytes) -> None:
        """Play mu-law audio after what is already buffered."""

    def mark(self, name: str) -> None:
        """Tell (`Line.marked`) when everything before it was played."""

    def clear(self) -> None:
        """Drop what is buffered."""

    def hang_up(self, reason: str) -> None:
        """End the call, and the stream with it."""

    def transfer(self, target: str) -> None:
        """Hand the caller over to a number, as far as the carrier takes that on the stream; `end_stream` follows."""

    def end_stream(self, reason: str) -> None:
        """End the stream; what the carrier does with the caller then is the resume webhook's answer."""


class Playback:
    """How far the carrier is in playing what it was sent: by its marks, and by the clock from there on."""

    __slots__ = ("_bytes", "_cleared", "_left_ms", "_mark", "_marks", "_until_s")

    def __init__(self) -> None:
        self._bytes = 0  # sent so far
        self._mark = ("", 0)  # the last one sent, and the bytes before it
        self._marks: deque[tuple[str, int]] = deque(maxlen=UNSENT_NOTES_MAX)  # sent and not returned
        self._until_s = 0.0  # when all of it will have been played
        self._cleared = False
        self._left_ms = 0  # unplayed at the clear

    def sent(self, count: int, now_s: float) -> None:
        """So many bytes are queued behind what the carrier plays."""
        self._bytes += count
        self._until_s = max(self._until_s, now_s) + count / BYTES_PER_S
        self._cleared = False

    def mark(self, name: str) -> None:
        """A mark is queued there."""
        self._mark = (name, self._bytes)
        self._marks.append(self._mark)

    def marked(self, name: str, now_s: float) -> None:
        """Everything before that mark was played."""
        if not any(sent == name for sent, _ in self._marks):
            return
        while (found := self._marks.popleft())[0] != name:
            pass
        if not self._cleared:
            self._until_s = now_s + (self._bytes - found[1]) / BYTES_PER_S

    def clear(self, now_s: float) -> None:
        """What is not played will not be."""
        if not self._cleared:
            self._left_ms = self._unplayed_ms(now_s)
        self._cleared = True
        self._until_s = now_s
        self._marks.clear()

    def report(self, now_s: float) -> list[str | int]:
        """For the gateway's hello (`messages.GatewayHello`): mark, ms after it, ms unplayed, cleared."""
        name, before = self._mark
        after_ms = (self._bytes - before) * 1_000 // BYTES_PER_S
        return [name, after_ms, self._left_ms if self._cleared else self._unplayed_ms(now_s), int(self._cleared)]

    def _unplayed_ms(self, now_s: float) -> int:
        return max(0, round((self._until_s - now_s) * 1_000))


class Line:
    """One stream of one call. Everything runs on the gateway's loop; only `attach` awaits."""

    def __init__(
        self, call: str, stream: str, carrier: CarrierStream, on_orphaned: Callable[[Line, str], None]
    ) -> None:
        self.call = call
        self.stream = stream
        self.epoch = 0
        self.over = False
        self.stop = ""  # why the carrier ended the stream; "" = it has not
        self.frames_in = 0
        self.frames_lost = 0  # older than the 10 s that are kept
        self.fenced = 0  # messages of an owner that is no longer the owner
        self._carrier = carrier
        self._on_orphaned = on_orphaned
        self._link: Link | None = None
        self._kept: deque[bytes] = deque()
        self._kept_from = 0  # sequence number of the first kept frame
        self._acknowledged_to = 0  # sequence number of the first frame that is not acknowledged
        self._keys: deque[tuple[int, int, str]] = deque(maxlen=KEYS_KEPT)  # (number, next frame when pressed, key)
        self._keys_in = 0
        self._rest = b""  # an incomplete frame
        self._together = FrameBatching()
        self._playback = Playback()
        self._attaching = asyncio.Lock()
        self._unlinked_now = asyncio.Event()
        self._notes: deque[Message] = deque(maxlen=UNSENT_NOTES_MAX)

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
        if len(kept) > FRAMES_KEPT:
            kept.popleft()
            self._kept_from += 1
            if self._kept_from > self._acknowledged_to:
                self._acknowledged_to = self._kept_from
                self.frames_lost += 1
        self.frames_in += 1
        leaving = self._together.add(frame)
        if leaving and self._link is not None:
            self._link.send(*Audio(self.frames_in - len(leaving) // FRAME_BYTES, leaving))

    def _let_frames_go(self) -> None:
        """What is told next must not overtake a frame that waits for others."""
        waiting = self._together.take()
        if waiting and self._link is not None:
            self._link.send(*Audio(self.frames_in - len(waiting) // FRAME_BYTES, waiting))

    def marked(self, name: str) -> None:
        """The carrier has played everything before this mark."""
        self._playback.marked(name, asyncio.get_running_loop().time())
        self._tell(Marked(name))

    def digit(self, digit: str) -> None:
        """A key was pressed."""
        self._let_frames_go()
        key = (self._keys_in, self.frames_in, digit)
        self._keys_in += 1
        self._keys.append(key)
        if self._link is not None:
            self._link.send(*Digit(digit, key[0]))

    def stopped(self, reason: str) -> None:
        """The carrier ended the stream: the caller hung up."""
        self._tell(Stopped(reason))
        self.stop = reason or "stopped"
        self._end(reason)

    def lost(self, reason: str) -> None:
        """The carrier's socket closed without a goodbye; the owner sees its link close and waits for a new line."""
        self._end(reason)

    def _tell(self, note: Message) -> None:
        self._let_frames_go()
        if self._link is None or not self._link.send(*note):
            self._notes.append(note)

    # --- the owner --------------------------------------------------------------------------------------------------

    @property
    def attached(self) -> bool:
        """True while an owner is linked."""
        return self._link is not None

    @property
    def unacknowledged(self) -> int:
        """Frames that no owner has acknowledged."""
        return self.frames_in - self._acknowledged_to

    async def attach(self, claim: Claim) -> None:
        """Link to the call's owner and hand over what is kept; from here on only this epoch is obeyed.

        Nothing happens where that owner is linked already. One that comes to an ended line hears that it has ended:
        its predecessor may have died over that very word.

        Raises:
            Fenced: a newer owner already has the line.
            LinkLost: the owner cannot be reached.
        """
        async with self._attaching:
            if self.over:
                await self._tell_stopped(claim)
                return
            if self._link is not None and claim.epoch == self.epoch:
                return
            if claim.epoch < self.epoch:
                raise Fenced(f"epoch {claim.epoch} claims the line of call {self.call}, which obeys epoch {self.epoch}")
            await self._take_leave()
            now_s = asyncio.get_running_loop().time()
            report = self._playback.report(now_s)
            hello = GatewayHello(
                self.stream, TELEPHONE.name, self.frames_in, report, PROTOCOL, self._carrier.transfers
            ).fields
            link = await connect(claim.endpoint, claim.token, *hello, on_message=self._obey, on_close=self._unlinked)
            if self.over:
                self._part_from(link)
                return
            successor, self.epoch = claim.epoch > self.epoch, claim.epoch
            self._link = link
            self._hand_over(link, successor)

    async def _tell_stopped(self, claim: Claim) -> None:
        if self.stop:
            hello = GatewayHello(self.stream, TELEPHONE.name, self.frames_in, None, PROTOCOL).fields
            link = await connect(claim.endpoint, claim.token, *hello, on_message=lambda _link, _message: None)
            self._part_from(link)

    def _part_from(self, link: Link) -> None:
        """Of an owner that came when the line was over: it hears why the carrier ended it."""
        if not self.stop:
            link.close("the line is over")
            return
        link.send(*Stopped(self.stop))
        self._close_later(link)

    def _close_later(self, link: Link) -> None:
        """The owner closes it, having read the stop. Closed here at once, its next word to us would cost it that."""
        asyncio.get_running_loop().call_later(STOP_READ_S, link.close, self.stop)

    async def _take_leave(self) -> None:
        """Of a former owner: what it sent before its death is still obeyed, what it may send later is not."""
        before = self._link
        if before is None:
            return
        self._unlinked_now.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(READ_OUT_S):
                await self._unlinked_now.wait()
        self._link = None
        before.close("a newer owner has the line")

    def _hand_over(self, link: Link, successor: bool) -> None:
        self._together = FrameBatching()  # what waits in it is among those that are kept
        kept = self._kept
        known = max(0, self._acknowledged_to - self._kept_from)
        frames = list(kept)
        if successor and known:
            link.send(*Past(self._kept_from, b"".join(frames[:known])))
        if known < len(frames):
            link.send(*Audio(self._kept_from + known, b"".join(frames[known:])))
        for number, _, digit in self._keys:
            link.send(*Digit(digit, number))
        while self._notes:
            link.send(*self._notes.popleft())

    def _obey(self, link: Link, message: Array) -> None:
        if link is not self._link or len(message) < 2 or message[1] != self.epoch:
            self.fenced += 1
            return
        told = read(message, TAKEN)
        if told is not None:
            _ACTS[type(told)](self, told)

    def _unlinked(self, link: Link, reason: str) -> None:
        if link is self._link:
            self._link = None
            self._unlinked_now.set()
            if not self.over:
                self._on_orphaned(self, reason)

    def _acknowledged(self, sequence: int) -> None:
        self._acknowledged_to = max(self._acknowledged_to, min(sequence + 1, self.frames_in))
        keys = self._keys
        while keys and keys[0][1] <= sequence:  # before a frame that is acknowledged
            keys.popleft()

    def _play(self, audio: bytes) -> None:
        self._playback.sent(len(audio), asyncio.get_running_loop().time())
        self._carrier.play(audio)

    def _mark(self, name: str) -> None:
        self._playback.mark(name)
        self._carrier.mark(name)

    def _clear(self) -> None:
        self._playback.clear(asyncio.get_running_loop().time())
        self._carrier.clear()

    def _pace(self, frames: int) -> None:
        self._let_frames_go()
        self._together.pace = min(max(1, frames), TOGETHER)

    def _transfer(self, target: str) -> None:
        # The journal has the target: the resume webhook reads it there, even after this gateway is gone. The call waits
        # for what becomes of it: who is not reached comes back.
        if not self.over:
            self._carrier.transfer(target)
        if (
            self._carrier.transfers
        ):  # else a call of an earlier release has asked: in the end nobody took its caller over
            self.make_way(TRANSFERRED)

    def hang_up(self, reason: str) -> None:
        """End the call on the wire; the owner, where there is one, hears that the stream has stopped."""
        if not self.over:
            self._carrier.hang_up(reason)
            self.stopped(reason)

    def make_way(self, reason: str) -> None:
        """Another line of the same call takes over: this one ends, the call does not."""
        if not self.over:
            self._carrier.end_stream(reason)
            self.lost(reason)

    def _end(self, reason: str) -> None:
        self.over = True
        self._kept.clear()
        self._acknowledged_to = self._kept_from = self.frames_in
        if self._link is not None and self.stop:
            self._close_later(self._link)
        elif self._link is not None:
            self._link.close(reason)


_ACTS: dict[type[Message], Callable[[Line, Any], None]] = {
    Ack: lambda line, told: line._acknowledged(told.seq),
    Play: lambda line, told: line._play(told.sound),
    Mark: lambda line, told: line._mark(told.mark),
    Pace: lambda line, told: line._pace(told.frames),
    Clear: lambda line, _told: line._clear(),
    Hangup: lambda line, told: line.hang_up(told.reason),
    Transfer: lambda line, told: line._transfer(told.target),
}
TAKEN = among(*_ACTS)  # what a call may send: `messages.TO_GATEWAY_FROM_CALL`
