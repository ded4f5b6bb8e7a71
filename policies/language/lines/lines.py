"""Where a language's package is, and what is said in it by default (the package's `lines.py`).

Nothing of the core is imported here: a policy's own defaults come from it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType

GROUP = "offhook.languages"
DEFAULT = "en"
TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"  # what a policy may name: a BCP 47 tag, RFC 5646 2.1
_OWN = __package__.rpartition(".")[0]
Lines = Mapping[str, str]  # "silence.help" -> what is said; "" = nothing

_loaded: dict[str, Lines] = {}


class UnknownLanguageError(ValueError):
    """No language has this name, or its package is not as it should be; the message says what to do."""


def package_of(name: str) -> str:
    """The dotted name of a language's package: the one for this very tag, else for its main part ("en" for "en-US").

    Raises:
        UnknownLanguageError: neither offhook nor an installed package has a language of this name.
    """
    tag = name.lower()
    main = tag.partition("-")[0]
    if tag == DEFAULT:
        return f"{_OWN}.{DEFAULT}"
    declared = {point.name.lower(): point.value for point in entry_points(group=GROUP)}
    for wanted in (tag, main):
        if wanted in declared:
            return declared[wanted]
    if main == DEFAULT:
        return f"{_OWN}.{DEFAULT}"
    there_are = ", ".join(sorted({DEFAULT, *declared}))
    raise UnknownLanguageError(
        f"language {name!r} is not installed; there are {there_are}. A package adds one by an entry point of {GROUP!r}"
    )


def lines_of(name: str) -> Lines:
    """What the core, the stock agents and an installation say by default in this language.

    Raises:
        UnknownLanguageError: there is none of this name, or its lines are not those that a language must have.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    package = package_of(name)
    try:
        found = importlib.import_module(f"{package}.lines").LINES
    except (ImportError, AttributeError) as error:
        raise UnknownLanguageError(f"language {name!r}: {package}/lines.py has no LINES ({error})") from error
    if name != DEFAULT and set(found) != set(lines_of(DEFAULT)):
        differ = ", ".join(sorted(set(found) ^ set(lines_of(DEFAULT))))
        raise UnknownLanguageError(f"language {name!r}: {package}.lines.LINES lacks or adds {differ}")
    return _loaded.setdefault(name, MappingProxyType(dict(found)))


def section(name: str, prefix: str) -> dict[str, str]:
    """Those lines whose key begins with `prefix` and a dot, without it."""
    return {
        key.removeprefix(f"{prefix}."): text for key, text in lines_of(name).items() if key.startswith(f"{prefix}.")
    }
