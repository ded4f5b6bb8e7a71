"""The API's addresses for what the shadows of a rollout find: rows as they are found, and a report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import Response, StreamingResponse
from offhook.actors.contracts.operations import plain
from offhook.cluster.operations import ROWS_MAX, RolloutName

from ..client.control_client import ControlClient
from ..views.backtest_report import summary

LOOK_S = 1.0  # between two looks for new rows while somebody follows: the director gathers them once a second
FOLLOW_S_MAX = 3_600.0


def add_rollouts(app: FastAPI, control_client: ControlClient) -> None:
    """Add the addresses under /v1/rollouts that do more than pass an operation on."""

    @app.get("/v1/rollouts/{name}/divergence", tags=["rollouts"])
    async def divergence(
        name: RolloutName,
        after: Annotated[int, Query(ge=-1, description="rows after this number")] = -1,
        limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 100,
        follow: Annotated[bool, Query(description="go on, one JSON object a line, while it is in shadow")] = False,
    ) -> Response:
        """What shadows find on live calls, as it is found."""
        first = await control_client.divergence(name, after, limit)
        if follow:
            lines = _followed(control_client, first.rollout, after, limit)
            return StreamingResponse(lines, media_type="application/x-ndjson")
        body = plain(replace(first, trials=[]))
        return Response(json.dumps(body, ensure_ascii=False), media_type="application/json")

    @app.get("/v1/rollouts/{name}/report", tags=["rollouts"])
    async def report(name: RolloutName) -> dict[str, Any]:
        """What shadows have found in calls that are over, in the form of a backtest's report."""
        told = await control_client.divergence(name, -1, 1)
        rollout = await control_client.rollout(told.rollout)
        return summary(told.trials, rollout.policy, rollout.candidate, 0.0)


async def _followed(control_client: ControlClient, name: str, after: int, limit: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + FOLLOW_S_MAX
    while loop.time() < end_s:
        told = await control_client.divergence(name, after, limit)
        after = told.next_after
        for row in told.rows:
            yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
        if told.over and not told.rows:
            return
        if not told.rows:
            await asyncio.sleep(LOOK_S)
