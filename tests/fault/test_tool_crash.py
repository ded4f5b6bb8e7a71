"""A supervisor is killed while a real HTTP tool carries out a live call's order: one effect, and its true outcome."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import redis_server
from installation import Installation
from redis_server import RedisServer
from tool_server import ToolServer

pytestmark = pytest.mark.fault

BOOKER = """
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Booker:
    topics = ()
    def __init__(self, name, spec):
        self.asked = False
    def propose(self, view, reason):
        if self.asked:
            return []
        self.asked = True
        arguments = (("time", "ten"),)
        return [Proposal("", "", Kind.TOOL, 0, 0, "", Purpose.ANSWER, action="book", arguments=arguments)]
"""


@pytest.mark.parametrize("store", ["sqlite", "redis"])
def test_an_act_that_a_dead_supervisor_had_begun_is_asked_for_not_repeated(
    ray_folder: Path, tmp_path: Path, store: str
) -> None:
    if store == "redis" and not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with ToolServer() as side:
        redis = RedisServer(tmp_path / "redis") if store == "redis" else None
        tools = {"book": {"url": side.url, "look_up": "get", "limit_ms": 60_000}}
        installation = Installation(ray_folder, tools=tools, journal=redis.url if redis else "")

        async def test() -> None:
            side.how = "hang"
            version = await installation.publish(BOOKER)
            phone = await installation.call("c1", version)

            async def begun() -> bool:
                return bool(side.asked)

            await installation.until(begun)
            os.kill((await installation.supervisor.stats()).pid, signal.SIGKILL)
            await installation.supervisor.ready(1, 120)
            (finished,) = await installation.until(lambda: installation.events("c1", "ActionFinished"))
            assert finished[2:] == ["g1", True, "it is booked", False]
            assert [event[2:] for event in await installation.events("c1", "ActionBegun")] == [["g1"]]
            assert [method for method, _ in side.asked] == ["POST", "GET"]
            (act,) = await installation.supervisor.acts("c1")
            assert list(side.done) == [act.key] and len(side.done[act.key]) == 1 and act.tries == 2
            phone.hang_up()

        try:
            installation.run(test)
        finally:
            installation.close()
            if redis is not None:
                redis.close()
