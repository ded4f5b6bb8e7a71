"""The example of an asynchronous agent in a real host on a real link, asked by the real core; only time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop
import yaml
from offhook.actors.agents.agent_host import AgentBench
from offhook.actors.contracts.messages import Answer, Invite, Notice
from offhook.actors.contracts.node_messages import Attach
from offhook.actors.link.link import Link, LinkServer
from offhook.actors.shadows.rehearsal import rehearse
from offhook.actors.shadows.trial import agents_of
from offhook.policies.conversation.view import view_of
from offhook.policies.core import events as ev
from offhook.policies.core.commands import Command, InviteAgents, Publish, Say
from offhook.policies.core.policy import Policy
from offhook.policies.gate.entry import answer_of
from scene import Scene, of

BUNDLE = Path(__file__).resolve().parents[2] / "examples" / "agents" / "slow_lookup"


def policy(lookup_ms: int = 1) -> Policy:
    fields = yaml.safe_load((BUNDLE / "policy.yaml").read_text())
    fields["agents"]["lookup"]["options"]["lookup_ms"] = lookup_ms
    return Policy.model_validate(fields)


class Desk(Scene):
    """A call that asks its agent over a link, as the runtime does."""

    link: Link

    def feed(self, event: ev.Event) -> list[Command]:
        commands = super().feed(event)
        for command in commands:
            if isinstance(command, InviteAgents):
                view = view_of(self.state, self.policy)
                fields = (command.turn, command.revision, command.reason, command.deadline_ms, view)
                self.link.send(Invite.NAME, *fields)
            elif isinstance(command, Publish) and command.topic == "turn":
                self.link.send(Notice.NAME, 1, self.state.revision, self.state.turn, command.topic, dict(command.body))
        return commands

    def answered_by(self, message: list[Any]) -> None:
        name, turn, basis, *fields = message
        assert name == Answer.NAME
        self.happens(ev.AgentAnswered, agent="lookup", turn=turn, basis=basis, **_named(fields))

    def texts(self) -> list[str]:
        return [say.text for say in of(self.commands, Say)]

    def hears(self, ms: int = 1_500) -> None:
        """What is being said is heard to its end."""
        assert self.state.speech.current is not None
        utterance = self.state.speech.current.id
        self.happens(ev.PlaybackStarted, utterance=utterance)
        self.passes(ms)
        self.happens(ev.PlaybackEnded, utterance=utterance, confirmed=True)

    def caller_says(self, text: str) -> None:
        self.speech_starts()
        self.speech_goes_on(800)
        self.speech_ends()
        self.words(text)
        while self.state.round is None:
            self.passes(50)


def _named(fields: list[Any]) -> dict[str, Any]:
    return dict(zip(("proposals", "reading", "refused", "part", "more"), answer_of(fields), strict=True))


class Supervisor:
    def send(self, *_message: Any) -> bool:
        return True

    def beat_soon(self) -> None:
        pass


def led(folder: Path, lookup_ms: int, test: Callable[[Desk, AgentBench], Awaitable[None]]) -> None:
    async def limited() -> None:
        desk = Desk(policy(lookup_ms))
        joined = asyncio.Event()

        def hello(link: Link, _call: str, rest: list[Any]) -> None:
            assert rest[:3] == ["lookup", "agent", ["turn"]]
            desk.link = link
            link.on_message = lambda _link, message: desk.answered_by(message)
            joined.set()

        server = LinkServer(hello)
        await server.start(f"unix:{folder / 'call.sock'}")
        bench = AgentBench("lookup", desk.policy.agents["lookup"], str(BUNDLE))
        bench.resident = Supervisor()  # type: ignore[assignment]  # the part of it that a bench uses
        bench.told([Attach.NAME, "c", 1, "lookup", f"unix:{folder / 'call.sock'}", server.admit("c", lasting=True)])
        async with asyncio.timeout(60):
            try:
                await joined.wait()
                desk.answered("lookup")
                await until(lambda: desk.texts())
                desk.hears()
                await test(desk, bench)
            finally:
                bench.close()
                await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(limited())


async def until(true: Callable[[], Any]) -> None:
    while not true():  # noqa: ASYNC110  # whatever the test wishes for
        await asyncio.sleep(0)


def test_it_says_one_thing_after_another_as_it_knows_it(tmp_path: Path) -> None:
    async def test(desk: Desk, _bench: AgentBench) -> None:
        desk.caller_says("it is four seven one one")
        await until(lambda: len(desk.texts()) == 2)
        await until(lambda: len(desk.state.authority.waiting) == 2)
        desk.hears(3_000)
        desk.hears()
        assert desk.texts() == [
            "Hello, this is the parcel desk. What is the number of your parcel?",
            "One moment, I am looking up parcel 4 7 1 1.",
            "It is on its way to you.",
            "Can I do anything else for you?",
        ]
        said = view_of(desk.state, desk.policy)["transcript"]
        assert [turn["speaker"] for turn in said] == ["lookup", "caller", "lookup", "lookup"]

    led(tmp_path, 1, test)


def test_it_stops_looking_up_when_the_caller_interrupts(tmp_path: Path) -> None:
    async def test(desk: Desk, bench: AgentBench) -> None:
        desk.caller_says("it is four seven one one")
        await until(lambda: desk.state.round is not None and desk.state.round.proposals)
        desk.passes(200)
        assert desk.texts()[1:] == ["One moment, I am looking up parcel 4 7 1 1."]
        agent = bench._seats["c"].instance
        assert (agent.asked, agent.given_up) == (1, 0)
        desk.happens(ev.PlaybackStarted, utterance="u2")
        desk.passes(1_500)
        desk.happens(ev.PlaybackReached, utterance="u2", heard_ms=1_500, total_ms=3_000, confirmed=True, words=5)
        desk.speech_starts()
        desk.words("no sorry it is one two three four", final=False)
        desk.speech_goes_on(900)
        await until(lambda: agent.given_up)
        desk.speech_ends()
        desk.words("no sorry it is one two three four", segment=2)
        while desk.state.round is None:
            desk.passes(50)
        await until(lambda: agent.asked == 2)
        await until(lambda: desk.state.round is not None and desk.state.round.proposals)
        desk.passes(200)
        assert desk.texts()[2:] == ["One moment, I am looking up parcel 1 2 3 4."]
        assert bench.failures == 0

    led(tmp_path, 60_000, test)


def test_it_is_tried_in_simulated_calls_without_waiting(tmp_path: Path) -> None:
    slow = policy(3_600_000)
    agent = agents_of(slow, str(BUNDLE))["lookup"]
    scene = Scene(slow)
    scene.answered("lookup")
    view = {**view_of(scene.state, slow), "pii_words": "one two three four"}
    told = [proposal.text for proposal in agent.propose(view, "turn_ended")]  # type: ignore[arg-type]
    assert told[1:] == ["It was delivered yesterday.", "Can I do anything else for you?"]
    found = rehearse(slow, str(BUNDLE), calls=20)
    assert found["faults"] == [] and found["calls"] == 20
