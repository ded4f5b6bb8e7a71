"""A carrier for tests: plays what it is sent on virtual time, returns marks, clears; knows what was really heard."""

from __future__ import annotations

from collections.abc import Callable

from offhook.actors.audio.format import BYTES_PER_MS, FRAME_BYTES
from virtual_time import VirtualTime


class Carrier:
    """A `Line`. What is sent arrives `out_ms` later, is played after `buffer_ms`; marks need `back_ms` to return.

    `sent` is what the voice sent and when, `gaps` are silences in the middle of what it sent.
    """

    def __init__(self, time: VirtualTime, out_ms: float = 0, buffer_ms: float = 0, back_ms: float = 0) -> None:
        self.time = time
        self.out_ms = out_ms
        self.buffer_ms = buffer_ms
        self.back_ms = back_ms
        self.returns_marks = True
        self.on_mark: Callable[[str], None] = lambda _name: None
        self.sent: list[tuple[float, str, int | str]] = []  # (moment, what, ms or name)
        self.gaps: list[tuple[float, float]] = []  # (moment, ms) of silence between two pieces that were queued
        self.most_buffered_ms = 0.0
        self._free_at = 0.0  # when what is queued will have been played
        self._played: list[tuple[float, float, bytes]] = []  # (from, until, audio), also what is still to be played
        self._pending: list[str] = []  # marks

    # --- the Line ---------------------------------------------------------------------------------------------------

    def play(self, audio: bytes) -> None:
        assert len(audio) % FRAME_BYTES == 0, "a carrier takes whole frames"
        self.sent.append((self.time.ms, "play", len(audio) // BYTES_PER_MS))
        self._later(self.out_ms, lambda: self._arrive("play", audio))

    def mark(self, name: str) -> None:
        self.sent.append((self.time.ms, "mark", name))
        self._later(self.out_ms, lambda: self._arrive(name, b""))

    def clear(self) -> None:
        self.sent.append((self.time.ms, "clear", 0))
        self._later(self.out_ms, self._clear)

    # --- what the caller hears --------------------------------------------------------------------------------------

    def heard_audio(self) -> bytes:
        """What was really played so far."""
        now = self.time.ms
        return b"".join(audio[: max(0, int((now - start) * BYTES_PER_MS))] for start, _, audio in self._played)

    def heard_ms(self) -> float:
        """How much that is."""
        return len(self.heard_audio()) / BYTES_PER_MS

    # --- parts ------------------------------------------------------------------------------------------------------

    def _later(self, delay_ms: float, work: Callable[[], None]) -> None:
        if delay_ms:
            self.time.call_later(delay_ms / 1_000, work)
        else:
            work()

    def _arrive(self, what: str, audio: bytes) -> None:
        now = self.time.ms
        if what != "play":
            self._pending.append(what)
            self.time.call_later(max(0.0, self._free_at - now) / 1_000, lambda: self._return(what))
            return
        start = self._free_at
        if now >= start:  # dry: it buffers anew before it plays
            if start:
                self.gaps.append((start, now - start))
            start = now + self.buffer_ms
        self._free_at = start + len(audio) / BYTES_PER_MS
        self._played.append((start, self._free_at, audio))
        self.most_buffered_ms = max(self.most_buffered_ms, self._free_at - now)

    def _return(self, name: str) -> None:
        if name in self._pending:
            self._pending.remove(name)
            if self.returns_marks:
                self.time.call_later(self.back_ms / 1_000, lambda: self.on_mark(name))

    def _clear(self) -> None:
        now = self.time.ms
        self._played = [
            (start, min(end, now), audio[: int((min(end, now) - start) * BYTES_PER_MS)])
            for start, end, audio in self._played
            if start < now
        ]
        self._free_at = 0.0
        for name in list(self._pending):
            self._return(name)
