"""The tool calls of one call: authorized actions on their way to a tool (by the supervisor) and back, and taken back.

    AwaitJournal ─▶ everything so far is in the journal ─▶ Journaled
    Perform ─▶ perform ─▶ begun ─▶ ActionBegun, performed ─▶ ActionFinished
    Withdraw ─▶ withdraw ─▶ performed ─▶ ActionFinished: withdrawn, or what came of it after all

Nothing waits here: what may leave, and when, was judged by the core. What the supervisor did not answer is asked again
when it is back, under the same key, so it acts once; what was taken back is not ordered again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from offhook.policies.core import commands as cmd
from offhook.policies.core import events as ev

from ..contracts.node_messages import Begun, Perform, Performed, Withdraw
from ..process.clock import Alarm, Cancellable
from .recorder import Recorder

log = logging.getLogger(__name__)

JOURNAL_MS = 5_000  # for the journal's word; a caller waits on the line meanwhile, and an agreement gets no fresher


@dataclass(slots=True)
class _ToolCall:
    """One order without an answer."""

    order: cmd.Perform
    withdrawing: bool = False
    begun: bool = False


class ToolCalls:
    """Actions that were ordered and not answered, and grants that wait for the journal's word.

    Args:
        take: the call's way in, for the events that answer.
        now: the present moment on the call's clock.
    """

    def __init__(
        self,
        recorder: Recorder,
        send: Callable[..., bool],
        alarm: Alarm,
        take: Callable[[ev.Event], None],
        now: Callable[[], int],
    ) -> None:
        self._recorder = recorder
        self._send = send
        self._alarm = alarm
        self._take = take
        self._now = now
        self._open: dict[str, _ToolCall] = {}  # by key
        self._unsafe: dict[str, Cancellable] = {}  # grants that wait for the journal, each with its limit

    def __len__(self) -> int:
        return len(self._open) + len(self._unsafe)

    # --- the journal's word -----------------------------------------------------------------------------------------

    def await_journal(self, grant: str) -> None:
        """Tell when everything up to here is in the journal, or that it has not come there within JOURNAL_MS."""
        former = self._unsafe.pop(grant, None)
        if former is not None:
            former.cancel()
        limit = self._unsafe[grant] = self._alarm.call_later(JOURNAL_MS / 1_000, self._not_journaled, grant)
        self._recorder.when_safe(self._recorder.seq, lambda: self._journaled(grant, limit))

    def _journaled(self, grant: str, limit: Cancellable) -> None:
        if self._unsafe.get(grant) is limit:
            del self._unsafe[grant]
            limit.cancel()
            self._take(ev.Journaled(self._now(), grant))

    def _not_journaled(self, grant: str) -> None:
        del self._unsafe[grant]
        why = f"the journal has not taken the order within {JOURNAL_MS} ms"
        self._take(ev.ActionFinished(self._now(), grant, False, why))

    # --- orders -----------------------------------------------------------------------------------------------------

    def go(self, order: cmd.Perform) -> None:
        """Have an action carried out, now."""
        self._ask(_ToolCall(order))

    def withdraw(self, withdrawal: cmd.Withdraw, order: cmd.Perform | None) -> None:
        """Take an order back, wherever it is; `order`: what the state knows of it, where a former owner gave it."""
        tool_call = self._of(withdrawal.key, withdrawal.grant) or (_ToolCall(order) if order is not None else None)
        if tool_call is None:
            log.error("nobody knows what is to be withdrawn", extra={"call": self._recorder.call})
            return
        tool_call.withdrawing = True
        self._ask(tool_call)

    def ask_again(self) -> None:
        """The supervisor was away and is back: it may not have heard."""
        for tool_call in tuple(self._open.values()):
            self._ask(tool_call)

    def close(self) -> None:
        """Nobody waits for an answer any more."""
        for limit in self._unsafe.values():
            limit.cancel()
        self._unsafe.clear()
        self._open.clear()

    def _ask(self, tool_call: _ToolCall) -> None:
        order, recorder = tool_call.order, self._recorder
        self._open[order.key] = tool_call
        arguments: list[Any] = [list(pair) for pair in order.arguments]
        kind = Withdraw if tool_call.withdrawing else Perform
        self._send(*kind(recorder.call, recorder.epoch, order.grant, order.action, arguments, order.key))

    # --- answers ----------------------------------------------------------------------------------------------------

    def told(self, message: Begun | Performed) -> None:
        """The supervisor's word on an order; a second one, and one on a former grant of its key, is dropped."""
        match message:
            case Begun(key, grant):
                tool_call = self._of(key, grant)
                if tool_call is not None and not tool_call.begun:
                    tool_call.begun = True
                    self._take(ev.ActionBegun(self._now(), tool_call.order.grant))
            case Performed(key, ok, result, withdrawn, grant):
                self._answered(key, grant, ok, result, withdrawn=withdrawn)

    def _answered(self, key: str, grant: str, ok: bool, result: str, *, withdrawn: bool) -> None:
        tool_call = self._of(key, grant)
        if tool_call is not None:
            del self._open[key]
            self._take(ev.ActionFinished(self._now(), tool_call.order.grant, ok, result, withdrawn))

    def _of(self, key: str, grant: str) -> _ToolCall | None:
        tool_call = self._open.get(key)
        return tool_call if tool_call is not None and grant in ("", tool_call.order.grant) else None
