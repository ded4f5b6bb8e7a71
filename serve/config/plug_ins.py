"""Parts that a setting names: they are found by entry points (`policies/plug_ins`), made, and given their options.

What has to stand at an entry point is said by the part's own port (`serve/engines/port.py`, `serve/carriers/port.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from offhook.policies.core.errors import OffhookError
from offhook.policies.plug_ins import finder

from ..contracts.errors import SettingFault

RECOGNIZERS = "offhook.recognizers"
SYNTHESIZERS = "offhook.synthesizers"

Options = Mapping[str, str]


def names(group: str) -> tuple[str, ...]:
    """What is installed of a group, in the order of the alphabet."""
    return finder.names(group)


def make(group: str, name: str, options: Options) -> Any:
    """The part of this name, made with its options.

    Raises:
        SettingFault: none of this name is installed, two are, or it cannot be loaded or made; the message says where
            it stands.
    """
    try:
        point = finder.find(group, name)
        factory: Callable[[Options], Any] = finder.load(point)  # type: ignore[assignment]  # as the port says
        try:
            return factory(options)
        except OffhookError:
            raise
        except Exception as error:  # somebody else's code
            raise finder.unusable(point, f"{type(error).__name__}: {error}") from error
    except finder.PlugInError as error:
        raise SettingFault(str(error)) from error


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


def check_options(part: str, options: Options, known: Iterable[str], variable: str = "") -> None:
    """Whether a part has all these options. `variable`: how the settings that hold them begin, where each has its own.

    Raises:
        SettingFault: an option that the part does not have.
    """
    there_are = sorted(known)
    for name in options:
        if name not in there_are:
            setting = f"{variable}{name}: ".upper().replace("-", "_") if variable else ""
            near = finder.nearest(name, there_are)
            raise SettingFault(
                f"{setting}{part} has no option {name!r}{near}; it has: {', '.join(there_are) or 'none'}"
            )
