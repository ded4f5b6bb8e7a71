"""A live call for shadows: a broadcaster on a real socket whose events come from a journal; a stricter candidate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import uvloop
from offhook.actors.call.broadcaster import Bounds, Broadcaster
from offhook.actors.link.link import LinkServer
from offhook.actors.shadows.trial import agents_of
from offhook.policies.core.codec import encode
from offhook.policies.core.policy import Policy
from offhook.policies.core.state import CallState
from offhook.policies.replay.backtest import backtest
from offhook.policies.replay.recording import read
from offhook.serve.bundles.policy_files import load
from recorded_calls import recorded

SALES = load(Path(__file__).parents[2] / "examples" / "policies" / "sales").policy


def stricter() -> Policy:
    actions = dict(SALES.gate.actions)
    actions["book_meeting"] = actions["book_meeting"].model_copy(update={"readiness_share": 0.9})
    return SALES.model_copy(update={"gate": SALES.gate.model_copy(update={"actions": actions})})


@cache
def telling_seed() -> int:
    """The first simulated call that the stricter policy would have led otherwise."""
    agents = agents_of(stricter(), "")
    return next(
        seed for seed in range(1, 2_000) if backtest(read(recorded(seed, SALES)), stricter(), agents).differences
    )


class Told:
    """A funnel whose events come from a journal."""

    follower: Callable[[list[Any], list[Any], int, int], None] | None = None

    def __init__(self) -> None:
        self.state = CallState()

    def encoded(self) -> list[Any]:
        return encode(self.state)

    def tell(self, journal: list[list[Any]]) -> None:
        assert self.follower is not None
        for number, record in enumerate(journal):
            if record[4] == "event":
                after = journal[number + 1]
                self.follower(record[5], after[5] if after[4] == "commands" else [], 1, 1)


class Stage:
    def __init__(self, path: Path, bounds: Bounds | None = None) -> None:
        self.left: list[str] = []
        self.broadcaster = Broadcaster(lambda _subscriber, reason: self.left.append(reason), bounds)
        self.funnel = Told()
        self.broadcaster.follow(self.funnel)
        self.server = LinkServer(lambda link, _grant, rest: self.broadcaster.join(link, *rest[:4]) and None)
        self.endpoint = f"unix:{path}"

    async def joined(self) -> None:
        while not self.broadcaster.stats()["subscribers"]:  # noqa: ASYNC110
            await asyncio.sleep(0)


def run(test: Any, path: Path, bounds: Bounds | None = None) -> None:
    async def limited() -> None:
        stage = Stage(path, bounds)
        await stage.server.start(stage.endpoint)
        async with asyncio.timeout(60):
            try:
                await test(stage)
            finally:
                await stage.server.stop()

    uvloop.run(limited())
