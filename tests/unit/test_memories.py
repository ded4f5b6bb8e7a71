"""What one version's agent hands on to the next: plain, bounded, and at most the memory is lost."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from offhook.actors.agents import memories as memories_module
from offhook.actors.agents.memories import HOOKS_MAX, MEMORY_BYTES_MAX, Memories, plain


class Agent:
    """`hook` is what `remember` does; what `upgrade` was given is in `known`."""

    def __init__(self, hook: Callable[[], Any] = dict, upgrade: Callable[[Any], None] | None = None) -> None:
        self.hook = hook
        self.known: Any = None
        self._upgrade = upgrade

    def remember(self) -> Any:
        return self.hook()

    def upgrade(self, memory: Any) -> None:
        self.known = memory
        if self._upgrade is not None:
            self._upgrade(memory)


def run(test: Callable[[Memories], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test(Memories())

    asyncio.run(limited())


def _raise(*_: Any) -> None:
    raise KeyError("quoting the caller")


def test_a_memory_is_handed_on() -> None:
    async def test(memories: Memories) -> None:
        told = await memories.of(Agent(lambda: {"found": ["a", 1, 2.5, None, True], "3": {"deep": b"x"}}))
        assert told == ({"found": ["a", 1, 2.5, None, True], "3": {"deep": b"x"}}, True)
        latter = await memories.upgrade(Agent, told[0])
        assert latter.known == told[0]
        assert memories.lost == 0

    run(test)


def test_agents_without_a_memory_need_no_hooks() -> None:
    async def test(memories: Memories) -> None:
        assert await memories.of(object()) == ({}, False)
        assert type(await memories.upgrade(object, {"a": 1})) is object
        assert (await memories.upgrade(Agent, {})).known is None

    run(test)


@pytest.mark.parametrize(
    "hook", [_raise, lambda: 5, lambda: {"a": object()}, lambda: {3: "a"}, lambda: {"a": b"x" * MEMORY_BYTES_MAX}]
)
def test_one_that_raises_or_tells_what_is_no_memory_costs_the_memory(hook: Callable[[], Any]) -> None:
    async def test(memories: Memories) -> None:
        assert await memories.of(Agent(hook)) == ({}, True)
        assert memories.lost == 1

    run(test)


def test_an_upgrade_that_raises_leaves_an_agent_that_knows_nothing() -> None:
    async def test(memories: Memories) -> None:
        latter = await memories.upgrade(lambda: Agent(upgrade=_raise), {"a": 1})
        assert latter.known is None
        assert memories.lost == 1

    run(test)


def test_hooks_that_hang_cost_memories_and_no_threads_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories_module, "HOOK_MS", 10)
    gate = threading.Event()

    async def test(memories: Memories) -> None:
        for _ in range(HOOKS_MAX + 2):
            assert await memories.of(Agent(lambda: gate.wait())) == ({}, True)
        assert memories.lost == HOOKS_MAX + 2
        gate.set()
        while memories._running:  # noqa: ASYNC110  # threads have no event here
            await asyncio.sleep(0)
        monkeypatch.setattr(memories_module, "HOOK_MS", 10_000)  # this one answers, on a busy machine after a while
        assert await memories.of(Agent(lambda: {"a": 1})) == ({"a": 1}, True)

    run(test)


def test_the_limit_is_of_the_packed_memory() -> None:
    most = MEMORY_BYTES_MAX - len(b"\x81\xa1a\xc5\x00\x00")
    assert plain({"a": b"x" * most})
    with pytest.raises(ValueError, match=f"{MEMORY_BYTES_MAX} bytes at most"):
        plain({"a": b"x" * (most + 1)})


def test_a_hook_that_ends_an_iteration_or_the_process_costs_the_memory_at_once() -> None:
    async def test(memories: Memories) -> None:
        assert await memories.of(Agent(lambda: next(iter([])))) == ({}, True)
        assert await memories.of(Agent(sys.exit)) == ({}, True)
        assert (memories.lost, memories._running) == (2, 0)

    run(test)
