"""Ray once for all tests of a folder, and a supervisor once for each file: fixtures that its conftest takes up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from installation import Installation, start_ray


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[Path]:
    folder = start_ray()
    yield folder
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def installation(ray_folder: Path) -> Iterator[Installation]:
    installation = Installation(ray_folder)
    yield installation
    installation.close()
