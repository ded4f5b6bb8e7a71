"""Languages by name: those that come with offhook, and installed packages that declare one.

A package declares its languages as entry points of the group `offhook.languages`, a name and a package each:

    [project.entry-points."offhook.languages"]
    nl = "my_dutch"                 # my_dutch/language.py has LANGUAGE, my_dutch/lines.py has LINES

`examples/languages` has a whole one, and says what a language needs.
"""

from __future__ import annotations

from ...core.errors import PolicyError
from ...core.policy import Policy
from ...plug_ins.finder import PlugInError, load, unusable
from ..lines.lines import point_of
from .port import Language

_loaded: dict[str, Language] = {}


def of(policy: Policy) -> Language:
    """The language by which a policy's calls are understood.

    Raises:
        PolicyError: see `named`.
    """
    return _loaded.get(policy.language) or named(policy.language)


def named(name: str) -> Language:
    """The language of this name.

    Raises:
        PolicyError: there is none, several are installed, or its package has no LANGUAGE; the message says which and
            where.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    try:
        point = point_of(name)
        found = load(point, "language:LANGUAGE")
        if type(found) is not Language:
            raise unusable(point, f"{point.value}.language.LANGUAGE is no Language, but {type(found).__name__}")
    except PlugInError as error:
        raise PolicyError(str(error)) from error
    return _loaded.setdefault(name, found)
