"""An offered policy version, until it leads the call or is refused: its agents join, are tried, and get memories.

Each agent of the version is asked once on the present view, and what it proposes is thrown away: so it has shown that
it joins, neither raises nor hangs. An agent that keeps a memory hands it to its successor; the memory is asked for
again where the former agent was invited since. When the version takes over is `swap.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from offhook.policies.conversation.view import view_of
from offhook.policies.core.policy import Policy
from offhook.policies.gate import entry

from ..contracts import wire
from ..contracts.errors import ProtocolFault
from ..engines.sources import ClipSource
from ..link.link import Link, Message

if TYPE_CHECKING:
    from .runtime import CallRuntime

log = logging.getLogger(__name__)

READY_MS = 3_000  # for the new agents to join and to answer once; a slower one would leave a caller waiting as long
REMEMBER_MS = 300  # for the former agents' memories; then they are done without

Seats = dict[str, tuple[Link, list[str]]]  # agent -> its link, and the topics that it wants


class Offer:
    """One offer to one call.

    Args:
        look: called when something that was waited for has come.
        refuse: called with the reason when the version cannot take over; may be called again.
    """

    def __init__(
        self,
        call: CallRuntime,
        version: str,
        policy: Policy,
        plain: Mapping[str, Any],
        tokens: Mapping[str, str],
        clips: ClipSource | None,
        look: Callable[[], None],
        refuse: Callable[[str], None],
    ) -> None:
        self.version = version
        self.policy = policy
        self.plain = plain
        self.tokens = tokens
        self.clips = clips  # recordings of its own
        self.seats: Seats = {}
        self.memories: dict[str, dict[str, Any]] = {}
        self._call = call
        self._look = look
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._answered: set[str] = set()
        self._asked = 0  # how often the former agents were asked for their memories
        self._awaited: set[str] = set()  # those who have not told theirs
        self._fresh = False  # nobody was invited since the memories were told
        self._forgetful: set[str] = set()  # agents without a memory: they are not asked twice
        self._timers = [self._loop.call_later(READY_MS / 1_000, self._ready_or_not)]
        self._over = False

    @property
    def ready(self) -> bool:
        """All of its agents have joined and answered."""
        return len(self._answered) == len(self.policy.agents)

    def end(self, why: str = "") -> None:
        """It has taken over, or (with a reason) will not: its agents are not needed."""
        self._over = True
        for timer in self._timers:
            timer.cancel()
        if why:
            self._call.call_links.revoke(self.tokens)
            dismiss(self.seats, why)

    # --- agents -----------------------------------------------------------------------------------------------------

    def joined(self, link: Link, agent: str, topics: list[str]) -> None:
        """An agent of this version has a link to the call."""
        self.seats[agent] = (link, topics)
        self._answered.discard(agent)
        link.on_message = lambda _link, message: self._said(agent, message)
        link.on_close = lambda closed, reason: self._left(agent, closed, reason)
        state = self._call.state
        # As at the end of a turn: the commonest occasion, for which every agent is made.
        link.send(wire.INVITE, state.turn, state.revision, "turn_ended", READY_MS, view_of(state, self.policy))

    def _said(self, agent: str, message: Message) -> None:
        match message:
            case [wire.ANSWER, int(), int(), list(arrays), *more]:
                _, _, refused = entry.answer_of([arrays, *more])
                if refused:
                    why = f"needs {refused[0].required}, is {refused[0].actual}"
                    self._refuse(f"agent {agent} answers with what is no proposal: {why}")
                    return
                self._answered.add(agent)
                self._look()
            case [wire.FAILED, int(), int(), str(reason), *_]:
                self._refuse(f"agent {agent} fails: {reason}")
            case _:
                raise ProtocolFault(f"an agent does not send {message[0]!r} with {len(message) - 1} fields")

    def _left(self, agent: str, link: Link, reason: str) -> None:
        if not self._over and self.seats.get(agent, (None,))[0] is link:
            self._refuse(f"agent {agent} left: {reason}")

    def _ready_or_not(self) -> None:
        missing = [
            f"agent {agent} {'has not answered' if agent in self.seats else 'has not joined'}"
            for agent in self.policy.agents
            if agent not in self._answered
        ]
        if missing:
            self._refuse(f"{', '.join(missing)} within {READY_MS} ms")

    # --- memories ---------------------------------------------------------------------------------------------------

    def invited(self) -> None:
        """The former agents think, and may remember it: what they have told is old."""
        self._fresh = False

    def has_memories(self, *, as_of_now: bool) -> bool:
        """The former agents' memories are here (those `as_of_now`, or older ones); asks for them where they are not."""
        if not self._awaited and not (self._fresh if as_of_now else self._asked):
            self._ask()
        return self._fresh if as_of_now else not self._awaited

    def _ask(self) -> None:
        self._asked += 1
        tell = self._call.broadcaster.tell_agent
        named = [agent for agent in self.policy.agents if agent not in self._forgetful]
        self._awaited = {agent for agent in named if tell(agent, wire.REMEMBER, self._asked)}
        self._fresh = not self._awaited
        if self._awaited:
            self._timers.append(self._loop.call_later(REMEMBER_MS / 1_000, self._without, self._asked))

    def remembered(self, agent: str, number: int, memory: dict[str, Any], keeps: bool) -> None:
        """A former agent tells what it knows; `keeps` = it has a memory at all."""
        if number != self._asked or agent not in self._awaited:
            return
        self._awaited.discard(agent)
        self.memories[agent] = memory
        if not keeps:
            self._forgetful.add(agent)
        if not self._awaited:
            self._fresh = True
            self._look()

    def _without(self, number: int) -> None:
        if number == self._asked and self._awaited:
            log.warning("agents do not tell their memory: %s", ", ".join(sorted(self._awaited)))
            self._forgetful |= self._awaited  # not asked again: it would only take as long
            self._awaited, self._fresh = set(), True
            self._look()


def dismiss(seats: Seats, why: str) -> None:
    """These agents are not needed (any more)."""
    for link, _ in tuple(seats.values()):
        link.on_close = None
        link.send(wire.GONE, why)
        link.close(why)
    seats.clear()
