"""Whether the addresses of an installation can be used: asked before the slow part, so that one is told at once."""

from __future__ import annotations

import errno
import re
import socket

from ..contracts.errors import StartFault

# A head on the other side of the world answers within a second; Ray itself would try for more than a minute.
CONNECT_WITHIN_S = 5.0
_RAY_ADDRESS = re.compile(r"^(?:ray://)?\[?(?P<host>[^\]/]+?)\]?:(?P<port>\d+)$")


def free_port(name: str, host: str, port: int) -> int:
    """The port, or any free one for 0.

    Args:
        name: the setting that gave it: "port" or "media_port".

    Raises:
        StartFault: it is taken, or `host` is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            option = name.replace("_", "-") if error.errno in (errno.EADDRINUSE, errno.EACCES) else "host"
            what = f"{host}:{port} cannot be used: {error.strerror}"
            raise StartFault(f"{what}; choose another with --{option}") from None
        return int(probe.getsockname()[1])


def someone_listens(address: str) -> None:
    """Ask a Ray cluster's address whether anybody is there; "auto" and the like are Ray's to find.

    Raises:
        StartFault: nobody is.
    """
    found = _RAY_ADDRESS.match(address)
    if found is None:
        return
    try:
        socket.create_connection((found["host"], int(found["port"])), CONNECT_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        raise StartFault(
            f"Ray at {address!r} cannot be joined: {error}; "
            "--address is that of the cluster's head (port 6379, if nothing else was said), or auto on one of its nodes"
        ) from None
