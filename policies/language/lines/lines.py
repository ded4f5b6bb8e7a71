"""Where a language's package is, and what is said in it by default (the package's `lines.py`).

Nothing of the core is imported here: a policy's own defaults come from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from types import MappingProxyType

from ...plug_ins.finder import find, load, names, unusable

GROUP = "offhook.languages"
DEFAULT = "en"
TAG = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"  # what a policy may name: a BCP 47 tag, RFC 5646 2.1
_OWN = __package__.rpartition(".")[0]
Lines = Mapping[str, str]  # "silence.help" -> what is said; "" = nothing

_loaded: dict[str, Lines] = {}


def point_of(name: str) -> EntryPoint:
    """Where a language's package is: the one for this very tag, else for its main part ("en" for "en-US").

    English is offhook's own; a package may add one for a region of it, and none in its place.

    Raises:
        PlugInError: neither offhook nor an installed package has a language of this name, or several have.
    """
    tag = name.lower()
    main = tag.partition("-")[0]
    if tag == DEFAULT:  # every call's process asks for it: nothing that is installed is looked through for that
        return EntryPoint(DEFAULT, f"{_OWN}.{DEFAULT}", GROUP)
    installed = {each.lower() for each in names(GROUP)}
    if tag in installed:
        return find(GROUP, tag)
    if main == DEFAULT:
        return point_of(DEFAULT)
    if main in installed:
        return find(GROUP, main)
    return find(GROUP, name, besides=(DEFAULT,))


def lines_of(name: str) -> Lines:
    """What the core, the stock agents and an installation say by default in this language.

    Raises:
        PlugInError: there is none of this name, or its lines are not those that a language must have.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    point = point_of(name)
    found = load(point, "lines:LINES")
    if not isinstance(found, Mapping):
        raise unusable(point, f"{point.value}.lines.LINES is no mapping, but {type(found).__name__}")
    if name != DEFAULT and set(found) != set(lines_of(DEFAULT)):
        differ = ", ".join(sorted(map(str, set(found) ^ set(lines_of(DEFAULT)))))
        raise unusable(point, f"{point.value}.lines.LINES lacks or adds {differ}")
    if wrong := sorted(key for key, text in found.items() if not isinstance(text, str)):
        raise unusable(point, f"{point.value}.lines.LINES has no text at {', '.join(wrong)}")
    return _loaded.setdefault(name, MappingProxyType(dict(found)))


def section(name: str, prefix: str) -> dict[str, str]:
    """Those lines whose key begins with `prefix` and a dot, without it."""
    return {
        key.removeprefix(f"{prefix}."): text for key, text in lines_of(name).items() if key.startswith(f"{prefix}.")
    }
