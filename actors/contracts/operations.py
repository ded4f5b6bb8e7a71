"""What an operation of an actor is: name, parameters and answer, declared once; everything that calls it is derived.

An operation is a method without a body, marked `repeatable` or `once`, in a class of `Operations`:

    class Clock(Operations):
        @repeatable
        async def now(self, zone: str = "UTC") -> Moment:
            \"\"\"The time of day.\"\"\"

- Called on a reference (a subclass that has `send`), it goes to the actor: by name, with the arguments as plain values.
- An actor implements it (a subclass of `Answering`, beside the declaration): `answer_now` reads the arguments, calls
  it, and makes its answer plain.
- With `at="GET /v1/now/{zone}"` the web API offers it there (`serve/web/operation_routes.py`), and the command line
  asks for it there (`serve/client/running.py`).

Answers are records: frozen dataclasses whose fields are plain values, other records, or models of pydantic. Between
processes they are maps. A reader ignores fields that it does not know, and takes the default of one that is missing, so
processes of two releases understand each other as long as fields and parameters are only added, with a default.
Which operations there are is written in `call_operations.py`, `node_operations.py` and `cluster/operations.py`.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import cache, cached_property
from typing import (
    Any,
    Concatenate,
    Generic,
    NamedTuple,
    NotRequired,
    ParamSpec,
    TypeVar,
    get_type_hints,
    overload,
)

from offhook.policies.core.errors import CallerFault
from pydantic import BaseModel, SkipValidation, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from .errors import ProtocolFault

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])

# Marks a type (`Annotated[..., PLAIN]`) whose values are plain already: neither looked at nor copied on their way.
PLAIN: Any = SkipValidation()  # type: ignore[type-arg]  # an alias to type checkers

_NOTHING: Mapping[str, object] = {}
_ATOMS = frozenset({str, int, float, bool, bytes, type(None)})


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """Where the web API offers an operation. What the path does not name travels in the query, a record in the body."""

    method: str
    path: str
    status: int = 200

    @classmethod
    def read(cls, written: str, status: int) -> Address:
        """`"GET /v1/nodes/{node}"`."""
        method, path = written.split(" ")
        return cls(method, path, status)


class Operation(Generic[T]):
    """One operation, as it was declared."""

    def __init__(self, declared: Callable[..., Awaitable[T]], *, once: bool, address: Address | None) -> None:
        self.name = declared.__name__
        self.remote_name = f"answer_{self.name}"
        self.says = inspect.getdoc(declared) or ""
        self.once = once
        self.address = address
        self._declared = declared

    @cached_property
    def signature(self) -> inspect.Signature:
        """Its parameters, without `self`, and its answer; annotations are types."""
        hints = get_type_hints(self._declared, include_extras=True)
        signature = inspect.signature(self._declared)
        parameters = [
            each.replace(annotation=hints[each.name]) for each in signature.parameters.values() if each.name != "self"
        ]
        return signature.replace(parameters=parameters, return_annotation=hints["return"])

    def given(self, *arguments: object, **named: object) -> dict[str, object]:
        """The arguments of one call by name, plain. Those that are not given have their default at the actor.

        Raises:
            TypeError: as a call with wrong arguments does.
        """
        return {name: plain(value) for name, value in self.signature.bind(*arguments, **named).arguments.items()}

    def arguments(self, raw: Mapping[str, object]) -> dict[str, Any]:
        """What `given` made, as the actor's method takes it: checked, with defaults, without what is not known here.

        Raises:
            CallerFault: one is missing, or is not of its type; the message names it.
        """
        try:
            return self._defaults | self._reader.validate_python(raw, extra="ignore")
        except ValidationError as error:
            raise CallerFault(f"{self.name}: {wrong(error)}") from None

    def plain(self, answer: object) -> object:
        """An answer as it travels."""
        return answer if _as_it_is(self.signature.return_annotation) else plain(answer)

    def answer(self, raw: object) -> T:
        """What `plain` made, as the caller gets it.

        Raises:
            ProtocolFault: it is not of the declared type.
        """
        return read(self.signature.return_annotation, raw, f"the answer to {self.name}")  # type: ignore[no-any-return]

    @cached_property
    def _defaults(self) -> dict[str, Any]:
        given = self.signature.parameters.values()
        return {each.name: each.default for each in given if each.default is not each.empty}

    @cached_property
    def _reader(self) -> TypeAdapter[dict[str, Any]]:
        fields = {
            each.name: each.annotation if each.default is each.empty else NotRequired[each.annotation]
            for each in self.signature.parameters.values()
        }
        return TypeAdapter(TypedDict(self.name, fields))  # type: ignore[operator]  # fields are known at run time only


class Operations:
    """Base of declarations, and of references to what answers them."""

    async def send(self, operation: Operation[Any], arguments: Mapping[str, object]) -> object:
        """Have an operation carried out wherever this refers to; its answer, plain."""
        raise NotImplementedError(f"{type(self).__name__} does not implement operation {operation.name}")


class Answering:
    """Base of actors: for every operation that a subclass implements it has a method `answer_NAME`, which references
    call: plain values in, plain values out.

    A method for each, because Ray serializes every argument by itself: a call without arguments has none to send.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        kind: type = cls
        for operation in operations(kind).values():
            if not hasattr(cls, operation.remote_name):
                answer = _answering(operation)
                # Ray pickles an actor's methods one by one; with these names it is by reference.
                answer.__module__, answer.__qualname__ = cls.__module__, f"{cls.__qualname__}.{operation.remote_name}"
                setattr(cls, operation.remote_name, answer)


def _answering(operation: Operation[Any]) -> Callable[..., Awaitable[object]]:
    async def answer(self: object, arguments: Mapping[str, object] = _NOTHING) -> object:
        return operation.plain(await getattr(self, operation.name)(**operation.arguments(arguments)))

    answer.__name__ = operation.remote_name
    return answer


@overload
def repeatable(declared: Method, /) -> Method: ...
@overload
def repeatable(*, at: str, status: int = 200) -> Callable[[Method], Method]: ...
def repeatable(declared: Any = None, /, *, at: str = "", status: int = 200) -> Any:
    """Declare an operation that may be carried out twice: it is asked again while its actor restarts."""
    return _declare(declared, False, at, status)


@overload
def once(declared: Method, /) -> Method: ...
@overload
def once(*, at: str, status: int = 200) -> Callable[[Method], Method]: ...
def once(declared: Any = None, /, *, at: str = "", status: int = 200) -> Any:
    """Declare an operation that is given once: where its actor is away, nobody knows whether it was carried out."""
    return _declare(declared, True, at, status)


def _declare(declared: Any, once: bool, at: str, status: int) -> Any:
    def declare(method: Callable[..., Awaitable[Any]]) -> Any:
        operation: Operation[Any] = Operation(method, once=once, address=Address.read(at, status) if at else None)

        async def sent(self: Operations, *arguments: object, **named: object) -> Any:
            return operation.answer(await self.send(operation, operation.given(*arguments, **named)))

        sent.__name__, sent.__qualname__, sent.__doc__ = method.__name__, method.__qualname__, method.__doc__
        sent.__dict__["operation"] = operation
        return sent

    return declare if declared is None else declare(declared)


@cache
def operations(kind: type) -> Mapping[str, Operation[Any]]:
    """Every operation that a class declares or implements, by name; of two declarations the nearer one counts."""
    found: dict[str, Operation[Any]] = {}
    for each in reversed(kind.__mro__):
        found |= {name: value.operation for name, value in vars(each).items() if hasattr(value, "operation")}
    return found


def operation_of(declared: Callable[Concatenate[Any, P], Awaitable[T]]) -> Operation[T]:
    """The operation behind a method of a declaration: `operation_of(NodeOperations.drain)`."""
    operation: Operation[T] = declared.operation  # type: ignore[attr-defined]  # set by `_declare`
    return operation


# --- plain values ---------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as it travels: maps, lists, text, numbers, bytes."""
    kind: type = type(value)
    if kind in _ATOMS:
        return value
    fields = _fields(kind)
    if fields is not None:
        told: dict[str, Any] = fields.of(value)
        for name in fields.nested:
            told[name] = plain(told[name])
        return told
    if isinstance(value, Mapping):
        return {key: each if type(each) in _ATOMS else plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Enum):
        return value.value
    raise ProtocolFault(f"a {kind.__name__} does not travel between processes: {value!r:.80}")


def read(kind: Any, raw: object, what: str) -> Any:
    """Plain values as a record (or whatever `kind` is): unknown fields are ignored, missing ones have their default.

    Raises:
        ProtocolFault: a field without a default is missing, or one is of another type.
    """
    try:
        return _adapter(kind).validate_python(raw, extra="ignore")
    except ValidationError as error:
        raise ProtocolFault(f"{what}: {wrong(error)}") from None


def wrong(error: ValidationError) -> str:
    """Each wrong field, and what is wrong about it."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors())


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


class _Fields(NamedTuple):
    of: Callable[[Any], dict[str, Any]]  # name -> value, as they are
    nested: tuple[str, ...]  # fields that may hold more than one plain value


@cache
def _fields(record: type) -> _Fields | None:
    """How a record's fields are taken out of it; None = it is no record."""
    if not dataclasses.is_dataclass(record):
        return None
    hints = get_type_hints(record, include_extras=True)
    names = [each.name for each in dataclasses.fields(record)]
    nested = tuple(name for name in names if hints[name] not in _ATOMS and not _as_it_is(hints[name]))
    slots = "__slots__" in vars(record)
    return _Fields(lambda value: {name: getattr(value, name) for name in names} if slots else dict(vars(value)), nested)


def _as_it_is(kind: Any) -> bool:
    return any(each is PLAIN for each in getattr(kind, "__metadata__", ()))
