"""The director's rollouts over a fleet that only counts: assignment, promotion, rollback, death in between."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.errors import LinkLost, UnknownPolicy
from offhook.actors.contracts.node_operations import ArmReport, CallRequest, ShadowOrder, ShadowReport, SwapOutcome
from offhook.actors.node.arm_counters import ArmCounters
from offhook.cluster.desired_state import DesiredState, Version
from offhook.cluster.operations import RolloutRequest, RolloutStatus, SwapTotals
from offhook.cluster.rollouts import NoSuchRollout, Rollouts
from offhook.cluster.shadowing import Shadowing
from offhook.cluster.state_store import FileMemory
from offhook.policies.core.errors import CallerFault, IllegalMove, PolicyError
from offhook.policies.core.policy import Policy
from offhook.policies.core.principal import Principal
from offhook.policies.core.records import Record
from offhook.policies.fleet.rollout import Plan

ANN = Principal.of("person:ann")

POLICY = Policy.model_validate({"name": "sales", "agents": {"a": {"code": "offhook.policies.agents.closing:Closing"}}})


class Fleet:
    """Nodes that count as told, offer what they are given, and swap as told."""

    def __init__(self) -> None:
        self.tallies = {"node-1": ArmCounters(), "node-2": ArmCounters()}
        self.offered: dict[str, dict[str, Any]] = {}
        self.swaps: list[tuple[str, str, int, str]] = []
        self.swap_fault: Exception | None = None
        self.broken: set[str] = set()
        self.reports: dict[str, ShadowReport] = {}
        self.unshadowed: list[str] = []
        self.live: dict[str, int] = {}

    async def arms(self) -> dict[str, ArmReport]:
        return {node: counters.figures() for node, counters in self.tallies.items()}

    async def offer(self, version: str, policy: dict[str, Any], _bundle: str | bytes) -> None:
        self.offered[version] = policy

    async def unoffer(self, version: str) -> None:
        self.offered.pop(version, None)

    async def live_versions(self) -> dict[str, int]:
        return self.live

    async def agents_up(self, version: str) -> None:
        if version in self.broken:
            raise PolicyError(f"policy {version}: agent a does not run: SyntaxError")

    async def swap_policy(
        self, to_version: str, from_version: str, _calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        if self.swap_fault is not None:
            raise self.swap_fault
        self.swaps.append((to_version, from_version, deadline_ms, at_deadline))
        return SwapOutcome(asked=3, swapped=2, kept=1)

    async def shadow(self, _order: ShadowOrder, _after: Mapping[str, Any]) -> dict[str, ShadowReport]:
        return self.reports

    async def unshadow(self, rollout: str) -> None:
        self.unshadowed.append(rollout)


class Installation:
    """One director's rollouts; `again` is the next director over the same memory."""

    def __init__(self, folder: Path, fleet: Fleet | None = None) -> None:
        self.folder = folder
        self.fleet = fleet or Fleet()
        self.now_unix_ms = 1_000_000
        self.wanted = DesiredState(FileMemory(folder))
        self.rollouts = Rollouts(self.fleet, self.wanted, Shadowing(self.fleet), lambda: self.now_unix_ms)

    async def published(self) -> Installation:
        for version in ("v1", "v2"):
            await self.wanted.keep(Version(version, POLICY.model_dump(mode="json"), b"parcel"), set())
        await self.wanted.lead("sales", "v1")
        return self

    async def again(self) -> Installation:
        installation = Installation(self.folder, self.fleet)
        installation.now_unix_ms = self.now_unix_ms
        await installation.wanted.recall()
        await installation.rollouts.recall()
        return installation

    async def start(self, **plan: Any) -> RolloutStatus:
        plan.setdefault("steps", [{"share": 0.5}])
        whole = Plan.model_validate({"calls_min": 10, "step_ms": 1_000, **plan})
        return await self.rollouts.start(RolloutRequest("v2", whole), ANN)

    def led(self, call: str, policy: str = "sales") -> CallRequest:
        return self.rollouts.assign(CallRequest(call, policy=policy, caller="+1"), self.wanted.resolve(policy))

    def take_calls(self, count: int, node: str = "node-1", **failing: int) -> Counter[str]:
        """New calls, from beginning to end; those of arm `arm1` fail every so many."""
        arms: Counter[str] = Counter()
        counters = self.fleet.tallies[node]
        for number in range(count):
            call = f"{node}-{self.now_unix_ms}-{number}"
            arm = self.led(call).arm
            arms[arm] += 1
            if not arm:
                continue
            counters.began(call, arm, seated=True)
            if failing.get(f"arm{arm[-1]}") and number % failing[f"arm{arm[-1]}"] == 0:
                counters.take(call, arm, [Record(call, 1, 1, 0, "event", ["AgentLost", 0, "a", "ValueError"])])
            counters.over(call, arm, "goodbye")
        return arms

    async def tick(self, after_ms: int = 1_000) -> RolloutStatus:
        self.now_unix_ms += after_ms
        await self.rollouts.tick()
        await asyncio.sleep(0)
        while self.rollouts._moving:  # noqa: ASYNC110  # its tasks have no event here
            await asyncio.sleep(0)
        return self.rollouts.status("sales")


def run(folder: Path, test: Callable[[Installation], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(60):
            await test(await Installation(folder).published())

    asyncio.run(limited())


def test_a_good_candidate_is_widened_and_leads_in_the_end_and_running_calls_go_over(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        live = {"deadline_ms": 5_000, "at_deadline": "force"}
        told = await installation.start(steps=[{"share": 0.1}, {"share": 0.5}], promote=True, live=live)
        assert (told.stage, told.share, told.history[0].why) == ("canary", 0.1, "started by ann")
        arms = installation.take_calls(200) + installation.take_calls(100, "node-2")
        assert 10 < arms["sales-1/0/1"] < 60 and arms["sales-1/0/0"] > 200
        assert (await installation.tick()).share == 0.5
        installation.take_calls(50)
        told = await installation.tick()
        assert told.stage == "live"
        assert installation.wanted.leads == {"sales": "v2"}
        assert installation.fleet.swaps == [("v2", "v1", 5_000, "force")]
        assert told.swap == SwapTotals(asked=3, swapped=2, kept=1)
        assert installation.led("another") == CallRequest("another", policy="v2", caller="+1")
        await installation.tick()
        assert len(installation.fleet.swaps) == 1, "once"

    run(tmp_path, test)


def test_a_bad_candidate_is_rolled_back_with_the_reason_and_its_calls_are_taken_back(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start(promote=True)
        installation.take_calls(60, arm1=1)
        told = await installation.tick()
        assert told.stage == "rolled back"
        assert told.reason.startswith("failed: ")
        assert installation.wanted.leads == {"sales": "v1"}
        assert installation.fleet.swaps == [("v1", "v2", 10_000, "force")]
        assert {installation.led(f"c{number}").policy for number in range(50)} == {"v1"}
        assert installation.rollouts.uses() == {}

    run(tmp_path, test)


def test_who_asks_for_a_version_is_pinned_to_it_and_counts_for_nobody(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start(steps=[{"share": 0.9}])
        assert {installation.led(f"c{n}", "v1").policy for n in range(20)} == {"v1"}
        assert not any(installation.led(f"c{n}", "v2").arm for n in range(20))
        assert {installation.led(f"c{n}", "").policy for n in range(50)} == {"v1", "v2"}, "the default's name"
        await installation.rollouts.order("sales", "pause", ANN)
        assert {installation.led(f"c{n}").policy for n in range(50)} == {"v1"}
        assert installation.led("x", "elsewhere").policy == "elsewhere"

    run(tmp_path, test)


def test_a_director_that_died_goes_on_where_it_stopped_and_counts_nothing_twice(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start()
        installation.take_calls(100, arm0=5)
        before = await installation.tick(0)
        installation = await installation.again()
        assert installation.led("a-call").arm.startswith("sales-1/0/")
        after = await installation.tick(0)
        assert after.tallies == before.tallies
        installation.fleet.tallies["node-1"] = ArmCounters()  # a supervisor died: it counts from nothing
        installation.fleet.tallies["node-1"]._began_unix_ms += 1
        installation.take_calls(10)
        calls = (await installation.tick(0)).tallies[0].calls
        assert sum(calls) == 110

    run(tmp_path, test)


def test_a_swap_that_could_not_be_asked_for_is_asked_for_again_also_after_a_death(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start(live={})
        installation.fleet.swap_fault = LinkLost("the node is away")
        await installation.rollouts.order("sales", "promote", ANN)
        await installation.tick()
        assert installation.fleet.swaps == []
        installation = await installation.again()
        installation.fleet.swap_fault = None
        await installation.tick()
        assert installation.fleet.swaps == [("v2", "v1", 10_000, "keep")]
        installation = await installation.again()
        await installation.tick()
        assert len(installation.fleet.swaps) == 1
        told = await installation.rollouts.order("sales-1", "abort", ANN)  # back, by hand
        assert (told.stage, told.reason) == ("rolled back", "abort by ann")
        assert installation.wanted.leads == {"sales": "v1"}
        await installation.tick()
        assert installation.fleet.swaps[-1] == ("v1", "v2", 10_000, "force")

    run(tmp_path, test)


def test_nothing_is_done_that_could_not_be_written_down(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start()

        async def away(_name: str, _blob: bytes) -> None:
            raise LinkLost("the store is away")

        put, installation.wanted.memory.put = installation.wanted.memory.put, away  # type: ignore[method-assign]
        with pytest.raises(LinkLost):
            await installation.rollouts.order("sales", "promote", ANN)
        assert installation.rollouts.status("sales").stage == "canary"
        assert installation.wanted.leads == {"sales": "v1"}
        installation.wanted.memory.put = put  # type: ignore[method-assign]

    run(tmp_path, test)


def test_what_cannot_be_started_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        for asked, kind, words in (
            ("v1", CallerFault, "leads sales already"),
            ("v9", UnknownPolicy, "not published"),
        ):
            with pytest.raises(kind, match=words):
                await installation.rollouts.start(RolloutRequest(asked))
        installation.fleet.broken = {"v2"}
        with pytest.raises(PolicyError, match="SyntaxError"):
            await installation.start()
        installation.fleet.broken = set()
        assert installation.rollouts.rows() == []
        await installation.start()
        with pytest.raises(CallerFault, match="offhook rollout abort sales"):
            await installation.start()
        with pytest.raises(IllegalMove, match="can be told to"):
            await installation.rollouts.order("sales", "explode")
        with pytest.raises(NoSuchRollout, match="there are: sales-1"):
            installation.rollouts.status("other")

    run(tmp_path, test)


def test_a_step_with_less_autonomy_leads_its_calls_by_a_version_with_less(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        steps = [{"share": 0.5, "autonomy": "suggest"}, {"share": 0.6}]
        await installation.start(steps=steps, promote=True)
        assert {installation.led(f"c{n}").policy for n in range(50)} == {"v1", "v2+suggest"}
        assert installation.fleet.offered["v2+suggest"]["gate"]["autonomy_max"] == "suggest"
        installation.take_calls(100)
        await installation.tick()
        assert {installation.led(f"c{n}").policy for n in range(50)} == {"v1", "v2"}
        installation.fleet.live = {"v2+suggest": 1}
        await installation.rollouts.order("sales", "promote")
        await installation.tick()
        assert "v2+suggest" in installation.wanted.versions, "a call still has it"
        installation.fleet.live = {}
        await installation.tick()
        assert set(installation.wanted.versions) == {"v1", "v2"}
        assert "v2+suggest" not in installation.fleet.offered

    run(tmp_path, test)


def test_shadows_are_counted_told_and_a_candidate_that_cannot_be_shadowed_goes_back(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start(shadow=True, shadow_calls_min=2)
        row = {"seq": 1, "call": "c1", "kind": "floor", "at_ms": 5, "rank": 0.3}
        report = ShadowReport(since=7, calls=1, diverged=1, present=2, rows=[row], trials=[{"seq": 1, "call": "c1"}])
        installation.fleet.reports = {"node-1": report}
        for _ in range(2):
            told = await installation.tick()
        assert (told.stage, told.shadowed.calls) == ("shadow", 1), "the same report counts once"
        found = installation.rollouts.divergence("sales")
        assert [each["call"] for each in found.rows] == ["c1"]
        assert (found.trials, found.shadowing, found.over) == ([{"call": "c1"}], 2, False)
        installation.fleet.reports = {"node-1": replace(report, calls=2)}
        assert (await installation.tick()).stage == "canary"
        assert installation.fleet.unshadowed == ["sales-1"]
        await installation.rollouts.order("sales", "abort")
        await installation.start(shadow=True)
        installation.fleet.reports = {"node-1": replace(report, since=8, failed="its agents cannot be loaded: x")}
        told = await installation.tick()
        assert (told.stage, told.reason) == (
            "rolled back", "the candidate in shadow: its agents cannot be loaded: x",
        )  # fmt: skip

    run(tmp_path, test)


def test_a_rollout_gives_way_where_another_version_was_made_to_lead_meanwhile(tmp_path: Path) -> None:
    async def test(installation: Installation) -> None:
        await installation.start()
        await installation.wanted.keep(Version("v3", POLICY.model_dump(mode="json"), b"parcel"), set())
        await installation.wanted.lead("sales", "v3", started=True)  # `offhook up` with a folder that was changed
        told = await installation.tick()
        assert (told.stage, told.reason) == ("aborted", "v3 was made to lead meanwhile")
        assert installation.wanted.leads == {"sales": "v3"}

    run(tmp_path, test)
