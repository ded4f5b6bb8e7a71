"""The call's side of the journal: numbers records, hands them to the supervisor, keeps them until they are safe.

A record is handed over before the effects that it describes leave the process; nobody waits for the acknowledgement
except an irreversible action (`when_safe`). While the supervisor is away the records wait here, bounded, and are sent
again when it is back: the journal drops what it already has by (call, epoch, seq).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from offhook.policies.core.records import Body, Lost, Record

from ..contracts.errors import ProtocolFault
from ..contracts.node_messages import Journal

Send = Callable[..., bool]

UNSAFE_MAX = 20_000  # records kept while the journal is away: over ten minutes of lively talk, about 10 MB
RETRY_MS = 500  # between two tries while the journal is away
PATIENCE_MS = 600  # that a patient record waits at most: longer than from one acknowledgement of frames to the next, so
# that this wakes nobody while frames come
BATCH_MAX = 200  # records in one message when they are sent again; keeps it far below the link's message limit


class Recorder:
    """The records of one call at one epoch. `on_health(up)` tells when the journal goes and comes back."""

    def __init__(self, call: str, epoch: int, send: Send, on_health: Callable[[bool], None], seq: int = 0) -> None:
        self.call = call
        self.epoch = epoch
        self.seq = seq  # of the newest record
        self.safe_seq = seq  # everything up to here is in the journal
        self.lost = 0  # records dropped because the journal was away for too long
        self.up = True
        self._send = send
        self._on_health = on_health
        self._fresh: list[Record] = []  # not handed over yet
        self._unsafe: deque[Record] = deque()  # handed over, not acknowledged
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()
        self._flush_soon: asyncio.Handle | None = None
        self._flush_late: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._refused = False  # something may have been; what is acknowledged meanwhile does not make up for it

    def tell(self, at_ms: int, body: Body) -> int:
        """Add one record of a declared kind; see `write`."""
        return self.write(at_ms, body.KIND, body.plain())

    def write(self, at_ms: int, kind: str, body: Any, *, patient: bool = False) -> int:
        """Add one record; it leaves with the next `flush`, at the end of this turn of the loop at the latest.

        A `patient` one waits for the next that is not, or for somebody's `flush`, up to PATIENCE_MS.
        """
        self.seq += 1
        self._fresh.append(Record(self.call, self.epoch, self.seq, at_ms, kind, body))
        if patient:
            if self._flush_late is None:
                self._flush_late = asyncio.get_running_loop().call_later(PATIENCE_MS / 1_000, self.flush)
        elif self._flush_soon is None:
            self._flush_soon = asyncio.get_running_loop().call_soon(self.flush)
        return self.seq

    def flush(self) -> None:
        """Hand over what is fresh, now: called before the effects of those records leave."""
        self._await_nothing()
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        self._unsafe.extend(fresh)
        if len(self._unsafe) > UNSAFE_MAX:
            self._lose_oldest()
        self._hand_over(fresh)

    def journaled(self, seq: int) -> None:
        """The journal has everything up to `seq`."""
        if seq <= self.safe_seq:
            return
        self.safe_seq = min(seq, self.seq)
        while self._unsafe and self._unsafe[0].seq <= self.safe_seq:
            self._unsafe.popleft()
        if not self._refused:
            self._tell(True)
        while self._waiting and self._waiting[0][0] <= self.safe_seq:
            self._waiting.popleft()[1]()

    def away(self) -> None:
        """The journal, or the way to it, is gone for now: what it refused is sent again until it is taken."""
        self._refused = True
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_MS / 1_000, self._send_again)
        self._tell(False)

    def again(self) -> None:
        """The way to the journal is open again: send all that is not known to be safe, in order."""
        self._refused = False  # of all this, nothing yet
        self.flush()
        unsafe = list(self._unsafe)
        for start in range(0, len(unsafe), BATCH_MAX):
            if not self._hand_over(unsafe[start : start + BATCH_MAX]):
                return

    def _hand_over(self, records: list[Record]) -> bool:
        try:
            return self._send(*Journal(records))
        except ProtocolFault:  # too much for one message
            if len(records) > 1:
                half = len(records) // 2
                return self._hand_over(records[:half]) and self._hand_over(records[half:])
        record = records[0]
        self.lost += 1
        lost = Lost(record.seq, "over the size limit", record.kind)
        told = record._replace(kind=lost.KIND, body=lost.plain())
        self._unsafe = deque(told if each is record else each for each in self._unsafe)
        return self._send(*Journal([told]))

    def _lose_oldest(self) -> None:
        """Put one record that says what is missing in the place of the oldest: a gap must be told, not guessed."""
        first = self._unsafe[0]
        before = first.told(Lost)
        since = before.since if before is not None else first.seq
        while len(self._unsafe) >= UNSAFE_MAX:
            last = self._unsafe.popleft()
            self.lost += last.kind != Lost.KIND
        lost = Lost(since, "the journal was away for too long")
        self._unsafe.appendleft(last._replace(kind=lost.KIND, body=lost.plain()))

    def _send_again(self) -> None:
        self._retry = None
        if self._refused or not self.up:
            self._retry = asyncio.get_running_loop().call_later(RETRY_MS / 1_000, self._send_again)
            self.again()

    def when_safe(self, seq: int, then: Callable[[], None]) -> None:
        """Call `then` as soon as everything up to `seq` is in the journal, at once where it is."""
        if seq <= self.safe_seq:
            then()
        else:
            self._waiting.append((seq, then))

    @property
    def unsafe(self) -> int:
        """Records that are not known to be in the journal."""
        return len(self._unsafe) + len(self._fresh)

    def close(self) -> None:
        """Nothing more will be written."""
        self._await_nothing()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._waiting.clear()

    def _await_nothing(self) -> None:
        if self._flush_soon is not None:
            self._flush_soon.cancel()
            self._flush_soon = None
        if self._flush_late is not None:
            self._flush_late.cancel()
            self._flush_late = None

    def _tell(self, up: bool) -> None:
        if up != self.up:
            self.up = up
            self._on_health(up)
