"""Orders of live calls on their way to tools: each key once at a time, whoever asks.

A call that was taken over asks again for what its former owner had ordered. Where that is done, the register tells what
came of it; where it is still being done, the second to ask gets the answer of the first. What acts is `tools.py`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from . import wire
from .errors import Fenced
from .leases import LeaseBook
from .residents import Resident, Residents
from .tools import Outcome, ToolRegister


class Outbox:
    """The orders under way on one node."""

    def __init__(self, register: ToolRegister, leases: LeaseBook, residents: Residents) -> None:
        self._register = register
        self._leases = leases
        self._residents = residents
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way: dict[str, asyncio.Task[Outcome]] = {}

    def order(self, resident: Resident, call: str, epoch: int, action: str, arguments: Sequence[Any], key: str) -> None:
        """Have an action carried out for a call's owner, and tell it what came of it; a former owner is killed."""
        try:
            self._leases.check(call, epoch)
        except Fenced as fault:
            self._residents.kill(resident.name, f"it orders a tool as a former owner: {fault}")
            return
        pairs = {str(name): str(value) for name, value in arguments}
        task = asyncio.get_running_loop().create_task(
            self._answer(resident, self.perform(call, epoch, action, pairs, key), key)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, resident: Resident, work: Coroutine[Any, Any, Outcome], key: str) -> None:
        outcome = await work
        resident.send(wire.PERFORMED, key, outcome.ok, outcome.result)

    async def perform(self, call: str, epoch: int, action: str, arguments: Mapping[str, str], key: str) -> Outcome:
        """What came of the action under this key; it is carried out where it was not."""
        task = self._under_way.get(key)
        if task is None:
            work = asyncio.to_thread(self._register.perform, call, epoch, action, arguments, key)
            task = self._under_way[key] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda _task: self._under_way.pop(key, None))
        return await asyncio.shield(task)
