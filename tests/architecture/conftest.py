"""A test that takes `source` runs once for each file of the product."""

from __future__ import annotations

import pytest
from source_tree import sources


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "source" in metafunc.fixturenames:
        metafunc.parametrize("source", sources(), ids=str)
