"""Loads an agent's class: of the stock, or from a policy bundle's own files.

A bundle is loaded as a package of its own, named after its path: two versions of one policy live side by side, even in
one process, and never shadow an installed package. Its files may import each other relatively (`from .prices import
table`). `release` unloads a version that is not used any more. Loading runs the bundle's code: agent hosts and trials
do that in processes that may die, never a supervisor or a call.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from offhook.policies.core.errors import PolicyError


def agent_class(code: str, bundle: str = "") -> type[Any]:
    """The class that `code` names: "module:Class", or "agents/file.py:Class" inside the folder `bundle`.

    Raises:
        PolicyError: malformed, missing, outside of the bundle, or without a `propose`; the message says which.
    """
    where, _, name = code.partition(":")
    if not where or not name.isidentifier():
        raise PolicyError(f"agent code {code!r}: write module:Class, or agents/file.py:Class for a file of the bundle")
    module = _bundled(code, where, bundle) if where.endswith(".py") else _installed(code, where)
    found = getattr(module, name, None)
    if not isinstance(found, type) or not callable(getattr(found, "propose", None)):
        raise PolicyError(f"agent code {code!r}: {where} has no class {name} with a method `propose`")
    return found


def _installed(code: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PolicyError(f"agent code {code!r}: {error}") from error


def release(bundle: str) -> int:
    """Unload a bundle's modules from this process; returns how many there were. Agents that still live keep theirs."""
    package = _package(Path(bundle).resolve())
    names = [name for name in sys.modules if name == package or name.startswith(f"{package}.")]
    for name in names:
        del sys.modules[name]
    return len(names)


def _package(folder: Path) -> str:
    return f"offhook_bundle_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def _bundled(code: str, file: str, bundle: str) -> ModuleType:
    if not bundle:
        raise PolicyError(f"agent code {code!r} names a file, but the policy came without a bundle")
    folder = Path(bundle).resolve()
    path = (folder / file).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise PolicyError(f"agent code {code!r}: {file} is not a file of the bundle {folder.name}")
    package = _package(folder)
    if package not in sys.modules:
        root = ModuleType(package)
        root.__path__ = [str(folder)]
        sys.modules[package] = root
        importlib.invalidate_caches()  # the folder may be younger than what the import system remembers of it
    name = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise PolicyError(f"agent code {code!r}: {file} fails on import: {type(error).__name__}: {error}") from error
