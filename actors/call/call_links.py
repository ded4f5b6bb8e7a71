"""The doors of one live call: who may open a link to it, and what each may say. A token a role, until the call ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offhook.policies.core import events as ev
from offhook.policies.core.sayable import on_one_line
from offhook.policies.core.state import Line
from offhook.policies.gate import entry

from ..contracts import wire
from ..contracts.errors import ProtocolFault
from ..link.link import Link, LinkServer, Message
from .broadcaster import Subscriber
from .phone_line import Played

if TYPE_CHECKING:
    from .runtime import CallRuntime

REASON_CHARS_MAX = 200  # of why an agent failed
TRACE_STEPS_MAX = 12  # of the way to its failure
TRACE_CHARS_MAX = 200  # of one step
ERROR_CHARS_MAX = 500  # of the error's own words
AGENT, OBSERVER, GATEWAY = "agent", "observer", "gateway"


class CallLinks:
    """Open from the call's first moment here until its end."""

    def __init__(self, call: CallRuntime, server: LinkServer) -> None:
        self._call = call
        self._server = server
        self._tokens: list[str] = []

    def open(self) -> None:
        """Admit the gateway, the agents and observers."""
        setup = self._call.setup
        self._admit((GATEWAY, ""), setup.media_token)
        self._admit((OBSERVER, ""), setup.observer_token)
        self.admit_agents(AGENT, setup.agent_tokens)

    def admit_agents(self, role: str, tokens: Mapping[str, str]) -> None:
        """Let agents in under these tokens (agent -> token), as members of the call or of another version."""
        for agent, token in tokens.items():
            self._admit((role, agent), token)

    def revoke(self, tokens: Mapping[str, str]) -> None:
        """These agents are not let in any more."""
        for token in tokens.values():
            self._server.revoke(token)

    def shut(self) -> None:
        """Admit nobody any more."""
        for token in self._tokens:
            self._server.revoke(token)

    def _admit(self, grant: tuple[str, str], token: str) -> None:
        # Lasting, until the call ends: a gateway or an agent host that lost its link comes back under the same token.
        self._tokens.append(self._server.admit((self._call, *grant), token, lasting=True))

    def hello(self, link: Link, role: str, name: str, rest: Message) -> None:
        """Somebody opened a link under one of this call's tokens.

        Raises:
            ProtocolFault: the rest of its hello is not what `wire.py` says.
        """
        if self._call.ending:
            raise ProtocolFault("this call is over")
        match role, rest:
            case "gateway", [str(stream), str(codec), *past]:
                self._gateway(link, stream, codec, past)
            case "agent" | "observer", [str(said), str(kind), list(topics), *since] if kind == role:
                since_seq = since[0] if since and isinstance(since[0], int) else -1
                self._subscriber(link, name or said, kind, topics, since_seq)
            case "successor" | "former", [str(), "agent", list(topics), *_]:
                self._call.swap.hello(link, role, name, topics)
            case _:
                raise ProtocolFault(f"this token is for a link of kind {role!r}; its hello has other fields")

    def _gateway(self, link: Link, stream: str, codec: str, past: list[Any]) -> None:
        call = self._call
        frames_in = past[0] if past and isinstance(past[0], int) else 0
        call.line.attach(link, stream, codec, frames_in)
        line, back = call.state.line, call.takeover_resume
        if back is not None and not back.line_is_back:
            back.line_back(Played.from_fields(past[1]) if len(past) > 1 and isinstance(past[1], list) else None)
            if line is Line.OPEN:
                return  # nobody has noticed that it was away
        call.take(ev.LineAnswered(call.now()) if line is Line.RINGING else ev.LineResumed(call.now()))

    def _subscriber(self, link: Link, name: str, kind: str, topics: list[str], since_seq: int) -> None:
        call = self._call
        self._seat(link, name, kind, topics, since_seq)
        if kind == AGENT:
            if call.takeover_resume is not None:
                call.takeover_resume.agent_back(name)
            call.take(ev.AgentJoined(call.now(), name))

    def seat(self, link: Link, agent: str, topics: list[str]) -> None:
        """Give an agent its seat of which the core learns by another event than its joining."""
        self._seat(link, agent, AGENT, topics, -1)

    def _seat(self, link: Link, name: str, kind: str, topics: list[str], since_seq: int) -> None:
        subscriber = self._call.broadcaster.join(link, name, kind, topics, since_seq)
        link.on_message = lambda _link, message: self._said(subscriber, message)

    def _said(self, subscriber: Subscriber, message: Message) -> None:
        call = self._call
        if subscriber.kind != AGENT:
            raise ProtocolFault("an observer listens; it has nothing to say")
        match message:
            case [wire.ANSWER, turn, basis, list(arrays), *more] if entry.counts(turn, basis):
                answer = entry.answer_of([arrays, *more])
                call.take(ev.AgentAnswered(call.now(), subscriber.name, turn, basis, *answer))
            case [wire.FAILED, int(), int(), str(said), *way]:
                # It failed at this one task and stands again: whoever waits for its answer learns both.
                reason = on_one_line(said, REASON_CHARS_MAX)
                call.take(ev.AgentLost(call.now(), subscriber.name, reason, *_way_to(way)))
                call.take(ev.AgentJoined(call.now(), subscriber.name))
                call.swap.agent_failed(subscriber.name, reason)
            case [wire.MEMORY, int(number), dict(memory), bool(keeps)]:
                call.swap.remembered(subscriber.name, number, memory, keeps)
            case _:
                raise ProtocolFault(f"an agent does not send {message[0]!r} with {len(message) - 1} fields")


def _way_to(told: list[Any]) -> tuple[tuple[str, ...], str]:
    """The way to an agent's failure and the error's own words, as far as its host told them, cut to their limits."""
    match told:
        case [list(steps), str(words), *_]:
            lines = (on_one_line(step, TRACE_CHARS_MAX) for step in steps[:TRACE_STEPS_MAX] if isinstance(step, str))
            return tuple(lines), words[:ERROR_CHARS_MAX]
    return (), ""
