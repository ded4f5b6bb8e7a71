"""The repository as the architecture tests see it: its root, its layers, its parsed source files."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("policies", "actors", "cluster", "serve")  # a layer may import those before it, never those after
INSTALLED_AS = {"serve/testing": "offhook/testing"}  # folders with a public name of their own


@dataclass(frozen=True)
class Source:
    """One Python file of the product."""

    path: Path
    layer: str
    text: str
    tree: ast.Module

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    def imports(self) -> list[tuple[int, str]]:
        """(line, dotted name) of everything imported, relative imports resolved to `offhook.<layer>...`."""
        package = ["offhook", *self.path.relative_to(ROOT).with_suffix("").parts[:-1]]
        found: list[tuple[int, str]] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                stem = ".".join([*base, *([node.module] if node.module else [])])
                found += [(node.lineno, f"{stem}.{alias.name}") for alias in node.names]
        return found


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the four layers."""
    files = []
    for layer in LAYERS:
        for path in sorted((ROOT / layer).rglob("*.py")):
            text = path.read_text()
            files.append(Source(path, layer, text, ast.parse(text)))
    return tuple(files)
