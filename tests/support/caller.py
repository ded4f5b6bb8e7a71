"""A caller whose line survives the process that leads its call: the gateway's own `Line`, without a WebSocket.

Like `phone.Phone` it sends frames in real time, plays what it is sent, returns marks, and keeps what happened; but the
owner of its call may die under it. What the caller hears is modelled by the playout buffer: `gaps` are the silences
inside of speech, `dry_ms` the present one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from offhook.actors.audio.format import BYTES_PER_S
from offhook.actors.contracts.call_operations import CallAddress
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.serve.contracts.claim import Claim
from offhook.serve.gateway.gateway import Gateway
from offhook.serve.gateway.line import Line
from phone import Phone

NO_SECRET = "callers of tests need no token"


class Exchange:
    """A gateway without sockets: its callers' lines, claimed from a real supervisor or from whomever a test says."""

    def __init__(self, claim: Callable[[str, int], Awaitable[Claim]]) -> None:
        self.gateway = Gateway(NO_SECRET, claim, {})

    @classmethod
    def of(cls, supervisor: SupervisorRef) -> Exchange:
        async def claim(call: str, lost_epoch: int) -> Claim:
            door = await supervisor.claim(call, lost_epoch)
            return Claim(door.endpoint, door.token, door.epoch)

        return cls(claim)

    def dial(self, call: str, stream: str = "MZ1") -> Caller:
        """Open the line of a reserved call."""
        return Caller(self.gateway, call, stream)


class Caller(Phone):
    """One caller. `events` has what the call's owners ordered."""

    transfers = True  # whether the carrier does

    def __init__(self, gateway: Gateway, call: str, stream: str) -> None:
        super().__init__()
        self.call = call
        self._gateway = gateway
        self.gaps: list[tuple[float, float]] = []  # (when sound came again, seconds without)
        self.heard = bytearray()  # all sound that was sent and not cleared, in order
        self.line: Line = gateway.open_line(call, stream, self)  # type: ignore[arg-type]  # a carrier is all it needs

    # --- the caller's side ------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        self.line.heard(frame)

    def press(self, digit: str) -> None:
        """A key."""
        self.line.digit(digit)

    def leave(self) -> None:
        """Hang up."""
        self.line.stopped("the caller hung up")

    def tell_owner(self, door: CallAddress) -> None:
        """What the supervisor of a real gateway does: say who the owner is now."""
        self._gateway.owned(self.call, Claim(door.endpoint, door.token, door.epoch))

    @property
    def buffered_s(self) -> float:
        """Sound that is here and not played."""
        return max(0.0, self._free_at - time.perf_counter())

    async def owned(self, epoch: int) -> None:
        """Be silent until an owner with this epoch has the line."""
        await self.listen_until(lambda: self.line.attached and self.line.epoch >= epoch, 120_000)

    # --- line.Carrier -----------------------------------------------------------------------------------------------

    def play(self, audio: bytes) -> None:
        now = time.perf_counter()
        if self._free_at and now > self._free_at:
            self.gaps.append((now, now - self._free_at))
        self.heard += audio
        self._order("play", audio)

    def mark(self, name: str) -> None:
        self._order("mark", name)

    def clear(self) -> None:
        left = int(self.buffered_s * BYTES_PER_S)
        if left:
            del self.heard[-left:]
        self._order("clear")
        self._free_at = 0.0

    def hang_up(self, reason: str = "") -> None:
        self.closed = reason or "hung up"
        self._news.set()

    def transfer(self, target: str) -> None:
        """Nothing is said of it on this line; `end_stream` follows."""

    def end_stream(self, reason: str) -> None:
        self.hang_up(reason)

    def _order(self, name: str, *fields: Any) -> None:
        self._ordered(None, [name, self.line.epoch, *fields])  # type: ignore[arg-type]

    def _reached(self, mark: str) -> None:
        self._pending.pop(mark, None)
        self.line.marked(mark)
