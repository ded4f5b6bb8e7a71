"""Metrics of a real node: a call is led, taken over and ended, and Prometheus' own parser reads what came of it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from installation import Installation
from offhook.actors.contracts.messages import Clear
from offhook.cluster.director import start_director
from offhook.cluster.director_ref import DirectorRef
from phone import voice
from prometheus_client.openmetrics.parser import text_string_to_metric_families

pytestmark = pytest.mark.ray

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def led(ray_folder: Path) -> Iterator[tuple[Installation, DirectorRef]]:
    installation = Installation(ray_folder)
    director = start_director(installation.options)
    yield installation, director
    asyncio.run(director.stop())
    installation.close()


async def scraped(address: str) -> Samples:
    """What Prometheus would have of an address. Raises: httpx.ConnectError: nobody is there."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{address}/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the series of a name that have these labels; 0 = there is none."""
    return sum(each for (found, has), each in samples.items() if found == name and set(labels.items()) <= has)


def test_a_call_is_measured_over_its_takeover_and_its_end(led: tuple[Installation, DirectorRef]) -> None:
    installation, director = led

    async def test() -> None:
        version = await installation.publish()
        node = installation.node[:8]
        address = (await installation.supervisor.stats()).metrics
        assert value(await scraped(address), "offhook_verdicts_total") == 0
        line = await installation.line("measured", version)
        await line.listen_until(lambda: line.played_bytes > 4_000)
        os.kill((await installation.row("measured")).pid, signal.SIGKILL)
        await line.owned(2)
        await line.say(voice(40))
        await line.listen_until(lambda: line.count(Clear.NAME))
        line.leave()
        await installation.ended("measured")

        async def told() -> Samples | None:
            found = await scraped(address)
            return found if value(found, "offhook_calls_ended_total") else None

        found = await installation.until(told)
        assert value(found, "offhook_takeovers_total", outcome="led", node=node) == 1
        assert value(found, "offhook_takeover_seconds_count") == 1
        assert 0 < value(found, "offhook_takeover_seconds_sum") < 10
        assert value(found, "offhook_calls_ended_total", policy="test", node=node) == 1
        assert value(found, "offhook_journal_lag_seconds_count") > 0
        assert value(found, "offhook_calls") == 0 and value(found, "offhook_journal_up") == 1
        assert not any("measured" in text for _, labels in found for _, text in labels), "no label names a call"

        fleet = await scraped((await director.stats()).metrics)
        assert value(fleet, "offhook_nodes") == 1
        assert not any(name.startswith("offhook_calls") for name, _ in fleet), "a node's series are its own"
        rows = (await director.measured()).metrics
        assert {row.name for row in rows if row.labels.get("node") == node} >= {"offhook_takeovers", "offhook_calls"}
        assert "offhook_nodes" in {row.name for row in rows if "node" not in row.labels}

    installation.run(test)


def test_what_a_call_has_measured_is_told_with_its_end_and_a_silent_node_is_absent(
    led: tuple[Installation, DirectorRef],
) -> None:
    installation, _director = led

    async def test() -> None:
        version = await installation.publish()
        stats = await installation.supervisor.stats()
        address = stats.metrics
        phone = await installation.call("held", version)
        await phone.listen_until(lambda: phone.played_bytes > 8_000)
        await phone.say(voice(40))
        await phone.listen_until(lambda: phone.count(Clear.NAME))
        await phone.listen(600)
        phone.hang_up()
        await installation.ended("held")

        async def told() -> Samples | None:
            found = await scraped(address)
            return found if value(found, "offhook_reaction_seconds_count") else None

        found = await installation.until(told)
        assert value(found, "offhook_clear_seconds_count") == 1
        assert 0 < value(found, "offhook_clear_seconds_sum") < value(found, "offhook_reaction_seconds_sum")
        assert value(found, "offhook_verdicts_total", answer="grant", rule="none") >= 1
        assert value(found, "offhook_proposal_seconds_count", agent="closer") >= 1
        assert value(found, "offhook_holds_total") == 1

        installation.supervisor.kill(restart=True)
        with pytest.raises(httpx.TransportError):
            while True:  # until its process is gone
                await scraped(address)
        again = await installation.supervisor.ready(1, 120)
        anew = await scraped(again.metrics)
        assert value(anew, "offhook_reaction_seconds_count") == 0, "counters begin anew, as counters may"
        assert value(anew, "offhook_spares") >= 1

    installation.run(test)
