"""The web API: calls, their state, journal and verdicts; the carriers' webhooks; the console. FastAPI, no Ray in it.

It asks a `ControlClient` and answers in JSON; errors are `problems.py`'s matter, and addresses that only pass an
operation on `operation_routes.py`'s. OpenAPI (`/openapi.json`) tells everybody else which address does what.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import Body, FastAPI, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from offhook.actors.contracts.call_operations import AfterSeq, RecordLimit
from offhook.actors.contracts.errors import NoSpare, NoSuchCall, NoSuchProposal
from offhook.actors.contracts.node_operations import CallRequest
from offhook.actors.contracts.operations import plain
from offhook.policies.core import codec
from offhook.policies.core.errors import CallerFault
from offhook.policies.gate.entry import TELLABLE, tellable
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ..carriers import registry
from ..carriers.port import Carrier
from ..client.control_client import ControlClient
from ..contracts.bodies import CarrierList, CarrierSummary, Decided, JournalPage, NoticePage, Readiness
from ..views import journal_view
from . import problems
from .node_routes import add_nodes
from .operation_routes import add_operations
from .policy_routes import add_policies
from .principals import CHARS_MAX, WRITTEN, AskedBy, named_in, signed
from .public_addresses import PublicAddresses
from .recorded import Recorded
from .rollout_routes import add_rollouts
from .webhooks import ROOT, add_carrier

CALL_ID_BYTES = 8
NEWS_WAIT_S_MAX = 20.0  # as `actors/node/call_followers.py` has it: proxies give up after 30 or 60 s


def _told(text: str) -> str:
    """Raises PydanticCustomError: the call would not take such a text."""
    if not tellable(text):
        raise PydanticCustomError("tellable", TELLABLE)
    return text


Told = AfterValidator(_told)  # what a call is told: what it would refuse is refused here, where the asker reads it
CallId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="the call's id")]
_PROBLEM: dict[str, Any] = {"model": problems.Problem, "content": {problems.MEDIA_TYPE: {}}}


class NewCall(BaseModel):
    """A call to be taken or placed: what of `CallRequest` somebody outside may say. Numbers are personal data; they are
    kept in the journal only."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    policy: str | None = Field(default=None, max_length=64, description="a published policy's name or version")
    caller: str = Field(default="", alias="from", max_length=128, description="the remote party's number")
    callee: str = Field(default="", alias="to", max_length=128)
    direction: Literal["inbound", "outbound"] = "inbound"
    tenant: str = Field(default="", max_length=64, pattern=r"^[A-Za-z0-9_.-]*$", description="for limits and accounts")
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    carrier: str = Field(default="", max_length=32, description="whose media protocol; empty = the first one set up")


class PlacedCall(BaseModel):
    """Where to bring the audio within a minute: over a WebSocket, in the media protocol of `carrier`."""

    call_id: str
    media_url: str
    carrier: str


class Decision(BaseModel):
    """An operator's word on a proposal that waits for approval."""

    model_config = ConfigDict(extra="forbid")

    approved: bool
    operator: str = Field(default="", max_length=CHARS_MAX, description=f"who decides: {WRITTEN}")


def make_api(control_client: ControlClient, door: PublicAddresses) -> FastAPI:
    """The whole API over one control client.

    Raises:
        SettingFault: a carrier cannot be used.
    """
    carriers = registry.load(door.carriers)
    app = FastAPI(
        lifespan=lambda _app: _prepared(control_client),
        title="offhook",
        summary="Supervises live phone conversations.",
        version="1",
        responses={"4XX": _PROBLEM, "5XX": _PROBLEM},
    )
    problems.install(app)
    _add_calls(app, control_client, door, carriers)
    _add_records(app, control_client)
    _add_installation(app, control_client, carriers)
    add_operations(app, control_client)
    add_nodes(app, control_client)
    add_policies(app, control_client, door)
    add_rollouts(app, control_client)
    for carrier in carriers.values():
        add_carrier(app, carrier, control_client, door)
    return app


@asynccontextmanager
async def _prepared(control_client: ControlClient) -> AsyncIterator[None]:
    await control_client.prepare()
    yield


def _add_calls(
    app: FastAPI, control_client: ControlClient, door: PublicAddresses, carriers: Mapping[str, Carrier]
) -> None:
    recorded = Recorded(control_client)

    @app.post("/v1/calls", status_code=201, tags=["calls"])
    async def place_call(request: Request, new: Annotated[NewCall | None, Body()] = None) -> PlacedCall:
        """Prime a warm call actor; the answer says where to bring the audio."""
        new = new or NewCall()
        carrier = new.carrier or next(iter(carriers))
        if carrier not in carriers:
            raise CallerFault(f"no carrier {carrier!r} is set up here; these are: {', '.join(carriers)}")
        call = f"call-{secrets.token_hex(CALL_ID_BYTES)}"
        wanted = {name: value for name, value in new if value is not None and name != "carrier"}
        placed = await control_client.reserve(CallRequest(call=call, **wanted, wait_s=door.ring_s))
        url = door.media_url(request, carrier, call, placed.media)
        return PlacedCall(call_id=call, media_url=url, carrier=carrier)

    @app.get("/v1/calls", tags=["calls"])
    async def list_calls(
        live: Annotated[bool | None, Query(description="only calls that go on, or only those that are over")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> dict[str, Any]:
        """Calls, newest first."""
        found = await control_client.calls(live, limit)
        return {"calls": [named(plain(row)) for row in found.calls], "total": found.total}

    @app.get("/v1/calls/{call_id}", tags=["calls"])
    async def show_call(call_id: CallId) -> dict[str, Any]:
        """All that a call knows: floor, stage, readiness, ledger, concerns, owner, epoch, policy version."""
        state = await control_client.state(call_id)
        return shown(state if state.get("live") else {**await recorded.view(call_id), **state})

    @app.delete("/v1/calls/{call_id}", status_code=204, tags=["calls"])
    async def hang_up(
        call_id: CallId, by: AskedBy, reason: Annotated[str, Query(max_length=200), Told] = "hung up by an operator"
    ) -> None:
        """End a call at once."""
        try:
            await control_client.hangup(call_id, by, reason)
        except NoSuchCall:
            # One that is over already is as wanted; one that never was is a problem.
            await control_client.state(call_id)

    @app.post("/v1/calls/{call_id}/proposals/{proposal_id}", status_code=202, tags=["calls"])
    async def decide(
        call_id: CallId, proposal_id: Annotated[str, Path(max_length=64), Told], decision: Decision, by: AskedBy
    ) -> Decided:
        """Approve or refuse what an agent wants to do; the gate still checks it against the present moment.

        202 says that the call was told. 404: it does not wait there, or not any more.
        """
        operator = signed(named_in(decision.operator, by))
        _waits(call_id, await control_client.state(call_id), proposal_id)
        await control_client.decide(call_id, proposal_id, decision.approved, operator)
        return Decided(call_id, proposal_id, decision.approved)


def _waits(call: str, state: Mapping[str, Any], proposal: str) -> None:
    """A live call's own state tells what waits in it; while its owner is away nobody knows, and the call is told.

    Raises:
        NoSuchProposal: this does not wait for a person.
    """
    waiting = [str(each["proposal"]) for each in state.get("approvals", ())]
    if state.get("live") and "approvals" in state and proposal not in waiting:
        raise NoSuchProposal(
            f"no proposal {proposal!r} waits in call {call}; what waits for a person there: "
            f"{', '.join(waiting) or 'nothing'}"
        )


def _add_records(app: FastAPI, control_client: ControlClient) -> None:
    @app.get("/v1/calls/{call_id}/journal", tags=["records"])
    async def read_journal(
        call_id: CallId,
        after_seq: AfterSeq = -1,
        limit: RecordLimit = 1_000,
    ) -> JournalPage:
        """A call's ordered facts. `next_after_seq` continues; null = this was the end so far."""
        records = await control_client.journal(call_id, after_seq, limit)
        entries = list(map(journal_view.entry, records))
        more = entries[-1]["seq"] if len(entries) == limit else None
        return {"call_id": call_id, "records": entries, "next_after_seq": more}

    @app.get("/v1/calls/{call_id}/notices", tags=["records"])
    async def follow_call(
        call_id: CallId,
        after_seq: AfterSeq = -1,
        wait_s: Annotated[float, Query(ge=0, le=NEWS_WAIT_S_MAX, description="for news, where there is none yet")] = 0,
    ) -> NoticePage:
        """Follow a live call: what it tells its subscribers, as it tells it; reads no journal.

        Ask again with `next_after_seq`. `missed`: some before these are not kept; `live` false: these are the last.
        """
        news = await control_client.follow(call_id, after_seq, wait_s)
        return NoticePage(call_id, news.notices, news.next_after_seq, news.missed, news.live)

    @app.get("/v1/calls/{call_id}/verdicts", tags=["records"])
    async def read_verdicts(call_id: CallId) -> dict[str, Any]:
        """Every answer of the gate with each rule, what it required and what was; oldest first."""
        verdicts = [asdict(codec.decode(verdict)) for verdict in await control_client.verdicts(call_id)]
        return {"call_id": call_id, "verdicts": verdicts}


def _add_installation(app: FastAPI, control_client: ControlClient, carriers: Mapping[str, Carrier]) -> None:
    @app.get("/healthz", tags=["house"])
    async def health() -> dict[str, Any]:
        """Liveness: 200 while the director answers; every node's figures."""
        return {"status": "ok", **plain(await control_client.stats())}

    @app.get("/readyz", tags=["house"])
    async def ready() -> Readiness:
        """Readiness: 200 while some node takes new calls. One that finds no slot rings, so a full house is ready."""
        stats = await control_client.stats()
        taking = [node for node, told in stats.nodes.items() if not told.draining]
        if not taking:
            raise NoSpare(f"no node takes calls: {len(stats.nodes)} drain, {len(stats.silent)} do not answer")
        return Readiness("ok", len(taking), stats.free_slots)

    @app.get("/v1/carriers", tags=["carriers"])
    async def list_carriers() -> CarrierList:
        """The carriers that may bring calls, and what each can be asked to do; the first one is the default."""
        return CarrierList(tuple(map(_carrier, carriers.values())))

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("/console")

    @app.get("/console", include_in_schema=False)
    async def console() -> Response:
        page = files("offhook.serve.web").joinpath("console.html").read_text(encoding="utf-8")
        return HTMLResponse(page, headers={"Content-Security-Policy": _CONSOLE_POLICY})


def _carrier(carrier: Carrier) -> CarrierSummary:
    paths = tuple(f"{ROOT}/{carrier.name}/{path}" for path in carrier.webhooks.paths)
    return CarrierSummary(carrier.name, tuple(sorted(carrier.capabilities.signals)), paths)


def named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the inside as the API words it: the id first, all names as requests have them."""
    return {"call_id": row.get("call", ""), **{_NAMES.get(name, name): row[name] for name in row if name != "call"}}


def shown(state: Mapping[str, Any]) -> dict[str, Any]:
    """A call's state as the API words it: the floor by its holder, the signals as what they are part of."""
    rest = named(state)
    floor = rest.pop("floor", {})
    moved = {"floor": floor.get("holder", "nobody"), "floor_since_ms": floor.get("since_ms", 0)}
    return rest | moved | {"ledger": rest.pop("signals", [])}


_NAMES = {"caller": "from", "callee": "to"}  # inside -> outside

# The page is one file and talks to its own API only; whatever a caller may have said cannot run as script in it.
_CONSOLE_POLICY = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
