"""An agent host on real sockets, without Ray: seats, threads, agents that fail, sleep or lie about their freshness."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.agents import agent_host as agents_module
from offhook.actors.agents.agent_host import AgentBench
from offhook.actors.agents.bundle import agent_class
from offhook.actors.agents.seat import NOTICES_MAX
from offhook.actors.contracts.messages import Answer, Failed, Invite, Memory, Notice, Remember, Upgrade
from offhook.actors.contracts.node_messages import Attach, Attached, Detach, GaveUp
from offhook.actors.link.link import Link, LinkServer
from offhook.policies.core.codec import decode
from offhook.policies.core.errors import PolicyError
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.proposals import Kind, Polarity, Reading
from offhook.policies.gate.entry import A_LIST, PROPOSALS_MAX

CODE = """
import asyncio
import threading
from offhook.policies.core.proposals import Kind, Polarity, Proposal, Purpose, Reading

GATE = threading.Event()
BUSY = threading.Event()  # somebody waits at the gate
TOLD = []  # notices, of all instances

ENDS = {
    "StopIteration": StopIteration(),
    "SystemExit": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "CancelledError": asyncio.CancelledError(),
    "BaseExceptionGroup": BaseExceptionGroup("several", [KeyboardInterrupt()]),
}

class One:
    topics = ("floor",)
    known = "nothing"
    def __init__(self, name, spec):
        self.asked = 0
    def notice(self, seq, revision, turn, topic, body):
        if topic == "wait":
            BUSY.set()
            GATE.wait(10)
        if topic == "raise":
            raise ValueError("the caller's secret")
        TOLD.append((seq, revision, turn, topic, body, threading.current_thread() is threading.main_thread()))
    def read(self, view):
        if view.get("says") == "raise":
            raise ValueError("the caller's secret")
        return {"yes": Reading(Polarity.YES, "said so"), "nonsense": "yes"}.get(view.get("says"))
    def propose(self, view, reason):
        self.asked += 1
        if reason == "wait":
            GATE.wait(10)
        if reason == "raise":
            raise ValueError("the caller's secret")
        if reason in ENDS:
            raise ENDS[reason]
        if reason == "known":
            return [Proposal(str(self.known), "", Kind.SAY, 0, 0, "Hm.")]
        if reason == "nothing":
            return None
        if reason == "some":
            good = Proposal("good", "", Kind.SAY, 0, 0, "**One** thing.")
            return ["what?", good, Proposal("bad", "", Kind.TOOL, 0, 0, action="book", arguments=(("seats", 3),))]
        if reason == "many":
            return [Proposal(str(n), "", Kind.SAY, 0, 0, "Hm.") for n in range(99)]
        return [Proposal("", "me", Kind.SAY, 99, 99, f"asked {self.asked} times", Purpose.ANSWER)]
    def remember(self):
        return {"asked": self.asked}
    def upgrade(self, memory):
        self.known = memory["asked"]
"""


class Supervisor:
    """What the host's supervisor hears of it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def send(self, *message: Any) -> bool:
        self.heard.append(message)
        return True

    def beat_soon(self) -> None:
        pass


class Calls:
    """A link server that stands for call actors; `heard[call]` is what the agent said there."""

    def __init__(self, folder: Path) -> None:
        self.heard: dict[str, list[Any]] = {}
        self.hellos: dict[str, list[Any]] = {}
        self.links: dict[str, Link] = {}
        self.server = LinkServer(self._hello)
        self.path = folder / "calls.sock"
        (folder / "agents").mkdir()
        (folder / "agents" / "one.py").write_text(CODE)
        self.supervisor = Supervisor()
        self.bench = AgentBench("booking", AgentSpec(code="agents/one.py:One", calls_per_actor=4), str(folder))
        self.bench.resident = self.supervisor  # type: ignore[assignment]  # the part of it that a bench uses
        self.gate: threading.Event = sys.modules[self.bench._class.__module__].GATE
        self.busy: threading.Event = sys.modules[self.bench._class.__module__].BUSY
        self.noticed: list[Any] = sys.modules[self.bench._class.__module__].TOLD

    def _hello(self, link: Link, call: str, rest: list[Any]) -> None:
        self.links[call], self.hellos[call] = link, rest
        self.heard.setdefault(call, [])
        link.on_message = lambda _link, message: self.heard[call].append(message)

    async def seat(self, call: str, epoch: int = 1) -> None:
        self.links.pop(call, None)
        token = self.server.admit(call, lasting=True)
        self.bench.told([Attach.NAME, call, epoch, "booking", f"unix:{self.path}", token])
        await self.until(lambda: call in self.links)

    def invite(self, call: str, reason: str, turn: int = 1, revision: int = 5, says: str = "") -> None:
        self.links[call].send(Invite.NAME, turn, revision, reason, 150, {"revision": revision, "says": says})

    def notice(self, call: str, seq: int, topic: str = "floor") -> None:
        self.links[call].send(Notice.NAME, seq, 7, 1, topic, {"holder": "caller"})

    async def answer(self, call: str, count: int = 1) -> list[Any]:
        await self.until(lambda: len(self.heard[call]) >= count)
        return list(self.heard[call][count - 1])

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():  # noqa: ASYNC110  # whatever the test wishes for
            await asyncio.sleep(0)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    def runner(test: Callable[[Calls], Awaitable[None]]) -> None:
        async def limited() -> None:
            calls = Calls(tmp_path)
            await calls.server.start(f"unix:{calls.path}")
            async with asyncio.timeout(60):
                try:
                    await test(calls)
                finally:
                    calls.gate.set()
                    await calls.server.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(limited())

    return runner


def test_an_answer_is_stamped_with_what_it_was_computed_from(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        assert calls.hellos["a"][:3] == ["booking", "agent", ["floor"]]
        calls.invite("a", "turn_ended", turn=3, revision=17)
        name, turn, basis, arrays, *_ = await calls.answer("a")
        proposal = decode(["Proposal", *arrays[0]] if arrays[0][0] != "Proposal" else arrays[0])
        assert (name, turn, basis) == (Answer.NAME, 3, 17)
        assert (proposal.agent, proposal.turn, proposal.basis) == ("booking", 3, 17)
        assert proposal.id == "booking.17.0"
        assert (Attached.NAME, "a", "booking", "") in calls.supervisor.heard
        assert calls.bench.running() == {"a": 1}

    run(test)


def test_one_that_sleeps_holds_up_no_other_and_thinks_next_of_the_newest_only(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("sleeps")
        await calls.seat("awake")
        calls.invite("sleeps", "wait", revision=1)
        calls.invite("awake", "turn_ended", revision=2)
        assert (await calls.answer("awake"))[2] == 2
        for revision in (3, 4, 5):
            calls.invite("sleeps", "turn_ended", revision=revision)
        calls.invite("awake", "turn_ended", revision=6)
        await calls.answer("awake", 2)
        assert calls.heard["sleeps"] == []
        calls.gate.set()
        assert (await calls.answer("sleeps"))[2] == 1  # what it slept over goes out, as old as it is
        assert (await calls.answer("sleeps", 2))[2] == 5  # 3 and 4 are moot

    run(test)


LINE = CODE.splitlines().index('        if reason == "raise":') + 2  # of what raises in `propose`
PROPOSE = CODE[: CODE.index("def propose")].count("\n") + 1


@pytest.mark.parametrize(
    ("reason", "fault", "steps"),
    [
        (
            "raise",
            f"ValueError at agents/one.py:{LINE} in propose",
            [f'agents/one.py:{LINE} in propose: raise ValueError("the caller\'s secret")'],
        ),
        ("nothing", f"TypeError at agents/one.py:{PROPOSE} in propose, which returned NoneType", []),
    ],
)
def test_one_that_fails_is_told_with_file_line_and_way_and_made_anew(
    run: Any, caplog: pytest.LogCaptureFixture, reason: str, fault: str, steps: list[str]
) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.invite("a", reason)
        name, turn, revision, told, way, words = await calls.answer("a")
        assert (name, turn, revision, told, way) == (Failed.NAME, 1, 5, fault, steps)
        assert words in ("the caller's secret", A_LIST)
        (line,) = caplog.records
        assert line.getMessage().startswith(f"agent booking failed: {fault}") and "secret" not in line.getMessage()
        assert (line.call, line.agent, line.pii_error) == ("a", "booking", words)  # type: ignore[attr-defined]
        calls.invite("a", "turn_ended")
        assert "asked 1 times" in str(await calls.answer("a", 2))

    run(test)


def test_a_proposal_that_is_none_costs_itself_and_is_told_with_its_reason(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.invite("a", "some")
        name, _, _, arrays, reading, refused, *_ = await calls.answer("a")
        assert name == Answer.NAME and reading is None
        assert [(p.id, p.text) for p in map(decode, arrays)] == [("good", "One thing.")]
        assert [(r.proposal, r.kind, r.what, r.required, r.actual) for r in map(decode, refused)] == [
            ("", Kind.SAY, "proposal", "a Proposal", "str"),
            ("bad", Kind.TOOL, "book", "arguments: seats: text", "int"),
        ]
        calls.invite("a", "many")
        _, _, _, arrays, _, refused, *_ = await calls.answer("a", 2)
        assert len(arrays) == PROPOSALS_MAX and len(refused) == 1
        assert calls.bench.failures == 0

    run(test)


def test_a_reader_is_asked_at_the_end_of_turns_and_costs_no_more_than_its_reading(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.invite("a", "turn_ended", says="yes")
        _, _, _, arrays, reading, refused, *_ = await calls.answer("a")
        assert decode(reading) == Reading(Polarity.YES, "said so") and len(arrays) == 1 and refused == []
        calls.invite("a", "silence", says="yes")
        assert (await calls.answer("a", 2))[4] is None, "it is not asked for what nobody said"
        for count, says in enumerate(("raise", "nonsense"), 3):
            calls.invite("a", "interrupted", says=says)
            answer = await calls.answer("a", count)
            assert answer[0] == Answer.NAME and answer[3] and answer[4:6] == [None, None]
        assert calls.bench.failures == 2

    run(test)


def test_a_notice_is_told_in_a_thread_and_holds_up_neither_the_host_nor_an_invitation(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        await calls.seat("b")
        calls.notice("a", 1, "wait")
        await calls.until(calls.busy.is_set)
        for seq in range(2, NOTICES_MAX + 4):
            calls.notice("a", seq)
        calls.invite("a", "turn_ended")
        calls.invite("b", "turn_ended")
        await calls.answer("b")
        await calls.answer("a")  # while a notice of its own is being told
        assert calls.noticed == []
        calls.gate.set()
        await calls.until(lambda: calls.noticed and calls.noticed[-1][0] == NOTICES_MAX + 3)
        assert calls.noticed[0] == (1, 7, 1, "wait", {"holder": "caller"}, False)
        assert len(calls.noticed) == NOTICES_MAX + 1, "the oldest of those that waited are gone"

    run(test)


def test_an_agent_whose_notices_fail_is_made_anew_and_then_given_up(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.invite("a", "turn_ended")
        await calls.answer("a")
        calls.notice("a", 1, "raise")
        await calls.until(lambda: calls.bench.failures == 1)
        calls.invite("a", "turn_ended")
        assert "asked 1 times" in str(await calls.answer("a", 2)), "made anew, and no answer is missing"
        for seq in range(agents_module.INTENSITY.intensity):
            calls.notice("a", seq, "raise")
        await calls.until(lambda: calls.supervisor.heard[-1][0] == GaveUp.NAME)
        assert calls.bench.running() == {}

    run(test)


def test_a_notice_that_never_comes_back_is_given_up(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents_module, "NOTICE_MS", 20)

    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.notice("a", 1, "wait")
        await calls.until(calls.busy.is_set)
        calls.invite("a", "turn_ended")
        await calls.answer("a")
        await calls.until(lambda: calls.bench.failures == 1)

    run(test)


def test_one_without_a_hook_for_notices_asks_for_none(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(calls: Calls) -> None:
        monkeypatch.delattr(calls.bench._class, "notice")
        await calls.seat("a")
        assert calls.hellos["a"][:3] == ["booking", "agent", []]

    run(test)


@pytest.mark.parametrize(
    "error", ["StopIteration", "SystemExit", "KeyboardInterrupt", "CancelledError", "BaseExceptionGroup"]
)
def test_what_would_end_more_than_the_agent_is_a_failure_of_the_agent_alone(run: Any, error: str) -> None:
    line = CODE[: CODE.index("raise ENDS")].count("\n") + 1

    async def test(calls: Calls) -> None:
        await calls.seat("a")
        calls.invite("a", error)
        assert (await calls.answer("a"))[:4] == [Failed.NAME, 1, 5, f"{error} at agents/one.py:{line} in propose"]
        calls.invite("a", "turn_ended")
        assert "asked 1 times" in str(await calls.answer("a", 2))

    run(test)


def test_one_whose_topics_raise_when_its_link_is_opened_again_is_given_up_with_the_reason(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def topics(_agent: Any) -> Any:
        raise KeyError("the caller's secret")

    async def test(calls: Calls) -> None:
        await calls.seat("a")
        monkeypatch.setattr(calls.bench._class, "topics", property(topics))
        calls.notice("a", 1, "turn")
        calls.invite("a", "turn_ended")
        assert (await calls.answer("a"))[0] == Answer.NAME, "its link stands"
        calls.links["a"].abort("a fault on the way")
        await calls.until(lambda: calls.supervisor.heard[-1][0] == GaveUp.NAME)
        told = calls.supervisor.heard[-1]
        assert told[:3] == (GaveUp.NAME, "a", "booking") and told[3].startswith("KeyError at ")
        assert calls.bench.running() == {}

    run(test)


def test_one_that_fails_too_often_is_given_up_and_loses_its_seat(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        for number in range(agents_module.INTENSITY.intensity):
            calls.invite("a", "raise")
            await calls.answer("a", number + 1)
        calls.invite("a", "raise")
        await calls.until(lambda: calls.supervisor.heard[-1][0] == GaveUp.NAME)
        assert calls.bench.running() == {}

    run(test)


def test_a_cut_link_is_opened_again_and_a_newer_owner_of_the_call_takes_the_seat(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("a")
        cut = calls.links.pop("a")
        cut.abort("a fault on the way")
        await calls.until(lambda: "a" in calls.links)
        calls.invite("a", "turn_ended")
        await calls.answer("a")
        await calls.seat("a", epoch=2)
        assert calls.bench.running() == {"a": 2}
        calls.bench.told([Detach.NAME, "a"])
        assert calls.bench.running() == {}

    run(test)


def test_a_bundles_code_is_found_inside_of_the_bundle_only(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "agents").mkdir(parents=True)
    (tmp_path / "bundle" / "agents" / "one.py").write_text(CODE)
    (tmp_path / "bundle" / "agents" / "broken.py").write_text("1 / 0")
    (tmp_path / "outside.py").write_text(CODE)
    bundle = str(tmp_path / "bundle")
    assert agent_class("agents/one.py:One", bundle) is agent_class("agents/one.py:One", bundle)
    for code, where, says in (
        ("agents/one.py:Two", bundle, "no class Two"),
        ("agents/one.py", bundle, "write module:Class"),
        ("../outside.py:One", bundle, "is not a file of the bundle"),
        ("agents/missing.py:One", bundle, "is not a file of the bundle"),
        ("agents/broken.py:One", bundle, "fails on import: ZeroDivisionError"),
        ("agents/one.py:One", "", "came without a bundle"),
        ("no.such.module:One", "", "No module named"),
    ):
        with pytest.raises(PolicyError, match=says):
            agent_class(code, where)


def test_a_memory_is_told_after_the_last_answer_and_taken_in_before_the_next(run: Any) -> None:
    async def test(calls: Calls) -> None:
        await calls.seat("former")
        await calls.seat("latter")
        calls.invite("former", "wait")
        calls.links["former"].send(Remember.NAME, 7)
        calls.invite("latter", "turn_ended")
        assert (await calls.answer("latter"))[0] == Answer.NAME
        calls.gate.set()
        assert (await calls.answer("former"))[0] == Answer.NAME
        assert await calls.answer("former", 2) == [Memory.NAME, 7, {"asked": 1}, True]
        calls.links["latter"].send(Upgrade.NAME, {"asked": 1})
        calls.invite("latter", "known")
        assert (await calls.answer("latter", 2))[3][0][1] == "1"
        calls.links["latter"].send(Upgrade.NAME, {})  # nothing is known: it begins anew
        calls.invite("latter", "known")
        assert (await calls.answer("latter", 3))[3][0][1] == "nothing"

    run(test)
