"""This node's raylet, as a process that it has started sees it: when it is gone, the process takes its leave and ends.

Ray itself ends the workers of a dead raylet one by one: each looks once a second (`ExitIfParentRayletDies`,
`raylet_death_check_interval_milliseconds`), and takes a corpse that nobody has reaped for alive; then it goes on for
13 s, or 40. Half a node is worse than none: its gateway holds lines that another node should have, and its supervisor
takes the dying for single accidents. So whoever holds something of a call watches the raylet by the kernel's word (a
pidfd), which comes at once and for a corpse too. Who leaves how is each one's own matter (`node/node_loss.py`,
`call/call.py`, the gateway).

Who only serves everybody (director, API, speech engines, agent hosts) stays for as long as Ray lets it: Ray starts none
of them elsewhere before the node is declared dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import select
from collections.abc import Awaitable, Callable
from pathlib import Path

log = logging.getLogger(__name__)

LEAVE_S = 1.0  # for taking leave; by then Ray ends the process in its own way
CALLED = "raylet"  # what a raylet calls itself (proc_pid_comm(5))


def raylet_of(worker: int) -> int:
    """The raylet that has started a worker of this machine; 0 = its parent is none."""
    try:
        parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
        return parent if Path(f"/proc/{parent}/comm").read_text().strip() == CALLED else 0
    except OSError:
        return 0


def head(raylet: int) -> bool:
    """Whether this raylet is the head's, or none at all: nobody can stand in for what it has started."""
    try:
        return not raylet or b"--head" in Path(f"/proc/{raylet}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return True


class Raylet:
    """The raylet that has started this process. Where none has (tests, a container of the worker's own), it is never
    gone."""

    def __init__(self) -> None:
        self.pid = raylet_of(os.getpid())
        self.head = head(self.pid)
        self._leaving: asyncio.Task[None] | None = None
        self._pidfd = -1
        with contextlib.suppress(OSError):
            self._pidfd = os.pidfd_open(self.pid) if self.pid else -1
        if self._pidfd >= 0 and os.getppid() != self.pid:  # it died meanwhile, and its number may be another's
            os.close(self._pidfd)
            self._pidfd = -1
        if self._pidfd < 0:
            log.info("this process is no child of a raylet: Ray alone says when it ends")

    @property
    def gone(self) -> bool:
        """It is dead at this moment. Costs some microseconds."""
        if self._pidfd < 0:
            return False
        look = select.poll()
        look.register(self._pidfd, select.POLLIN)
        return bool(look.poll(0))

    def follow(self, leave: Callable[[], Awaitable[None]], wanted: Callable[[], bool] = lambda: True) -> None:
        """When it is gone: `leave`, within LEAVE_S, and end this process; where it is not `wanted` then, go on."""
        if self._pidfd < 0:
            return
        loop = asyncio.get_running_loop()

        def died() -> None:
            loop.remove_reader(self._pidfd)
            if wanted():
                log.error("raylet %d is gone: this process leaves", self.pid)
                self._leaving = loop.create_task(_leave(leave))
            else:
                log.error("raylet %d is gone: this process goes on for as long as Ray lets it", self.pid)

        loop.add_reader(self._pidfd, died)


async def _leave(leave: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(LEAVE_S):
            await leave()
    except Exception as error:
        log.warning("took no proper leave: %s", error or type(error).__name__)
    finally:
        os._exit(1)  # Ray's own way out would ask the raylet
