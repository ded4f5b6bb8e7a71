"""Who asks the API: the one place where a request becomes a `Principal`. Nothing is proved here yet.

A request names its asker as `by` in its query (some in their JSON body), else in a header, which a client sends with
every request. One that names nobody is a program at its address.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Query, Request
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import ID_CHARS_MAX, NAME_CHARS_MAX, Principal, PrincipalKind, kind_at_start

HEADER = "x-offhook-by"
WRITTEN = 'NAME, "person:ID (NAME)" or "program:ID"; kept in the journal'
CHARS_MAX = ID_CHARS_MAX + NAME_CHARS_MAX + 16  # the kind, and what stands between
ANONYMOUS = "anonymous@"  # an address follows
SAYABLE = (PrincipalKind.PERSON, PrincipalKind.PROGRAM)  # what a request may say that its asker is


def asked_by(
    request: Request,
    by: Annotated[str, Query(max_length=CHARS_MAX, description=f"who asks: {WRITTEN}")] = "",
    header: Annotated[str, Header(alias=HEADER, description="who asks, where `by` does not say it (UTF-8)")] = "",
) -> Principal:
    """The principal of a request.

    Raises:
        CallerFault: it names one that cannot be kept, or a part of offhook.
    """
    said = by or header.encode("latin-1").decode(errors="replace")  # as it came, read as UTF-8
    nobody = Principal(PrincipalKind.PROGRAM, ANONYMOUS + (request.client.host if request.client else "unknown"))
    return named_in(said, nobody)


AskedBy = Annotated[Principal, Depends(asked_by)]


def named_in(said: str, otherwise: Principal) -> Principal:
    """Whom a request names, or `otherwise` where it names nobody. A name without a kind is a person's.

    Raises:
        CallerFault: it names one that cannot be kept, a part of offhook, or what could be read as another kind.
    """
    if not said:
        return otherwise
    principal = Principal.of(said)
    if principal.kind is PrincipalKind.UNKNOWN:
        if (kind := kind_at_start(said)) is not None:
            raise CallerFault(f"who asks begins with {kind.value!r} and is none; it is {WRITTEN}")
        principal = Principal.of(f"{PrincipalKind.PERSON.value}:{said}")
    if not principal.fits:
        raise CallerFault(
            f"who asks has an id of 1 to {ID_CHARS_MAX} printable characters and a name of up to {NAME_CHARS_MAX}"
        )
    if principal.kind not in SAYABLE:
        raise CallerFault(f"a request cannot name a {principal.kind.value}; it can name a {' or a '.join(SAYABLE)}")
    if _is_anonymous(principal):
        raise CallerFault(f"{ANONYMOUS!r} is what offhook calls a program that names nobody; it is {WRITTEN}")
    return principal


def signed(by: Principal) -> Principal:
    """The same, where it is somebody who was named.

    Raises:
        CallerFault: nobody was.
    """
    if _is_anonymous(by):
        raise CallerFault(f"say who decides: operator ({WRITTEN}), or the header {HEADER}")
    return by


def _is_anonymous(by: Principal) -> bool:
    return by.kind is PrincipalKind.PROGRAM and by.id.strip().casefold().startswith(ANONYMOUS)
