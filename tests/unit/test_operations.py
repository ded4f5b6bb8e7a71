"""Operations: one declaration goes through reference, dispatch, web API and HTTP client; actors keep to it.

The operation of `Clock` is declared here and nowhere else: nothing but its declaration and its body is written for it.
"""

# ruff: noqa: ARG002

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import SimpleNamespace
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from offhook.actors.contracts.call_operations import CallOperations, CallSummary
from offhook.actors.contracts.errors import ProtocolFault
from offhook.actors.contracts.node_operations import CallRequest, NodeFigures, NodeOperations, NodeReport
from offhook.actors.contracts.operations import (
    PLAIN,
    Answering,
    Operation,
    Operations,
    once,
    operation_of,
    operations,
    plain,
    read,
    repeatable,
)
from offhook.actors.node.supervisor import Supervisor
from offhook.actors.refs.handles import ActorRef
from offhook.cluster.director import Director
from offhook.cluster.operations import ClusterOperations, RolloutStatus
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.fleet.cost import Usage
from offhook.policies.fleet.rollout import Plan
from offhook.serve.client.control_client import ControlClient
from offhook.serve.client.running import Api
from offhook.serve.web import problems
from offhook.serve.web.operation_routes import add_operations


class Season(StrEnum):
    SUMMER = "summer"


@dataclass(frozen=True, slots=True)
class Zone:
    """Where one is."""

    name: str
    season: Season = Season.SUMMER


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of day there."""

    hour: int
    zone: Zone
    said: tuple[str, ...] = ()
    raw: Annotated[Mapping[str, Any], PLAIN] = field(default_factory=dict)


class Clock(Operations):
    @once(at="POST /v1/clocks/{name}", status=201)
    async def wind(self, name: str, zone: Zone, turns: int = 3) -> Moment:
        """Wind a clock up."""

    @repeatable(at="GET /v1/clocks/{name}")
    async def now(self, name: str, hours_ago: Annotated[int, "hours"] = 0) -> Moment:
        """What it shows."""

    @repeatable(at="DELETE /v1/clocks/{name}", status=204)
    async def stop(self, name: str) -> None:
        """Let it stand."""

    @once(at="POST /v1/clocks/{name}/hands")
    async def set(self, name: str, zone: Zone, by: Principal = NOBODY) -> str:
        """Set a clock to a zone's time; who has set it, as text."""

    @repeatable
    async def names(self) -> list[str]:
        """All of them."""


class Tower(Clock, Answering):
    """The actor: it has the bodies."""

    def __init__(self) -> None:
        self.wound: list[tuple[str, Zone, int]] = []

    async def wind(self, name: str, zone: Zone, turns: int = 3) -> Moment:
        self.wound.append((name, zone, turns))
        return Moment(12, zone, (name,), {"turns": turns})

    async def set(self, name: str, zone: Zone, by: Principal = NOBODY) -> str:
        return f"{name} {zone.name} {by.text}"

    async def now(self, name: str, hours_ago: int = 0) -> Moment:
        if name != "big":
            raise CallerFault(f"no clock {name!r}")
        return Moment(12 - hours_ago, Zone("UTC"))

    async def stop(self, name: str) -> None:
        self.wound.clear()


class Handle:
    """An actor's handle as Ray's is one; `calls` says how it was called."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.actor, name)

        async def remote(*arguments: Any) -> object:
            self.calls.append((name, *arguments))
            return await method(*arguments)

        return SimpleNamespace(remote=remote)


class ClockRef(ActorRef, Clock):
    """The reference: nothing more is written for it."""


def reference() -> tuple[ClockRef, Handle]:
    handle = Handle(Tower())
    return ClockRef(handle, "clock"), handle


# --- reference and dispatch -------------------------------------------------------------------------------------------


def test_an_operation_goes_through_reference_and_dispatch_as_plain_values() -> None:
    async def test() -> None:
        ref, handle = reference()
        moment = await ref.wind("big", Zone("UTC"), turns=5)
        assert moment == Moment(12, Zone("UTC"), ("big",), {"turns": 5})
        assert handle.calls == [
            ("answer_wind", {"name": "big", "zone": {"name": "UTC", "season": "summer"}, "turns": 5})
        ]
        await ref.wind("big", Zone("UTC"))
        assert handle.actor.wound[1][2] == 3, "the declared default"
        assert await ref.stop("big") is None

    asyncio.run(test())


def test_repeatable_ones_are_asked_and_others_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[str] = []

    def way(name: str) -> Any:
        async def send(_self: ActorRef, method: str, _arguments: Any) -> object:
            ways.append(f"{name} {method}")
            return plain(Moment(1, Zone("UTC")))

        return send

    monkeypatch.setattr(ActorRef, "ask", way("ask"))
    monkeypatch.setattr(ActorRef, "order", way("order"))

    async def test() -> None:
        ref, _ = reference()
        await ref.now("big")
        await ref.wind("big", Zone("UTC"))

    asyncio.run(test())
    assert ways == ["ask answer_now", "order answer_wind"]


def test_what_is_wrong_is_said_with_its_name() -> None:
    async def test() -> None:
        ref, handle = reference()
        with pytest.raises(CallerFault, match="no clock 'small'"):
            await ref.now("small")
        with pytest.raises(CallerFault, match=r"wind: zone\.name: Field required; turns: .*integer"):
            await handle.actor.answer_wind({"name": "big", "zone": {}, "turns": "many"})
        with pytest.raises(NotImplementedError, match="Tower does not implement operation names"):
            await ref.names()
        del Tower.answer_names  # type: ignore[attr-defined]  # as in a release that did not have it yet
        with pytest.raises(CallerFault, match="clock has no operation names; it is of an older release"):
            await ref.names()
        with pytest.raises(TypeError, match="tuns"):
            await ref.wind("big", Zone("UTC"), tuns=4)  # type: ignore[call-arg]

    asyncio.run(test())


# --- another release --------------------------------------------------------------------------------------------------


def test_a_newer_caller_and_an_older_actor_understand_each_other() -> None:
    async def test() -> None:
        actor = Tower()
        zone = {"name": "UTC", "altitude_m": 4_000}
        told = await actor.answer_wind({"name": "big", "zone": zone, "gently": True})
        assert actor.wound == [("big", Zone("UTC"), 3)]
        newer = {**told, "second": 7, "zone": {**told["zone"], "altitude_m": 1}}
        assert operation_of(Clock.wind).answer(newer) == read(Moment, told, "it")
        del newer["said"], newer["raw"], newer["zone"]["season"]
        assert operation_of(Clock.wind).answer(newer) == Moment(12, Zone("UTC"))
        with pytest.raises(ProtocolFault, match="the answer to wind: hour: Field required"):
            operation_of(Clock.wind).answer({"zone": {"name": "UTC"}})

    asyncio.run(test())


def test_records_survive_their_way_and_skip_what_is_not_known() -> None:
    report = NodeReport(NodeFigures(calls=3, agents_given_up={"v1/a": "why"}), changes=(), live=(("c", "acme"),))
    assert read(NodeReport, plain(report), "it") == report
    assert read(CallSummary, {"call": "c", "mood": "calm"}, "it") == CallSummary("c")
    assert read(Usage, {"talk_s": 1.0, "carrots": 3}, "it") == Usage(talk_s=1.0)
    status = RolloutStatus(name="s-1", policy="s", baseline="v1", candidate="v2", stage="canary", plan=Plan())
    newer = plain(status)
    newer["plan"]["patience_ms"] = 5  # a field of a policy's section, which refuses unknown ones from people
    assert read(RolloutStatus, newer, "it") == status
    with pytest.raises(ProtocolFault, match="does not travel"):
        plain(object())


# --- HTTP -------------------------------------------------------------------------------------------------------------


class Direct(httpx.BaseTransport):
    """Hands each request to the app, and waits for its answer."""

    def __init__(self, app: FastAPI) -> None:
        self._to = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def answered() -> httpx.Response:
            answer = await self._to.handle_async_request(request)
            return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

        return asyncio.run(answered())


@pytest.fixture
def api() -> tuple[Api, Tower]:
    """The HTTP client of an API for the clock, without a socket between them."""
    tower, app = Tower(), FastAPI()
    problems.install(app)
    add_operations(app, tower, Clock)
    client = Api("http://clocks.example")
    client._client = httpx.Client(transport=Direct(app), base_url=client.url)
    return client, tower


def test_an_operation_goes_through_http_client_and_route(api: tuple[Api, Tower]) -> None:
    client, tower = api
    moment = client.ask(Clock.wind, "big ben", Zone("UTC"), turns=2)
    assert moment == Moment(12, Zone("UTC"), ("big ben",), {"turns": 2})
    assert client.ask(Clock.now, "big", hours_ago=2).hour == 10
    with pytest.raises(CallerFault, match="no clock 'small'"):
        client.ask(Clock.now, "small")
    client.ask(Clock.stop, "big")
    assert tower.wound == []


def test_who_asks_travels_as_a_principal_and_is_told_by_the_request(api: tuple[Api, Tower]) -> None:
    client, _ = api
    ann = Principal.of("person:ann (Ann Lee)")
    sent = operation_of(Clock.set).given("big", Zone("UTC"), ann)
    assert operation_of(Clock.set).arguments(sent)["by"] == ann
    assert client.ask(Clock.set, "big", Zone("UTC"), ann) == "big UTC person:ann (Ann Lee)"

    def told(query: str = "", header: str = "", body: str = "") -> str:
        asked = {"params": {"by": query} if query else {}, "headers": {"x-offhook-by": header} if header else {}}
        zone = {"name": "UTC", **({"by": body} if body else {})}
        return str(client._client.post("/v1/clocks/big/hands", json=zone, **asked).json())  # type: ignore[arg-type]

    assert told(header="bob") == "big UTC person:bob"
    assert told(query="eve", header="bob") == "big UTC person:eve"
    assert told(body="program:crm", header="bob") == "big UTC program:crm"
    assert told().startswith("big UTC program:anonymous@")
    answer = client._client.post("/v1/clocks/big", json={"name": "UTC", "by": "ann"})
    assert answer.status_code == 422, "nobody is told who asks: a body may not say it"


def test_people_are_told_of_fields_that_are_not_known(api: tuple[Api, Tower]) -> None:
    client, tower = api
    answer = client._client.post("/v1/clocks/big", json={"name": "UTC", "seasons": "summer"})
    assert answer.status_code == 422
    assert "seasons: Extra inputs are not permitted" in answer.json()["detail"]
    told = client._client.get("/openapi.json").json()
    assert set(told["paths"]["/v1/clocks/{name}"]) == {"get", "post", "delete"}
    assert set(told["components"]["schemas"]["Moment"]["properties"]) == {"hour", "zone", "said", "raw"}
    assert tower.wound == []


# --- who implements them ---------------------------------------------------------------------------------------------


OF_RAY = "_ray_trace_ctx"  # added to a class's methods once the same process has made an actor of it, for good


@pytest.mark.parametrize(
    ("actor", "declared"), [(Supervisor, NodeOperations), (Supervisor, CallOperations), (Director, ClusterOperations)]
)
def test_the_actor_implements_what_is_declared_with_the_same_parameters_and_defaults(
    actor: type, declared: type
) -> None:
    for name, operation in operations(declared).items():
        body = inspect.getattr_static(actor, name)
        assert not hasattr(body, "operation"), f"{actor.__name__} has no {name}"
        taken = [(each.name, each.default) for each in inspect.signature(body).parameters.values()][1:]
        taken = [each for each in taken if each[0] != OF_RAY]
        wanted = [(each.name, each.default) for each in operation.signature.parameters.values()]
        assert taken == wanted, f"{actor.__name__}.{name}"


@pytest.mark.parametrize("declared", [NodeOperations, CallOperations, ClusterOperations])
def test_every_operation_can_be_read_and_says_what_it_does(declared: type) -> None:
    for operation in operations(declared).values():
        assert operation.says, operation.name
        answer = operation.signature.return_annotation
        assert (answer is not dict and "dict[str, typing.Any]" not in str(answer)) or PLAIN in answer.__metadata__
        with pytest.raises(CallerFault, match=operation.name) if required(operation) else pytest.raises(StopIteration):
            operation.arguments({})
            raise StopIteration


def required(operation: Operation[Any]) -> bool:
    return any(each.default is each.empty for each in operation.signature.parameters.values())


def test_what_is_asked_of_a_call_and_of_the_cluster_has_different_names() -> None:
    assert not operations(CallOperations).keys() & operations(ClusterOperations).keys()
    assert operations(ControlClient).keys() == operations(CallOperations).keys() | operations(ClusterOperations).keys()
    assert all("call" in each.signature.parameters for each in operations(CallOperations).values())


def test_a_request_for_a_call_needs_no_more_than_its_name() -> None:
    assert operation_of(NodeOperations.reserve).arguments({"request": {"call": "c"}}) == {"request": CallRequest("c")}
