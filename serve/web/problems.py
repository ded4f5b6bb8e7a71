"""Errors as the web wants them: problem+json (RFC 9457). Which error becomes which status is the table PROBLEMS.

`type` is a stable name that a program can test, `title` is the same for every problem of a type, `detail` is about
this one. Nothing of offhook's inside (traces, paths, addresses) is told.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from offhook.actors.contracts.errors import JournalAway, NoSpare, NoSuchCall, NoSuchProposal, UnknownPolicy
from offhook.cluster.errors import Overflow
from offhook.cluster.rollouts import NoSuchRollout
from offhook.policies.core.errors import CallerFault, OffhookError, WorldFault
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ..contracts.errors import NotRunning

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:offhook:problem:"
RETRY_AFTER_S = 2  # a spare is warm again after about 2 s


class InvalidField(BaseModel):
    """One field of a request that cannot be used."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457; `errors` names the fields of a request that could not be read."""

    type: str = Field(examples=[TYPE_PREFIX + "no-such-call"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[InvalidField] | None = None


# The first row whose class fits decides, so the special ones come first.
PROBLEMS: tuple[tuple[type[Exception], int, str, str], ...] = (
    (NoSuchCall, 404, "no-such-call", "There is no such call"),
    (NoSuchProposal, 404, "no-such-proposal", "There is no such proposal"),
    (NoSuchRollout, 404, "no-such-rollout", "There is no such rollout"),
    (UnknownPolicy, 422, "unknown-policy", "There is no such policy"),
    (NoSpare, 503, "no-spare", "No call can be taken right now"),
    (JournalAway, 503, "journal-away", "The journal cannot be read right now"),
    (NotRunning, 503, "not-running", "The supervisor does not answer"),
    (CallerFault, 409, "not-possible", "This cannot be done now"),
    (WorldFault, 503, "part-away", "A part of the installation does not answer"),
    (OffhookError, 500, "bug", "A fault of offhook"),
)


def problem(request: Request, status: int, name: str, title: str, detail: str, **more: Any) -> JSONResponse:
    """One answer in the form of RFC 9457."""
    body = {"type": TYPE_PREFIX + name, "title": title, "status": status, "detail": detail}
    body |= {"instance": request.url.path, **more}
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have `app` answer every error as a problem."""

    @app.exception_handler(OffhookError)
    async def offhook_error(request: Request, error: OffhookError) -> JSONResponse:
        _, status, name, title = next(row for row in PROBLEMS if isinstance(error, row[0]))
        more = {"overflow": error.act, "to": error.to} if isinstance(error, Overflow) else {}
        return problem(request, status, name, title, str(error), **more)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"field": _place(each["loc"]), "detail": each["msg"]} for each in error.errors()]
        detail = "; ".join(f"{each['field']}: {each['detail']}" for each in errors)
        return problem(request, 422, "invalid-request", "The request cannot be read", detail, errors=errors)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        name = {404: "not-found", 405: "method-not-allowed", 403: "forbidden"}.get(error.status_code, "refused")
        answer = problem(request, error.status_code, name, _TITLES.get(name, "The request was refused"), error.detail)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.exception("a request failed: %s %s", request.method, request.url.path, exc_info=error)
        detail = f"{type(error).__name__}; the log of the API has the rest"
        return problem(request, 500, "bug", "A fault of offhook", detail)


def _place(where: tuple[int | str, ...]) -> str:
    """`("body", "direction")` -> `direction`; a whole body that is no JSON -> `body`."""
    return ".".join(str(part) for part in where[1:]) or str(where[0])


_TITLES = {
    "not-found": "There is nothing at this address",
    "method-not-allowed": "This address has no such method",
    "forbidden": "This is not allowed",
}
