"""The toy carrier of `examples/`, as if it were installed: its package and its entry point can be found."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from source_tree import ROOT

TOY = ROOT / "examples" / "carriers" / "toy"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    """Until the test ends. `points` are entry points beside, or instead of, the package's own."""
    project = tomllib.loads((TOY / "pyproject.toml").read_text())["project"]
    ((group, own),) = project["entry-points"].items()
    found = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"{name} = {target}" for name, target in {**own, **points}.items()]
    (found / "entry_points.txt").write_text("\n".join((f"[{group}]", *lines)))
    for path in (folder, TOY):
        monkeypatch.syspath_prepend(str(path))
