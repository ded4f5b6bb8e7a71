"""The far end of a call for tests: a gateway's link to a call actor, with a caller who is silent, speaks, and listens.

Sound is mu-law in 20 ms frames, in real time where a test wants it. What was played is kept, marks are returned when
their sound would have been played, a hang-up is answered as a gateway does.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from offhook.actors.audio.format import BYTES_PER_S, FRAME_BYTES, FRAME_MS, RATE_HZ, TELEPHONE
from offhook.actors.audio.format import SILENT_FRAME as SILENCE
from offhook.actors.audio.mulaw import bytes_of_samples
from offhook.actors.contracts.messages import Ack, Audio, Clear, Hangup, Mark, Marked, Play, Stopped
from offhook.actors.contracts.node_operations import Reservation
from offhook.actors.link.link import Array, Link, connect

PATIENCE_MS = 60_000  # for what must come: a machine that is busy may take its time


def mulaw(sample: int) -> int:
    """One 16-bit sample as mu-law."""
    return bytes_of_samples()[sample & 0xFFFF]


PERIOD_FRAMES = 25  # two syllables and a whole number of glottal pulses: repeats without a click


def voice(frames: int) -> list[bytes]:
    """Something that a voice activity detector takes for speech."""
    return [_PERIOD[n % PERIOD_FRAMES] for n in range(frames)]


def _buzz(pitch_hz: float = 125.0, level: int = 3_000) -> list[bytes]:
    """A glottal buzz of 125 Hz through two formants, four syllables a second."""
    partials = []
    for k in range(1, 20):
        hz = pitch_hz * k
        gain = 1 / (1 + ((hz - 600) / 300) ** 2) + 0.4 / (1 + ((hz - 1_400) / 300) ** 2)
        partials.append((2 * math.pi * hz / RATE_HZ, gain))
    samples = bytearray()
    for n in range(PERIOD_FRAMES * FRAME_BYTES):
        syllable = 0.35 + 0.65 * abs(math.sin(math.pi * 4.0 * n / RATE_HZ))
        samples.append(mulaw(int(level * syllable * sum(gain * math.sin(step * n) for step, gain in partials))))
    return [bytes(samples[i : i + FRAME_BYTES]) for i in range(0, len(samples), FRAME_BYTES)]


_PERIOD = _buzz()


class Phone:
    """One caller's line. `events` has what the call ordered: (seconds, name, fields)."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.seq = 0
        self.events: list[tuple[float, str, list[Any]]] = []
        self.played_bytes = 0
        self.acked = -1
        self.closed = ""
        self.returns_marks = True
        self._free_at = 0.0
        self._news = asyncio.Event()
        self._pending: dict[str, asyncio.TimerHandle] = {}  # marks whose sound is still to be played

    @classmethod
    async def pick_up(cls, reserved: Reservation, stream: str = "MZ1") -> Phone:
        """Open the line as the gateway does: with the token that came with the reservation."""
        phone = cls()
        await phone.dial(reserved.endpoint, reserved.token, stream)
        return phone

    async def dial(self, endpoint: str, token: str, stream: str = "MZ1", codec: str = TELEPHONE.name) -> None:
        self.link = await connect(endpoint, token, stream, codec, on_message=self._ordered, on_close=self._lost)

    # --- the caller -------------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """One frame, now."""
        assert self.link is not None
        self.link.send(Audio.NAME, self.seq, frame)
        self.seq += 1

    async def say(self, frames: list[bytes]) -> None:
        """Frames in real time."""
        due = time.perf_counter()
        for frame in frames:
            self.send(frame)
            due += 0.02
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def listen(self, ms: int) -> None:
        """Be silent for so long."""
        await self.say([SILENCE] * (ms // FRAME_MS))

    async def listen_until(self, true: Callable[[], Any], within_ms: int = PATIENCE_MS) -> None:
        """Be silent until something has happened."""
        for _ in range(within_ms // FRAME_MS):
            if true():
                return
            await self.listen(FRAME_MS)
        raise AssertionError(f"not within {within_ms} ms; heard {[name for _, name, _ in self.events][-20:]}")

    def hang_up(self, reason: str = "the caller hung up") -> None:
        assert self.link is not None
        self.link.send(Stopped.NAME, reason)

    # --- what came --------------------------------------------------------------------------------------------------

    def count(self, name: str) -> int:
        return sum(event[1] == name for event in self.events)

    async def have(self, name: str, count: int = 1) -> None:
        """Wait, without sending anything, until so many orders of this name are here."""
        while self.count(name) < count:
            self._news.clear()
            await self._news.wait()

    async def gone(self) -> str:
        while not self.closed:
            self._news.clear()
            await self._news.wait()
        return self.closed

    def _ordered(self, link: Link, message: Array) -> None:
        name, fields = message[0], message[2:]
        now = time.perf_counter()
        self.events.append((now, name, fields))
        if name == Play.NAME:
            self.played_bytes += len(fields[0])
            self._free_at = max(now, self._free_at) + len(fields[0]) / BYTES_PER_S
        elif name == Mark.NAME and self.returns_marks:
            wait_s = max(0.0, self._free_at - now)
            self._pending[fields[0]] = asyncio.get_running_loop().call_later(wait_s, self._reached, fields[0])
        elif name == Clear.NAME:
            self._free_at = now
            for mark, handle in tuple(self._pending.items()):
                handle.cancel()
                self._reached(mark)
        elif name == Ack.NAME:
            self.acked = fields[0]
        elif name == Hangup.NAME:
            link.send(Stopped.NAME, fields[0])
        self._news.set()

    def _reached(self, mark: str) -> None:
        del self._pending[mark]
        if self.link is not None:
            self.link.send(Marked.NAME, mark)

    def _lost(self, _link: Link, reason: str) -> None:
        self.closed = reason
        self._news.set()
