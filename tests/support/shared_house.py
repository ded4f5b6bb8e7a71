"""Ray once for all tests of a folder, and a supervisor once for each file: fixtures that its conftest takes up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from house import House, start_ray


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[Path]:
    folder = start_ray()
    yield folder
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def house(ray_folder: Path) -> Iterator[House]:
    house = House(ray_folder)
    yield house
    house.close()
