"""What is wanted of a cluster outlives whoever wanted it: in files, and in a Redis where there is one."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis_server
from offhook.actors.contracts.errors import UnknownPolicy
from offhook.cluster.desired_state import OTHERS_MAX, DesiredState, Version
from offhook.cluster.state_store import BLOB_BYTES_MAX, FileMemory, MemoryAway, open_memory
from offhook.policies.core.errors import CallerFault, PolicyError
from redis_server import RedisServer

Open = Callable[[], Any]


@pytest.fixture(params=["files", "redis"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the same memory again and again."""
    if request.param == "files":
        yield lambda: open_memory("", tmp_path)
        return
    if not redis_server.PROGRAM:
        pytest.skip(redis_server.ABSENT)
    with RedisServer(tmp_path / "redis") as redis:
        yield lambda: open_memory(redis.url, tmp_path)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def version(name: str, policy: str = "sales", bundle: bytes = b"a parcel") -> Version:
    return Version(name, {"name": policy, "agents": {}}, bundle)


def test_what_is_put_is_there_for_the_next_one(opened: Open) -> None:
    async def test() -> None:
        memory = opened()
        await memory.put("policy/a+act", b"one")
        await memory.put("policy/a+act", b"two")
        await memory.put("leads", b"")
        await memory.close()
        memory = opened()
        assert await memory.names() == ["leads", "policy/a+act"]
        assert (await memory.get("policy/a+act"), await memory.get("leads")) == (b"two", b"")
        assert await memory.get("nothing") is None
        await memory.drop("leads")
        await memory.drop("leads")
        assert await memory.names() == ["policy/a+act"]
        with pytest.raises(CallerFault, match="at most under one name"):
            await memory.put("large", bytes(BLOB_BYTES_MAX + 1))
        with pytest.raises(CallerFault, match="name has"):
            await memory.put("", b"")
        await memory.close()

    run(test)


def test_versions_leads_engines_and_cordoned_nodes_are_recalled(opened: Open) -> None:
    async def test() -> None:
        wanted = DesiredState(opened())
        await wanted.keep(version("v1"), set())
        await wanted.keep(version("v2", bundle=b"\x00\xff"), set())
        assert await wanted.lead("sales", "v2", default=True)
        await wanted.keep_engines({"kind": "none"}, {"kind": "tone"}, [{"replica": "r"}])
        await wanted.cordon("node-1", True, {"node-1"})
        after = DesiredState(opened())
        await after.recall()
        assert list(after.versions) == ["v1", "v2"]
        assert after.version("sales").bundle == b"\x00\xff"
        assert after.engines == ({"kind": "none"}, {"kind": "tone"})
        assert after.engine_places == [{"replica": "r"}]
        assert set(after.cordoned) == {"node-1"}
        assert [after.resolve(asked) for asked in ("", "sales", "v1", "other")] == ["v2", "v2", "v1", "other"]
        with pytest.raises(UnknownPolicy, match="published: sales"):
            after.version("other")
        await after.cordon("node-2", True, {"node-2"})
        assert set(after.cordoned) == {"node-2"}, "a node that is gone is forgotten"
        for each in (wanted, after):
            await each.memory.close()

    run(test)


def test_a_restart_takes_nothing_back_that_was_promoted_and_brings_what_was_changed(tmp_path: Path) -> None:
    async def test() -> None:
        wanted = DesiredState(FileMemory(tmp_path))
        for name in ("v1", "v2", "v3"):
            await wanted.keep(version(name), set())
        assert await wanted.lead("sales", "v1", started=True)
        assert await wanted.lead("sales", "v2")  # promoted
        assert not await wanted.lead("sales", "v1", started=True), "the same folder as at the last start"
        assert wanted.resolve("sales") == "v2"
        assert await wanted.lead("sales", "v3", started=True), "the folder was changed: that is the newer will"

    run(test)


def test_the_oldest_version_that_nobody_uses_makes_room(tmp_path: Path) -> None:
    async def test() -> None:
        wanted = DesiredState(FileMemory(tmp_path))
        await wanted.keep(version("v0"), set())
        await wanted.lead("sales", "v0")
        for number in range(1, OTHERS_MAX + 1):
            await wanted.keep(version(f"v{number}"), set())
        assert len(wanted.versions) == OTHERS_MAX + 1
        assert await wanted.keep(version("more"), {"v1"}) == ["v2"]
        assert "v0" in wanted.versions and "v1" in wanted.versions and "v2" not in wanted.versions
        with pytest.raises(PolicyError, match="offhook policy withdraw"):
            await wanted.keep(version("too much"), set(wanted.versions))
        assert "too much" not in wanted.versions
        rows = wanted.table({"v1": "canary"}, {"v3": 2}).policies[0].versions
        status = {row.version: row.status for row in rows}
        assert (status["v0"], status["v1"], status["v3"], status["v4"]) == ("leading", "canary", "live", "unused")

    run(test)


def test_files_are_for_their_owner_alone_and_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        memory = FileMemory(tmp_path / "wanted")
        await memory.put("leads", b"x")
        assert stat.S_IMODE((tmp_path / "wanted" / "leads").stat().st_mode) == 0o600
        (tmp_path / "file").write_text("")
        with pytest.raises(MemoryAway, match="file"):
            await FileMemory(tmp_path / "file" / "wanted").put("leads", b"x")
        with pytest.raises(MemoryAway, match="Redis"):
            await open_memory("redis://127.0.0.1:1", tmp_path).names()

    run(test)
