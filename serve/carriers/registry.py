"""Finds carriers: installed packages name theirs as entry points of one group. Which are used is a setting.

A package's `pyproject.toml` says `[project.entry-points."offhook.carriers"]` and `NAME = "module:Class"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points

from ..config import plug_ins
from ..contracts.carrier_choice import CarrierChoice
from ..contracts.errors import SettingFault
from .port import Carrier, CarrierFactory

GROUP = "offhook.carriers"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")  # stands in addresses, and in upper case in the names of its options


def installed() -> list[str]:
    """The names of all carriers that installed packages offer."""
    return list(plug_ins.names(GROUP))


def load(choices: Iterable[CarrierChoice]) -> dict[str, Carrier]:
    """The chosen carriers by name, in this order; the first one is the installation's default.

    Raises:
        SettingFault: no such carrier, a broken one, or an option that it does not know.
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
        _check_options(choice, maker.options)
        made: object = maker(choice.options)
    except SettingFault:
        raise
    except Exception as error:  # somebody else's package: whatever it raises is its fault, and is told with its place
        raise _broken(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(made, Carrier):
        raise _broken(point, "what it makes lacks parts of offhook.serve.carriers.port.Carrier")
    if made.name != choice.name:
        raise _broken(point, f"it calls itself {made.name!r}")
    return made


def factory(name: str) -> CarrierFactory:
    """What makes the carrier of this name. Raises: SettingFault: no such carrier, or it cannot be loaded."""
    point = _point(name)
    try:
        found: CarrierFactory = point.load()
    except Exception as error:
        raise _broken(point, f"{type(error).__name__}: {error}") from error
    return found


def named(name: str, choices: Iterable[CarrierChoice]) -> Carrier:
    """A carrier by its name, with the options that were chosen for it, if any. Raises: SettingFault, as `load`."""
    return carrier(next((choice for choice in choices if choice.name == name), CarrierChoice(name)))


def _point(name: str) -> EntryPoint:
    found = list({point.value: point for point in entry_points(group=GROUP, name=name)}.values())
    if not found or _NAME.match(name) is None:
        offered = installed()
        nearest = "".join(f" (did you mean {each}?)" for each in get_close_matches(name, offered, 1))
        names = ", ".join(offered) or "none"
        raise SettingFault(f"no carrier is called {name!r}{nearest}; installed are: {names} (entry points {GROUP!r})")
    if len(found) > 1:
        raise SettingFault(f"several packages offer a carrier {name!r}: {', '.join(map(_place, found))}; remove one")
    return found[0]


def _check_options(choice: CarrierChoice, known: Mapping[str, str]) -> None:
    for option in choice.options:
        if option not in known:
            variable = f"OFFHOOK_{choice.name}_{option}".upper().replace("-", "_")
            allowed = ", ".join(sorted(known)) or "none"
            raise SettingFault(f"{variable}: carrier {choice.name!r} has no option {option!r}; it has: {allowed}")


def _place(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}, " if point.dist is not None else ""
    return f"{package}{point.value}"


def _broken(point: EntryPoint, why: str) -> SettingFault:
    return SettingFault(f"the carrier {point.name!r} ({_place(point)}) cannot be used: {why}")
