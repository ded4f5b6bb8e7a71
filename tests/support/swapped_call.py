"""A live call without Ray whose policy is swapped: the runtime, a supervisor's ear, agents as bare links."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.call.runtime import CallRuntime
from offhook.actors.contracts.messages import Answer, Digit, Failed, Invite, Memory, Remember
from offhook.actors.contracts.node_messages import Journal, Journaled, Swap, Swapped
from offhook.actors.contracts.setup import Engines, Setup, agent_tokens
from offhook.actors.link.link import Link, LinkServer, connect
from offhook.actors.process.metric_registry import MetricRegistry
from offhook.policies.core.codec import encode
from offhook.policies.core.proposals import Kind, Proposal, Purpose
from phone import Phone
from virtual_loop import run_virtually, until


def policy(**more: Any) -> dict[str, Any]:
    return {"name": "test", "agents": {"closer": {"code": "x:Y"}}, **more}


class AgentLink:
    """An agent as a call sees it. `says` = what it proposes when it is asked; "" = nothing, None = it never answers."""

    def __init__(self, says: str | None = "", memory: dict[str, Any] | None = None, fails: bool = False) -> None:
        self.says = says
        self.memory = memory
        self.fails = fails
        self.heard: list[list[Any]] = []
        self.link: Link

    async def join(self, endpoint: str, token: str, name: str = "closer") -> AgentLink:
        self.link = await connect(endpoint, token, name, "agent", [], on_message=self._told)
        return self

    def of(self, kind: str) -> list[list[Any]]:
        return [message for message in self.heard if message[0] == kind]

    def _told(self, link: Link, message: list[Any]) -> None:
        self.heard.append(message)
        if message[0] == Remember.NAME:
            link.send(Memory.NAME, message[1], self.memory or {}, self.memory is not None)
        elif message[0] == Invite.NAME and self.fails:
            link.send(Failed.NAME, *message[1:3], "ValueError")
        elif message[0] == Invite.NAME and self.says is not None:
            self.answer(message)

    def answer(self, invitation: list[Any]) -> None:
        """Answer an invitation, now or late."""
        turn, revision = invitation[1:3]
        proposal = Proposal("", "closer", Kind.SAY, turn, revision, self.says or "", Purpose.ANSWER)
        self.link.send(Answer.NAME, turn, revision, [encode(proposal)] if self.says else [])


class SwappedCall:
    """One call at version "v1", whose agent "closer" is `former`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.up = True
        self.metrics = MetricRegistry()
        self.records: list[list[Any]] = []
        self.sent: list[tuple[Any, ...]] = []
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.server = LinkServer(lambda link, grant, rest: grant[0].hello(link, grant[1], grant[2], rest))
        self.endpoint = ""
        self.former = AgentLink()
        self.phone = Phone()
        self.call: CallRuntime

    def send(self, *message: Any) -> bool:
        """What the call tells its supervisor."""
        self.sent.append(message)
        if message[0] == Journal.NAME:
            self.records += message[1]
            asyncio.get_running_loop().call_soon(self._acknowledge)
        return True

    def _acknowledge(self) -> None:
        self.call.told(Journaled("c1", 1, self.records[-1][2]))

    async def begin(self, former: AgentLink | None = None, engines: Engines | None = None, **more: Any) -> None:
        """The call, with its agent and a caller on the line."""
        self.endpoint = await self.server.start(f"unix:{self.folder / 'c.sock'}")
        tokens = agent_tokens("media", "v1", ["closer"])
        setup = Setup("c1", 1, "inbound", "+1", "+2", "v1", policy(**more), "media", tokens, "observer", _now_ms())
        setup = replace(setup, engines=engines or setup.engines)
        self.call = CallRuntime(setup, self, self.server, self.over.set_result)
        self.call.start()
        self.former = former or self.former
        await self.former.join(self.endpoint, tokens["closer"])
        await self.until(lambda: "closer" in self.call.state.agents)
        await self.phone.dial(self.endpoint, "media")
        await self.until(lambda: self.call.state.answered_ms or self.call.state.line == "open")

    def offer(
        self, version: str = "v2", ms: int = 60_000, then: str = "keep", clips: str = "", **more: Any
    ) -> dict[str, str]:
        """What a supervisor sends; returns the tokens of the new version's agents."""
        plain = policy(**more)
        tokens = agent_tokens("media", version, plain["agents"])
        assert self.call.told(Swap("c1", 1, version, plain, tokens, ms, then, clips))
        return tokens

    async def swap(self, latter: AgentLink, version: str = "v2", **more: Any) -> None:
        """Offer a version, and have its agent join."""
        tokens = self.offer(version, **more)
        await latter.join(self.endpoint, tokens["closer"])

    async def swapped(self, version: str = "v2") -> None:
        """Until that version leads."""
        await self.until(lambda: self.call.state.policy_version == version)

    def proved(self) -> None:
        """The time of the trial is over."""
        swap = self.call.swap
        assert swap._trial is not None
        swap._proved(swap._trial)

    async def answer(self) -> tuple[str, str]:
        """The call's answer to the supervisor: version, refusal."""
        await self.until(lambda: any(message[0] == Swapped.NAME for message in self.sent))
        return next((str(m[3]), str(m[4])) for m in self.sent if m[0] == Swapped.NAME)

    def of(self, kind: str) -> list[Any]:
        return [record[5] for record in self.records if record[4] == kind]

    def events(self, name: str) -> list[Any]:
        return [body for body in self.of("event") if body[0] == name]

    def said(self) -> list[str]:
        return [str(c[2]) for commands in self.of("commands") for c in commands if c[0] == "Say"]

    async def until(self, true: Callable[[], Any]) -> None:
        await until(true)

    def caller_answers(self) -> None:
        """A turn of the caller that needs neither time nor a detector: the key that ends an entry."""
        assert self.phone.link is not None
        self.phone.link.send(Digit.NAME, "#")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


Run = Callable[[Callable[[SwappedCall], Awaitable[None]]], None]


def runner(folder: Path, monkeypatch: pytest.MonkeyPatch, limit_s: float) -> Run:
    """What a `run` fixture gives: it has a test lead one such call, on virtual time."""

    def run(test: Callable[[SwappedCall], Awaitable[None]]) -> None:
        async def limited() -> None:
            async with asyncio.timeout(limit_s):
                bench = SwappedCall(folder)
                try:
                    await test(bench)
                finally:
                    await bench.server.stop()

        run_virtually(monkeypatch, limited)

    return run
