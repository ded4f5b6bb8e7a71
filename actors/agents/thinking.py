"""Where an agent's own code runs: plain code in worker threads, asynchronous code on one event loop beside the host's.

It may hang, block its loop, or swallow its cancellation, so nobody waits for it longer than a limit: what is not back
by then is abandoned and counts as stuck until it comes back all the same. What is asked of an agent, and what follows
from a failure, is `agent_host.py`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .failures import Escaped, contained, guarded

log = logging.getLogger(__name__)

CANCEL_MS = 250  # for what a cancelled agent does at its end (close a stream): the next invitation waits for it
PING_MS = 200  # for a loop to answer; one that does not is blocked, and whoever comes next gets another


class Cancelled(Exception):
    """What was cancelled has ended."""


class Stuck:
    """How much of a host's agents has not come back; `on_full` is told when it is `most`."""

    def __init__(self, most: int, on_full: Callable[[int], None]) -> None:
        self.count = 0
        self._most = most
        self._on_full = on_full

    @property
    def full(self) -> bool:
        return self.count >= self._most

    def add(self) -> None:
        self.count += 1
        if self.full:
            self._on_full(self._most)

    def back(self) -> None:
        self.count -= 1


class Threads:
    """Worker threads for plain code."""

    def __init__(self, count: int, name: str, stuck: Stuck) -> None:
        self._pool = ThreadPoolExecutor(count, name)
        self._stuck = stuck

    async def run(self, limit_ms: int, think: Callable[..., Any], *arguments: Any) -> Any:
        """What it returns, or raises, contained. Raises: TimeoutError: it is given up, and its thread with it."""
        work = asyncio.get_running_loop().run_in_executor(self._pool, guarded, think, *arguments)
        done, _ = await asyncio.wait({work}, timeout=limit_ms / 1_000)
        if not done:
            work.add_done_callback(self._came_back)
            self._stuck.add()
            raise TimeoutError(f"not back within {limit_ms} ms")
        return work.result()

    def _came_back(self, work: asyncio.Future[Any]) -> None:
        self._stuck.back()
        if not work.cancelled():
            work.exception()  # seen: nobody else will ask


Tell = Callable[..., None]  # from the agents' loop to the host's
Make = Callable[[Tell], Coroutine[Any, Any, Any]]


class Work:
    """One coroutine on the agents' loop, as the host sees it. `cancel` it; `over` is done when it has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Make):
        self._home = asyncio.get_running_loop()
        self._loop = loop
        self._make = make
        self._task: asyncio.Task[Any] | None = None
        self.over: asyncio.Future[asyncio.Task[Any] | None] = self._home.create_future()
        self.cancelled = False
        self.changed = asyncio.Event()  # it has told something, was cancelled, or is over
        self.on_told: Tell = lambda *_: None
        loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Have CancelledError raised in it; what it still tells is not heard."""
        if not self.cancelled:
            self.cancelled = True
            self.changed.set()
            self._loop.call_soon_threadsafe(self._cancel)

    # on the agents' loop

    def _begin(self) -> None:
        if self.cancelled:
            self._at_home(self._ended, None)
            return
        self._task = self._loop.create_task(self._contained())
        self._task.add_done_callback(lambda task: self._at_home(self._ended, task))

    async def _contained(self) -> Any:
        """What it returns. Raises: what it raises, contained: on the loop, SystemExit would end everybody's."""
        try:
            return await self._make(self._tell)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and cancelled_from_outside():
                raise
            raise contained(error) from None

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _tell(self, *what: Any) -> None:
        self._at_home(self._heard, what)

    def _at_home(self, what: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the host's loop has ended
            self._home.call_soon_threadsafe(what, *arguments)

    # on the host's loop

    def _heard(self, what: tuple[Any, ...]) -> None:
        if not self.cancelled:
            self.changed.set()
            self.on_told(*what)

    def _ended(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None and not task.cancelled():
            task.exception()  # seen, whoever asks
        if not self.over.done():
            self.over.set_result(task)
            self.changed.set()


class AgentLoop:
    """The event loop of one host's asynchronous agents, in a thread of its own, begun when it is first needed."""

    def __init__(self, stuck: Stuck) -> None:
        self._stuck = stuck
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._ending = threading.Event()  # of the present loop: it is this host that ends it

    def start(self, make: Make) -> Work:
        """Run a coroutine there; `make` gets a function that tells the host's loop something on the way (`on_told`)."""
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            self._loop = asyncio.new_event_loop()
            self._ending = threading.Event()
            self._thread = threading.Thread(target=_stay, args=(self._loop, self._ending), daemon=True, name="agents")
            self._thread.start()
        return Work(self._loop, make)

    async def result(self, work: Work, limit_ms: int) -> Any:
        """What the coroutine returns, or raises, within `limit_ms` from its beginning or from what it told last.

        Raises:
            Cancelled: by `work.cancel`.
            TimeoutError: it was not back in time, or it swallows its cancellation and is abandoned.
        """
        while not work.over.done() and not work.cancelled:
            work.changed.clear()
            try:
                async with asyncio.timeout(limit_ms / 1_000):
                    await work.changed.wait()
            except TimeoutError:
                break
        moot = work.cancelled or self._closed
        late = not moot and not work.over.done()
        if not work.over.done():
            work.cancel()
            await asyncio.wait({work.over}, timeout=CANCEL_MS / 1_000)
        if not work.over.done():
            await self._abandon(work)
            raise TimeoutError("it swallows its cancellation" if moot else f"not back within {limit_ms} ms")
        return _outcome(work.over.result(), moot, f"not back within {limit_ms} ms" if late else "")

    async def _abandon(self, work: Work) -> None:
        """It goes on where it is; a loop that it blocks is left to it."""
        work.over.add_done_callback(lambda _: self._stuck.back())
        self._stuck.add()
        loop = self._loop
        if loop is not None:
            alive = asyncio.get_running_loop().create_future()
            home = asyncio.get_running_loop()
            loop.call_soon_threadsafe(lambda: home.call_soon_threadsafe(_tick, alive))
            await asyncio.wait({alive}, timeout=PING_MS / 1_000)
            if not alive.done() and self._loop is loop:
                self._end()  # once it gets to it

    def close(self) -> None:
        """Cancel what still runs there, and end the loop's thread as soon as that has ended."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        if self._loop is not None:
            self._ending.set()
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


def _outcome(task: asyncio.Task[Any] | None, moot: bool, late: str) -> Any:
    """What came of a coroutine that has ended. Raises: as `AgentLoop.result`."""
    unharmed = task is None or task.cancelled() or task.exception() is None
    if moot and unharmed:
        raise Cancelled
    if late and unharmed:
        raise TimeoutError(late)
    assert task is not None
    if task.cancelled():
        raise Escaped(asyncio.CancelledError("a cancellation that nobody asked for"))
    return task.result()


def _tick(alive: asyncio.Future[None]) -> None:
    if not alive.done():
        alive.set_result(None)


def cancelled_from_outside() -> bool:
    """Somebody has cancelled the present task: it has not raised CancelledError of itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _stay(loop: asyncio.AbstractEventLoop, ending: threading.Event) -> None:
    """A thread's whole life: the loop, and at its end whatever still runs on it, cancelled.

    Code on the loop may stop it, or raise SystemExit in a task of its own: others' agents are there, so it goes on.
    """
    asyncio.set_event_loop(loop)
    while not ending.is_set():
        try:
            loop.run_forever()
            why = "stop()"
        except BaseException as error:
            why = type(error).__name__
        if not ending.is_set():
            log.warning(
                "an agent's code has stopped the loop of all asynchronous agents of this host (%s): it goes on", why
            )
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with contextlib.suppress(RuntimeError):  # nothing is left
        loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_MS / 1_000) if left else asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
