"""The file that says which actions are carried out by which HTTP tools: `offhook up --tools FILE`.

    book_meeting:
      url: https://calendar.example/acts
      look_up: get              # asked with the key whether it happened; head, or none where it cannot be asked
      idempotent: true          # its side drops a repetition of a key
      limit: 5 s
      headers: {Authorization: Bearer ...}

What is sent to such a URL, and what its answers mean: `actors/node/http_tool.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from offhook.actors.node.http_tool import offered
from offhook.actors.node.tools import LIMIT_MS_MAX
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.units import Section
from pydantic import Field, RootModel, ValidationError

from ..contracts.errors import SettingFault
from .field_faults import line_of, messages
from .yaml_lines import Place, YamlFault
from .yaml_lines import read as read_yaml

UNSHOWN = frozenset({"headers"})  # they hold passwords


class ToolFields(Section):
    """One action's tool."""

    url: str
    look_up: Literal["get", "head", "none"] = "none"
    idempotent: bool = False
    limit_ms: int = Field(10_000, ge=1, le=LIMIT_MS_MAX)
    headers: dict[str, str] = Field(default_factory=dict)


class ToolTable(RootModel[dict[str, ToolFields]]):
    """Action -> its tool."""


def read_tools(path: str) -> dict[str, Any]:
    """Action -> fields; {} where no file is named.

    Raises:
        SettingFault: the file cannot be read, or a tool in it cannot be used: with file, line, field and what is
            allowed. What its headers say is not repeated.
    """
    if not path:
        return {}
    try:
        told, lines = read_yaml(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingFault(f"tools: {path} cannot be read: {getattr(error, 'strerror', None) or 'no UTF-8'}") from None
    except YamlFault as fault:
        raise SettingFault(f"tools: {path}:{fault.line}: {fault.reason}") from None
    if not isinstance(told, dict):
        raise SettingFault(
            f"tools: {path}:1: it holds actions and their tools, as in: book_meeting: {{url: https://...}}"
        )
    try:
        table = ToolTable.model_validate(told).root
    except ValidationError as error:
        found = messages(path, told, lines, error, ToolTable, UNSHOWN)
        raise SettingFault("\n".join(f"tools: {line}" for line in found)) from None
    fields = {action: tool.model_dump(exclude_unset=True) for action, tool in table.items()}
    for action in fields:
        _check(path, lines, action, fields[action])
    return fields


def _check(path: str, lines: dict[Place, int], action: str, fields: dict[str, Any]) -> None:
    """What a model cannot say: that the URL is one. Raises: SettingFault."""
    try:
        offered({action: fields})
    except CallerFault as fault:
        raise SettingFault(f"tools: {path}:{line_of(lines, (action, 'url'))}: {fault}") from None
