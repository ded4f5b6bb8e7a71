"""What a call used, as its end's record has it: measured by the call itself, billed by the table that it was given."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from offhook.actors.call.runtime import CallRuntime
from offhook.actors.contracts.node_messages import Journal, Journaled
from offhook.actors.contracts.setup import Setup
from offhook.actors.link.link import LinkServer
from offhook.actors.process.metric_registry import MetricRegistry
from phone import Phone

PRICES = {"carrier_minute_cents": 60.0, "cpu_hour_cents": 3_600.0, "memory_gib_hour_cents": 3_600.0, "call_cents": 5.0}


class Uplink:
    """A supervisor that has every record at once."""

    up = True

    def __init__(self) -> None:
        self.metrics = MetricRegistry()
        self.ends: list[dict[str, Any]] = []
        self.call: CallRuntime | None = None

    def send(self, *message: Any) -> bool:
        if message[0] == Journal.NAME:
            call, epoch, seq, _, kind, body = message[1][-1]
            if kind == "end":
                self.ends.append(body)
            loop = asyncio.get_running_loop()
            loop.call_soon(lambda: self.call and self.call.told(Journaled(call, epoch, seq)))
        return True


RANG_MS = 50  # before it was answered


def test_the_end_says_what_was_used_and_what_it_costs() -> None:
    async def test() -> None:
        uplink, over = Uplink(), asyncio.get_running_loop().create_future()

        def hello(link: Any, grant: Any, rest: Any) -> None:
            grant[0].hello(link, grant[1], grant[2], rest)

        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            server = LinkServer(hello)
            endpoint = await server.start(f"unix:{Path(folder) / 'c.sock'}")
            setup = Setup(
                call="c1", epoch=1, direction="inbound", caller="", callee="", policy_version="v1",
                policy={"name": "quiet", "agents": {"closer": {"code": "offhook.policies.agents.closing:Closing"}}},
                media_token="media", agent_tokens={"closer": "agent"}, observer_token="observer",
                origin_unix_ms=time.time_ns() // 1_000_000 - RANG_MS, prices=PRICES, tenant="acme",
            )  # fmt: skip
            call = uplink.call = CallRuntime(setup, uplink, server, over.set_result)
            call.start()
            phone = Phone()
            await phone.dial(endpoint, "media")
            await phone.listen(200)
            phone.hang_up()
            async with asyncio.timeout(60):
                await over
            await server.stop()
        (end,) = uplink.ends
        used, cost = end["usage"], end["cost"]
        assert used["carrier_s"] == 0.2  # ten frames
        assert 0.0 < used["talk_s"] < 60.0
        assert used["cpu_s"] > 0.0
        assert used["memory_byte_s"] > 1 << 20  # a process of megabytes, for a while
        assert (used["recognizer_s"], used["synthesizer_s"]) == (0.0, 0.0)  # no engine
        assert cost["items"]["call"] == 5.0
        assert cost["items"]["carrier"] == 0.2
        assert set(cost["items"]) == {"call", "carrier", "cpu", "memory"}
        assert abs(cost["cents"] - sum(cost["items"].values())) < 0.001

    asyncio.run(test())
