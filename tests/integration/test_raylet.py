"""A process whose raylet dies takes its leave and ends; real processes, of which one calls itself a raylet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from offhook.actors.process.raylet import raylet_of

# A parent that calls itself as it is told, and its child, which follows it. The child's last words end its output.
PARENT = """
import subprocess, sys
open("/proc/self/comm", "w").write(sys.argv[1])
subprocess.Popen([sys.executable, "-c", sys.argv[2], *sys.argv[3:]])
sys.stdin.read()
"""
CHILD = """
import asyncio, os, sys
from offhook.actors.process.raylet import Raylet, raylet_of

async def main():
    raylet = Raylet()
    async def leave():
        print("leaves" if raylet.gone else "too early", flush=True)
        if "hangs" in sys.argv:
            await asyncio.Event().wait()
    raylet.follow(leave, lambda: "stays" not in sys.argv)
    print(os.getpid(), raylet.pid, raylet_of(os.getpid()), raylet.gone, flush=True)
    while os.getppid() == raylet.pid or "stays" not in sys.argv:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)  # the loop has looked once more
    print("still here", raylet.gone, flush=True)

asyncio.run(main())
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(name: str, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PARENT, name, CHILD, *words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def test_it_leaves_when_its_raylet_is_gone_though_nobody_has_reaped_that(start: Start) -> None:
    parent = start("raylet")
    _child, seen, found, gone = line(parent)
    assert (seen, found, gone) == (str(parent.pid), str(parent.pid), "False")
    parent.kill()  # and it is not waited for: its corpse stays
    assert line(parent) == ["leaves"]
    assert line(parent) == []  # the child's end of the pipe is closed: it has ended


def test_a_leave_that_does_not_end_is_cut_short(start: Start) -> None:
    parent = start("raylet", "hangs")
    line(parent)
    parent.kill()
    assert line(parent) == ["leaves"]
    assert line(parent) == []


def test_who_is_not_wanted_to_leave_goes_on_and_knows_it(start: Start) -> None:
    parent = start("raylet", "stays")
    line(parent)
    parent.kill()
    assert line(parent) == ["still", "here", "True"]


def test_a_parent_that_is_no_raylet_is_none(start: Start) -> None:
    parent = start("bash", "stays")
    child, seen, found, gone = line(parent)
    assert (seen, found, gone) == ("0", "0", "False")
    assert raylet_of(int(child)) == 0
    assert raylet_of(2**22 + 1) == 0  # no such process
