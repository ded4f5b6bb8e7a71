"""Layout: how a dataclass lies in plain arrays or maps, and back; compiled from its annotations on first use.

Shared by whatever crosses a process or lasts: `codec.py` (events, commands, states), `records.py` (the journal), and
links' messages. What these things are is theirs; here is only how a field of each type is written, checked and read.

The rule of growth, for arrays and maps alike: a field is only ever added at the end and with a default. Who does not
know it passes over it; who misses it takes the default. So one release reads what the next one writes, and the other
way round. A field's type and its default stay; the name of a class that is a tag and the members of an enum stay too,
for ever. A new class or member is what older readers refuse (CodecFault): whoever reads across versions catches that
(`actors/call/resume.py`). Decoding checks every field's type, because what is decoded comes from another process or
another time. A `Principal` is its text.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

from .errors import CallerFault
from .principal import Principal


class CodecFault(CallerFault):
    """Plain values that are not an encoded object of this version; the message names the object and the field."""


Encoder = Callable[[Any], Any]
Decoder = Callable[[Any], Any]

KEY = "key"  # a field's metadata: under which key it lies in a map, where that is no name in Python


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


# --- fields ---------------------------------------------------------------------------------------------------------


class Field(typing.NamedTuple):
    """One field of a declaration. `least`: what it is where it is missing, if it may be."""

    name: str
    hint: Any
    key: str = ""
    optional: bool = False
    least: Any = None


def fields_of(kind: type) -> list[Field]:
    """The fields of a dataclass, in order, their annotations resolved."""
    hints = typing.get_type_hints(kind)
    found = []
    for each in dataclasses.fields(kind):
        made = each.default_factory is not dataclasses.MISSING
        optional = made or each.default is not dataclasses.MISSING
        least = each.default_factory() if each.default_factory is not dataclasses.MISSING else each.default
        key = each.metadata.get(KEY, each.name)
        found.append(Field(each.name, hints[each.name], key, optional, least if optional else None))
    return found


# --- compiling ------------------------------------------------------------------------------------------------------


class _Source:
    """The source text of one compiled function and the names that it uses. `maps`: dataclasses lie in maps."""

    def __init__(self, kind: type, maps: bool = False) -> None:
        self.kind = kind
        self.maps = maps
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
        exec(compile("\n".join(lines), f"<layout of {self.kind.__name__}>", "exec"), self.names)
        return typing.cast(Callable[[Any], Any], self.names["run"])


def array_encoder(kind: type, tagged: bool = False) -> Encoder:
    """A function that lays an object of a dataclass out as an array; `tagged`: behind the name of its class."""
    source = _Source(kind)
    parts = [repr(kind.__name__)] if tagged else []
    parts += [_encoding(source, field.hint, f"o.{field.name}") for field in fields_of(kind)]
    return source.compile(["def run(o):", f"    return [{', '.join(parts)}]"])


def map_encoder(kind: type) -> Encoder:
    """A function that lays an object of a dataclass out as a map; a field that has its default is left out."""
    source = _Source(kind, maps=True)
    needed = [field for field in fields_of(kind) if not field.optional]
    lines = ["def run(o):"]
    pairs = (f"{field.key!r}: {_encoding(source, field.hint, f'o.{field.name}')}" for field in needed)
    lines += [f"    found = {{{', '.join(pairs)}}}"]
    for field in fields_of(kind):
        if field.optional:
            value = f"o.{field.name}"
            lines += [f"    if {value} != {source.name(field.least)}:"]
            lines += [f"        found[{field.key!r}] = {_encoding(source, field.hint, value)}"]
    return source.compile([*lines, "    return found"])


def _encoding(source: _Source, hint: Any, value: str) -> str:
    """The expression that turns `value`, annotated with `hint`, into plain values."""
    if hint in _LEAVES or hint in _FREE or hint in _FREE_LISTS:
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"{value}._value_"
    if hint is Principal:
        return f"{value}.text"
    if dataclasses.is_dataclass(hint):
        inner = map_encoder if source.maps else array_encoder
        return f"{source.name(inner(typing.cast(type, hint)))}({value})"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        return f"(None if {value} is None else {_encoding(source, _or_none(hint, source.kind.__name__), value)})"
    if origin is frozenset:
        return f"sorted({value})"
    if origin is list or (origin is tuple and arguments[-1] is Ellipsis):
        if arguments[0] in _LEAVES:
            return f"list({value})"
        each = source.variable()
        return f"[{_encoding(source, arguments[0], each)} for {each} in {value}]"
    if origin is tuple:
        return f"[{', '.join(_encoding(source, part, f'{value}[{at}]') for at, part in enumerate(arguments))}]"
    if _is_map_of_leaves(hint):
        return f"dict({value})"
    if hint in _MAPS:
        return f"plain({value})"
    raise TypeError(f"{source.kind.__name__}: no rule for a field annotated {hint}")


def array_decoder(
    kind: type, fields_given: list[Field] | None = None, *, tagged: bool = False, name: str = ""
) -> Decoder:
    """A function that makes an object of an array, or raises CodecFault; elements that it does not know it passes over.

    Args:
        kind: a dataclass; with `fields_given`, a kind of tuples that begin with `name`, which these fields follow.
        tagged: the array begins with a name, which is not looked at.
    """
    fields, first = fields_of(kind) if fields_given is None else fields_given, int(tagged)
    most = len(fields) + first
    least = most - sum(field.optional for field in fields)
    source = _Source(kind)
    wrong_size = _wrong_size(kind, least)
    source.names["new"] = tuple.__new__
    parts = [
        _decoding(source, field.hint, f"a[{at}]", f"{kind.__name__}.{field.name}")
        for at, field in enumerate(fields, start=first)
    ]
    source.names["short"] = lambda array: run(_lengthened(fields_given or fields_of(kind), array, most, wrong_size))
    run: Decoder = source.compile(
        [
            "def run(a):",
            f"    if a.__class__ is not list or len(a) < {most}: return short(a)",
            f"    return new(kind, ({name!r}, {', '.join(parts)}))" if name else f"    return kind({', '.join(parts)})",
        ]
    )
    return run


def _lengthened(fields: list[Field], array: Any, most: int, wrong_size: Callable[[Any], NoReturn]) -> list[Any]:
    """An array of an older version, with the defaults of the fields that it lacks. Rare, so nothing is compiled."""
    missing = most - len(array) if array.__class__ is list else 0
    lacking = fields[-missing:] if missing > 0 else []
    if not lacking or len(lacking) != missing or not all(field.optional for field in lacking):
        wrong_size(array)
    return [*array, *(_untagged(field.least) for field in lacking)]


def _untagged(value: Any) -> Any:
    """A field's default as its array has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return value.text if value.__class__ is Principal else array_encoder(value.__class__)(value)
    return value if value.__class__ is bytes else plain(value)


def map_decoder(kind: type) -> Decoder:
    """A function that makes an object of a dataclass of a map, or raises CodecFault; it passes over other keys."""
    source = _Source(kind, maps=True)
    where, lines, values = kind.__name__, ["def run(a):", "    if a.__class__ is not dict: refuse(a)"], []
    source.names["refuse"] = _refusal(dict, where)
    for field in fields_of(kind):
        value, missing = source.variable(), _missing(source, where, field)
        lines += [f"    {value} = a.get({field.key!r}, absent)"]
        decoded = _decoding(source, field.hint, value, f"{where}.{field.key}")
        lines += [f"    {value} = {missing} if {value} is absent else {decoded}"]
        values.append(value)
    source.names["absent"] = object()
    return source.compile([*lines, f"    return kind({', '.join(values)})"])


def _missing(source: _Source, where: str, field: Field) -> str:
    """The expression for a field that is not there: its default (fresh, where it can be changed), or a refusal."""
    if field.optional:
        return f"{field.least!r}" if field.least.__class__ in (dict, list) else source.name(field.least)

    def refuse() -> NoReturn:
        raise CodecFault(f"{where}.{field.key} is missing")

    return f"{source.name(refuse)}()"


def _wrong_size(kind: type, least: int) -> Callable[[Any], NoReturn]:
    def wrong_size(array: Any) -> NoReturn:
        if array.__class__ is not list:
            raise CodecFault(f"{kind.__name__}: needs an array, got {array.__class__.__name__}")
        raise CodecFault(f"{kind.__name__}: needs {least} elements or more, got {len(array)}")

    return wrong_size


def _decoding(source: _Source, hint: Any, value: str, where: str) -> str:
    """The expression that turns the plain `value` into what `hint` says, checking it on the way."""
    if hint in _FREE:
        return value
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return f"{source.name(_enum_reader(hint, where))}({value})"
    if hint is Principal:
        return f"{source.name(Principal.of)}({_decoding(source, str, value, where)})"
    if dataclasses.is_dataclass(hint):
        inner = map_decoder if source.maps else array_decoder
        return f"{source.name(inner(typing.cast(type, hint)))}({value})"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in _UNIONS:
        return f"(None if {value} is None else {_decoding(source, _or_none(hint, where), value, where)})"
    checked = f"({value} if {value}.__class__ {_class_test(hint, origin)} else {{}}({value}))"
    checked = checked.format(source.name(_refusal(hint, where)))
    if hint in _LEAVES or hint in _FREE_LISTS or hint in _MAPS:
        return checked
    if _is_map_of_leaves(hint):
        key, each = source.variable(), source.variable()
        pair = f"{_decoding(source, str, key, where)}: {_decoding(source, arguments[1], each, where)}"
        return f"{{{pair} for {key}, {each} in {checked}.items()}}"
    if origin in (frozenset, list) or (origin is tuple and arguments[-1] is Ellipsis):
        each = source.variable()
        items = f"[{_decoding(source, arguments[0], each, where)} for {each} in {checked}]"
        return items if origin is list else f"{origin.__name__}({items})"
    if origin is tuple:
        sized = source.name(_sized(len(arguments), where))
        each = source.variable()
        parts = ", ".join(_decoding(source, part, f"{each}[{at}]", where) for at, part in enumerate(arguments))
        return f"[({parts}) for {each} in ({sized}({value}),)][0]"
    raise TypeError(f"{where}: no rule for a field annotated {hint}")


def _or_none(union: Any, where: str) -> Any:
    """What a union is beside None; any other union cannot be told apart when it is read."""
    kinds = [each for each in typing.get_args(union) if each is not type(None)]
    if len(kinds) != 1:
        raise TypeError(f"{where}: no rule for a field annotated {union}; of unions, `X | None` alone has one")
    return kinds[0]


def _is_map_of_leaves(hint: Any) -> bool:
    arguments = typing.get_args(hint)
    return typing.get_origin(hint) is Mapping and arguments[0] is str and arguments[1] in _LEAVES


def _class_test(hint: Any, origin: Any) -> str:
    """The test on `__class__` by which a plain value of this annotation is recognised."""
    if hint is float:
        return "in (float, int)"
    if hint in _LEAVES:
        return f"is {hint.__name__}"
    return "is list" if origin in (tuple, frozenset, list) else "is dict"


def _refusal(hint: Any, where: str) -> Callable[[Any], NoReturn]:
    is_map = hint is dict or "Mapping" in str(hint)
    wanted = hint.__name__ if hint in _LEAVES else "a map" if is_map else "an array"

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


_LEAVES = (str, int, float, bool, bytes)
_UNIONS = (types.UnionType, typing.Union)
_FREE = (Any, object)  # as it comes, also in a list or a map: whoever knows what it is looks at it
_FREE_LISTS = (list[Any], list[object])
_MAPS = (Mapping[str, Any], Mapping[str, object])
