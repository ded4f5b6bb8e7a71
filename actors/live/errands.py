"""Errands of one call: authorized actions on their way to a tool (by the supervisor) and back.

A reversible action leaves at once; an irreversible one waits until the journal has its order. What the supervisor did
not answer is asked again when it is back, under the same key, so it acts once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offhook.policies.commands import Perform

from .. import wire
from ..clock import Alarm, Cancellable
from .recorder import Recorder

JOURNAL_MS = 5_000  # an irreversible action whose order is not in the journal within this is not carried out

Finished = Callable[[str, bool, str], None]  # grant, ok, result


class Errands:
    """Actions that were ordered and not answered."""

    def __init__(self, recorder: Recorder, send: Callable[..., bool], alarm: Alarm, finished: Finished) -> None:
        self._recorder = recorder
        self._send = send
        self._alarm = alarm
        self._finished = finished
        self._open: dict[str, Perform] = {}  # by key
        self._patience: dict[str, Cancellable] = {}

    def __len__(self) -> int:
        return len(self._open)

    def go(self, order: Perform) -> None:
        """Have an action carried out; `finished` is called once with what came of it."""
        self._open[order.key] = order
        if not order.irreversible:
            self._ask(order)
            return
        seq = self._recorder.seq
        self._patience[order.key] = self._alarm.call_later(JOURNAL_MS / 1_000, self._not_journaled, order)
        self._recorder.when_safe(seq, lambda: self._journaled(order))

    def answered(self, key: str, ok: bool, result: str) -> None:
        """The tool's answer; a second one for the same key is dropped."""
        order = self._open.pop(key, None)
        if order is not None:
            self._finished(order.grant, ok, result)

    def ask_again(self) -> None:
        """The supervisor was away and is back: it may not have heard."""
        for order in tuple(self._open.values()):
            if order.key not in self._patience:
                self._ask(order)

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        for handle in self._patience.values():
            handle.cancel()
        self._patience.clear()
        self._open.clear()

    def _journaled(self, order: Perform) -> None:
        patience = self._patience.pop(order.key, None)
        if patience is not None:
            patience.cancel()
            self._ask(order)

    def _not_journaled(self, order: Perform) -> None:
        del self._patience[order.key]
        self.answered(order.key, False, f"the journal has not taken the order within {JOURNAL_MS} ms")

    def _ask(self, order: Perform) -> None:
        arguments: list[Any] = [list(pair) for pair in order.arguments]
        recorder = self._recorder
        self._send(wire.PERFORM, recorder.call, recorder.epoch, order.grant, order.action, arguments, order.key)
