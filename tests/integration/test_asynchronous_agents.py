"""Asynchronous agents in a real host on real links, without Ray: parts, cancellation, and code that resists it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from offhook.actors.agents import agent_host, thinking
from offhook.actors.agents.agent_host import AgentBench
from offhook.actors.contracts.messages import Answer, Failed, Gone, Invite, Notice
from offhook.actors.contracts.node_messages import Attach, Detach, GaveUp
from offhook.actors.link.link import Link, LinkServer
from offhook.policies.core.codec import decode
from offhook.policies.core.policy import AgentSpec
from offhook.policies.core.proposals import Polarity, Reading
from offhook.policies.gate.entry import PROPOSALS_MAX, answer_of

CODE = """
import asyncio
import threading
import time
from offhook.policies.core.proposals import Kind, Polarity, Proposal, Purpose, Reading

SEEN = []  # what happened in the agents' code, of all instances
RELEASE = threading.Event()

def words(text):
    return Proposal("", "", Kind.SAY, 0, 0, text, Purpose.ANSWER)

class Streaming:
    topics = ("floor",)
    def __init__(self, name, spec):
        self.asked = 0
    async def notice(self, seq, revision, turn, topic, body):
        SEEN.append((topic, body["what"]))
        if body["what"] == "hang":
            await asyncio.sleep(100)
    async def read(self, view):
        return Reading(Polarity.YES, "said so")
    async def propose(self, view, reason):
        self.asked += 1
        if reason == "endless":
            while True:
                yield words("and again")
        if reason == "raise":
            yield words("first")
            raise ValueError("the caller's secret")
        if reason == "nothing":
            return
        if reason == "cancel itself":
            raise asyncio.CancelledError
        if reason == "block":
            SEEN.append("blocks")
            RELEASE.wait(20)
        if reason == "odd":
            yield "no proposal"
            yield words("a proposal")
            return
        yield words(f"asked {self.asked} times")
        try:
            if reason == "wait":
                SEEN.append("waits")
                await asyncio.sleep(100)
            if reason == "swallow":
                SEEN.append("waits")
                while not RELEASE.is_set():
                    try:
                        await asyncio.sleep(0.05)
                    except asyncio.CancelledError:
                        SEEN.append("swallowed")
        except asyncio.CancelledError:
            SEEN.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            SEEN.append("cleaned up")
        yield words("second")

class Awaiting:
    topics = ()
    def __init__(self, name, spec):
        pass
    async def propose(self, view, reason):
        if reason == "exit":
            raise SystemExit(3)
        if reason == "exit in a task":
            async def ends():
                raise KeyboardInterrupt
            await asyncio.create_task(ends())
        if reason == "stop":
            asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        SEEN.append(threading.current_thread().name)
        return [words("one"), words("other")]
"""


class Supervisor:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def send(self, *message: Any) -> bool:
        self.heard.append(message)
        return True

    def beat_soon(self) -> None:
        pass


class Call:
    """One call's end of a link to an agent in its host."""

    def __init__(self, folder: Path, code: str) -> None:
        (folder / "agents").mkdir()
        (folder / "agents" / "some.py").write_text(CODE)
        self.bench = AgentBench("clerk", AgentSpec(code=code, calls_per_actor=2), str(folder))
        self.supervisor = Supervisor()
        self.bench.resident = self.supervisor  # type: ignore[assignment]  # the part of it that a bench uses
        self.heard: list[list[Any]] = []
        self.hello: list[Any] = []
        self.link: Link | None = None
        self.server = LinkServer(self._hello)
        self.path = folder / "call.sock"
        module = sys.modules[self.bench._class.__module__]
        self.seen, self.release = module.SEEN, module.RELEASE

    def _hello(self, link: Link, _call: str, rest: list[Any]) -> None:
        self.link, self.hello = link, rest
        link.on_message = lambda _link, message: self.heard.append(message)

    async def seat(self) -> None:
        token = self.server.admit("c", lasting=True)
        self.bench.told([Attach.NAME, "c", 1, "clerk", f"unix:{self.path}", token])
        await self.until(lambda: self.link is not None)

    def invite(self, reason: str, turn: int = 1, revision: int = 5) -> None:
        assert self.link is not None
        self.link.send(Invite.NAME, turn, revision, reason, 150, {"revision": revision, "turn": turn})

    def notice(self, topic: str, what: str = "", turn: int = 1) -> None:
        assert self.link is not None
        self.link.send(Notice.NAME, 1, 7, turn, topic, {"what": what})

    def answers(self) -> list[tuple[int, list[str], int, bool]]:
        """(revision, texts, part, more) of each answer so far."""
        found = []
        for name, _turn, basis, *fields in self.heard:
            assert name == Answer.NAME
            good, _, _, part, more = answer_of(fields)
            found.append((basis, [proposal.text for proposal in good], part, more))
        return found

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():  # noqa: ASYNC110  # whatever the test wishes for
            await asyncio.sleep(0)


Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    def runner(test: Callable[[Call], Awaitable[None]], code: str = "agents/some.py:Streaming") -> None:
        async def limited() -> None:
            call = Call(tmp_path, code)
            await call.server.start(f"unix:{call.path}")
            async with asyncio.timeout(60):
                try:
                    await call.seat()
                    await test(call)
                finally:
                    call.release.set()
                    call.bench.close()
                    await call.server.stop()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(limited())

    yield runner


def test_each_proposal_goes_to_the_call_as_it_is_yielded_and_the_end_is_told(run: Run) -> None:
    async def test(call: Call) -> None:
        assert call.hello[:3] == ["clerk", "agent", ["floor", "turn"]]
        call.invite("wait", turn=3, revision=17)
        await call.until(lambda: call.heard)
        assert call.answers() == [(17, ["asked 1 times"], 0, True)], "while it is still at work"
        (name, turn, _, arrays, reading, _, _, _) = call.heard[0]
        proposal = decode(arrays[0])
        assert (name, turn, proposal.agent, proposal.turn, proposal.basis) == (Answer.NAME, 3, "clerk", 3, 17)
        assert reading is None, "nobody has answered anything at this moment"
        call.heard.clear()
        call.invite("turn_ended", turn=4, revision=20)
        await call.until(lambda: len(call.heard) == 3)
        assert call.answers() == [(20, ["asked 2 times"], 0, True), (20, ["second"], 1, True), (20, [], 2, False)]
        assert [decode(array).id for fields in call.heard for array in fields[3]] == ["clerk.20.0", "clerk.20.1"]
        assert decode(call.heard[0][4]) == Reading(Polarity.YES, "said so") and call.heard[1][4] is None

    run(test)


def test_a_coroutine_answers_as_a_plain_agent_does_on_the_loop_of_the_agents(run: Run) -> None:
    async def test(call: Call) -> None:
        call.invite("turn_ended")
        await call.until(lambda: call.heard)
        assert call.answers() == [(5, ["one", "other"], 0, False)]
        assert call.heard[0][4:] == [None, None, 0, False], "a whole answer"
        assert call.seen == ["agents"]

    run(test, "agents/some.py:Awaiting")


def test_one_that_yields_nothing_says_so(run: Run) -> None:
    async def test(call: Call) -> None:
        call.invite("nothing")
        await call.until(lambda: call.heard)
        assert call.answers() == [(5, [], 0, False)]

    run(test)


@pytest.mark.parametrize("how", ["invitation", "turn", "gone", "detached"])
def test_it_is_cancelled_when_the_turn_moves_and_cleans_up(run: Run, how: str) -> None:
    async def test(call: Call) -> None:
        call.invite("wait")
        await call.until(lambda: "waits" in call.seen)
        call.notice("turn", turn=1)
        call.notice("floor", "same turn")
        if how == "invitation":
            call.invite("turn_ended", revision=9)
        elif how == "turn":
            call.notice("turn", "interrupted", turn=2)
        elif how == "gone":
            assert call.link is not None
            call.link.send(Gone.NAME, "over")
        else:
            call.bench.told([Detach.NAME, "c"])
        await call.until(lambda: "cleaned up" in call.seen)
        assert call.seen[:3] == ["waits", "cancelled", "cleaned up"]
        if how == "invitation":
            await call.until(lambda: len(call.heard) == 4)
            assert [answer[0] for answer in call.answers()] == [5, 9, 9, 9]
            assert call.answers()[1][1] == ["asked 2 times"], "it is the same agent"
        if how == "turn":
            await call.until(lambda: ("floor", "same turn") in call.seen)
            assert ("turn", "interrupted") not in call.seen, "it did not ask for that topic"
            assert len(call.heard) == 1, "and nothing more is said of that answer"
        assert call.bench.failures == 0

    run(test)


def test_one_that_swallows_its_cancellation_is_abandoned_and_made_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinking, "CANCEL_MS", 50)

    async def test(call: Call) -> None:
        call.invite("swallow")
        await call.until(lambda: "waits" in call.seen)
        call.invite("turn_ended", revision=9)
        await call.until(lambda: len(call.heard) == 5)
        assert call.heard[1][:5] == [Failed.NAME, 1, 5, "TimeoutError", []]
        del call.heard[1]
        assert call.answers()[1] == (9, ["asked 1 times"], 0, True)
        assert call.bench._stuck.count == 1 and call.bench.failures == 1
        call.release.set()
        await call.until(lambda: call.bench._stuck.count == 0)
        assert len(call.heard) == 4, "what it still yields is not heard"

    run(test)


def test_one_that_blocks_the_loop_is_left_there_and_others_get_another_loop(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thinking, "CANCEL_MS", 20)
    monkeypatch.setattr(thinking, "PING_MS", 20)
    monkeypatch.setattr(agent_host, "HUNG_MS", 50)

    before = set(threading.enumerate())

    async def test(call: Call) -> None:
        call.invite("block")
        await call.until(lambda: call.heard)
        assert [each[:5] for each in call.heard] == [[Failed.NAME, 1, 5, "TimeoutError", []]] and call.seen == [
            "blocks"
        ]
        monkeypatch.setattr(agent_host, "HUNG_MS", 15_000)
        call.heard.clear()
        call.invite("turn_ended", revision=9)
        await call.until(lambda: len(call.heard) == 3)
        assert sum(thread.name == "agents" for thread in threading.enumerate() if thread not in before) == 2
        call.release.set()
        await call.until(lambda: call.bench._stuck.count == 0)

    run(test)


def test_a_host_with_nothing_but_stuck_agents_ends_itself(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(thinking, "CANCEL_MS", 20)
    monkeypatch.setattr(agent_host.os, "_exit", ended.append)

    async def test(call: Call) -> None:
        for revision in (1, 2):
            call.seen.clear()
            call.invite("swallow", revision=revision)
            await call.until(lambda: "waits" in call.seen)
        call.invite("turn_ended")
        await call.until(lambda: ended)

    run(test)


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("raise", "ValueError at agents/some.py:30 in propose"),
        ("cancel itself", "CancelledError at agents/some.py:34 in propose"),
    ],
)
def test_one_that_raises_on_the_way_is_told_and_made_anew(run: Run, reason: str, fault: str) -> None:
    async def test(call: Call) -> None:
        call.invite(reason)
        await call.until(lambda: call.heard and call.heard[-1][0] == Failed.NAME)
        assert call.heard.pop()[:4] == [Failed.NAME, 1, 5, fault]
        call.heard.clear()
        call.invite("turn_ended")
        await call.until(lambda: call.heard)
        assert call.answers()[0][1] == ["asked 1 times"]
        for _ in range(agent_host.INTENSITY.intensity):
            call.heard.clear()
            call.invite("raise")
            await call.until(lambda: call.bench.running() == {} or (call.heard and call.heard[-1][0] == Failed.NAME))
        await call.until(lambda: call.supervisor.heard[-1][0] == GaveUp.NAME)

    run(test)


@pytest.mark.parametrize(
    ("reason", "fault"), [("exit", "SystemExit"), ("exit in a task", "KeyboardInterrupt"), ("stop", "")]
)
def test_code_that_ends_the_loop_ends_nobody_elses_thinking(run: Run, reason: str, fault: str) -> None:
    async def test(call: Call) -> None:
        other = call.bench._loop.start(lambda _tell: asyncio.sleep(0.2, "goes on"))
        call.invite(reason)
        await call.until(lambda: call.heard)
        if fault:
            assert call.heard[0][0] == Failed.NAME and call.heard[0][3].startswith(f"{fault} at agents/some.py:")
        else:
            assert call.answers()[0][1] == ["one", "other"]
        assert await call.bench._loop.result(other, 5_000) == "goes on"
        call.heard.clear()
        call.invite("turn_ended")
        await call.until(lambda: call.heard)
        assert call.answers()[0][1] == ["one", "other"]

    run(test, "agents/some.py:Awaiting")


def test_what_is_yielded_is_checked_one_by_one_and_an_endless_answer_is_cut_off(run: Run) -> None:
    async def test(call: Call) -> None:
        call.invite("odd")
        await call.until(lambda: len(call.heard) == 3)
        parts = [answer_of(fields[3:]) for fields in call.heard]
        assert [(len(good), len(refused), part) for good, _, refused, part, _ in parts] == [
            (0, 1, 0),
            (1, 0, 1),
            (0, 0, 2),
        ]
        call.heard.clear()
        call.invite("endless")
        await call.until(lambda: len(call.heard) == PROPOSALS_MAX + 1)
        good, _, refused, part, more = answer_of(call.heard[-1][3:])
        assert (good, part, more) == ((), PROPOSALS_MAX, False)
        assert refused[0].required == f"at most {PROPOSALS_MAX} proposals"

    run(test)


def test_a_notice_that_waits_is_given_up_and_delays_no_answer(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(call: Call) -> None:
        call.notice("floor", "hang")
        await call.until(lambda: call.seen)
        call.invite("turn_ended")
        await call.until(lambda: len(call.heard) == 3)
        assert call.bench.failures == 0, "it is still being told"
        monkeypatch.setattr(agent_host, "NOTICE_MS", 20)
        await call.until(lambda: call.bench.failures == 1)

    run(test)
