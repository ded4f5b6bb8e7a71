"""kill -9 before, during and after an act: the tool's side sees one effect, and doubt is told as doubt.

Real processes, real stores; no Ray. What the rules are is `outbox.py`'s and `register.py`'s.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis_server
from redis_server import RedisServer

pytestmark = pytest.mark.fault

CHILD = Path(__file__).parent.parent / "support" / "acting.py"
WITHIN_S = 120.0
KEY = "c1/act#0"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path_factory.mktemp("redis"), "--databases", "1000") as server:
        yield server


_databases = iter(range(1_000))


@pytest.fixture(params=("sqlite", "redis"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'journal.db'}"
    return f"{request.getfixturevalue('redis').url[:-1]}{next(_databases)}"


class Installation:
    """The nodes of a test, and what has happened at the tool's side."""

    def __init__(self, url: str, folder: Path, tool: str) -> None:
        self.effects = folder / "effects"
        self._told = {"url": url, "path": str(folder / "tools.db"), "tool": tool, "effects": str(self.effects)}

    def order(self, die: str = "", node: str = "a", epoch: int = 1) -> dict[str, Any]:
        """What the call was told; {} = the process was killed."""
        told = json.dumps({**self._told, "die": die, "node": node, "epoch": epoch})
        done = subprocess.run(
            [sys.executable, str(CHILD), told], capture_output=True, text=True, timeout=WITHIN_S, check=False
        )
        if die:
            assert done.returncode == -signal.SIGKILL, done.stderr
            return {}
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def happened(self) -> int:
        return self.effects.read_text().splitlines().count(KEY) if self.effects.exists() else 0


@pytest.mark.parametrize("die", ["begun", "acting", "acted", "finished"])
@pytest.mark.parametrize("tool", ["asked", "idempotent"])
def test_a_process_killed_around_an_act_leaves_one_effect(url: str, tmp_path: Path, tool: str, die: str) -> None:
    installation = Installation(url, tmp_path, tool)
    installation.order(die)
    outcome = installation.order()
    assert outcome["ok"] and installation.happened() == 1
    assert installation.order() == outcome and installation.happened() == 1


@pytest.mark.parametrize("die", ["begun", "acting", "acted"])
def test_a_tool_that_can_neither_be_asked_nor_be_told_again_leaves_a_person_to_find_out(
    url: str, tmp_path: Path, die: str
) -> None:
    installation = Installation(url, tmp_path, "neither")
    installation.order(die)
    outcome = installation.order()
    assert not outcome["ok"] and not outcome["known"] and "a person must confirm" in outcome["result"]
    assert installation.order() == outcome
    assert installation.happened() == (die == "acted"), "never twice"


@pytest.mark.parametrize("die", ["begun", "acted", "finished"])
def test_a_call_that_another_node_adopts_repeats_nothing(url: str, tmp_path: Path, die: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("nodes share nothing where the journal is a file")
    installation = Installation(url, tmp_path, "asked")
    installation.order(die, node="a", epoch=1)
    assert installation.order(node="b", epoch=2)["ok"] and installation.happened() == 1
    late = installation.order(node="a", epoch=1)
    assert late["ok"] and installation.happened() == 1, "the former owner is told too, and nothing is done for it"
