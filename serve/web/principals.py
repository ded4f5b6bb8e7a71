"""Who asks the API: the one place where a request becomes a `Principal`. Nothing is proved here yet.

What a request says of itself is a header (UTF-8), else `by` or `operator` in its query or its JSON body; one that says
nothing is somebody at its address.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import NAME_CHARS_MAX, Principal, PrincipalKind

HEADER = "x-offhook-by"
FIELDS = ("by", "operator")
SAYABLE = (PrincipalKind.OPERATOR, PrincipalKind.API)  # what a request may say that it is


async def asked_by(request: Request) -> Principal:
    """The principal of a request.

    Raises:
        CallerFault: it says something that cannot be kept, or that it is a part of offhook.
    """
    said = _header(request) or _field(request.query_params) or await _in_body(request)
    if not said:
        return Principal(PrincipalKind.API, f"anonymous@{request.client.host if request.client else 'unknown'}")
    if len(said) > NAME_CHARS_MAX or not said.isprintable():
        raise CallerFault(f"who asks is told in 1 to {NAME_CHARS_MAX} printable characters on one line")
    principal = Principal.of(said)
    if principal.kind is PrincipalKind.UNKNOWN:
        return Principal(PrincipalKind.OPERATOR, said)
    if principal.kind not in SAYABLE:
        raise CallerFault(f"a request cannot say that it is a {principal.kind.value}; {', '.join(SAYABLE)} it can")
    return principal


AskedBy = Annotated[Principal, Depends(asked_by)]


def _header(request: Request) -> str:
    return request.headers.get(HEADER, "").encode("latin-1").decode(errors="replace")  # as it came, read as UTF-8


def _field(said: object) -> str:
    if not hasattr(said, "get"):
        return ""
    found = (said.get(name) for name in FIELDS)
    return next((value for value in found if isinstance(value, str) and value), "")


async def _in_body(request: Request) -> str:
    if not request.headers.get("content-type", "").startswith("application/json"):
        return ""
    try:
        return _field(await request.json())
    except (ValueError, RecursionError):
        return ""  # what is wrong with the body is told by whoever reads the rest of it
