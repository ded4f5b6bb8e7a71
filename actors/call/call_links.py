"""The links of the gateway and of observers to one live call: who may open one, and what each may say."""

from __future__ import annotations

from offhook.policies.core import events as ev
from offhook.policies.core.state import Line

from ..contracts.errors import ProtocolFault
from ..contracts.messages import GatewayHello, SubscriberHello
from ..link.link import Array, Link
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

    def hello(self, link: Link, role: str, name: str, rest: Array) -> None:
        """Somebody opened a link under one of these tokens.

        Raises:
            ProtocolFault: the call is over, or the rest of the hello is none of that role.
        """
        refuse_if_over(self._session)
        if role == GATEWAY:
            self._gateway(link, GatewayHello.from_fields(rest))
            return
        hello = SubscriberHello.from_fields(rest)
        if role != OBSERVER or hello.kind != OBSERVER:
            raise wrong_hello(role)
        link.protocol = hello.protocol
        self._parts.broadcaster.join(link, name or hello.subscriber, OBSERVER, hello.topics, hello.since_seq)
        link.on_message = _says_nothing

    def _gateway(self, link: Link, hello: GatewayHello) -> None:
        session, funnel = self._session, self._parts.funnel
        link.protocol = hello.protocol
        self._parts.line.attach(link, hello.stream, hello.codec, hello.frames, hello.transfers)
        line = funnel.state.line
        if self._resume is not None and session.awaited.line:
            self._resume.line_back(Played.from_fields(hello.played) if hello.played is not None else None)
            if line is Line.OPEN:
                return  # nobody has noticed that it was away
        now_ms = session.now()
        session.take(ev.LineAnswered(now_ms) if line is Line.RINGING else ev.LineResumed(now_ms))


def _says_nothing(_link: Link, _message: Array) -> None:
    raise ProtocolFault("an observer listens; it has nothing to say")
