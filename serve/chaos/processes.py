"""What the kernel tells of other processes of this machine and of their sockets, and how such a socket is cut."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from pathlib import Path

PIDFD_GETFD = 438  # pidfd_getfd(2), the same on every architecture since Linux 5.6
CONNECTED = "03"  # a socket's state in /proc/net/unix (proc_net(5))


def children(parent: int) -> list[int]:
    """The processes whose parent this is. Source: proc_pid_stat(5)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def listener(path: str) -> int:
    """The process that listens on a Unix socket. Source: unix(7), SO_PEERCRED. Raises: OSError: nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(2)
        asked.connect(path)
        pid, _uid, _gid = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid)


def connections(pid: int) -> list[tuple[int, str]]:
    """A process's connections at Unix sockets that it listens on: (descriptor, path), by descriptor."""
    paths = {}
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[5] == CONNECTED:
            paths[fields[6]] = fields[7]
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inode = str(link.readlink()).removeprefix("socket:[").removesuffix("]")
            if inode in paths:
                found.append((int(link.name), paths[inode]))
    return sorted(found)


def cut(pid: int, fd: int) -> None:
    """Shut another process's socket down, both ways: both ends see it closed. Raises: OSError: it is not allowed."""
    process = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        own = libc.syscall(PIDFD_GETFD, process, fd, 0)
        if own < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"a socket of process {pid} cannot be reached: {os.strerror(number)}")
    finally:
        os.close(process)
    with socket.socket(fileno=own) as reached:
        reached.shutdown(socket.SHUT_RDWR)
