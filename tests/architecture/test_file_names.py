"""Files that docstrings and comments name are there, so that nobody is sent to where something was once."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from source_tree import LAYERS, ROOT, Source

# `gate/rules.py` in backticks; without them, a path from the repository's root.
_NAMED = re.compile(rf"`((?:[\w-]+/)*[\w-]+\.py)`|(?<![\w/.])((?:{'|'.join(LAYERS)})/[\w/-]+\.py)\b")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def prose(source: Source) -> Iterator[str]:
    """Every docstring and comment of a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, _DOCUMENTED):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_a_file_that_is_named_is_there(source: Source) -> None:
    """Named from the file's own folder, from the root of its layer, or from that of the repository."""
    for text in prose(source):
        for match in _NAMED.finditer(text):
            name = match[1] or match[2]
            roots = (source.path.parent, ROOT / source.layer, ROOT)
            assert any((root / name).exists() for root in roots), (
                f"{source} names {name}, which is neither beside it nor under {source.layer}/ nor under the root"
            )
