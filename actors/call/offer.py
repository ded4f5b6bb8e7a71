"""An offered policy version, until it leads the call or is refused: its agents join, are tried, and get memories.

Each agent of the version is asked once on the present view, and what it proposes is thrown away: so it has shown that
it joins, neither raises nor hangs. An agent that keeps a memory hands it to its successor; the memory is asked for
again where the former agent was invited since. When the version takes over is `swap.py`'s matter.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.policies.conversation.view import view_of
from offhook.policies.core.policy import Policy
from offhook.policies.gate import entry

from ..contracts.errors import ProtocolFault
from ..contracts.message import Message, read
from ..contracts.messages import TO_CALL_FROM_AGENT, Answer, Failed, Gone, Invite
from ..engines.sources import ClipSource
from ..link.link import Array, Link
from .agent_seats import AgentSeats
from .call_tokens import CallTokens
from .funnel import Funnel
from .swap_lifecycle import SwapLifecycle, SwapMove, SwapStage

log = logging.getLogger(__name__)

READY_MS = 3_000  # for the new agents to join and to answer once; a slower one would leave a caller waiting as long
REMEMBER_MS = 300  # for the former agents' memories; then they are done without

Seats = dict[str, tuple[Link, list[str]]]  # agent -> its link, and the topics that it wants


@dataclass(frozen=True, slots=True)
class Version:
    """What is offered: a policy version, and how its agents and recordings are reached."""

    name: str
    policy: Policy
    plain: Mapping[str, Any]  # the same, as it came and as the journal keeps it
    agent_tokens: Mapping[str, str]  # agent -> the token under which it comes
    clips: ClipSource | None  # recordings of its own


class Offer:
    """One offer to one call.

    Args:
        funnel: whose state the agents are shown.
        former: the seats of the agents that lead the call.
        tokens: the call's.
        look: called when something that was waited for has come.
        refuse: called with the reason when the version cannot take over; may be called again.
    """

    def __init__(
        self,
        version: Version,
        lifecycle: SwapLifecycle,
        funnel: Funnel,
        former: AgentSeats,
        tokens: CallTokens,
        look: Callable[[], None],
        refuse: Callable[[str], None],
    ) -> None:
        self.version = version
        self.seats: Seats = {}
        self.memories: dict[str, dict[str, Any]] = {}
        self._lifecycle = lifecycle
        self._funnel = funnel
        self._former = former
        self._tokens = tokens
        self._look = look
        self._refuse = refuse
        self._loop = asyncio.get_running_loop()
        self._answered: set[str] = set()
        self._asked = False  # the former agents, for their memories
        self._awaited: set[str] = set()  # those who have not told theirs
        self._fresh = False  # nobody was invited since the memories were told
        self._forgetful: set[str] = set()  # agents without a memory: they are not asked twice
        self._timers = [self._loop.call_later(READY_MS / 1_000, self._ready_or_not)]
        self._rehearsed_if_answered()  # a version may have no agents

    def end(self, why: str = "") -> None:
        """It has taken over, or (with a reason) will not: its agents are not needed."""
        for timer in self._timers:
            timer.cancel()
        if why:
            self._tokens.revoke(self.version.agent_tokens.values())
            dismiss(self.seats, why)

    # --- agents -----------------------------------------------------------------------------------------------------

    def joined(self, link: Link, agent: str, topics: list[str]) -> None:
        """An agent of this version has a link to the call. Raises: IllegalMove: nobody waits for it any more."""
        self._lifecycle.move(SwapMove.JOIN)
        self.seats[agent] = (link, topics)
        self._answered.discard(agent)
        link.on_message = lambda link, message: self._said(agent, link, message)
        link.on_close = lambda closed, reason: self._left(agent, closed, reason)
        state = self._funnel.state
        # As at the end of a turn: the commonest occasion, for which every agent is made.
        view = view_of(state, self.version.policy)
        link.send(*Invite(state.turn, state.revision, "turn_ended", READY_MS, view))

    def _said(self, agent: str, link: Link, array: Array) -> None:
        match message := read(array, TO_CALL_FROM_AGENT, link.newer):
            case Answer():
                refused = entry.answer_of(message.fields[2:])[2]
                if refused:
                    why = f"needs {refused[0].required}, is {refused[0].actual}"
                    self._refuse(f"agent {agent} answers with what is no proposal: {why}")
                    return
                self._answered.add(agent)
                self._rehearsed_if_answered()
                self._look()
            case Failed():
                self._refuse(f"agent {agent} fails: {message.reason}")
            case Message():
                raise ProtocolFault(f"an agent that does not lead yet does not send {message.NAME!r}")

    def _rehearsed_if_answered(self) -> None:
        if self._lifecycle.stage is SwapStage.OFFERED and len(self._answered) == len(self.version.policy.agents):
            self._lifecycle.move(SwapMove.REHEARSE)

    def _left(self, agent: str, link: Link, reason: str) -> None:
        if self.seats.get(agent, (None,))[0] is link:
            self._refuse(f"agent {agent} left: {reason}")

    def _ready_or_not(self) -> None:
        missing = [
            f"agent {agent} {'has not answered' if agent in self.seats else 'has not joined'}"
            for agent in self.version.policy.agents
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
        self._asked = True
        named = [agent for agent in self.version.policy.agents if agent not in self._forgetful]
        self._awaited = self._former.ask_memories(named, self._remembered)
        self._fresh = not self._awaited
        if self._awaited:
            self._timers.append(self._loop.call_later(REMEMBER_MS / 1_000, self._without, self._awaited))

    def _remembered(self, agent: str, memory: dict[str, Any], keeps: bool) -> None:
        """A former agent tells what it knows; `keeps` = it has a memory at all."""
        if agent not in self._awaited:
            return
        self._awaited.discard(agent)
        self.memories[agent] = memory
        if not keeps:
            self._forgetful.add(agent)
        if not self._awaited:
            self._fresh = True
            self._look()

    def _without(self, awaited: set[str]) -> None:
        if awaited is self._awaited and awaited:
            log.warning("agents do not tell their memory: %s", ", ".join(sorted(awaited)))
            self._forgetful |= awaited  # not asked again: it would only take as long
            self._awaited, self._fresh = set(), True
            self._look()


def dismiss(seats: Seats, why: str) -> None:
    """These agents are not needed (any more)."""
    for link, _ in tuple(seats.values()):
        link.on_close = None
        link.send(*Gone(why))
        link.close(why)
    seats.clear()
