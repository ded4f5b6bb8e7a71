"""Unit tests are pure: whoever reaches for Ray, a socket, a process or a pause is told so at once.

Tests that need one of them are in `tests/integration` (sockets, processes, real time), `tests/ray` and `tests/fault`.
"""

from __future__ import annotations

import asyncio
import asyncio.base_events
import asyncio.unix_events
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

_pause = asyncio.sleep


def _refused(what: str, where: str = "tests/integration") -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError(f"a unit test must not {what}; a test that has to belongs into {where}")

    return refuse


async def _turn(delay: float = 0, result: object = None) -> object:
    """`asyncio.sleep(0)` lets others run, which takes no time."""
    if delay > 0:
        _refused("sleep")()
    return await _pause(0, result)


@pytest.fixture(autouse=True)
def pure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here waits, starts, or talks to anybody."""
    monkeypatch.setattr(time, "sleep", _refused("sleep"))
    monkeypatch.setattr(asyncio, "sleep", _turn)
    monkeypatch.setattr(subprocess.Popen, "__init__", _refused("start a process"))
    for method in ("connect", "bind", "listen"):
        monkeypatch.setattr(socket.socket, method, _refused("open a socket"), raising=False)
    for loop in (asyncio.base_events.BaseEventLoop, asyncio.unix_events._UnixSelectorEventLoop):
        for method in ("create_connection", "create_server", "create_unix_connection", "create_unix_server"):
            if method in vars(loop):
                monkeypatch.setattr(loop, method, _refused("open a socket"))
        for method in ("subprocess_exec", "subprocess_shell"):
            if method in vars(loop):
                monkeypatch.setattr(loop, method, _refused("start a process"))
    if "ray" in sys.modules:
        monkeypatch.setattr(sys.modules["ray"], "init", _refused("start Ray", "tests/ray"))
