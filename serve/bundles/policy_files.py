"""Policy bundles on disk: `policy.yaml` and the code of its agents, checked, with file and line in every message.

A bundle is a folder. Its version is the first 12 hex digits of a SHA-256 over its contents: the policy as it was
understood (so a comment changes nothing) and the bytes of its other files: code, prompts, clips. Here nothing of a
bundle is run; its agents are loaded where they run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from typing import Any

from offhook.actors.node.bundle_archive import files_of
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.policy import AgentSpec, Policy
from offhook.policies.language.port import registry
from pydantic import ValidationError

from ..config.field_faults import line_of, messages
from ..config.yaml_lines import Place, YamlFault, read
from . import policy_texts, rule_names

FILE = "policy.yaml"
FILE_BYTES_MAX = 1 << 20
VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy that was read and found good."""

    name: str
    version: str
    path: Path
    policy: Policy

    def plain(self) -> dict[str, Any]:
        """The policy as plain values, as the supervisors take it."""
        return self.policy.model_dump(mode="json")


def load(folder: Path) -> Bundle:
    """Read one bundle.

    Raises:
        PolicyError: the bundle cannot be used; each line of the message names file, line or field, and what is allowed.
    """
    file = folder / FILE
    if not file.is_file():
        raise PolicyError(f"{folder}: no {FILE} there; a policy is a folder with a {FILE} in it")
    if file.stat().st_size > FILE_BYTES_MAX:
        raise PolicyError(f"{file}: over {FILE_BYTES_MAX} bytes")
    try:
        raw, places = read(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file}: not UTF-8 at byte {error.start}") from None
    except YamlFault as fault:
        raise PolicyError(f"{file}:{fault.line}: {fault.reason}") from None
    if not isinstance(raw, dict):
        raise PolicyError(f"{file}:1: a policy is a mapping with the fields {', '.join(Policy.model_fields)}")
    if faults := policy_texts.inline(file, raw, places):
        raise PolicyError("\n".join(faults))
    try:
        policy = Policy.model_validate(raw)
    except ValidationError as error:
        raise PolicyError("\n".join(messages(str(file), raw, places, error, Policy))) from None
    try:
        registry.of(policy)
    except PolicyError as error:
        raise PolicyError(f"{file}:{line_of(places, ('language',))}: language: {error}") from None
    faults = [fault for name, spec in policy.agents.items() for fault in _code_faults(file, places, name, spec)]
    faults += policy_texts.clip_faults(folder)
    if not faults:
        faults += rule_names.faults(file, places, policy, _code_of(folder, policy))
    if faults:
        raise PolicyError("\n".join(faults))
    return Bundle(policy.name, _version(folder, policy), folder.resolve(), policy)


def find(folders: tuple[str, ...]) -> list[Bundle]:
    """Read all bundles named by `folders`, each a bundle or a folder of bundles; the first one is the default.

    Raises:
        PolicyError: a bundle cannot be used, two share a name, or there is none.
    """
    bundles: dict[str, Bundle] = {}
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise PolicyError(f"{folder}: no such folder")
        for path in _bundles_in(folder):
            bundle = load(path)
            before = bundles.setdefault(bundle.name, bundle)
            if before.path != bundle.path:
                raise PolicyError(f"{path / FILE}: the name {bundle.name!r} is taken by {before.path / FILE}")
    if not bundles:
        raise PolicyError(f"no policy in {', '.join(folders) or 'no folder'}; name a folder with a {FILE} in it")
    return list(bundles.values())


def _bundles_in(folder: Path) -> Iterator[Path]:
    if (folder / FILE).is_file():
        yield folder
        return
    found = sorted(each.parent for each in folder.glob(f"*/{FILE}"))
    if not found:
        raise PolicyError(f"{folder}: no {FILE} there, nor in the folders below")
    yield from found


def _version(folder: Path, policy: Policy) -> str:
    digest = hashlib.sha256(json.dumps(policy.model_dump(mode="json"), sort_keys=True).encode())
    for name, content in digests(folder).items():
        digest.update(f"\0{name}\0{content}".encode())
    return digest.hexdigest()[:VERSION_DIGITS]


def digests(folder: Path) -> dict[str, str]:
    """A bundle's files but the policy itself (it counts as it was understood), each with its contents' SHA-256.

    Raises:
        PolicyError: the bundle is over its limits (`actors/node/bundle_archive.py`).
    """
    files = files_of(folder)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name != FILE}


# --- the agents' code -------------------------------------------------------------------------------------------------


def _code_faults(file: Path, places: dict[Place, int], name: str, spec: AgentSpec) -> Iterator[str]:
    """What is wrong with one agent's `code`, without running any of it."""
    where = f"{file}:{line_of(places, ('agents', name, 'code'))}: agents.{name}.code"
    source, colon, wanted = spec.code.rpartition(":")
    if not colon or not wanted.isidentifier():
        yield f"{where}: {spec.code!r}; allowed: module:Class of an installed module, or agents/file.py:Class"
    elif source.endswith(".py"):
        code = (file.parent / source).resolve()
        if not code.is_relative_to(file.parent.resolve()):
            yield f"{where}: {source!r} lies outside of the bundle"
        elif not code.is_file():
            yield f"{where}: there is no file {source!r} in the bundle"
        else:
            yield from (f"{where}: {fault}" for fault in _class_faults(code, source, wanted))
    else:
        module = _module_file(source)
        if module is None:
            yield f"{where}: there is no module {source!r} installed"
        else:
            yield from (f"{where}: {fault}" for fault in _class_faults(module, source, wanted))


def _code_of(folder: Path, policy: Policy) -> Iterator[Path]:
    """The bundle's own files of code, and those of the modules that its agents are in."""
    yield from (path for name, path in files_of(folder).items() if name.endswith(".py"))
    sources = {spec.code.rpartition(":")[0] for spec in policy.agents.values()}
    yield from filter(None, (_module_file(source) for source in sorted(sources) if not source.endswith(".py")))


def _class_faults(code: Path, source: str, wanted: str) -> Iterator[str]:
    try:
        tree = ast.parse(code.read_bytes())
    except (SyntaxError, ValueError) as error:
        yield f"{source} is not Python, line {getattr(error, 'lineno', '?')}: {error.args[0]}"
        return
    except (RecursionError, MemoryError):
        yield f"{source} cannot be read: an expression in it is nested too deeply"
        return
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if wanted not in found:
        yield f"{source} has no class {wanted!r}; it has: {', '.join(found) or 'none'}"


def _module_file(name: str) -> Path | None:
    """The file of an installed module; neither it nor a package on the way to it is imported."""
    path: Sequence[str] | None = None
    spec = None
    for dotted in accumulate(name.split("."), "{}.{}".format):
        spec = _spec(dotted, path)
        if spec is None:
            return None
        path = spec.submodule_search_locations or ()
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None


def _spec(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """As the import system finds it, asking one finder after the other."""
    if path is not None and not path:  # below what is no package
        return None
    for finder in sys.meta_path:
        try:
            spec = finder.find_spec(name, path)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            return spec
    return None
