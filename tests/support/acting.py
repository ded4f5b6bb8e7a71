"""A process that carries out one order and may be killed at a chosen moment: `python acting.py` with one JSON argument.

    {url, path, node, effects, tool, epoch, die}   tool: "asked", "idempotent", "neither"
    die: "" or the moment of kill -9: "begun", "acting" (half of the effect is there), "acted", "finished"

The tool's side is the file `effects`: one line for each effect. It prints the outcome as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from offhook.actors.contracts.orders import Order, Outcome
from offhook.actors.journals import register as rules
from offhook.actors.journals.register import Begun
from offhook.actors.journals.stores import open_register
from offhook.actors.node.leases import LeaseBook
from offhook.actors.node.outbox import Outbox
from offhook.actors.node.residents import Residents
from offhook.actors.node.tools import Tool

LIMIT_MS = 2_000  # an act takes milliseconds, also on a busy disk; another node waits twice this before it asks


class Doomed:
    """A register that kills its process at a moment."""

    def __init__(self, register: rules.Register, die: str) -> None:
        self._register = register
        self._die = die

    async def begin(self, *arguments: Any) -> Begun:
        answer = await self._register.begin(*arguments)
        end_if(self._die, "begun")
        return answer

    async def finish(self, *arguments: Any) -> bool:
        answer = await self._register.finish(*arguments)
        end_if(self._die, "finished")
        return answer

    async def acts(self, call: str) -> list[tuple[str, str, int]]:
        return await self._register.acts(call)

    async def close(self) -> None:
        await self._register.close()


def end_if(die: str, moment: str) -> None:
    if die == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def tool(kind: str, effects: Path, die: str) -> Tool:
    """A tool whose side keeps a file. Where it is idempotent, that side drops a repetition of a key."""

    def done(order: Order) -> bool:
        return effects.exists() and order.key + "\n" in effects.read_text().splitlines(keepends=True)

    def act(order: Order) -> Outcome:
        if not (kind == "idempotent" and done(order)):
            with effects.open("a") as file:
                if die == "acting":
                    file.write(f"half of {order.key}")  # what is cut off at its end is no effect
                    file.flush()
                    end_if(die, "acting")
                file.write(f"\n{order.key}\n")
                file.flush()
                os.fsync(file.fileno())
        end_if(die, "acted")
        return Outcome(True, "done")

    def look_up(order: Order) -> Outcome | None:
        return Outcome(True, "it was done") if done(order) else None

    return Tool(act, look_up if kind == "asked" else None, idempotent=kind == "idempotent", limit_ms=LIMIT_MS)


async def main(told: dict[str, Any]) -> None:
    register = open_register(told["url"], Path(told["path"]), told["node"])
    doing = tool(told["tool"], Path(told["effects"]), told["die"])
    box = Outbox(Doomed(register, told["die"]), {"act": doing}, LeaseBook(), Residents.__new__(Residents))
    outcome = await box.perform(Order("c1", told["epoch"], "g1", "act", {}, "c1/act#0"))
    print(json.dumps({"ok": outcome.ok, "result": outcome.result, "known": outcome.known}))
    await register.close()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
