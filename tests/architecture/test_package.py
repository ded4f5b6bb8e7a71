"""What is installed: the wheel's contents, the public surface, the commands that the README names."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from source_tree import INSTALLED_AS, LAYERS, ROOT

ALLOWED_AT_THE_TOP = {
    "pyproject.toml", "README.md", "actors", "policies", "serve", "cluster", "tests", "examples",
    "Makefile", "LICENSE", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "requirements.txt",
}  # fmt: skip


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in listing.stdout.splitlines() if (ROOT / line).exists()]


def test_the_top_level_shows_the_architecture() -> None:
    top = {name.split("/")[0] for name in tracked()}
    strangers = {name for name in top if not name.startswith(".")} - ALLOWED_AT_THE_TOP
    assert not strangers, f"these belong inside a layer: {sorted(strangers)}"


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)], check=True,
                   capture_output=True)  # fmt: skip
    (wheel,) = out.glob("offhook-*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_the_wheel_holds_only_offhook(wheel_names: list[str]) -> None:
    strangers = [name for name in wheel_names if not re.match(r"offhook(-[\d.]+\.dist-info)?/", name)]
    assert not strangers, f"the wheel would install top-level modules: {strangers}"


def test_the_wheel_holds_every_module_and_its_types(wheel_names: list[str]) -> None:
    for layer in LAYERS:
        assert f"offhook/{layer}/py.typed" in wheel_names
        for path in (ROOT / layer).rglob("*.py"):
            if "__pycache__" not in path.parts:
                folder = str(path.parent.relative_to(ROOT))
                name = f"{INSTALLED_AS.get(folder, f'offhook/{folder}')}/{path.name}"
                assert name in wheel_names, f"{path} is missing from the wheel"


def test_no_generic_top_level_module_is_installed(tmp_path: Path) -> None:
    probe = f"import importlib.util as u, sys; sys.exit([m for m in {LAYERS} if u.find_spec(m)] or 0)"
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"importable at the top level: {done.stderr}"


@pytest.mark.parametrize("layer", ["policies"])
def test_the_public_surface_is_declared_and_real(layer: str) -> None:
    module = importlib.import_module(f"offhook.{layer}")
    assert module.__all__ == sorted(module.__all__), f"offhook.{layer}.__all__ is sorted"
    for name in module.__all__:
        assert getattr(module, name, None) is not None, f"offhook.{layer}.{name} is announced and missing"


def test_what_users_test_with_has_a_short_name() -> None:
    module = importlib.import_module("offhook.testing")
    assert module.__all__ == sorted(module.__all__) and all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("part", ["carrier", "engine", "language"])
def test_the_suites_that_plug_ins_pass_are_installed_and_need_pytest_only_when_they_are_asked_for(part: str) -> None:
    probe = f"""
import sys
import offhook.testing
assert "pytest" not in sys.modules
import offhook.testing.{part}_conformance"""
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_examples_import_only_what_is_said_to_stay() -> None:
    stays = set(re.findall(r"`(offhook\.[\w.]+\w)`", (ROOT / "examples/README.md").read_text().partition("\n## ")[2]))
    for module in stays - {"offhook.carriers", "offhook.recognizers", "offhook.synthesizers", "offhook.languages"}:
        importlib.import_module(module)
    for path in (ROOT / "examples").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("offhook"):
                assert node.module in stays, f"{path}:{node.lineno}: {node.module} may move (examples/README.md)"


def test_the_lock_file_names_no_address() -> None:
    lock = (ROOT / "requirements.txt").read_text()
    assert "://" not in lock and "--index" not in lock and "--hash=sha256:" in lock
