"""The layers keep to themselves: import direction, purity of policies/, sizes, names."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from source_tree import INSTALLED_AS, LAYERS, ROOT, Source

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
VAGUE = re.compile(r"(?:^|_)(manager|helper|helpers|util|utils|handler|service|data|info|misc|common)(?:$|_)")

# What a pure layer may not touch: the world, time, chance.
IMPURE = {
    "asyncio", "ctypes", "io", "logging", "multiprocessing", "os", "pathlib", "random", "secrets", "select", "shutil",
    "signal", "socket", "subprocess", "sys", "tempfile", "threading", "time", "uuid", "datetime", "urllib", "http",
}  # fmt: skip
CHANCE_ALLOWED_UNDER = "policies/simulation/"  # seeded generators, handed in from outside
# Besides actors/refs/, each with its reason; who calls none any more is taken off.
HANDLES_ALLOWED_IN = {
    "actors/node/shadow_refs.py": "starts shadow hosts, which stand above actors/refs/, with versions of the catalog",
    "serve/cli/demo.py": "a handle of Serve's, which waits and tries again itself",
}
# Modules that must stay out of a call's process: each costs megabytes a call.
HEAVY = {"numpy", "scipy", "soxr", "onnxruntime", "fastapi", "rich", "typer", "yaml", "moonshine_voice"}


def test_imports_run_downwards_only(source: Source) -> None:
    allowed = LAYERS[: LAYERS.index(source.layer) + 1]
    for line, name in source.imports():
        parts = name.split(".")
        assert parts[0] not in LAYERS, f"{source}:{line}: top-level import of {name}; import offhook.{name}"
        if parts[0] == "offhook":
            assert parts[1] in allowed, f"{source}:{line}: {source.layer} may not import {name}; allowed: {allowed}"


def test_imports_within_a_room_are_relative(source: Source) -> None:
    if str(source.path.parent.relative_to(ROOT)) in INSTALLED_AS:
        pytest.skip("installed under another name, it cannot import relatively")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            assert not node.module.startswith(f"offhook.{source.layer}"), (
                f"{source}:{node.lineno}: import {node.module} relatively inside its own layer"
            )


def test_policies_are_pure(source: Source) -> None:
    if source.layer != "policies":
        pytest.skip("only policies/ must be pure")
    for line, name in source.imports():
        top = name.split(".")[0]
        if top == "random" and CHANCE_ALLOWED_UNDER in str(source):
            continue
        assert top not in IMPURE, f"{source}:{line}: policies/ is pure and may not import {name}"
        assert top in sys.stdlib_module_names or top in ("offhook", "pydantic", "__future__"), (
            f"{source}:{line}: policies/ may import the standard library and pydantic only, not {name}"
        )
    calls = {n.func.id for n in ast.walk(source.tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not calls & {"open", "print", "input"}, f"{source}: policies/ touches no file and no terminal"


def test_actors_keep_heavy_modules_out(source: Source) -> None:
    if source.layer not in ("policies", "actors"):
        pytest.skip("only what a call's process imports must stay light")
    for line, name in source.imports():
        assert name.split(".")[0] not in HEAVY, f"{source}:{line}: {name} costs megabytes in every call's process"


def test_files_and_functions_can_be_read_in_a_sitting(source: Source) -> None:
    lines = source.text.count("\n")
    assert lines <= FILE_LINES_MAX, f"{source} has {lines} lines, the limit is {FILE_LINES_MAX}: split it by job"
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{source}:{node.lineno}: {node.name} has {length} lines"


def test_every_file_says_what_belongs_in_it(source: Source) -> None:
    doc = ast.get_docstring(source.tree)
    assert doc, f"{source}: the first lines of a file say what belongs in it"


def test_names_are_not_vague(source: Source) -> None:
    assert not VAGUE.search(source.path.stem), f"{source}: a file's name says its job"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            snake = re.sub(r"(?<!^)(?=[A-Z])", "_", node.name).lower()
            assert not VAGUE.search(snake), f"{source}:{node.lineno}: class {node.name} has a vague name"


def test_only_one_folder_touches_actor_handles(source: Source) -> None:
    if source.layer == "policies" or str(source.path.parent.relative_to(ROOT)) == "actors/refs":
        pytest.skip("not this file's matter")
    calls = re.search(r"\.\w+\.remote\(", source.text.replace(".options(", "("))
    assert bool(calls) is (str(source) in HANDLES_ALLOWED_IN), (
        f"{source}: actor methods are called through actors/refs/ only, but for {', '.join(HANDLES_ALLOWED_IN)}"
    )


def test_only_settings_reads_the_environment(source: Source) -> None:
    if str(source) == "serve/config/settings.py":
        pytest.skip("the one place that reads the environment")
    assert "os.environ.get" not in source.text and "os.getenv" not in source.text, (
        f"{source}: settings.py is the only place that reads the environment"
    )


def test_only_one_file_reaches_into_ray(source: Source) -> None:
    if str(source) == "cluster/ray_private.py":
        pytest.skip("the one place that does")
    assert not re.search(r"\bray\._|ray\.core\.generated", source.text), (
        f"{source}: what is private to Ray is reached through cluster/ray_private.py only"
    )
