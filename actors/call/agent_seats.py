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

from ..contracts import wire
from ..contracts.errors import ProtocolFault
from ..link.link import Link, Message
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

    def hello(self, link: Link, role: str, name: str, rest: Message) -> None:
        """An agent comes to its seat.

        Raises:
            ProtocolFault: the call is over, or the rest of its hello is not what `wire.py` says.
        """
        refuse_if_over(self._session)
        match rest:
            case [str(), "agent", list(topics), *since]:
                self.seat(link, name, topics, since[0] if since and isinstance(since[0], int) else -1)
            case _:
                raise wrong_hello(role)
        self._session.awaited.agents.discard(name)
        self._session.take(ev.AgentJoined(self._session.now(), name))

    def seat(self, link: Link, agent: str, topics: list[str], since_seq: int = -1) -> None:
        """Give an agent its seat; the core learns of it by another event."""
        self._broadcaster.join(link, agent, AGENT, topics, since_seq)
        link.on_message = lambda _link, message: self._said(agent, message)

    def _said(self, agent: str, message: Message) -> None:
        session = self._session
        match message:
            case [wire.ANSWER, turn, basis, list(arrays), *more] if entry.counts(turn, basis):
                answer = entry.answer_of([arrays, *more])
                session.take(ev.AgentAnswered(session.now(), agent, turn, basis, *answer))
            case [wire.FAILED, int(), int(), str(said), *way]:
                # It failed at this one task and stands again: whoever waits for its answer learns both.
                reason = on_one_line(said, REASON_CHARS_MAX)
                session.take(ev.AgentLost(session.now(), agent, reason, *_way_to(way)))
                session.take(ev.AgentJoined(session.now(), agent))
            case [wire.MEMORY, int(number), dict(memory), bool(keeps)]:
                if self._remembered is not None and number == self._asked:
                    self._remembered(agent, memory, keeps)
            case _:
                raise ProtocolFault(f"an agent does not send {message[0]!r} with {len(message) - 1} fields")

    def ask_memories(self, agents: Iterable[str], remembered: Remembered) -> set[str]:
        """Ask agents for their memories; returns those that could be asked. Only the latest question is answered."""
        self._asked += 1
        self._remembered = remembered
        return {agent for agent in agents if self._broadcaster.tell_agent(agent, wire.REMEMBER, self._asked)}


def refuse_if_over(session: Session) -> None:
    """Raises: ProtocolFault: the call ends, and lets nobody in any more."""
    if session.stage in ENDED:
        raise ProtocolFault("this call is over")


def wrong_hello(role: str) -> ProtocolFault:
    """What somebody is told who opens another link than its token is for."""
    return ProtocolFault(f"this token is for a link of kind {role!r}; its hello has other fields")


def _way_to(told: list[Any]) -> tuple[tuple[str, ...], str]:
    """The way to an agent's failure and the error's own words, as far as its host told them, cut to their limits."""
    match told:
        case [list(steps), str(words), *_]:
            lines = (on_one_line(step, TRACE_CHARS_MAX) for step in steps[:TRACE_STEPS_MAX] if isinstance(step, str))
            return tuple(lines), words[:ERROR_CHARS_MAX]
    return (), ""
