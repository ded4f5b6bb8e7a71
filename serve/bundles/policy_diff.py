"""What differs between two bundles: the fields of the policy as it was understood, and the files by their contents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offhook.policies.core.units import unit_of

from .policy_files import digests, load


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `files` maps names to digests of their contents."""

    name: str
    version: str
    policy: Mapping[str, Any]
    files: Mapping[str, str]

    @classmethod
    def of_folder(cls, folder: Path) -> Side:
        """Raises:
        PolicyError: the bundle cannot be read.
        """
        bundle = load(folder)
        return cls(str(folder), bundle.version, bundle.plain(), digests(folder))


def compared(before: Side, after: Side) -> dict[str, Any]:
    """{before, after: versions, fields: [{field, before, after}], files: {gone, new, changed}, lines}."""
    old, new = dict(_flat(before.policy)), dict(_flat(after.policy))
    fields = [
        {"field": field, "before": old.get(field), "after": new.get(field)}
        for field in dict.fromkeys((*old, *new))
        if old.get(field) != new.get(field)
    ]
    files = {
        "gone": sorted(set(before.files) - set(after.files)),
        "new": sorted(set(after.files) - set(before.files)),
        "changed": sorted(n for n in before.files if n in after.files and before.files[n] != after.files[n]),
    }
    told = (_line(str(each["field"]), each["before"], each["after"]) for each in fields)
    lines = [line for line in told if line]
    lines += [f"{name}: {what}" for what, names in files.items() for name in names]
    return {"before": before.version, "after": after.version, "fields": fields, "files": files, "lines": lines}


def _flat(value: Any, place: str = "") -> list[tuple[str, Any]]:
    """Nested mappings as one level: ("gate.actions.book_meeting.readiness_share", 0.45)."""
    if isinstance(value, Mapping) and value:
        return [pair for key, inner in value.items() for pair in _flat(inner, f"{place}.{key}" if place else str(key))]
    return [(place, value)]


def _line(field: str, before: Any, after: Any) -> str:
    unit = unit_of(field.rpartition(".")[2])
    old, new = (_worded(value, unit) for value in (before, after))
    return f"{field}: {old} -> {new}" if old != new else ""  # an empty list beside none is no difference to a reader


def _worded(value: Any, unit: str) -> str:
    if value is None or value == []:
        return "not set"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return repr(value)
    return f"{value:.0%}" if unit == "share" else f"{value:g} {unit}".strip()
