"""The link: a duplex stream of msgpack arrays over a Unix socket (same node) or TCP (another node).

Data plane only: audio, notices, journal records. A link opens with a token that the other side was handed by an actor
call. Both directions are bounded: a peer that does not read is cut off; one that sends faster than its messages are
handled is read more slowly; one that talks nonsense is told so and cut off. None ever blocks the loop. What a message
means is `actors/contracts/messages.py`'s matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgpack

from ..contracts.errors import LinkLost, ProtocolFault
from ..contracts.messages import HELLO, PROTOCOL, Bye

log = logging.getLogger(__name__)

Array = list[Any]
OnMessage = Callable[["Link", Array], None]
OnClose = Callable[["Link", str], None]

MESSAGE_BYTES_MAX = 1 << 20  # one message; a snapshot of a very long call stays under 300 kB
BACKLOG_BYTES_MAX = 4 << 20  # written and not yet taken by the peer: about 8 minutes of one call's audio
MESSAGES_AT_ONCE = 256  # handled before the loop's other work gets its turn: a few ms at worst
# msgpack makes room for an array's announced length before its elements are there, at every depth (at most 1,024):
# without this limit, 5 kB from a peer could ask for 16 GB.
ARRAY_LENGTH_MAX = 16_384
HELLO_BYTES_MAX = 1 << 16  # of a peer that has not shown a token
HELLO_LENGTH_MAX = 256
HELLO_MS = 2_000  # to show one
UNADMITTED_MAX = 512  # links that have not; more are refused
TOKENS_MAX = 10_000
# Of an unpacker's buffer at first; it grows with the messages. msgpack's own megabyte is filled from end to end before
# it is used again, so every link of a process would come to weigh one, none of it in the processor's caches.
BUFFER_BYTES = 16 << 10
PACKET_BYTES_MAX = 1 << 18  # what a loop reads at once, of both loops
LINGER_MS = 1_000  # for the peer to take what was queued before a close
REASON_CHARS_MAX = 500
UNIX_PATH_BYTES_MAX = 107  # sun_path

# A TCP peer whose machine is gone answers nothing, and nothing closes the socket: 5 s of silence, three probes.
_KEEPALIVE = (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 11_000))
_NOTHING = object()
_pack = msgpack.Packer(autoreset=True).pack


def _unpacker(bytes_max: int, length_max: int) -> Any:
    return msgpack.Unpacker(
        read_size=BUFFER_BYTES,
        max_buffer_size=bytes_max + 2 * PACKET_BYTES_MAX,  # a message, and what came with its last bytes
        max_bin_len=bytes_max,
        max_str_len=bytes_max,
        max_array_len=length_max,
        max_map_len=length_max,
        max_ext_len=0,
        use_list=True,
    )


class Link(asyncio.Protocol):
    """One end of a link. `send` never waits; `on_message` is called on the loop, once a message."""

    def __init__(self, on_message: OnMessage, on_close: OnClose | None = None) -> None:
        self.on_message = on_message
        self.on_close = on_close
        self.backlog_bytes_max = BACKLOG_BYTES_MAX
        self._transport: asyncio.Transport | None = None
        self._unpacker = _unpacker(MESSAGE_BYTES_MAX, ARRAY_LENGTH_MAX)
        self._fed_bytes = 0  # to the present unpacker
        self._reason = "closed by the peer"
        self.protocol = 0  # that the dialler's hello named; 0 = none, or this end has dialled

    @property
    def newer(self) -> bool:
        """The peer may send what is not known here yet (see `contracts/messages.py`)."""
        return self.protocol > PROTOCOL

    @property
    def open(self) -> bool:
        """True until the link is closed by either side."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def backlog_bytes(self) -> int:
        """Bytes written that the peer has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def send(self, *message: Any) -> bool:
        """Queue one message, a declared one unpacked (`send(*Play(...))`).

        False when the link is closed, or was just cut because the peer does not read.

        Raises:
            ProtocolFault: over MESSAGE_BYTES_MAX; the peer would cut the link for it.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        packed = _pack(message)
        if len(packed) > MESSAGE_BYTES_MAX:
            raise ProtocolFault(f"{message[0]!r} of {len(packed)} bytes; a message has at most {MESSAGE_BYTES_MAX}")
        transport.write(packed)
        if transport.get_write_buffer_size() > self.backlog_bytes_max:
            self.abort(f"the peer left {self.backlog_bytes} bytes unread, the limit is {self.backlog_bytes_max}")
            return False
        return True

    def lose_within(self, ms: int) -> None:
        """Take a peer on another machine for lost once it has acknowledged nothing for so long. Source: tcp(7)."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None and sock.family != socket.AF_UNIX and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ms)

    def close(self, reason: str = "closed here") -> None:
        """Close after what is queued has been written, within LINGER_MS."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            self._reason = reason
            transport.close()
            asyncio.get_running_loop().call_later(LINGER_MS / 1_000, transport.abort)

    def abort(self, reason: str) -> None:
        """Close at once; what is queued is lost."""
        if self._transport is not None and not self._transport.is_closing():
            self._reason = reason
            self._transport.abort()

    def refuse(self, reason: str) -> None:
        """Close, and tell the peer why: it was its fault."""
        if self.send(*Bye(reason[:REASON_CHARS_MAX])):
            self.close(reason)

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE:
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def data_received(self, data: bytes) -> None:
        self._fed_bytes += len(data)
        try:
            self._unpacker.feed(data)
        except (msgpack.UnpackException, ValueError):
            self.refuse(f"a message over {MESSAGE_BYTES_MAX} bytes")
            return
        self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.on_close is not None:
            self.on_close(self, str(exc) if exc is not None else self._reason)

    # --- parts ------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Handle what has arrived, and let others have their turn before the rest of it."""
        transport = self._transport
        if transport is None:
            return
        try:
            for _ in range(MESSAGES_AT_ONCE):
                # Asking an empty unpacker costs an exception within it, several times the reading of a frame.
                if self._unpacker.tell() == self._fed_bytes:
                    return
                message = self._next()
                if message is None or transport.is_closing():
                    return
                self.on_message(self, message)
            if not transport.is_closing():
                transport.pause_reading()
                asyncio.get_running_loop().call_soon(self._take_more)
        except ProtocolFault as fault:
            self.refuse(str(fault))
        except Exception as error:
            # Ours, or a message whose fields are not what they should be. This link ends here, the loop goes on.
            log.exception("a message could not be handled")
            self.refuse(f"a message could not be handled: {type(error).__name__}")

    def _next(self) -> Array | None:
        """The next whole message; None = there is none yet, or the peer has said goodbye."""
        try:
            message = next(self._unpacker, _NOTHING)
        except (msgpack.UnpackException, ValueError) as error:
            raise ProtocolFault(f"not msgpack within its limits: {type(error).__name__}: {error}") from error
        if message is _NOTHING:
            return None
        if type(message) is not list or not message:
            raise ProtocolFault(f"a message must be a non-empty array, got {type(message).__name__}")
        if message[0] == Bye.NAME:
            self.abort(f"the peer refused: {Bye.of(message).reason}")
            return None
        return message

    def _take_more(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._take()


class _Entrant(Link):
    """A link that was accepted: small until it has shown its token."""

    def __init__(
        self, on_message: OnMessage, on_come: Callable[[_Entrant], None], on_gone: Callable[[_Entrant], None]
    ) -> None:
        super().__init__(on_message)
        self._unpacker = _unpacker(HELLO_BYTES_MAX, HELLO_LENGTH_MAX)
        # The server's own; `on_close` belongs to whoever takes the link over.
        self._on_come = on_come
        self._on_gone = on_gone
        self.deadline: asyncio.TimerHandle | None = None

    def admit(self) -> None:
        """The token was right: messages may have their full size."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        rest = self._unpacker.read_bytes(HELLO_BYTES_MAX + 2 * PACKET_BYTES_MAX)
        self._unpacker = _unpacker(MESSAGE_BYTES_MAX, ARRAY_LENGTH_MAX)
        self._unpacker.feed(rest)
        self._fed_bytes = len(rest)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._on_come(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        self._on_gone(self)
        super().connection_lost(exc)


class LinkServer:
    """Accepts links at one endpoint, each with a token that `admit` gave out.

    The first message of a link is `["hello", token, ...]`; `on_hello(link, grant, rest)` gets what was admitted under
    that token and the rest of the message, and takes the link over by setting its `on_message` and `on_close`.
    """

    def __init__(self, on_hello: Callable[[Link, Any, Array], None]) -> None:
        self._on_hello = on_hello
        self._admitted: dict[str, tuple[Any, bool]] = {}
        self._links: set[_Entrant] = set()
        self._unadmitted = 0
        self._server: asyncio.Server | None = None
        self.endpoint = ""

    async def start(self, endpoint: str) -> str:
        """Listen at `unix:/path` or `tcp:host:port` (port 0 = any free one); returns the endpoint with its port.

        Raises:
            ProtocolFault: not an endpoint. OSError: it cannot be listened at.
        """
        loop = asyncio.get_running_loop()
        path, host, port = _parse(endpoint)
        if path:
            # A socket file left by a process that died; names are never shared by two that live.
            Path(path).unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start, on a local folder
            self._server = await loop.create_unix_server(self._accept, path)
            Path(path).chmod(0o600)  # noqa: ASYNC240
            self.endpoint = endpoint
        else:
            self._server = await loop.create_server(self._accept, host, port)
            self.endpoint = f"tcp:{host}:{self._server.sockets[0].getsockname()[1]}"
        return self.endpoint

    def admit(self, grant: Any, token: str = "", lasting: bool = False) -> str:
        """A token under which one link may open (`lasting`: any number, until it is revoked); `grant` comes with it."""
        if len(self._admitted) >= TOKENS_MAX:
            oldest = next((token for token, (_, lasts) in self._admitted.items() if not lasts), None)
            if oldest is None:
                raise ProtocolFault(f"{TOKENS_MAX} lasting tokens are out; revoke those whose time is over")
            del self._admitted[oldest]
        token = token or secrets.token_urlsafe(18)
        self._admitted[token] = (grant, lasting)
        return token

    def revoke(self, token: str) -> None:
        """The token opens nothing any more."""
        self._admitted.pop(token, None)

    async def stop(self) -> None:
        """Close the server and every link; remove the socket's file."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.abort("the server stopped")
        if self.endpoint.startswith("unix:"):
            with contextlib.suppress(OSError):
                Path(self.endpoint.removeprefix("unix:")).unlink()  # noqa: ASYNC240

    def _accept(self) -> Link:
        return _Entrant(self._hello, self._came, self._gone)

    def _came(self, link: _Entrant) -> None:
        self._links.add(link)
        self._unadmitted += 1
        if self._unadmitted > UNADMITTED_MAX:
            link.abort("too many links without a token")
            return
        loop = asyncio.get_running_loop()
        link.deadline = loop.call_later(HELLO_MS / 1_000, link.refuse, f"no hello within {HELLO_MS} ms")

    def _hello(self, link: Link, message: Array) -> None:
        if message[0] != HELLO or len(message) < 2 or type(message[1]) is not str:
            raise ProtocolFault("the first message must be ['hello', token, ...]")
        admitted = self._admitted.get(message[1])
        if admitted is None:
            raise ProtocolFault("this token opens nothing: it is unknown, used, or revoked")
        grant, lasting = admitted
        if not lasting:
            del self._admitted[message[1]]
        link.on_message = _misplaced
        cast(_Entrant, link).admit()
        self._unadmitted -= 1
        self._on_hello(link, grant, message[2:])

    def _gone(self, link: _Entrant) -> None:
        self._links.discard(link)
        if link.on_message == self._hello:
            self._unadmitted -= 1


def _misplaced(_link: Link, message: Array) -> None:
    raise ProtocolFault(f"nobody here takes {message[0]!r}")


async def connect(
    endpoint: str,
    token: str,
    *hello: Any,
    on_message: OnMessage,
    on_close: OnClose | None = None,
    timeout_s: float = 2.0,
) -> Link:
    """Open a link to `endpoint` and say hello, with the fields that are declared for whoever listens there.

    A refusal comes as `on_close` with the other side's reason.

    Raises:
        LinkLost: nobody listens there, or not within `timeout_s`.
        ProtocolFault: not an endpoint.
    """
    loop = asyncio.get_running_loop()
    path, host, port = _parse(endpoint)

    def make() -> Link:
        return Link(on_message, on_close)

    try:
        async with asyncio.timeout(timeout_s):
            if path:
                _, link = await loop.create_unix_connection(make, path)
            else:
                _, link = await loop.create_connection(make, host, port)
    except (OSError, TimeoutError) as error:
        asked = "is the process behind it alive" + (", and may this machine reach that port?" if host else "?")
        raise LinkLost(f"{endpoint}: {error or 'no answer'}; {asked}") from error
    link.send(HELLO, token, *hello)
    return link


def _parse(endpoint: str) -> tuple[str, str, int]:
    """(path, "", 0) or ("", host, port)."""
    kind, _, where = endpoint.partition(":")
    host, _, port = where.rpartition(":")
    if kind == "unix" and where:
        if len(where.encode()) > UNIX_PATH_BYTES_MAX:
            raise ProtocolFault(f"{where}: a socket's path has at most {UNIX_PATH_BYTES_MAX} bytes")
        return where, "", 0
    if kind == "tcp" and host and port.isdecimal() and int(port) < 65_536:
        return "", host, int(port)
    raise ProtocolFault(f"endpoint {endpoint!r}: write unix:/path or tcp:host:port")
