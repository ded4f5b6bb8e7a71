"""Languages by name: those that come with offhook, and installed packages that declare one.

A package declares its languages as entry points of the group `offhook.languages`, a name and a package each:

    [project.entry-points."offhook.languages"]
    nl = "my_dutch"                 # my_dutch/language.py has LANGUAGE, my_dutch/lines.py has LINES

`examples/languages` has a whole one, and says what a language needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.metadata import EntryPoint
from typing import Any

from ...core.errors import PolicyError
from ...core.policy import Policy
from ...plug_ins.finder import PlugInError, load, place, unusable
from ..lines.lines import point_of
from .port import Language

_loaded: dict[str, Language] = {}


class LanguageFault(PolicyError):
    """A language's package raises where it is to answer; which, what it was asked, and where its code stands.

    What it has said itself is in `__cause__` alone: it may quote the caller.
    """


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
        if point.name != name:  # of the main part of a tag, or in other capitals
            return _loaded.setdefault(name, named(point.name))
        found = load(point, "language:LANGUAGE")
        if type(found) is not Language:
            raise unusable(point, f"{point.value}.language.LANGUAGE is no Language, but {type(found).__name__}")
    except PlugInError as error:
        raise PolicyError(str(error)) from error
    return _loaded.setdefault(name, found if point.dist is None else _with_blame(point, found))


def _with_blame(point: EntryPoint, language: Language) -> Language:
    """The language of another's package: what it raises is told as its own."""
    answers = {each.name: getattr(language, each.name) for each in fields(language)}
    asked: dict[str, Any] = {name: _blamed(point, name, answer) for name, answer in answers.items() if callable(answer)}
    return replace(language, **asked)


def _blamed(point: EntryPoint, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*arguments: Any) -> Any:
        try:
            return answer(*arguments)
        except Exception as error:  # somebody else's code
            step = error.__traceback__
            while step is not None and step.tb_next is not None:
                step = step.tb_next
            at = f" at {_short(step.tb_frame.f_code.co_filename)}:{step.tb_lineno}" if step is not None else ""
            why = f"its {name!r} raises {type(error).__name__}{at}"
            raise LanguageFault(f"language {point.name!r} ({place(point)}): {why}") from error

    return ask


def _short(path: str) -> str:
    """A file with the folder that it is in."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])
