"""Shows a process's metrics to Prometheus: GET /metrics over HTTP, in the OpenMetrics format, on an address of its own.

Each node shows its own, so a node that is gone or silent is absent and never zero: Ray's own metrics cannot take a
series away (`ray.util.metrics` of 2.60 has no way to), and go on to export what was last set. What is shown names no
call and nothing that was said. There is no login: it listens where the media port does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from .open_metrics import MEDIA_TYPE

log = logging.getLogger(__name__)

PATH = "/metrics"
REQUEST_S = 5.0  # for one request and its answer; a scrape takes some milliseconds
HEAD_BYTES_MAX = 16 << 10
AT_ONCE_MAX = 16  # connections; Prometheus opens one


class Exporter:
    """One listener. `text()` is asked at every scrape.

    Attributes:
        address: host:port once it listens, else "".
    """

    def __init__(self, text: Callable[[], str]) -> None:
        self.address = ""
        self._text = text
        self._open = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen on `port`; where that is taken (another node of this machine has it), on any free one.

        Nobody's call depends on it: what cannot listen at all is logged, and `address` stays empty.
        """
        for wanted in (port, 0):
            try:
                self._server = await asyncio.start_server(self._serve, host, wanted, limit=HEAD_BYTES_MAX)
            except OSError as fault:
                log.warning("metrics cannot be shown at %s:%d: %s", host, wanted, fault)
                continue
            where = self._server.sockets[0].getsockname()
            self.address = f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"
            log.info("metrics at http://%s%s", self.address, PATH)
            return

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.address = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > AT_ONCE_MAX:
                return
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer(head))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has left, or asks for something else
        finally:
            self._open -= 1
            with contextlib.suppress(OSError):
                writer.close()

    def answer(self, head: bytes) -> bytes:
        """The whole answer to a request whose head is `head`."""
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path != PATH:
            return _response("404 Not Found", "text/plain", f"metrics are at {PATH}\n")
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "text/plain", "ask with GET\n")
        text = self._text()
        return _response("200 OK", MEDIA_TYPE, text, with_body=method == "GET")


def _response(status: str, media_type: str, text: str, with_body: bool = True) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
