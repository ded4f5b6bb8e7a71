"""What is wrong with a file's fields, in words: where it stands, what was written, what is allowed, what was meant.

Only the wording, for every file that people write: policies, prices, rules of admission, tools. What is right is the
matter of the file's model; what is allowed is taken from that model's own types, so it cannot go out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from offhook.policies.core.units import SCALES, Section, unit_of
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails

from .yaml_lines import Place


def messages(
    file: str,
    raw: Any,
    places: dict[Place, int],
    error: ValidationError,
    model: type[BaseModel],
    unshown: frozenset[str] = frozenset(),
) -> list[str]:
    """Each fault as `file:line: field: what was written; allowed: what may be`, in the order of the file.

    Args:
        model: what the whole file is.
        unshown: fields whose values are nobody's to read, such as headers with passwords.
    """
    found = sorted(_message(raw, places, each, model, unshown) for each in error.errors())
    return list(dict.fromkeys(f"{file}:{line}: {text}" for line, text in found))


def unknown(written: str, fields: Iterable[str]) -> str:
    """What is said of a field that there is not: the one that was meant, where one is near, and all that there are."""
    known = list(fields)
    near = get_close_matches(written, [*known, *map(_without_unit, known)], 1, 0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown field; {hint}allowed: {', '.join(known)}"


def line_of(places: dict[Place, int], place: Place) -> int:
    """The line of `place`, or of the nearest thing around it that is in the file."""
    while place and place not in places:
        place = place[:-1]
    return places.get(place, 1)


def _message(
    raw: Any, places: dict[Place, int], error: ErrorDetails, root: type[BaseModel], unshown: frozenset[str]
) -> tuple[int, str]:
    """One of pydantic's errors: its line, and what is to be said of it."""
    place = tuple(part for part in error["loc"] if part != "[key]")
    place = _as_written(raw, place)
    kind, context = error["type"], error.get("ctx", {})
    field = ".".join(map(str, place))
    line = line_of(places, place)
    model = _model_of(root, place[:-1])
    written = "(not shown)" if unshown.intersection(map(str, place)) else _short(error["input"])
    if kind == "missing":
        described = _described(model, str(place[-1]))
        return line, f"{field}: missing{described}"
    if kind == "extra_forbidden":
        return line, f"{field}: {unknown(str(place[-1]), _names(model) if model is not None else ())}"
    if kind == "value_error":
        return line, f"{field}: {context.get('error', error['msg'])!s}"
    unit = unit_of(_field_name(model, str(place[-1])) or "")
    allowed = _allowed(model, str(place[-1])) or error["msg"].removeprefix("Input should be ")
    return line, f"{field}: {_with_unit(written, error['input'], unit)}; allowed: {allowed}"


def _as_written(raw: Any, place: Place) -> Place:
    """The place as the file has it: a field may be written without the unit in its name."""
    written: list[str | int] = []
    here = raw
    for part in place:
        if isinstance(here, dict) and part not in here and isinstance(part, str):
            short = _without_unit(part)
            part = short if short in here else part
        written.append(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
    return tuple(written)


def _names(model: type[BaseModel]) -> list[str]:
    """A model's fields as people write them: `readiness: 60 %`, not `readiness_share: 0.6`."""
    return [_without_unit(field) if issubclass(model, Section) else field for field in model.model_fields]


def _without_unit(field: str) -> str:
    unit = unit_of(field)
    return field.removesuffix(f"_{unit}") if unit else field


def _model_of(root: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """The section that `place` is in, by walking the model's own types."""
    kind: Any = root
    if issubclass(root, RootModel):
        kind = root.model_fields["root"].annotation
    for part in place:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            name = _field_name(kind, str(part))
            kind = kind.model_fields[name].annotation if name else None
        else:
            kind = get_args(kind)[-1] if get_args(kind) else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _field_name(model: type[BaseModel] | None, written: str) -> str | None:
    for field in model.model_fields if model is not None else ():
        if written in (field, _without_unit(field)):
            return field
    return None


def _described(model: type[BaseModel] | None, field: str) -> str:
    allowed = _allowed(model, field)
    return f"; allowed: {allowed}" if allowed else ""


def _allowed(model: type[BaseModel] | None, written: str) -> str:
    """What a field may hold, in words: its bounds with the unit, its choices, or its type."""
    name = _field_name(model, written)
    if model is None or name is None:
        return ""
    field, unit = model.model_fields[name], unit_of(name)
    choices = [str(choice) for choice in _choices(field.annotation)]
    if choices:
        return ", ".join(choices)
    bounds: dict[str, Any] = {}
    for limit in field.metadata:
        for key in ("ge", "le", "min_length", "max_length", "pattern"):
            value = getattr(limit, key, None)
            if value is not None:
                bounds[key] = value
    if "ge" in bounds:
        upper = f" to {_number(bounds['le'], unit)}" if "le" in bounds else " at least"
        units = f" (units: {', '.join(SCALES[unit])})" if unit and unit != "share" else ""
        return f"{_number(bounds['ge'], unit)}{upper}{units}"
    if "pattern" in bounds:
        return f"text that matches {bounds['pattern']}"
    return _type_words(field.annotation)


def _choices(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(choice for each in get_args(kind) for choice in _choices(each)) if get_origin(kind) is tuple else ()


def _type_words(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"a section with the fields {', '.join(_names(kind))}"
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    origin = get_origin(kind)
    if origin is dict:
        return f"a mapping of {words.get(get_args(kind)[0], 'names')} to {_type_words(get_args(kind)[1])}"
    if origin is tuple:
        return f"a list of {_type_words(get_args(kind)[0])}"
    return words.get(kind, getattr(kind, "__name__", str(kind)))


def _number(value: float, unit: str) -> str:
    name = {"ms": "ms", "db": "dB", "hz": "Hz", "cents": "cents"}.get(unit, "")
    return f"{value:g} {name}".strip() if not float(value).is_integer() else f"{int(value)} {name}".strip()


def _with_unit(written: str, value: Any, unit: str) -> str:
    return _number(value, unit) if unit and isinstance(value, (int, float)) and not isinstance(value, bool) else written


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
