"""Loads an agent's class: of the stock, or from a policy bundle's own files.

A bundle's file is loaded under a module name of its own, made from the bundle's path, so two versions of one policy
live side by side in a cluster (each in host processes of its own) and never shadow an installed package.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from offhook.policies.errors import PolicyError


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


def _bundled(code: str, file: str, bundle: str) -> ModuleType:
    if not bundle:
        raise PolicyError(f"agent code {code!r} names a file, but the policy came without a bundle")
    folder = Path(bundle).resolve()
    path = (folder / file).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise PolicyError(f"agent code {code!r}: {file} is not a file of the bundle {folder.name}")
    name = f"offhook_bundle_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a .py file always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise PolicyError(f"agent code {code!r}: {file} fails on import: {type(error).__name__}: {error}") from error
    return module
