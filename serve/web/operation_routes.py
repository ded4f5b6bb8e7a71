"""The API's addresses that only pass an operation on: made from its declaration (`actors/contracts/operations.py`).

What the path names are path parameters, a record is the body, a principal is who asks, the rest is the query; the
answer is the operation's. Addresses that do more than that are written by hand, in the files beside this one.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from fastapi import FastAPI
from offhook.actors.contracts.operations import Operation, Operations, operations
from offhook.policies.core.principal import Principal
from pydantic import BaseModel, ConfigDict, Field, create_model

from ..client.control_client import ControlClient
from .principals import CHARS_MAX, WRITTEN, AskedBy, named_in


def add_operations(app: FastAPI, client: Operations, declared: type = ControlClient) -> None:
    """Add an address for every declared operation that has one; `client` carries it out."""
    for operation in operations(declared).values():
        if operation.address is None:
            continue
        answers = operation.signature.return_annotation
        app.add_api_route(
            operation.address.path,
            endpoint(operation, client),
            methods=[operation.address.method],
            status_code=operation.address.status,
            tags=[operation.address.path.split("/")[2]],
            response_model=None if answers is type(None) else answers,
        )


def endpoint(operation: Operation[Any], client: Operations) -> Callable[..., Awaitable[Any]]:
    """A function as FastAPI takes one, which has `client` carry the operation out."""

    async def answer(**given: Any) -> Any:
        arguments = {name: _record(each) if isinstance(each, Body) else each for name, each in given.items()}
        for name in signed:
            said = next((each.by for each in given.values() if isinstance(each, SignedBody)), "")
            arguments[name] = named_in(said, given[name])
        return await getattr(client, operation.name)(**arguments)

    declared = operation.signature.parameters.values()
    signed = [each.name for each in declared if each.annotation is Principal]
    base = SignedBody if signed else Body
    parameters = [_parameter(each, base) for each in declared]
    answer.__signature__ = operation.signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    answer.__name__, answer.__doc__ = operation.name, operation.says.partition("\n\n")[0]
    return answer


def _parameter(declared: inspect.Parameter, base: type[Body]) -> inspect.Parameter:
    """A parameter of an operation as FastAPI takes it. Who asks is told by the request, whatever the default."""
    taken = declared.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    if declared.annotation is Principal:
        return taken.replace(annotation=AskedBy, default=inspect.Parameter.empty)
    if dataclasses.is_dataclass(declared.annotation):
        return taken.replace(annotation=body(declared.annotation, base))
    return taken


class Body(BaseModel):
    """A record as somebody outside sends it: unknown fields are refused by name, between processes they are ignored."""

    model_config = ConfigDict(extra="forbid")


class SignedBody(Body):
    """The same of an operation that is told who asks: the body may say it."""

    by: str = Field(default="", max_length=CHARS_MAX, description=f"who asks: {WRITTEN}")


def body(record: Any, base: type[Body] = Body) -> type[Body]:
    """The body for a record."""
    hints = get_type_hints(record, include_extras=True)
    fields: dict[str, Any] = {}
    for each in dataclasses.fields(record):
        default = each.default_factory() if each.default_factory is not dataclasses.MISSING else each.default
        fields[each.name] = (hints[each.name], ... if default is dataclasses.MISSING else default)
    model: type[Body] = create_model(record.__name__, __base__=base, __doc__=record.__doc__, **fields)
    model.record = record  # type: ignore[attr-defined]
    return model


def _record(sent: Body) -> Any:
    fields = (name for name in type(sent).model_fields if name not in SignedBody.model_fields)
    return type(sent).record(**{name: getattr(sent, name) for name in fields})  # type: ignore[attr-defined]
