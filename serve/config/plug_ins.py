"""Parts that are found by entry points: in this package and in any other that is installed beside it.

A package offers one in its pyproject.toml, and is installed on every node:

    [project.entry-points."offhook.recognizers"]
    acme = "acme_speech.engine:make"

What has to stand there is said by the part's own port (`serve/engines/port.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from offhook.policies.core.errors import OffhookError

from ..contracts.errors import SettingFault, StartFault

RECOGNIZERS = "offhook.recognizers"
SYNTHESIZERS = "offhook.synthesizers"

Options = Mapping[str, str]


def names(group: str) -> tuple[str, ...]:
    """What is installed of a group, in the order of the alphabet."""
    return tuple(sorted({entry.name for entry in entry_points(group=group)}))


def make(group: str, name: str, options: Options) -> Any:
    """The part of this name, made with its options.

    Raises:
        SettingFault: none of this name is installed, or two are.
        StartFault: it cannot be loaded or made; the message says where it stands.
    """
    found = _one(group, name)
    try:
        factory: Callable[[Options], Any] = found.load()
        return factory(options)
    except OffhookError:
        raise
    except Exception as error:  # somebody else's code
        where = f"{found.value}, of {found.dist.name if found.dist is not None else 'an unknown package'}"
        raise StartFault(f"{group} {name!r} ({where}) cannot be made: {type(error).__name__}: {error}") from error


def read_options(setting: str, text: str) -> dict[str, str]:
    """Options as a setting writes them: `name=value`, separated by spaces, quoted as in a shell.

    Raises:
        SettingFault: something else.
    """
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise SettingFault(f"{setting}: {error}") from error
    for name, equals, _ in pairs:
        if not name or not equals:
            raise SettingFault(f"{setting}: {name!r} is no option; write name=value, separated by spaces")
    return {name: value for name, _, value in pairs}


def check_options(part: str, options: Options, known: tuple[str, ...]) -> None:
    """Raises:
    SettingFault: an option that the part does not have.
    """
    for name in options:
        if name not in known:
            raise SettingFault(f"{part} has no option {name!r}; it has: {', '.join(known) or 'none'}")


def _one(group: str, name: str) -> EntryPoint:
    found = {entry.value: entry for entry in entry_points(group=group) if entry.name == name}
    if not found:
        raise SettingFault(
            f"{group}: no {name!r} is installed; there are: {', '.join(names(group)) or 'none'}. "
            "A plug-in is found once its package is installed on this node"
        )
    if len(found) > 1:
        raise SettingFault(f"{group}: {name!r} is installed twice: {', '.join(sorted(found))}")
    return next(iter(found.values()))
