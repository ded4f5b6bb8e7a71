"""Dutch, the example of a language (`examples/languages/nl`), installed as pip would install it."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from offhook.policies.language.lines import lines
from offhook.policies.language.port import registry

FOLDER = Path(__file__).parents[2] / "examples/languages/nl"


def install(site: Path, folder: Path = FOLDER) -> None:
    """Write what an installer writes beside a package: who it is, and its entry points as its pyproject has them."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))


@pytest.fixture
def dutch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dutch is installed while a test runs, and not known before or after it."""
    install(tmp_path)
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield
    for known in (lines._loaded, registry._loaded):
        for name in [name for name in known if name.startswith("nl")]:
            known.pop(name)
