"""Operators' tables: prices, and the rules of admission. YAML in, checked; every message names file, line and field.

    carrier_minute: 1.25 cents
    node_hour: 17.85 cents

What a field means, its model says (`policies/fleet/cost.py`, `policies/fleet/admission_rules.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from offhook.policies.core.errors import CallerFault
from offhook.policies.core.units import Section
from offhook.policies.fleet.admission_rules import Admission
from offhook.policies.fleet.cost import Prices
from pydantic import ValidationError

from .field_faults import messages
from .yaml_lines import YamlFault
from .yaml_lines import read as read_yaml

Table = TypeVar("Table", bound=Section)


class TableFault(CallerFault):
    """A table that cannot be used. Names file, line and field, and what is allowed."""


def read_prices(path: Path | None) -> Prices:
    """The price table; the stock one where none is named. Raises: TableFault."""
    return read(path, Prices, "a price table") if path is not None else Prices()


def read_admission(path: Path, **base: Any) -> dict[str, Any]:
    """The rules of admission, over those of `base`, as plain values. Raises: TableFault."""
    table = read(path, Admission, "a table of admission rules")
    return base | table.model_dump(exclude_unset=True)


def read(path: Path, model: type[Table], what: str) -> Table:
    """A table of one kind.

    Raises:
        TableFault: it cannot be read or used; each line of the message names file, line, field and what is allowed.
    """
    try:
        raw, lines = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TableFault(f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    except YamlFault as error:
        raise TableFault(f"{path}:{error.line}: {error.reason}") from None
    if raw is not None and not isinstance(raw, dict):
        raise TableFault(f"{path}:1: {what} is a mapping of {', '.join(model.model_fields)}")
    try:
        return model.model_validate(raw or {})
    except ValidationError as error:
        raise TableFault("\n".join(messages(str(path), raw or {}, lines, error, model))) from None
