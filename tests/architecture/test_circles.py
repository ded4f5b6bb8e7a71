"""Nothing imports in circles: neither files nor folders, imports inside functions and for types included."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import pairwise

from source_tree import LAYERS, ROOT, sources

Graph = Mapping[str, Mapping[str, str]]  # who imports whom, and where that is written


def _modules() -> dict[str, str]:
    """Dotted name (without "offhook.") of every module, and its file."""
    found = {}
    for source in sources():
        name = ".".join(source.path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = str(source)
    return found


def _imports() -> Graph:
    modules = _modules()
    graph: dict[str, dict[str, str]] = {name: {} for name in modules}
    for source in sources():
        own = ".".join(source.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for line, name in source.imports():
            target = name.removeprefix("offhook.")
            if target not in modules:
                target = target.rpartition(".")[0]
            if target in modules and target != own:
                graph[own].setdefault(target, f"{source}:{line}")
    return graph


def _folders(graph: Graph) -> Graph:
    modules = _modules()
    folder = {n: n if file.endswith("__init__.py") else n.rpartition(".")[0] for n, file in modules.items()}
    found: dict[str, dict[str, str]] = {}
    for name, targets in graph.items():
        for target, place in targets.items():
            if folder[name] != folder[target]:
                found.setdefault(folder[name], {}).setdefault(folder[target], place)
    return found


def _way_round(graph: Graph) -> list[str]:
    """One circle, as the imports that close it; empty where there is none."""
    done: set[str] = set()
    for start in sorted(graph):
        path: list[str] = []
        stack = [iter([start])]
        while stack:
            name = next(stack[-1], None)
            if name is None:
                stack.pop()
                if path and len(stack) == len(path):
                    done.add(path.pop())
                continue
            if name in path:
                circle = [*path[path.index(name) :], name]
                return [f"{graph[one][other]}: {one} -> {other}" for one, other in pairwise(circle)]
            if name not in done:
                path.append(name)
                stack.append(iter(sorted(graph.get(name, {}))))
    return []


def test_the_search_finds_a_circle_and_names_the_way_round() -> None:
    found = _way_round({"a": {"b": "a.py:1"}, "b": {"c": "b.py:2"}, "c": {"b": "c.py:3"}, "d": {"a": "d.py:4"}})
    assert found == ["b.py:2: b -> c", "c.py:3: c -> b"]
    assert not _way_round({"a": {"b": "", "c": ""}, "b": {"c": ""}, "c": {}})


def test_no_file_imports_in_a_circle() -> None:
    circle = _way_round(_imports())
    assert not circle, "\n".join(["these files import each other:", *circle])


def test_no_folder_imports_in_a_circle() -> None:
    circle = _way_round(_folders(_imports()))
    assert not circle, "\n".join(["these folders import each other:", *circle])


def test_no_folder_is_both_cellar_and_roof() -> None:
    """A layer's own folder holds its first lines only: what everybody uses and what uses everybody lie in folders."""
    for layer in LAYERS:
        if layer == "cluster":
            continue  # one folder of one job
        files = sorted(path.name for path in (ROOT / layer).glob("*.py"))
        assert files == ["__init__.py"], f"{layer}/ holds {files}; each file belongs into a folder of its job"


def test_no_import_of_the_inside_is_for_types_alone() -> None:
    """`if TYPE_CHECKING:` around an import of this project hides a friend whom one reaches into.

    The command line loads what only some commands need where they run, and the public surface on first use.
    """
    for source in sources():
        if str(source).startswith("serve/cli/") or str(source).endswith("__init__.py"):
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                ours = [n for n in ast.walk(node) if isinstance(n, ast.ImportFrom) and n.level]
                assert not ours, f"{source}:{node.lineno}: imports of this project for types alone"
