"""The API's addresses for rollouts: start one, look at it, give it an order, read what its shadows find."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query
from fastapi.responses import Response, StreamingResponse
from offhook.policies.fleet.rollout import Plan
from pydantic import BaseModel, ConfigDict, Field

from ..client.control_client import ControlClient
from ..views.backtest_report import summary
from .principals import CHARS_MAX, WRITTEN, AskedBy, named_in

LOOK_S = 1.0  # between two looks for new rows while somebody follows: the director gathers them once a second
FOLLOW_S_MAX = 3_600.0
ROWS_MAX = 1_000

Name = Annotated[
    str, Path(pattern=r"^[a-z0-9][a-z0-9-]{0,80}$", description="a rollout's name, or its policy's for the newest")
]


class NewRollout(BaseModel):
    """A rollout as `offhook rollout start` asks for it. Times with a unit may be written as in a policy: "5 min"."""

    model_config = ConfigDict(extra="forbid")

    version: str = Field(min_length=1, max_length=64, description="the published version that shall lead")
    plan: Plan = Field(default_factory=Plan)
    by: str = Field(default="", max_length=CHARS_MAX, description=f"who starts it: {WRITTEN}")


def add_rollouts(app: FastAPI, control_client: ControlClient) -> None:
    """Add the addresses under /v1/rollouts."""

    @app.post("/v1/rollouts", status_code=201, tags=["rollouts"])
    async def start(new: NewRollout, by: AskedBy) -> dict[str, Any]:
        """Begin to roll a version out, from the one that leads its policy now."""
        plan = new.plan.model_dump(mode="json")
        return await control_client.rollout_start({"version": new.version, "plan": plan}, named_in(new.by, by))

    @app.get("/v1/rollouts", tags=["rollouts"])
    async def rollouts() -> dict[str, Any]:
        """All that are remembered, the newest first."""
        return {"rollouts": await control_client.rollouts()}

    @app.get("/v1/rollouts/{name}", tags=["rollouts"])
    async def status(name: Name) -> dict[str, Any]:
        """Stage, steps with their counts, guards with their evidence, history."""
        return await control_client.rollout(name)

    @app.post("/v1/rollouts/{name}/{word}", tags=["rollouts"])
    async def order(
        name: Name,
        word: Literal["pause", "resume", "promote", "abort"],
        by: AskedBy,
    ) -> dict[str, Any]:
        """An operator's word. `abort` of a rollout that is live goes back to the version that led before."""
        return await control_client.rollout_order(name, word, by)

    @app.get("/v1/rollouts/{name}/divergence", tags=["rollouts"])
    async def divergence(
        name: Name,
        after: Annotated[int, Query(ge=-1, description="rows after this number")] = -1,
        limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 100,
        follow: Annotated[bool, Query(description="go on, one JSON object a line, while it is in shadow")] = False,
    ) -> Response:
        """What shadows find on live calls, as it is found."""
        first = await control_client.divergence(name, after, limit)
        if follow:
            lines = _followed(control_client, first["rollout"], after, limit)
            return StreamingResponse(lines, media_type="application/x-ndjson")
        body = {key: value for key, value in first.items() if key != "trials"}
        return Response(json.dumps(body, ensure_ascii=False), media_type="application/json")

    @app.get("/v1/rollouts/{name}/report", tags=["rollouts"])
    async def report(name: Name) -> dict[str, Any]:
        """What shadows have found in calls that are over, in the form of a backtest's report."""
        told = await control_client.divergence(name, -1, 1)
        rollout = await control_client.rollout(told["rollout"])
        return summary(told["trials"], rollout["policy"], rollout["candidate"], 0.0)


async def _followed(control_client: ControlClient, name: str, after: int, limit: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + FOLLOW_S_MAX
    while loop.time() < end_s:
        told = await control_client.divergence(name, after, limit)
        after = told["next_after"]
        for row in told["rows"]:
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
        if told["over"] and not told["rows"]:
            return
        if not told["rows"]:
            await asyncio.sleep(LOOK_S)
