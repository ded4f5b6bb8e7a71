"""The tokens under which links to one live call may open: each names who takes such a link. What is said on it, they
know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..link.link import Array, Link, LinkServer


class Holder(Protocol):
    """Takes the links that open under the tokens that it has given out."""

    def hello(self, link: Link, role: str, name: str, rest: Array) -> None:
        """Somebody opened a link in this role. Raises: ProtocolFault: it is not let in."""


class CallTokens:
    """Those of one call, until it ends."""

    def __init__(self, server: LinkServer) -> None:
        self._server = server
        self._tokens: list[str] = []

    def admit(self, holder: Holder, role: str, name: str, token: str) -> None:
        """Let somebody in. Lasting, until the call ends: a gateway or an agent host that lost its link comes back under
        the same token; one that is admitted again comes to its new holder."""
        self._tokens.append(self._server.admit((holder, role, name), token, lasting=True))

    def revoke(self, tokens: Iterable[str]) -> None:
        """Nobody comes in under these any more."""
        for token in tokens:
            self._server.revoke(token)

    def shut(self) -> None:
        """Admit nobody any more."""
        self.revoke(self._tokens)
