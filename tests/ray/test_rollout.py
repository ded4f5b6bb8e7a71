"""Rollouts on real Ray with two nodes: bad candidates are contained and rolled back, shadows find what there is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.call_operations import CallSummary
from offhook.actors.contracts.errors import LinkLost
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.refs.supervisor import SupervisorRef
from offhook.actors.shadows.trial import agents_of
from offhook.cluster.operations import RolloutRequest
from offhook.policies.core.errors import CallerFault, PolicyError
from offhook.policies.core.policy import Policy
from offhook.policies.fleet.rollout import Plan, Step
from offhook.policies.replay.backtest import backtest
from offhook.policies.replay.recording import read
from phone import Phone, voice
from two_nodes import Fleet, two_nodes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(500)]

TALKER = """
import time
from offhook.policies.core.proposals import Kind, Proposal, Purpose

class Talker:
    topics = ()
    def __init__(self, name, spec):
        self.spec = spec
    def propose(self, view, reason):
        #BAD
        text = "Good morning, this is a rather long greeting that goes on for quite a while. " * 20
        return [Proposal("", "", Kind.SAY, 0, 0, text, Purpose.GREETING)]
"""
NEVER = {"gate": {"actions": {"say:greeting": {"readiness_share": 1.0}}}}
BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "raises": ("raise ValueError('bad')", {}, "failed"),
    "hangs": ("time.sleep(3600)", {}, "late"),
    "leaks": (
        "hoard = getattr(self, 'hoard', []); self.hoard = hoard; hoard.append(bytearray(400 << 20))",
        {},
        "failed",
    ),
    "slow": ("time.sleep(2.0)", {}, "late"),
    "denies": ("", NEVER, "denied"),
}
CALLS_MAX = 60
# Agents that are good answer in time, also where they wait for a core; a call lasts longer than that.
IN_TIME = {"arbitration": {"deadline_ms": 600}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    with two_nodes() as folder:
        yield folder


@pytest.fixture(scope="module")
def fleet(cluster: Path) -> Iterator[Fleet]:
    fleet = Fleet(cluster)

    async def begin() -> None:
        await fleet.director.engines({"kind": "none"}, {"kind": "tone"})
        await fleet.publish("good", TALKER, **IN_TIME)
        await fleet.ready()
        await fleet.director.agents_up("good")

    fleet.run(begin)
    yield fleet
    fleet.close()


async def one_call(fleet: Fleet, call: str) -> CallSummary:
    """A short call from beginning to end; the row of it. One that the director died under is placed once more."""
    try:
        phone = await fleet.call(call)
    except LinkLost:
        call += "-again"
        await fleet.director.nodes()
        phone = await fleet.call(call)
    await phone.listen(1_200)
    phone.hang_up()
    return await fleet.ended(call)


@pytest.mark.parametrize("kind", list(BAD))
def test_a_bad_candidate_is_contained_and_rolled_back_with_the_reason(fleet: Fleet, kind: str) -> None:
    bad, policy, mark = BAD[kind]

    async def test() -> None:
        director = fleet.director
        version = await fleet.publish(
            kind, TALKER.replace("#BAD", bad), memory_mb=256 if kind == "leaks" else 512, **IN_TIME, **policy
        )
        plan = {"steps": [{"share": 0.3}], "guards": [{"mark": m} for m in ("lost", "failed", "late", "denied")]}
        told = await director.rollout_start(RolloutRequest(version, Plan.model_validate(plan)))
        assert (told.stage, told.share) == ("canary", 0.3)
        rows: list[CallSummary] = []
        while told.stage == "canary" and len(rows) < CALLS_MAX:
            names = [f"{kind}-{len(rows) + number}" for number in range(3)]
            rows += await asyncio.gather(*(one_call(fleet, name) for name in names))
            if len(rows) == 6:
                director.kill(restart=True)  # whoever decides may die in between
            told = await director.rollout("desk")
        assert told.stage == "rolled back", told
        assert told.reason.startswith(f"{mark}: "), told.reason
        versions = {row.policy_version for row in rows}
        assert versions == {"good", version}, "both arms had calls"
        assert {row.outcome for row in rows} == {"caller_hung_up"}, "no call was dropped"
        assert (await one_call(fleet, f"{kind}-after")).policy_version == "good"
        await director.withdraw_policy(version)

    fleet.run(test, 450)


def test_a_version_whose_agents_cannot_be_loaded_harms_nothing(fleet: Fleet) -> None:
    async def test() -> None:
        director = fleet.director
        broken = "import nowhere\n" + TALKER
        with pytest.raises(PolicyError, match=r"do(es)? not run"):
            await fleet.publish("broken", broken, "now")
        with pytest.raises(PolicyError, match=r"do(es)? not run"):
            await director.rollout_start(RolloutRequest("broken", Plan(steps=(Step(share=0.5),))))
        table = await director.policies()
        row = next(row for row in table.policies if row.name == "desk")
        assert row.version == "good"
        assert (await one_call(fleet, "unharmed")).policy_version == "good"
        with pytest.raises(CallerFault, match="leads new calls"):
            await director.withdraw_policy("good")
        await director.withdraw_policy("broken")

    fleet.run(test)


def test_shadows_find_on_live_calls_what_a_backtest_finds_in_their_journals(fleet: Fleet) -> None:
    async def test() -> None:
        director = fleet.director
        other = TALKER.replace("Good morning", "Good evening")
        version = await fleet.publish("evening", other, **IN_TIME)
        plan = {"shadow": True, "shadow_calls_min": 2, "guards": []}
        await director.rollout_start(RolloutRequest(version, Plan.model_validate(plan)))

        async def joined() -> bool:
            return bool((await director.divergence("desk")).shadowing)

        async def led(call: str) -> None:
            placed = await director.reserve(CallRequest(call, policy="desk"))
            await fleet.until(joined)  # it rings meanwhile: the shadow hears it from its first word
            phone = await Phone.pick_up(placed)
            await phone.listen_until(lambda: phone.played_bytes > 8_000)
            await phone.say(voice(40))
            await phone.listen(600)
            phone.hang_up()
            assert (await fleet.ended(call)).policy_version == "good", "shadows lead nothing"

        for name in ("shadowed-1", "shadowed-2"):
            await led(name)

        async def both() -> Any:
            told = await director.divergence("desk", limit=1_000)
            return told if len(told.trials) >= 2 else None

        told = await fleet.until(both)
        policy = Policy.model_validate((await director.bundle(version)).policy)
        agents = agents_of(policy, str(fleet.folder / "bundle-evening"))
        for trial in told.trials:
            supervisor: SupervisorRef = await director.supervisor(trial["call"])
            records = await supervisor.journal(trial["call"], -1, 10_000)
            expected = [each.kind for each in backtest(read(records), policy, agents).differences]
            assert expected[0] == "said_otherwise"
            assert [each["kind"] for each in trial["differences"]] == expected[: len(trial["differences"])]
        assert {row["call"] for row in told.rows} == {"shadowed-1", "shadowed-2"}
        status = await director.rollout("desk")
        assert (status.shadowed.calls, status.shadowed.diverged) == (2, 2)
        await director.rollout_order("desk", "abort")

    fleet.run(test)


def test_running_calls_go_over_when_it_is_live_and_come_back_when_it_is_rolled_back(fleet: Fleet) -> None:
    async def test() -> None:
        director = fleet.director
        version = await fleet.publish("next", TALKER.replace("Good morning", "Good day"), **IN_TIME)
        names = [f"running-{number}" for number in range(3)]
        phones = [await fleet.call(name) for name in names]
        lines = [asyncio.ensure_future(phone.listen(60_000)) for phone in phones]
        plan = {"promote": True, "live": {"deadline_ms": 3_000, "at_deadline": "force"}}
        told = await director.rollout_start(RolloutRequest(version, Plan.model_validate(plan)))
        assert told.stage == "live"

        def led_by(wanted: str) -> Any:
            async def all_of_them() -> bool:
                rows = [row for row in (await director.calls()).calls if row.call in names]
                return all(row.live and row.policy_version == wanted for row in rows)

            return all_of_them

        async def swapped() -> Any:
            return (await director.rollout("desk")).swap

        await fleet.until(led_by(version))
        swap = await fleet.until(swapped)
        assert (swap.asked, swap.swapped) == (3, 3)
        assert (await director.rollout_order("desk", "abort")).stage == "rolled back"
        await fleet.until(led_by("good"))
        for phone, line in zip(phones, lines, strict=True):
            line.cancel()
            phone.hang_up()
        for name in names:
            row = await fleet.ended(name)
            assert (row.outcome, row.policy_version) == ("caller_hung_up", "good")

    fleet.run(test)
