"""Finds carriers: installed packages name theirs as entry points of one group. Which are used is a setting.

A package's `pyproject.toml` says `[project.entry-points."offhook.carriers"]` and `NAME = "module:Class"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint

from offhook.policies.plug_ins import finder

from ..config import plug_ins
from ..contracts.carrier_choice import CarrierChoice
from ..contracts.errors import SettingFault
from .port import Carrier, CarrierFactory

GROUP = "offhook.carriers"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")  # stands in addresses, and in upper case in the names of its options


def installed() -> list[str]:
    """The names of all carriers that installed packages offer."""
    return list(finder.names(GROUP))


def load(choices: Iterable[CarrierChoice]) -> dict[str, Carrier]:
    """The chosen carriers by name, in this order; the first one is the installation's default.

    Raises:
        SettingFault: no such carrier, several of one name, a broken one, or an option that it does not know.
    """
    carriers = {choice.name: carrier(choice) for choice in choices}
    if not carriers:
        raise SettingFault(f"carriers names none; installed are: {', '.join(installed()) or 'none'}")
    return carriers


def carrier(choice: CarrierChoice) -> Carrier:
    """One carrier. Raises: SettingFault, as `load`."""
    point = _point(choice.name)
    maker = factory(choice.name)
    try:
        plug_ins.check_options(
            f"carrier {choice.name!r}", choice.options, maker.options, variable=f"OFFHOOK_{choice.name}_"
        )
        made: object = maker(choice.options)
    except SettingFault:
        raise
    except Exception as error:  # somebody else's package: whatever it raises is its fault, and is told with its place
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(made, Carrier):
        raise _unusable(point, "what it makes lacks parts of offhook.serve.carriers.port.Carrier")
    if made.name != choice.name:
        raise _unusable(point, f"it calls itself {made.name!r}")
    return made


def factory(name: str) -> CarrierFactory:
    """What makes the carrier of this name. Raises: SettingFault: no such carrier, or it cannot be loaded."""
    try:
        found: CarrierFactory = finder.load(_point(name))  # type: ignore[assignment]  # what it makes is looked at
    except finder.PlugInError as error:
        raise SettingFault(str(error)) from error
    return found


def named(name: str, choices: Iterable[CarrierChoice]) -> Carrier:
    """A carrier by its name, with the options that were chosen for it, if any. Raises: SettingFault, as `load`."""
    return carrier(next((choice for choice in choices if choice.name == name), CarrierChoice(name)))


def _point(name: str) -> EntryPoint:
    try:
        point = finder.find(GROUP, name)
    except finder.PlugInError as error:
        raise SettingFault(str(error)) from error
    if _NAME.match(point.name) is None:
        raise _unusable(point, "its name is not made of small letters, digits and dashes, 32 at most")
    return point


def _unusable(point: EntryPoint, why: str) -> SettingFault:
    return SettingFault(str(finder.unusable(point, why)))
