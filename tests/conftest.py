"""What holds for every test: how long a property may take for one example is not a property of the code. And stores
of each kind, for tests of what is kept: a file, or a database of one Redis.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import redis_server
from hypothesis import HealthCheck, settings
from redis_server import RedisServer

# Hypothesis fails an example that takes 200 ms, and a test whose examples are drawn slowly: on a busy machine all do.
settings.register_profile("offhook", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offhook")

_databases = count()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests of a file, which keeps nothing."""
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path_factory.mktemp("redis"), "--databases", "1000", append_only=False) as server:
        yield server


@pytest.fixture(params=("sqlite", "redis"))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store of a test's own, of each kind."""
    if request.param == "sqlite":
        return f"sqlite://{tmp_path / 'journal.db'}"
    return f"{request.getfixturevalue('redis').url[:-1]}{next(_databases) % 1_000}"
