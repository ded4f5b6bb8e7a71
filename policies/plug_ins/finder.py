"""Finds parts by entry points, in this package and in any other that is installed beside it: one way for every group.

A package offers a part in its pyproject.toml, and is installed on every node:

    [project.entry-points."offhook.recognizers"]
    acme = "acme_speech.engine:make"

What has to stand there is said by the part's own port. Whoever asks says whose fault a `PlugInError` is: a setting's, a
policy's. Nothing of the core is imported here: a policy's own defaults come from a language that is found so.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points


class PlugInError(ValueError):
    """No part has this name, several have, or it cannot be used; the message says which, where, and what to do."""


def names(group: str) -> tuple[str, ...]:
    """What is installed of a group, in the order of the alphabet."""
    return tuple(sorted({point.name for point in entry_points(group=group)}))


def find(group: str, name: str, besides: Iterable[str] = ()) -> EntryPoint:
    """The entry point of this name, whether in capitals or not. One that is installed twice in the same place is one.

    Args:
        group: of the entry points, "offhook." and the plural of what a part is called: "offhook.carriers".
        name: of the part.
        besides: names that are no entry points and may be chosen too, for the message.

    Raises:
        PlugInError: none of this name is installed, or several are.
    """
    found = {point.value: point for point in entry_points(group=group) if point.name.lower() == name.lower()}
    if not found:
        raise PlugInError(_missing(group, name, sorted({*names(group), *besides})))
    if len(found) > 1:
        places = ", ".join(sorted(map(place, found.values())))
        raise PlugInError(f"{_part(group)} {name!r} is installed twice: {places}; remove one of them")
    return next(iter(found.values()))


def load(point: EntryPoint, inside: str = "") -> object:
    """What an entry point names; `inside`: a module and a name within the package that it names ("lines:LINES").

    Raises:
        PlugInError: it cannot be loaded.
    """
    wanted = EntryPoint(point.name, f"{point.value}.{inside}", point.group) if inside else point
    try:
        found: object = wanted.load()
    except (
        Exception,
        SystemExit,
    ) as error:  # somebody else's code: whatever it raises is its fault, and is told with its place
        raise unusable(point, f"{wanted.value}: {type(error).__name__}: {error}") from error
    return found


def unusable(point: EntryPoint, why: str) -> PlugInError:
    """The error of a part that was found and is not what it should be."""
    return PlugInError(f"{_part(point.group)} {point.name!r} ({place(point)}) cannot be used: {why}")


def place(point: EntryPoint) -> str:
    """Which package brings it, and what of it."""
    return f"{point.dist.name} {point.dist.version}, {point.value}" if point.dist is not None else point.value


def nearest(name: str, known: Iterable[str]) -> str:
    """ " (did you mean NAME?)" where one of these looks like it, else ""."""
    from difflib import get_close_matches  # for a message alone: a call's process never needs it

    return "".join(f" (did you mean {each}?)" for each in get_close_matches(name, list(known), 1))


def _missing(group: str, name: str, known: list[str]) -> str:
    there_are = ", ".join(known) or "none"
    return (
        f"{_part(group)} {name!r} is not installed{nearest(name, known)}; there are {there_are}. "
        f"A package adds one by an entry point of {group!r}, on every node"
    )


def _part(group: str) -> str:
    return group.rpartition(".")[2].removesuffix("s")
