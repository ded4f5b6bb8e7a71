"""Who uses the command line, as the API is told it."""

from __future__ import annotations

import getpass

HEADER = "X-Offhook-By"  # what `serve/web/principals.py` reads


def login_name() -> str:
    """The login name; "" for a user who has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def headers() -> dict[bytes, bytes]:
    """What tells the API who asks; nothing where there is no login name."""
    name = login_name()
    return {HEADER.encode(): f"person:{name}".encode()} if name else {}
