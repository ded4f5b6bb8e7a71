"""What an agent remembers of a call, handed on to its successor of another policy version: the two optional hooks.

`remember` is asked of the former agent, `upgrade` of the new one (`Predecessor`, `Successor` in
`policies/agents/base.py`).
Both run in threads of their own, so one that hangs holds up no answer; it costs the memory, and nothing else. What is
handed on is plain and bounded: it comes from the code of one version and goes to that of another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgpack
from offhook.policies.agents.base import predecessor, successor

from .failures import guarded

log = logging.getLogger(__name__)

HOOK_MS = 200  # for one hook: memory is at hand, it is not computed
HOOKS_MAX = 4  # that run or hang at the same time in one host; once all hang, no memory is handed on here any more
MEMORY_BYTES_MAX = 64 << 10  # of one agent in one call, packed


class Memories:
    """The hooks of one host's agents."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(HOOKS_MAX, "memory")
        self._running = 0
        self.lost = 0  # memories that a hook has cost

    async def of(self, instance: Any) -> tuple[dict[str, Any], bool]:
        """What an agent remembers, and whether it remembers at all. Raises nothing."""
        former = predecessor(instance)
        if former is None:
            return {}, False
        try:
            return plain(await self._run(former.remember)), True
        except Exception as error:  # its message may quote what the caller said
            self._lose("remember", error)
            return {}, True

    async def upgrade(self, make: Callable[[], Any], memory: dict[str, Any]) -> Any:
        """A new agent that has the memory, or one without where its hook fails. Raises what `make` raises."""
        instance = guarded(make)
        new = successor(instance)
        if new is None or not memory:
            return instance
        try:
            await self._run(new.upgrade, memory)
        except Exception as error:
            self._lose("upgrade", error)
            return guarded(make)
        return instance

    async def _run(self, hook: Callable[..., Any], *arguments: Any) -> Any:
        if self._running >= HOOKS_MAX:
            raise TimeoutError(f"{HOOKS_MAX} hooks have not come back")
        self._running += 1
        work = asyncio.get_running_loop().run_in_executor(self._threads, guarded, hook, *arguments)
        work.add_done_callback(self._came_back)
        done, _ = await asyncio.wait({work}, timeout=HOOK_MS / 1_000)
        if not done:
            raise TimeoutError(f"not back within {HOOK_MS} ms")
        return work.result()

    def _came_back(self, work: asyncio.Future[Any]) -> None:
        self._running -= 1
        if not work.cancelled():
            work.exception()  # seen: nobody else may ask

    def _lose(self, hook: str, error: Exception) -> None:
        self.lost += 1
        log.warning("an agent's memory is lost: %s in %s", type(error).__name__, hook, extra={"pii_error": str(error)})


def plain(memory: Any) -> dict[str, Any]:
    """The memory as it arrives: plain values only.

    Raises:
        TypeError, ValueError: not a map of plain values, or larger than MEMORY_BYTES_MAX.
    """
    if not isinstance(memory, dict):
        raise TypeError(f"remember() returns a dict, not {type(memory).__name__}")
    packed = msgpack.packb(memory)
    if len(packed) > MEMORY_BYTES_MAX:
        raise ValueError(f"a memory has {MEMORY_BYTES_MAX} bytes at most, this one {len(packed)}")
    return dict(msgpack.unpackb(packed))
