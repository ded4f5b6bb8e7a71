"""Languages by name: those that come with offhook, and installed packages that declare one.

A package declares its languages as entry points of the group `offhook.languages`, a name and a package each:

    [project.entry-points."offhook.languages"]
    nl = "my_dutch"                 # my_dutch/language.py has LANGUAGE, my_dutch/lines.py has LINES

`examples/languages` has a whole one, and says what a language needs.
"""

from __future__ import annotations

import importlib

from ...core.errors import PolicyError
from ...core.policy import Policy
from ..lines.lines import UnknownLanguageError, package_of
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
        PolicyError: there is none, or its package has no LANGUAGE; the message says which there are.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    try:
        package = package_of(name)
    except UnknownLanguageError as error:
        raise PolicyError(str(error)) from error
    try:
        found = importlib.import_module(f"{package}.language").LANGUAGE
    except (ImportError, AttributeError) as error:
        raise PolicyError(f"language {name!r}: {package}/language.py has no LANGUAGE ({error})") from error
    if type(found) is not Language:
        raise PolicyError(f"language {name!r}: {package}.language.LANGUAGE is no Language, but {type(found).__name__}")
    return _loaded.setdefault(name, found)
