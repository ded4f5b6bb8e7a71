"""What is declared, written down as plain values: of each version, beside the bytes that it has made; and what differs.

A dump says of each declaration how it lies, its fields in order with their types and defaults, and of each enum its
members. `wrong` names what no later version may do to one that was released, `grown` what raises the version.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from offhook.actors.contracts import engine_messages, messages, node_messages
from offhook.actors.contracts.message import Message
from offhook.actors.contracts.setup import Engines, Setup
from offhook.actors.engines.port import RecognitionOptions, SynthesisOptions
from offhook.policies.core import codec, commands, events
from offhook.policies.core import records as rec
from offhook.policies.core.layout import Field, fields_of
from offhook.policies.core.principal import Principal
from offhook.policies.core.proposals import Proposal, Verdict
from offhook.policies.core.state import CallState

Schema = dict[str, dict[str, Any]]  # declaration -> what is written down of it
NEEDED = "needed"  # a field without a default
IN_MESSAGES = (Setup, Engines, RecognitionOptions, SynthesisOptions)  # maps that lie in a field of a message


def declared_messages() -> dict[str, type[Message]]:
    """Every declared message, by file and class: names alone are not unique (each kind of hello is a "hello")."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{kind.__name__}": kind
        for module in (messages, node_messages, engine_messages)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == module.__name__
    }


def name_of_message(kind: type[Message]) -> str:
    """As in `declared_messages`."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def of_messages() -> Schema:
    """What PROTOCOL stands for."""
    found: Schema = {
        name: {"lies": "array", "name": kind.NAME, "fields": [_field(each) for each in kind._declared()]}
        for name, kind in declared_messages().items()
    }
    maps = {kind.__name__: {"lies": "map", "fields": list(map(_field, fields_of(kind)))} for kind in IN_MESSAGES}
    return found | maps


def of_records() -> Schema:
    """What FORMAT stands for: records and the bodies that are declared for their kinds."""
    hints = typing.get_type_hints(rec.Record)
    row: Schema = {"Record": {"lies": "array", "fields": [[name, _hint(hints[name]), NEEDED] for name in hints]}}
    kinds = {kind.__name__: kind.KIND for kind in rec.KINDS.values()}
    found = _reached(rec.KINDS.values())
    for name, kind in kinds.items():
        found[name] |= {"lies": "map" if rec.lies_in_map(rec.KINDS[kind]) else "array", "name": kind}
    return row | found


def of_core() -> Schema:
    """What CORE stands for: all that `step` takes, holds and gives."""
    tagged = [
        kind for module in (events, commands) for kind in codec.TAGS.values() if kind.__module__ == module.__name__
    ]
    return _reached([*tagged, Proposal, Verdict, CallState])


def wrong(before: Schema, now: Schema) -> list[str]:
    """What has happened to declarations that must not: bytes of then would be read as something else, or not at all."""
    found = []
    for name, then in before.items():
        today = now.get(name)
        if today is None:
            found.append(f"{name} is gone: never take a class or an enum away, and never rename one")
            continue
        found += [
            f"{name}: {what} was {then.get(what)!r} and is {today.get(what)!r}"
            for what in ("lies", "name")
            if then.get(what) != today.get(what)
        ]
        found += [f"{name}.{each} is gone" for each in then.get("members", ()) if each not in today.get("members", ())]
        found += [f"{name}.{fault}" for fault in _wrong_fields(then.get("fields", []), today.get("fields", []))]
    return found


def _wrong_fields(before: list[list[Any]], now: list[list[Any]]) -> Iterator[str]:
    at_present = {each[0]: (at, each) for at, each in enumerate(now)}
    for at, (name, hint, default) in enumerate(before):
        if name not in at_present:
            yield f"{name} is gone: fields stay for ever"
            continue
        at_now, (_, hint_now, default_now) = at_present[name]
        if at_now != at:
            yield f"{name} was field {at} and is {at_now}: fields are added at the end"
        if hint_now != hint:
            yield f"{name} was {hint} and is {hint_now}: a meaning that changes is a new field"
        if default_now != default:
            yield f"{name} was {default!r} where it is missing and is {default_now!r}: a default stays"
    for name, _, default in now[len(before) :]:
        if default == NEEDED:
            yield f"{name} is new and has no default"


def grown(before: Schema, now: Schema) -> list[str]:
    """What is new since then."""
    found = [f"{name} is new" for name in now if name not in before]
    for name, then in before.items():
        today = now.get(name, {})
        known = {each[0] for each in then.get("fields", ())}
        found += [f"{name}.{each[0]} is new" for each in today.get("fields", ()) if each[0] not in known]
        found += [f"{name}.{each} is new" for each in today.get("members", ()) if each not in then.get("members", ())]
    return found


# --- values -----------------------------------------------------------------------------------------------------------


def shown(value: Any) -> Any:
    """A value by the names of its fields, ready for JSON: what a reader makes of it, however it lies."""
    if isinstance(value, Message):
        return {name: shown(each) for name, each in zip(value.FIELDS, value.fields, strict=True)}
    if isinstance(value, Principal):
        return value.text
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: shown(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): shown(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(shown, value))
    return list(map(shown, value)) if isinstance(value, (list, tuple)) else value


def as_then(told: Any, now: Any) -> Any:
    """`now` without the fields that nobody knew when `told` was written down."""
    if isinstance(told, dict) and isinstance(now, dict):
        return {key: as_then(told[key], each) for key, each in now.items() if key in told}
    if isinstance(told, list) and isinstance(now, list) and len(told) == len(now):
        return [as_then(*pair) for pair in zip(told, now, strict=True)]
    return now


# --- declarations -----------------------------------------------------------------------------------------------------


def _field(field: Field) -> list[Any]:
    return [field.key, _hint(field.hint), shown(field.least) if field.optional else NEEDED]


def _reached(kinds: Iterable[type]) -> Schema:
    """The dump of these dataclasses and of all dataclasses and enums in their fields."""
    found: Schema = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop(0)
        if kind.__name__ in found:
            continue
        if issubclass(kind, StrEnum):
            found[kind.__name__] = {"members": [each.value for each in kind]}
            continue
        fields = fields_of(kind)
        found[kind.__name__] = {"fields": list(map(_field, fields))}
        waiting += [each for field in fields for each in _classes(field.hint)]
    return found


def _classes(hint: Any) -> Iterator[type]:
    if (
        isinstance(hint, type)
        and hint is not Principal
        and (dataclasses.is_dataclass(hint) or issubclass(hint, StrEnum))
    ):
        yield hint
    for part in typing.get_args(hint):
        yield from _classes(part)


def _hint(hint: Any) -> str:
    arguments = typing.get_args(hint)
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return " | ".join(map(_hint, arguments))
    if hint is Ellipsis or hint is type(None):
        return "..." if hint is Ellipsis else "None"
    origin = typing.get_origin(hint) or hint
    return f"{origin.__name__}[{', '.join(map(_hint, arguments))}]" if arguments else str(origin.__name__)
