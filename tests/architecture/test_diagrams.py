"""The diagrams in the docs show the tables of the code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("diagrams", Path(__file__).with_name("diagrams.py"))
assert _spec is not None and _spec.loader is not None
diagrams = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(diagrams)


def test_the_diagrams_are_those_of_the_tables() -> None:
    assert diagrams.in_document() == diagrams.drawn(), "run `make docs`: a table changed, its diagram did not"
