"""The director on real Ray: places calls on nodes, keeps what is wanted, and finds everything again after its death."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from installation import GREETER, Installation
from offhook.actors.contracts.errors import NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.node_operations import CallRequest, SwapOutcome
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.cluster.director import start_director
from offhook.cluster.director_ref import DirectorRef
from offhook.cluster.errors import Overflow
from offhook.cluster.operations import Cost, RolloutRequest
from offhook.policies.fleet.rollout import Plan, Step
from phone import Phone

pytestmark = pytest.mark.ray


@pytest.fixture
def director(ray_folder: Path) -> Iterator[tuple[Installation, DirectorRef]]:
    installation = Installation(
        ray_folder
    )  # its supervisor is there before the director is, which must find and keep it
    director = start_director(installation.options)
    yield installation, director
    asyncio.run(director.stop())
    installation.close()


def test_a_call_is_placed_found_and_survives_the_directors_death(director: tuple[Installation, DirectorRef]) -> None:
    installation, ref = director

    async def test() -> None:
        version = await installation.publish()
        assert await ref.nodes() == [installation.node]
        placed = await ref.reserve(CallRequest("placed", policy=version))
        assert placed.node == installation.node
        phone = await Phone.pick_up(placed)
        await phone.listen_until(lambda: phone.played_bytes)
        assert [row.call for row in (await ref.calls()).calls] == ["placed"]
        ref.kill(restart=True)
        await phone.listen(500)
        supervisor = await ref.supervisor("placed")
        assert (await supervisor.state("placed"))["call"] == "placed"
        with pytest.raises(NoSuchCall):
            await ref.supervisor("nobody")
        await ref.drain(installation.node)
        with pytest.raises(NoSpare, match="no node takes calls now"):
            await ref.reserve(CallRequest("refused", policy=version, wait_s=0.2))
        played = phone.played_bytes
        await phone.listen_until(lambda: phone.played_bytes > played)
        await ref.drain(installation.node, False)
        phone.hang_up()
        await installation.ended("placed")

    installation.run(test)


@pytest.fixture
def strict(ray_folder: Path) -> Iterator[tuple[Installation, DirectorRef]]:
    installation = Installation(ray_folder)
    rules = {
        "admission": {"ring_ms": 0, "late_ms": 10_000, "tenants": {"acme": {"calls_max": 1}}},
        "prices": {"call_cents": 3.0, "carrier_minute_cents": 0.0},
        "spares_min": 1,
    }
    director = start_director(installation.options, capacity=rules)
    yield installation, director
    asyncio.run(director.stop())
    installation.close()


def test_admission_spares_and_cost_are_kept_for_the_cluster(strict: tuple[Installation, DirectorRef]) -> None:
    installation, ref = strict

    async def test() -> None:
        version = await installation.publish()
        await installation.until(lambda: _told(installation, spares_wanted=1))
        wanted = {"policy": version, "tenant": "acme", "wait_s": 90}
        phone = await Phone.pick_up(await ref.reserve(CallRequest("first", **wanted)))
        await phone.listen_until(lambda: phone.played_bytes)
        with pytest.raises(Overflow, match="tenant calls: 1 live, 1 allowed") as overflow:
            await ref.reserve(CallRequest("second", **wanted))
        assert overflow.value.act == "busy"
        phone.hang_up()
        await installation.ended("first")

        async def accounted() -> Cost | None:
            cost = await ref.cost()
            return cost if cost.total.calls else None

        (row,) = (await installation.until(accounted)).rows
        assert (row.policy_version, row.tenant, row.calls) == (version, "acme", 1)
        assert row.items["call"] == 3.0
        assert row.items["cpu"] > 0.0
        (end,) = await installation.records("first", "end")
        assert end[5]["usage"]["cpu_s"] > 0.0
        again = await ref.reserve(CallRequest("third", **wanted))  # the tenant's slot is free again
        assert again.node == installation.node
        capacity = (await ref.stats()).capacity
        assert capacity.admission.counts["busy"] == 1
        assert capacity.spare_start_s > 0.0

    installation.run(test)


async def _told(installation: Installation, **figures: Any) -> bool:
    stats = await installation.supervisor.stats()
    return all(getattr(stats, name) == value for name, value in figures.items())


def test_what_is_published_to_the_director_is_offered_on_every_node(director: tuple[Installation, DirectorRef]) -> None:
    installation, ref = director

    async def test() -> None:
        version = await installation.publish(GREETER)
        plain = {
            "name": "second",
            "agents": {"closer": {"code": "offhook.policies.agents.closing:Closing", "calls_per_actor": 50}},
        }
        await ref.publish_policy("second", plain)
        await ref.engines({"kind": "none"}, {"kind": "tone"})
        stats = (await ref.stats()).nodes[installation.node]
        assert stats.policies == (version, "second")
        assert stats.default_policy == "second"
        phone = await installation.call("swapped", version)
        await phone.listen_until(lambda: phone.played_bytes)
        told = await ref.swap_policy("second", version, ["swapped", "elsewhere"], 0, "force")  # it talks for minutes
        assert replace(told, seated_ms=0) == SwapOutcome(asked=1, swapped=1)
        assert [row.policy_version for row in (await ref.calls()).calls if row.live] == ["second"]
        with pytest.raises(UnknownPolicy):
            await ref.swap_policy("third", "", [], 0, "force")
        phone.hang_up()
        await installation.ended("swapped")

    installation.run(test)


def test_what_is_published_and_a_rollout_outlive_everything_that_runs(ray_folder: Path) -> None:
    installation = Installation(ray_folder)
    ref = start_director(installation.options)
    closing = {"closer": {"code": "offhook.policies.agents.closing:Closing", "calls_per_actor": 50}}
    plain = {"name": "desk", "agents": closing}

    async def before() -> None:
        await ref.engines({"kind": "none"}, {"kind": "tone"})
        assert (await ref.publish_policy("v1", plain)).leads
        assert not (await ref.publish_policy("v2", {**plain, "limits": {"call_ms": 60_000}})).leads
        plan = Plan(steps=(Step(share=0.5, autonomy="suggest"),))
        told = await ref.rollout_start(RolloutRequest("v2", plan))
        assert told.stage == "canary"
        await ref.stop()

    async def after() -> None:
        again = start_director(installation.options)
        rows = (await again.policies()).policies
        assert [(row.name, row.version, set(row.others)) for row in rows] == [("desk", "v1", {"v2", "v2+suggest"})]
        assert (await again.rollout("desk")).stage == "canary"
        await SupervisorRef.find(installation.node).ready(1, 120)
        await again.reserve(CallRequest("kept", policy="desk"))
        assert (await again.calls()).calls[0].policy_version in ("v1", "v2+suggest")
        await again.stop()

    installation.run(before)
    installation.run(after)
    installation.close()
