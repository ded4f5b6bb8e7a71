"""Asynchronous agents as plain ones, for trials: simulated and recorded calls have a clock of their own, and no loop.

A trial asks an agent and goes on when it has its whole answer. What the agent waits for takes no time there: a sleep is
over at once, and only sockets and threads are waited for, up to ANSWER_S.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import selectors
from collections.abc import Awaitable
from typing import Any

from offhook.policies.core.proposals import Proposal, Reading
from offhook.policies.core.view import View
from offhook.policies.gate.entry import PROPOSALS_MAX

from .answers import asynchronous
from .failures import NotProposals

ANSWER_S = 5.0  # for one answer of an agent on trial, in which it really waits for something


def as_plain(agent: Any) -> Any:
    """The agent itself, or one that answers as it does without being asynchronous."""
    return _Plain(agent) if asynchronous(agent.propose) else agent


class _Plain:
    """`one_by_one` = its answers come in parts, a proposal each."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._loop = _TimelessLoop()
        self.source = agent.propose  # what the agent's author has written
        self.one_by_one = inspect.isasyncgenfunction(agent.propose)
        if hasattr(agent, "read"):
            self.read = self._read

    def propose(self, view: View, reason: str) -> list[Proposal]:
        """All that it proposes. Raises: what it raises; TimeoutError: it waits for longer than ANSWER_S."""
        return list(self._run(self._proposed(view, reason)))

    def _read(self, view: View) -> Reading | None:
        read = self._agent.read(view)
        found: Reading | None = self._run(read) if inspect.isawaitable(read) else read
        return found

    async def _proposed(self, view: View, reason: str) -> list[Proposal]:
        if not self.one_by_one:
            returned = await self._agent.propose(view, reason)
            if not isinstance(returned, (list, tuple)):
                raise NotProposals(returned, self.source)
            return list(returned)
        found: list[Proposal] = []
        async with contextlib.aclosing(self._agent.propose(view, reason)) as parts:
            async for proposal in parts:
                found.append(proposal)
                if len(found) == PROPOSALS_MAX:
                    break
        return found

    def _run(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)

    def __del__(self) -> None:
        self._loop.close()


class _TimelessLoop(asyncio.SelectorEventLoop):
    """An event loop on which a timer is due as soon as nothing else can happen."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        super().__init__(_TimelessSelector(self))

    def time(self) -> float:
        return super().time() + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let time pass at once."""
        self._skipped_s += seconds


class _TimelessSelector(selectors.DefaultSelector):
    def __init__(self, loop: _TimelessLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            found = super().select(ANSWER_S)
            if not found:
                raise TimeoutError(f"an agent on trial waits for longer than {ANSWER_S:g} s")
            return found
        others = len(self.get_map()) > 1  # beside the loop's own wake-up
        found = super().select(timeout if others else 0)
        if not found and not others and timeout > 0:
            self._loop.skip(timeout)
        return found
