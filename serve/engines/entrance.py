"""The entrance of an engine: a link server with one lasting token, where calls can reach it. Nothing of speech."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offhook.actors.link import Link, LinkServer, Message


class Entrance:
    """Where calls come in.

    Args:
        name: of the engine; part of the socket's name.
        endpoint: `unix:/path` or `tcp:host:port`; empty = a Unix socket in a folder of its own, for calls on this node.
        token: lasting; empty = a new one. A fixed endpoint and token let calls find an engine again after it died.
        on_hello: gets every link that presented the token, and takes it over; it may wrap the link's `on_close`.
    """

    def __init__(self, name: str, endpoint: str, token: str, on_hello: Callable[[Link], None]) -> None:
        self._name = name
        self._endpoint = endpoint
        self._token = token or secrets.token_urlsafe(18)
        self._on_hello = on_hello
        self._server = LinkServer(self._hello)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.links = 0

    async def open(self) -> None:
        """Listen."""
        if not self._endpoint:
            self._folder = tempfile.TemporaryDirectory(prefix=f"offhook-{self._name}-")
            self._endpoint = f"unix:{Path(self._folder.name) / 'link'}"
        self._endpoint = await self._server.start(self._endpoint)
        self._server.admit(None, self._token, lasting=True)

    async def close(self) -> None:
        """Close every link and stop listening."""
        await self._server.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def address(self) -> dict[str, str]:
        """{endpoint, token}, once it is open."""
        return {"endpoint": self._endpoint, "token": self._token}

    def _hello(self, link: Link, _grant: Any, _rest: Message) -> None:
        self.links += 1
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            self.links -= 1
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost
        self._on_hello(link)
