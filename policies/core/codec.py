"""Codec: events, commands, proposals, verdicts and states as plain arrays, ready for msgpack or JSON, and back.

    encode(Say("u1", "Hello.", Purpose.GREETING, True, "g1"))  ->  ["Say", "u1", "Hello.", "greeting", True, "g1"]

The first element of an encoded object is its class's name; the rest are its fields in order. A field whose class is
known from the annotation (a `Proposal` inside `AgentAnswered`, a `Floor` inside `CallState`) carries no tag; a
`Principal` is its text. Fields are only ever added at the end and with a default, so a shorter array from an older
version still decodes.

An encoder and a decoder are compiled per class on first use, as `dataclasses` compiles `__init__`: the journal encodes
every event of every call, and a call process must not pay at import for classes that it never meets. Decoding checks
every field's type, because arrays come from other processes. What the arrays mean is not this file's matter.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

from . import commands, events, proposals, signals, state
from .errors import CallerFault
from .principal import Principal


class CodecFault(CallerFault):
    """An array that is not an encoded object of this version; the message names the tag and the field."""


Encoder = Callable[[Any], list[Any]]
Decoder = Callable[[list[Any]], Any]


def _dataclasses_of(module: types.ModuleType) -> dict[str, type]:
    """The dataclasses that a module defines (not those that it imports), by name."""
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
    }


TAGS: dict[str, type] = {
    **_dataclasses_of(events),
    **_dataclasses_of(commands),
    **_dataclasses_of(proposals),
    **_dataclasses_of(signals),
    **_dataclasses_of(state),
}
for _base in ("Event", "Command"):
    del TAGS[_base]

_TAGGED = frozenset(TAGS.values())

_encoders: dict[type, Encoder] = {}
_decoders: dict[str, Decoder] = {}


def encode(thing: Any) -> list[Any]:
    """An event, command, proposal, verdict, grant or state as an array of plain values; `decode` gives it back.

    Raises:
        CodecFault: an object of a class that has no tag.
    """
    kind: type = thing.__class__
    encoder = _encoders.get(kind)
    if encoder is None:
        if kind not in _TAGGED:
            raise CodecFault(f"{kind.__name__} cannot be encoded; known are {', '.join(sorted(TAGS))}")
        encoder = _encoders[kind] = _compile_encoder(kind, tagged=True)
    return encoder(thing)


def decode(array: list[Any]) -> Any:
    """The object that `encode` made this array from.

    Raises:
        CodecFault: not an array, an unknown tag, more fields than the class has, or a field of the wrong type.
    """
    if array.__class__ is not list or not array or array[0].__class__ is not str:
        raise CodecFault(f"an encoded object is an array that begins with a name, got {array!r:.80}")
    decoder = _decoders.get(array[0])
    if decoder is None:
        kind = TAGS.get(array[0])
        if kind is None:
            raise CodecFault(f"unknown tag {array[0]!r:.80}; known are {', '.join(sorted(TAGS))}")
        decoder = _decoders[array[0]] = _compile_decoder(kind, tagged=True)
    return decoder(array)


def plain(value: Any) -> Any:
    """A value of free shape (the body of a notice) in lists, dicts, strings and numbers only."""
    kind = value.__class__
    if kind in _PLAIN:
        return value
    if kind is dict:  # the body of a notice, nearly always flat: no call for each of its values
        return {str(key): item if item.__class__ in _PLAIN else plain(item) for key, item in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise CodecFault(f"{kind.__name__} is not plain; allowed: str, int, float, bool, None, list, dict")


_PLAIN = frozenset({str, int, float, bool, type(None)})


# --- compiling ------------------------------------------------------------------------------------------------------


class _Source:
    """The source text of one compiled function and the names that it uses."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.names: dict[str, Any] = {"kind": kind, "plain": plain}
        self.depth = 0

    def name(self, value: Any) -> str:
        """A name under which the source may use `value`."""
        name = f"n{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        self.depth += 1
        return f"v{self.depth}"

    def compile(self, lines: list[str]) -> Callable[[Any], Any]:
        exec(compile("\n".join(lines), f"<codec of {self.kind.__name__}>", "exec"), self.names)
        return typing.cast(Callable[[Any], Any], self.names["run"])


def _fields(kind: type) -> list[tuple[str, Any, bool]]:
    """Name, resolved annotation and "may be missing" of each field, in order."""
    hints = typing.get_type_hints(kind)
    return [
        (
            field.name,
            hints[field.name],
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    ]


def _compile_encoder(kind: type, tagged: bool) -> Encoder:
    source = _Source(kind)
    parts = [repr(kind.__name__)] if tagged else []
    parts += [_encoding(source, hint, f"o.{name}") for name, hint, _ in _fields(kind)]
    return source.compile(["def run(o):", f"    return [{', '.join(parts)}]"])


def _encoding(source: _Source, hint: Any, value: str) -> str:
    """The expression that turns `value`, annotated with `hint`, into plain values."""
    if hint in _LEAVES:
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"{value}._value_"
    if hint is Principal:
        return f"{value}.text"
    if dataclasses.is_dataclass(hint):
        return f"{source.name(_compile_encoder(typing.cast(type, hint), tagged=False))}({value})"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return f"(None if {value} is None else {_encoding(source, arguments[0], value)})"
    if origin is frozenset:
        return f"sorted({value})"
    if origin is tuple and arguments[-1] is Ellipsis:
        if arguments[0] in _LEAVES:
            return f"list({value})"
        each = source.variable()
        return f"[{_encoding(source, arguments[0], each)} for {each} in {value}]"
    if origin is tuple:
        return f"[{', '.join(_encoding(source, part, f'{value}[{at}]') for at, part in enumerate(arguments))}]"
    if hint == Mapping[str, int]:
        return f"dict({value})"
    if hint == Mapping[str, Any]:
        return f"plain({value})"
    raise TypeError(f"{source.kind.__name__}: the codec has no rule for a field annotated {hint}")


def _compile_decoder(kind: type, tagged: bool) -> Decoder:
    fields, first = _fields(kind), int(tagged)
    most = len(fields) + first
    least = most - sum(optional for _, _, optional in fields)
    source = _Source(kind)
    wrong_size = _wrong_size(kind, least, most)
    parts = [
        _decoding(source, hint, f"a[{at}]", f"{kind.__name__}.{name}")
        for at, (name, hint, _) in enumerate(fields, start=first)
    ]
    source.names["short"] = lambda array: run(_lengthened(kind, array, most, wrong_size))
    run: Decoder = source.compile(
        [
            "def run(a):",
            f"    if a.__class__ is not list or len(a) != {most}: return short(a)",
            f"    return kind({', '.join(parts)})",
        ]
    )
    return run


def _lengthened(kind: type, array: Any, most: int, wrong_size: Callable[[Any], NoReturn]) -> list[Any]:
    """An array from an older version, with the defaults of the fields that it lacks. Rare, so nothing is compiled."""
    missing = most - len(array) if array.__class__ is list else 0
    fields = dataclasses.fields(kind)[-missing:] if missing > 0 else ()
    values = [
        field.default if field.default_factory is dataclasses.MISSING else field.default_factory() for field in fields
    ]
    if not fields or len(fields) != missing or dataclasses.MISSING in values:
        wrong_size(array)
    return [*array, *map(_untagged, values)]


def _untagged(value: Any) -> Any:
    """A field's default as its array has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _compile_encoder(value.__class__, tagged=False)(value)
    return plain(value)


def _wrong_size(kind: type, least: int, most: int) -> Callable[[Any], NoReturn]:
    def wrong_size(array: Any) -> NoReturn:
        if array.__class__ is not list:
            raise CodecFault(f"{kind.__name__}: needs an array, got {array.__class__.__name__}")
        raise CodecFault(f"{kind.__name__}: needs {least} to {most} elements, got {len(array)}")

    return wrong_size


def _decoding(source: _Source, hint: Any, value: str, where: str) -> str:
    """The expression that turns the plain `value` into what `hint` says, checking it on the way."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"{source.name(_enum_reader(hint, where))}({value})"
    if hint is Principal:
        return f"{source.name(Principal.of)}({_decoding(source, str, value, where)})"
    if dataclasses.is_dataclass(hint):
        return f"{source.name(_compile_decoder(typing.cast(type, hint), tagged=False))}({value})"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return f"(None if {value} is None else {_decoding(source, arguments[0], value, where)})"
    checked = f"({value} if {value}.__class__ {_class_test(source, hint, origin)} else {{}}({value}))"
    checked = checked.format(source.name(_refusal(hint, where)))
    if hint in _LEAVES or origin is Mapping or hint in (Mapping[str, int], Mapping[str, Any]):
        return checked
    if origin is frozenset or (origin is tuple and arguments[-1] is Ellipsis):
        each = source.variable()
        inner = _decoding(source, arguments[0], each, where)
        collection = "frozenset" if origin is frozenset else "tuple"
        return f"{collection}([{inner} for {each} in {checked}])"
    if origin is tuple:
        sized = source.name(_sized(len(arguments), where))
        each = source.variable()
        inner = ", ".join(_decoding(source, part, f"{each}[{at}]", where) for at, part in enumerate(arguments))
        return f"[({inner}) for {each} in ({sized}({value}),)][0]"
    raise TypeError(f"{where}: the codec has no rule for a field annotated {hint}")


def _class_test(source: _Source, hint: Any, origin: Any) -> str:
    """The test on `__class__` by which a plain value of this annotation is recognised."""
    if hint is float:
        return "in (float, int)"
    if hint in _LEAVES:
        return f"is {hint.__name__}"
    return "is dict" if origin is not tuple and origin is not frozenset else "is list"


def _refusal(hint: Any, where: str) -> Callable[[Any], NoReturn]:
    wanted = hint.__name__ if hint in _LEAVES else "a map" if "Mapping" in str(hint) else "an array"

    def refuse(value: Any) -> NoReturn:
        raise CodecFault(f"{where}: needs {wanted}, got {value.__class__.__name__}")

    return refuse


def _enum_reader(hint: type[StrEnum], where: str) -> Callable[[Any], StrEnum]:
    members = {member.value: member for member in hint}

    def read(value: Any) -> StrEnum:
        member = members.get(value) if value.__class__ is str else None
        if member is None:
            raise CodecFault(f"{where}: needs one of {', '.join(members)}, got {value!r:.40}")
        return member

    return read


def _sized(size: int, where: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value.__class__ is not list or len(value) != size:
            raise CodecFault(f"{where}: needs an array of {size}, got {value!r:.40}")
        return value

    return check


_LEAVES = (str, int, float, bool)
