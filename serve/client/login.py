"""Who uses the command line, as the API is told it."""

from __future__ import annotations

import getpass

from offhook.policies.core.principal import NAME_CHARS_MAX, Principal, PrincipalKind

HEADER = "X-Offhook-By"  # what `serve/web/principals.py` reads


def me() -> Principal:
    """The login name; a user without a name in a container gives orders too."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = ""
    return Principal(PrincipalKind.OPERATOR, name[: NAME_CHARS_MAX // 2])
