"""What audio bytes are is said once, in actors/audio/format.py: no size, rate or silence of it stands elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from source_tree import ROOT, sources

HOME = "actors/audio/format.py"
FILES = "actors/audio/wav.py"  # the one reader and writer
NAMES = re.compile(r"_?(?:(?:SAMPLE_)?RATE_HZ|BYTES_PER_(?:MS|S)|FRAME_(?:BYTES|MS)|FRAME|SILENCE|CODEC)")
# Arithmetic with one of these is arithmetic on telephone audio; a plain 8,000 (ms) or 160 (characters) is none.
SIZES = {160, 8_000}
WORDS = {"mulaw8k"}

SCANNED = sorted(
    {source.path for source in sources() if source.layer != "policies"} | set((ROOT / "tests" / "support").glob("*.py"))
)


def faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, what stands there)"""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.BinOp)):
            literal = all(isinstance(each, (ast.Constant, ast.BinOp, ast.operator)) for each in ast.walk(node.value))
            for target in node.targets:
                if literal and isinstance(target, ast.Name) and NAMES.fullmatch(target.id):
                    yield node.lineno, f"{target.id} is set to a number of its own"
        elif isinstance(node, ast.BinOp):
            if _measures(node.left) and isinstance(node.right, ast.Constant) and node.right.value == 8:
                yield node.lineno, "a length in bytes by 8"
            for side in (node.left, node.right):
                if isinstance(side, ast.Constant) and side.value in SIZES and type(side.value) is int:
                    yield node.lineno, f"arithmetic with {side.value}"
                if isinstance(side, ast.Constant) and side.value == b"\xff":
                    yield node.lineno, "silence of its own"
        elif isinstance(node, ast.Constant) and node.value in WORDS and isinstance(node.value, str):
            yield node.lineno, f"a format's name: {node.value!r}"
        elif isinstance(node, ast.Import) and any(name.name in ("wave", "audioop") for name in node.names):
            yield node.lineno, f"files are read and written in {FILES}"


def _measures(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len"


@pytest.mark.parametrize("path", SCANNED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_number_of_audio_stands_elsewhere(path: Path) -> None:
    if str(path.relative_to(ROOT)) == HOME:
        pytest.skip("this is where they stand")
    found = [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in faults(ast.parse(path.read_text()))]
    assert not found, "\n".join([*found, f"take it from {HOME}"])


@pytest.mark.parametrize(
    "text",
    [
        "FRAME_BYTES = 160",
        "RATE_HZ = 8_000",
        "BYTES_PER_S = 2 * 8_000",
        "x = len(audio) // 160",
        "x = len(audio) // 8",
        "x = sum(audio) / 8_000",
        "x = b'\\xff' * n",
        "x = 'mulaw8k'",
        "import wave",
    ],
)
def test_it_would_be_found(text: str) -> None:
    assert list(faults(ast.parse(text)))


def test_other_numbers_are_left_alone() -> None:
    assert not list(faults(ast.parse("wait(8_000)\nWIDTH = 160\nFRAME_MS = form.ms\nx = y[160]")))
