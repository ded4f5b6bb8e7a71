"""The director on real Ray: places calls on nodes, keeps what is wanted, and finds everything again after its death."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from house import GREETER, House
from offhook.actors.errors import NoSpare, NoSuchCall
from offhook.cluster.director import DirectorRef
from phone import Phone

pytestmark = pytest.mark.ray


@pytest.fixture
def director(ray_folder: Path) -> Iterator[tuple[House, DirectorRef]]:
    house = House(ray_folder)  # its supervisor is there before the director is, which must find and keep it
    director = DirectorRef.start(house.options)
    yield house, director
    asyncio.run(director.stop())
    house.close()


def test_a_call_is_placed_found_and_survives_the_directors_death(director: tuple[House, DirectorRef]) -> None:
    house, ref = director

    async def test() -> None:
        version = await house.publish()
        assert await ref.nodes() == [house.node]
        placed = await ref.reserve({"call": "placed", "policy": version})
        assert placed["node"] == house.node
        phone = await Phone.pick_up(placed)
        await phone.listen_until(lambda: phone.played_bytes)
        assert [row["call"] for row in await ref.calls()] == ["placed"]
        ref.kill(restart=True)
        await phone.listen(500)
        supervisor = await ref.supervisor("placed")
        assert (await supervisor.state("placed"))["call"] == "placed"
        with pytest.raises(NoSuchCall):
            await ref.supervisor("nobody")
        await ref.drain(house.node)
        with pytest.raises(NoSpare, match="no node takes calls now"):
            await ref.reserve({"call": "refused", "policy": version, "wait_s": 0.2})
        played = phone.played_bytes
        await phone.listen_until(lambda: phone.played_bytes > played)
        await ref.drain(house.node, False)
        phone.hang_up()
        await house.ended("placed")

    house.run(test)


def test_what_is_published_to_the_director_is_offered_on_every_node(director: tuple[House, DirectorRef]) -> None:
    house, ref = director

    async def test() -> None:
        version = await house.publish(GREETER)
        plain = {
            "name": "second",
            "agents": {"closer": {"code": "offhook.policies.agents.closing:Closing", "calls_per_actor": 50}},
        }
        await ref.publish_policy("second", plain)
        await ref.engines({"kind": "none"}, {"kind": "tone"})
        stats = (await ref.stats())["nodes"][house.node]
        assert stats["policies"] == [version, "second"]
        assert stats["default_policy"] == "second"

    house.run(test)
