"""One live call as its parts see it: what it is and where it stands (`Session`), and what it has (`Parts`).

The session is made first and is whole from then on; every part gets it, or the pieces of it that the part uses. It is
also the one way in: who takes an event follows from the stage (`lifecycle.py`). Who does what with it, the parts know.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from offhook.policies.core import events as ev
from offhook.policies.core.errors import IllegalMove
from offhook.policies.core.policy import Policy

from ..contracts.setup import Setup
from ..engines.port import Synthesizer
from ..process.clock import MonotonicClock
from ..process.metric_registry import MetricRegistry
from ..voice.voice import Voice
from . import lifecycle
from .broadcaster import Broadcaster
from .funnel import Funnel
from .hearing import Hearing
from .lifecycle import Move, Stage
from .phone_line import PhoneLine
from .recorder import Recorder
from .resume import Awaited
from .timers import Timers
from .tool_calls import ToolCalls

log = logging.getLogger(__name__)


class Uplink(Protocol):
    """The way to the supervisor; a `Resident` is one. What the call measures is counted in its process's registry."""

    metrics: MetricRegistry

    def send(self, *message: Any) -> bool: ...

    @property
    def up(self) -> bool: ...


class Receiver(Protocol):
    """What takes events: the funnel, or the goodbye that is said without the core."""

    def take(self, event: ev.Event) -> None: ...


class Session:
    """What one call is.

    Args:
        policy: that leads it; another one after a swap, as `setup` is.
        awaited: what a call that was taken over still waits for.
    """

    def __init__(self, setup: Setup, policy: Policy, uplink: Uplink, awaited: Awaited) -> None:
        self.setup = replace(setup, resume=())  # it is folded elsewhere, and large
        self.policy = policy
        self.uplink = uplink
        self.awaited = awaited
        self.loop = asyncio.get_running_loop()
        self.clock = MonotonicClock(setup.origin_unix_ms, setup.at_least_ms, setup.anchor)
        self.recorder = Recorder(setup.call, setup.epoch, uplink.send, self._journal_health, setup.after_seq)
        self.outcome = ""  # why it ended, from the moment at which the end began
        self.refused_words = 0  # of operators and carriers: what was no event
        self._lifecycle = lifecycle.of_call(setup.call)
        self._early: list[ev.Event] = []  # what parts say before the call has begun
        self._receivers: dict[Stage, Receiver] = {}
        self._wakes: list[asyncio.TimerHandle] = []

    @property
    def stage(self) -> Stage:
        """Where the call stands."""
        return self._lifecycle.stage

    def may(self, move: Move) -> bool:
        """Whether the stage allows this move."""
        return self._lifecycle.may(move)

    def move(self, move: Move) -> bool:
        """Go on to the next stage; False (and a word in the log) where the present one does not allow it."""
        try:
            self._lifecycle.move(move)
        except IllegalMove as fault:
            log.error("refused: %s", fault, extra={"call": self.setup.call})
            return False
        return True

    def now(self) -> int:
        """The present moment on the call's clock."""
        return self.clock.now_ms()

    # --- the way in -------------------------------------------------------------------------------------------------

    def begin(self, move: Move, core: Receiver, goodbye: Receiver) -> list[ev.Event]:
        """Take events from now on; those that have waited are returned, to be taken after the call's first one."""
        self._receivers = dict.fromkeys(lifecycle.FOLDED, core) | dict.fromkeys(lifecycle.UNFOLDED, goodbye)
        self.move(move)
        early, self._early = self._early, []
        return early

    def take(self, event: ev.Event) -> None:
        """The one way in."""
        receiver = self._receivers.get(self.stage)
        if receiver is not None:
            receiver.take(event)
        elif self.stage is Stage.EARLY:
            self._early.append(event)

    def _journal_health(self, up: bool) -> None:
        self.take(ev.HealthChanged(self.now(), "journal", up))

    # --- waiting ----------------------------------------------------------------------------------------------------

    def later(self, wait_ms: int, act: Callable[..., None], *arguments: Any) -> None:
        """Call `act` in a while, unless the call ends before."""
        self._wakes.append(self.loop.call_later(wait_ms / 1_000, act, *arguments))

    def cancel_waits(self) -> None:
        """Nothing of what `later` was asked for happens any more."""
        for wake in self._wakes:
            wake.cancel()
        self._wakes.clear()


@dataclass(frozen=True, slots=True)
class Parts:
    """What one call has, beside its links."""

    funnel: Funnel
    broadcaster: Broadcaster
    timers: Timers
    tool_calls: ToolCalls
    hearing: Hearing
    line: PhoneLine
    synthesizer: Synthesizer
    voice: Voice
