"""The links of the gateway and of observers to one live call: who may open one, and what each may say."""

from __future__ import annotations

from typing import Any

from offhook.policies.core import events as ev
from offhook.policies.core.state import Line

from ..contracts.errors import ProtocolFault
from ..link.link import Link, Message
from .agent_seats import refuse_if_over, wrong_hello
from .call_tokens import CallTokens
from .phone_line import Played
from .session import Parts, Session
from .takeover_resume import TakeoverResume

OBSERVER, GATEWAY = "observer", "gateway"


class CallLinks:
    """Open from the call's first moment here until its end."""

    def __init__(self, session: Session, parts: Parts, tokens: CallTokens, resume: TakeoverResume | None) -> None:
        self._session = session
        self._parts = parts
        self._tokens = tokens
        self._resume = resume

    def open(self) -> None:
        """Admit the gateway and observers."""
        setup = self._session.setup
        self._tokens.admit(self, GATEWAY, "", setup.media_token)
        self._tokens.admit(self, OBSERVER, "", setup.observer_token)

    def hello(self, link: Link, role: str, name: str, rest: Message) -> None:
        """Somebody opened a link under one of these tokens.

        Raises:
            ProtocolFault: the call is over, or the rest of the hello is not what `wire.py` says.
        """
        refuse_if_over(self._session)
        match role, rest:
            case "gateway", [str(stream), str(codec), *past]:
                self._gateway(link, stream, codec, past)
            case "observer", [str(said), "observer", list(topics), *since]:
                since_seq = since[0] if since and isinstance(since[0], int) else -1
                self._parts.broadcaster.join(link, name or said, OBSERVER, topics, since_seq)
                link.on_message = _says_nothing
            case _:
                raise wrong_hello(role)

    def _gateway(self, link: Link, stream: str, codec: str, past: list[Any]) -> None:
        session, funnel = self._session, self._parts.funnel
        frames_in = past[0] if past and isinstance(past[0], int) else 0
        self._parts.line.attach(link, stream, codec, frames_in)
        line = funnel.state.line
        if self._resume is not None and session.awaited.line:
            self._resume.line_back(Played.from_fields(past[1]) if len(past) > 1 and isinstance(past[1], list) else None)
            if line is Line.OPEN:
                return  # nobody has noticed that it was away
        now_ms = session.now()
        session.take(ev.LineAnswered(now_ms) if line is Line.RINGING else ev.LineResumed(now_ms))


def _says_nothing(_link: Link, _message: Message) -> None:
    raise ProtocolFault("an observer listens; it has nothing to say")
