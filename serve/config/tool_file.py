"""The file that says which actions are carried out by which HTTP tools. Fields and protocol: `http_tool.py`.

book_meeting:
  url: https://calendar.example/acts
  look_up: get              # asked with the key whether it happened; head, or none where it cannot be asked
  idempotent: true          # its side drops a repetition of a key
  limit_ms: 5000
  headers: {Authorization: Bearer ...}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from offhook.actors.node.http_tool import offered
from offhook.policies.core.errors import CallerFault

from ..contracts.errors import SettingFault


def read_tools(path: str) -> dict[str, Any]:
    """Action -> fields; {} where no file is named.

    Raises:
        SettingFault: the file cannot be read, or a tool in it cannot be used; what its headers say is not repeated.
    """
    if not path:
        return {}
    try:
        told = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise SettingFault(f"tools: {path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingFault(f"tools: {path} is no YAML{f', line {mark.line + 1}' if mark else ''}") from None
    if not isinstance(told, dict):
        raise SettingFault(f"tools: {path} holds actions and their tools, as in: book_meeting: {{url: https://...}}")
    try:
        offered(told)
    except CallerFault as fault:
        raise SettingFault(f"tools: {path}: {fault}") from fault
    return told
