"""A seat: one call's agent in its host, what it thinks about now and what comes next. Led by `agent_host.py`."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

from offhook.policies.core.view import View

from ..link.link import Link
from .thinking import Work

NOTICES_MAX = 64  # that wait for one agent; the oldest goes first, and its number tells the gap


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an agent is asked: proposals on this view."""

    turn: int
    revision: int
    reason: str
    view: View


Notice = tuple[int, int, int, str, dict[str, Any]]  # seq, revision, turn, topic, body


class Seat:
    """One call's agent: its instance, its link to the call, what it thinks about now and what comes next."""

    __slots__ = (
        "agent", "answering", "asked", "call", "endpoint", "epoch", "history", "instance", "link", "memory", "next",
        "notices", "noticing", "thinking", "token", "topics", "turn",
    )  # fmt: skip

    def __init__(self, call: str, epoch: int, agent: str, endpoint: str, token: str, instance: Any) -> None:
        self.call = call
        self.epoch = epoch
        self.agent = agent
        self.endpoint = endpoint
        self.token = token
        self.instance = instance
        self.link: Link | None = None
        self.topics: tuple[str, ...] = ()  # of the notices that it wants, as its link was opened
        self.thinking: asyncio.Task[None] | None = None
        self.answering: Work | None = None  # of an asynchronous agent, by which it is cancelled
        self.turn = 0  # of the invitation that it thinks about
        self.next: Invitation | None = None
        self.noticing: asyncio.Task[None] | None = None
        self.notices: deque[Notice] = deque(maxlen=NOTICES_MAX)
        self.asked = 0  # number of the question what it remembers; 0 = none
        self.memory: dict[str, Any] | None = None  # of its predecessor, not yet taken in
        self.history: tuple[int, ...] = ()
