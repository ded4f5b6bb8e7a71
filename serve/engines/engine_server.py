"""The server of an engine: link servers with one lasting token, where calls can reach it. Nothing of speech."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from offhook.actors.audio.format import TELEPHONE, AudioFormat
from offhook.actors.contracts.engine_messages import EngineHello
from offhook.actors.contracts.errors import ProtocolFault, WrongSound
from offhook.actors.link.link import Array, Link, LinkServer

from ..contracts.errors import StartFault


class EngineServer:
    """Where calls come in: a Unix socket for those of this machine and, where `tcp` is given, a port for all others.

    Both ask for the same token and have the same limits (`actors/link/link.py`), each its own count of links without a
    token: strangers at the port do not keep this machine's calls out.

    Args:
        name: of the engine; the socket's name.
        endpoint: `unix:/path`; empty = a Unix socket in a folder of its own.
        token: lasting; empty = a new one. A fixed endpoint and token let calls find an engine again after it died.
        on_hello: gets every link that presented the token, with the audio format that its hello names (none = telephone
            audio), and takes it over; it may wrap the link's `on_close`.
        tcp: `tcp:host:port` to listen at too, port 0 = any free one; empty = nothing is opened to the network.
    """

    def __init__(
        self, name: str, endpoint: str, token: str, on_hello: Callable[[Link, AudioFormat], None], tcp: str = ""
    ) -> None:
        self._name = name
        self._endpoint = endpoint
        self._tcp = tcp
        self._token = token or secrets.token_urlsafe(18)
        self._on_hello = on_hello
        self._servers: list[LinkServer] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.links = 0
        self._empty = asyncio.Event()
        self._empty.set()

    async def open(self) -> None:
        """Listen. Raises: StartFault: an endpoint cannot be listened at."""
        if not self._endpoint:
            self._folder = tempfile.TemporaryDirectory(prefix=f"offhook-{self._name}-")
            self._endpoint = f"unix:{Path(self._folder.name) / self._name}.sock"
        self._endpoint = await self._listen(self._endpoint)
        if self._tcp:
            self._tcp = await self._listen(self._tcp)

    async def drain(self, within_s: float) -> None:
        """Wait until the last call has left, or so long; whoever comes is still taken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._empty.wait()

    async def close(self) -> None:
        """Close every link and stop listening."""
        for server in self._servers:
            await server.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def address(self) -> dict[str, str]:
        """{endpoint, tcp ("" = only this machine can reach it), token}, once it is open."""
        return {"endpoint": self._endpoint, "tcp": self._tcp, "token": self._token}

    async def _listen(self, endpoint: str) -> str:
        server = LinkServer(self._hello)
        try:
            at = await server.start(endpoint)
        except OSError as error:
            raise StartFault(f"{self._name}: {endpoint} cannot be listened at: {error.strerror or error}") from error
        server.admit(None, self._token, lasting=True)
        self._servers.append(server)
        return at

    def _hello(self, link: Link, _grant: Any, rest: Array) -> None:
        hello = EngineHello.from_fields(rest)
        link.protocol = hello.protocol
        try:
            form = AudioFormat.named(hello.sound) if hello.sound else TELEPHONE
        except WrongSound as fault:
            raise ProtocolFault(f"{self._name}: {fault}") from fault
        self.links += 1
        self._empty.clear()
        closed = link.on_close

        def lost(gone: Link, reason: str) -> None:
            self.links -= 1
            if not self.links:
                self._empty.set()
            if closed is not None:
                closed(gone, reason)

        link.on_close = lost
        self._on_hello(link, form)
