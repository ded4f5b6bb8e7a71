"""A node whose supervisor keeps its journal in Redis: the whole way from a live call to the stream and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis_server
from installation import Installation
from offhook.actors.journals.journal import Journal
from offhook.actors.journals.stores import open_journal
from offhook.actors.node.outcomes import MOVED
from offhook.policies.replay.replay import replay
from redis_server import RedisServer

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not redis_server.PROGRAM, reason=redis_server.ABSENT),
]


def test_a_call_is_kept_in_redis_and_another_node_can_read_and_fence_it(ray_folder: Path, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as redis:
        installation = Installation(ray_folder, journal=redis.url)

        async def test() -> None:
            version = await installation.publish()
            phone = await installation.call("kept", version)
            await phone.listen_until(lambda: phone.played_bytes > 8_000)
            other: Journal = open_journal(redis.url)  # as another node's supervisor opens it
            rows = await other.read("kept", limit=100_000)
            assert rows and {row[4] for row in rows} >= {"start", "event", "commands"}
            assert replay(rows).divergence is None
            assert (await installation.supervisor.stats()).journal_up
            tail = await other.fence("kept", 99)
            assert tail.seq >= rows[-1][2]
            before = await other.read("kept", limit=100_000)
            # Its own node finds out by the refusal of the next record, and ends whoever leads it there.
            await phone.listen_until(lambda: phone.closed)
            assert (await installation.ended("kept")).outcome == MOVED
            assert await other.read("kept", limit=100_000) == before, "the former owner is not obeyed"
            await other.close()

        try:
            installation.run(test)
        finally:
            installation.close()
