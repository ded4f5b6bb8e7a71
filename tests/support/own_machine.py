"""A machine of its own for a program: its own processes, loopback network and folder for Ray, by Linux namespaces.

For tests that start what ends everything of its kind on the machine (`ray stop --force`). `run` starts a program in
there; the program calls `settle` first. Nothing of it is left when it ends: its first process takes the others along.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

RAY_FOLDER = Path("/tmp/ray")  # where Ray keeps the sockets and logs of its sessions
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)


def command() -> list[str]:
    """What a program is started under."""
    own = [shutil.which("unshare") or "unshare", "--pid", "--fork", "--mount-proc", "--net", "--kill-child"]
    return own if os.getuid() == 0 else [*own, "--map-root-user"]


def refusal() -> str:
    """Why there can be none here; "" = there can."""
    try:
        tried = subprocess.run([*command(), "true"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no namespaces of its own: {error}"
    return "" if tried.returncode == 0 else f"no namespaces of its own: {tried.stderr.strip()}"


def run(program: Path, within_s: float) -> subprocess.CompletedProcess[str]:
    """Run a Python program in there, and wait for it."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    words = [*command(), sys.executable, str(program)]
    return subprocess.run(words, capture_output=True, text=True, timeout=within_s, env=environment)


def settle() -> None:
    """In there: bring the loopback up, and have a folder for Ray of one's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))
    RAY_FOLDER.mkdir(exist_ok=True)  # not all of /tmp: the interpreter itself may stand there
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", bytes(RAY_FOLDER), b"tmpfs", 0, b"mode=1777") != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{RAY_FOLDER} of one's own: {os.strerror(number)}")
    os.chdir("/tmp")
