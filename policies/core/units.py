"""Numbers with units, as a policy file writes them: `500 ms`, `0.5 s`, `-45 dB`, `12 %`, `440 Hz`, `30 cents`.

A field's unit is the last word of its name (`decision_window_ms`). A file may write the field with its unit in the
name and a plain number (`decision_window_ms: 500`), or without it and the unit in the value (`decision_window: 0.5 s`).
A plain number without any unit is an error that says what is allowed.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from .errors import PolicyError

_NUMBER_WITH_UNIT = re.compile(r"^\s*([-+]?\d+(?:\.\d+)?)\s*([A-Za-z%]+)\s*$")

SCALES: dict[str, dict[str, float]] = {
    "ms": {"ms": 1, "s": 1_000, "min": 60_000},
    "db": {"dB": 1},
    "hz": {"Hz": 1, "kHz": 1_000},
    "share": {"%": 0.01},
    "cents": {"cents": 1},
}
_UNITLESS = frozenset({"share"})  # a share between 0 and 1 needs no unit


class _NoUnit:
    """A number that a file wrote without a unit, on its way to the field that will refuse it."""

    def __init__(self, raw: object) -> None:
        self.raw = raw


def unit_of(field: str) -> str:
    """The unit that a field's name ends with, or an empty string."""
    last = field.rpartition("_")[2]
    return last if last in SCALES and last != field else ""


def read_quantity(raw: str, unit: str) -> float:
    """`"0.5 s"` in unit `ms` -> 500.0. Raises ValueError that names the allowed units."""
    match = _NUMBER_WITH_UNIT.match(raw)
    scales = SCALES[unit]
    if match is None or match[2] not in scales:
        raise ValueError(f"{raw!r} is not a number with a unit that fits here; allowed units: {', '.join(scales)}")
    return float(match[1]) * scales[match[2]]


class _PassedOver(set[str]):
    """Fields of a recorded policy that are unknown here; as the context of a validation, it says "pass them over"."""


class Section(BaseModel):
    """One part of a policy: immutable, no unknown fields, units read as the module says.

    An author's unknown field is a mistake. One in a policy that another process has sent, or a journal has kept, is a
    field of another release: `recorded` passes it over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _name_units(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, dict):
            return raw
        named = dict(raw)
        for field in cls.model_fields:
            unit = unit_of(field)
            short = field.removesuffix(f"_{unit}") if unit else ""
            if short and short in named and short not in cls.model_fields:
                value = named.pop(short)
                plain = isinstance(value, (int, float)) and unit not in _UNITLESS
                named[field] = _NoUnit(value) if plain else value
        if isinstance(info.context, _PassedOver):
            unknown = [field for field in named if field not in cls.model_fields]
            info.context.update(f"{cls.__name__}.{field}" for field in unknown)
            for field in unknown:
                del named[field]
        return named

    @field_validator("*", mode="before")
    @classmethod
    def _read_units(cls, raw: Any, info: ValidationInfo) -> Any:
        unit = unit_of(info.field_name or "")
        if isinstance(raw, _NoUnit):
            raise ValueError(f"{raw.raw!r} has no unit; allowed units: {', '.join(SCALES[unit])}")
        if unit and isinstance(raw, str):
            number = read_quantity(raw, unit)
            return round(number) if unit == "ms" and isfinite(number) else number
        return raw

    @classmethod
    def recorded(cls, plain: Any, unknown: set[str] | None = None) -> Self:
        """A section as `model_dump` gave it in this or another release; fields unknown here are passed over.

        Args:
            plain: from a journal, from another process, or from what an earlier life has kept; not from an author.
            unknown: takes the names of what was passed over, as "ActionRules.mood".

        Raises:
            PolicyError: a field that this release knows has no value that it can read; every such field is named.
        """
        passed_over = _PassedOver()
        try:
            read = cls.model_validate(plain, context=passed_over)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or cls.__name__}: {each['msg']}" for each in error.errors()
            )
            raise PolicyError(f"a recorded policy cannot be read by this release: {faults}") from error
        if unknown is not None:
            unknown |= passed_over
        return read
