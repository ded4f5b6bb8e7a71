"""The agents of one live call: who may take a seat, who has one, and what they may say from there.

Their answers become events here. Which version's agents they are is `swap.py`'s matter; what they are told, the
broadcaster's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.sayable import on_one_line
from offhook.policies.gate import entry

from ..contracts.errors import ProtocolFault
from ..contracts.message import read
from ..contracts.messages import TO_CALL_FROM_AGENT, Answer, Failed, Memory, Remember, SubscriberHello
from ..link.link import Array, Link
from .broadcaster import Broadcaster
from .call_tokens import CallTokens
from .lifecycle import ENDED
from .session import Session

AGENT = "agent"  # the role of a seat's token, and the kind of its link
TRACE_STEPS_MAX = 12  # of the way to an agent's failure
TRACE_CHARS_MAX = 200  # of one step
ERROR_CHARS_MAX = 500  # of the error's own words
REASON_CHARS_MAX = 200  # of why an agent failed

Remembered = Callable[[str, dict[str, Any], bool], None]  # agent, its memory, whether it keeps one at all


class AgentSeats:
    """The seats of one call, for the agents of the version that leads it."""

    def __init__(self, session: Session, broadcaster: Broadcaster, tokens: CallTokens) -> None:
        self._session = session
        self._broadcaster = broadcaster
        self._tokens = tokens
        self._asked = 0  # how often agents were asked for their memories
        self._remembered: Remembered | None = None

    def admit(self, tokens: Mapping[str, str]) -> None:
        """Let agents take their seats under these tokens (agent -> token)."""
        for agent, token in tokens.items():
            self._tokens.admit(self, AGENT, agent, token)

    def hello(self, link: Link, role: str, name: str, rest: Array) -> None:
        """An agent comes to its seat.

        Raises:
            ProtocolFault: the call is over, or the rest of its hello is none of an agent.
        """
        refuse_if_over(self._session)
        hello = agent_hello(link, role, rest)
        self.seat(link, name, hello.topics, hello.since_seq)
        self._session.awaited.agents.discard(name)
        self._session.take(ev.AgentJoined(self._session.now(), name))

    def seat(self, link: Link, agent: str, topics: list[str], since_seq: int = -1) -> None:
        """Give an agent its seat; the core learns of it by another event."""
        self._broadcaster.join(link, agent, AGENT, topics, since_seq)
        link.on_message = lambda link, message: self._said(agent, link, message)

    def _said(self, agent: str, link: Link, array: Array) -> None:
        session = self._session
        match message := read(array, TO_CALL_FROM_AGENT, link.newer):
            case Answer(turn, basis):
                if not entry.counts(turn, basis):
                    raise ProtocolFault("an answer's turn and basis are numbers that a call can have reached")
                answer = entry.answer_of(message.fields[2:])
                session.take(ev.AgentAnswered(session.now(), agent, turn, basis, *answer))
            case Failed():
                # It failed at this one task and stands again: whoever waits for its answer learns both.
                reason = on_one_line(message.reason, REASON_CHARS_MAX)
                session.take(ev.AgentLost(session.now(), agent, reason, *_way_to(message)))
                session.take(ev.AgentJoined(session.now(), agent))
            case Memory(number, memory, keeps):
                if self._remembered is not None and number == self._asked:
                    self._remembered(agent, dict(memory), keeps)

    def ask_memories(self, agents: Iterable[str], remembered: Remembered) -> set[str]:
        """Ask agents for their memories; returns those that could be asked. Only the latest question is answered."""
        self._asked += 1
        self._remembered = remembered
        return {agent for agent in agents if self._broadcaster.tell_agent(agent, *Remember(self._asked))}


def refuse_if_over(session: Session) -> None:
    """Raises: ProtocolFault: the call ends, and lets nobody in any more."""
    if session.stage in ENDED:
        raise ProtocolFault("this call is over")


def wrong_hello(role: str) -> ProtocolFault:
    """What somebody is told who opens another link than its token is for."""
    return ProtocolFault(f"this token is for a link of kind {role!r}; its hello has other fields")


def agent_hello(link: Link, role: str, rest: Array) -> SubscriberHello:
    """What an agent says of itself behind its token. Raises: ProtocolFault: another says hello."""
    hello = SubscriberHello.from_fields(rest)
    if hello.kind != AGENT:
        raise wrong_hello(role)
    link.protocol = hello.protocol
    return hello


def _way_to(failed: Failed) -> tuple[tuple[str, ...], str]:
    """The way to an agent's failure and the error's own words, as far as its host told them, cut to their limits."""
    steps = (failed.steps or [])[:TRACE_STEPS_MAX]
    lines = (on_one_line(step, TRACE_CHARS_MAX) for step in steps if isinstance(step, str))
    return tuple(lines), failed.pii_words[:ERROR_CHARS_MAX]
