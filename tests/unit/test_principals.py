"""Who asked: one type from the request to the journal and the cluster's state, and older records that hold a name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import msgpack
import pytest
from fastapi import FastAPI
from offhook.cluster.desired_state import CORDONED, POLICY, DesiredState, Version
from offhook.cluster.state_store import FileMemory
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.principal import NOBODY, Principal, PrincipalKind
from offhook.serve.client import login
from offhook.serve.web import principals, problems
from offhook.serve.web.principals import AskedBy

ANN = Principal(PrincipalKind.OPERATOR, "ann")


@pytest.mark.parametrize(
    ("text", "principal"),
    [
        ("operator:ann", ANN),
        ("system:scaling", Principal(PrincipalKind.SYSTEM, "scaling")),
        ("api:anonymous@::1", Principal(PrincipalKind.API, "anonymous@::1")),
        ("operator", Principal(PrincipalKind.OPERATOR)),
        ("api", Principal(PrincipalKind.API)),
        ("ann", Principal(PrincipalKind.UNKNOWN, "ann")),
        ("unknown:ann", Principal(PrincipalKind.UNKNOWN, "unknown:ann")),
        ("boss:ann", Principal(PrincipalKind.UNKNOWN, "boss:ann")),
        ("agent:", Principal(PrincipalKind.UNKNOWN, "agent:")),
        ("", NOBODY),
    ],
)
def test_a_principal_is_written_as_it_was_read(text: str, principal: Principal) -> None:
    assert Principal.of(text) == principal
    assert principal.text == str(principal) == text


@pytest.mark.parametrize("who", ["operator:ann", "ann", "api", "operator", ""])
def test_events_of_every_age_are_read_and_written_as_they_were(who: str) -> None:
    for array in (["HangupRequested", 7, who, "enough"], ["OperatorDecided", 7, "p1", True, who]):
        event: Any = decode(array)
        assert Principal.of(who) in (getattr(event, "by", None), getattr(event, "operator", None))
        assert encode(event) == array
    assert encode(ev.HangupRequested(7, ANN, "enough")) == ["HangupRequested", 7, "operator:ann", "enough"]


def test_the_cluster_keeps_who_published_and_who_cordoned_and_reads_what_was_kept_before(tmp_path: Path) -> None:
    async def test() -> None:
        memory = FileMemory(tmp_path)
        state = DesiredState(memory)
        await state.keep(Version("v1", {"name": "sales"}, b"", by=ANN), set())
        await state.cordon("n1", True, ["n1", "n2"], ANN)
        again = DesiredState(memory)
        await again.recall()
        assert (again.versions["v1"].by, again.cordoned) == (ANN, {"n1": ANN})
        assert again.table({}, {})["policies"][0]["versions"][0]["published_by"] == "operator:ann"
        await again.cordon("n1", False, ["n1", "n2"], ANN)
        assert again.cordoned == {}
        await memory.put(CORDONED, json.dumps(["n1", "n2"]).encode())
        await memory.put(POLICY + "v1", msgpack.packb([{"name": "sales"}, b"", 7]))
        before = DesiredState(memory)
        await before.recall()
        assert before.cordoned == {"n1": NOBODY, "n2": NOBODY}
        assert before.versions["v1"] == Version("v1", {"name": "sales"}, b"", 7)

    asyncio.run(test())


# --- the API ----------------------------------------------------------------------------------------------------------


def asked(**request: Any) -> httpx.Response:
    app = FastAPI()
    problems.install(app)

    @app.post("/")
    async def answer(by: AskedBy) -> str:
        return by.text

    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post("/", **request)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("request_", "who"),
    [
        ({}, "api:anonymous@192.0.2.7"),
        ({"headers": {"x-offhook-by": "operator:ann"}}, "operator:ann"),
        ({"headers": {"x-offhook-by": "console"}}, "operator:console"),
        ({"headers": {b"x-offhook-by": "j\u00fcrgen".encode()}}, "operator:j\u00fcrgen"),
        ({"headers": {"x-offhook-by": "api:crm"}}, "api:crm"),
        ({"json": {"by": "ann"}}, "operator:ann"),
        ({"json": {"operator": "ann"}}, "operator:ann"),
        ({"params": {"by": "ann"}}, "operator:ann"),
        ({"json": {"by": "bob"}, "headers": {"x-offhook-by": "ann"}}, "operator:ann"),
        ({"json": {"by": 7}}, "api:anonymous@192.0.2.7"),
        ({"json": ["by"]}, "api:anonymous@192.0.2.7"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "api:anonymous@192.0.2.7"),
    ],
    ids=str,
)
def test_who_asks_the_api_is_told_in_one_place(request_: dict[str, Any], who: str) -> None:
    answer = asked(**request_)
    assert (answer.status_code, answer.json()) == (200, who)


@pytest.mark.parametrize("who", ["system:scaling", "carrier:x", "agent:closer", "x" * 129, "a\tb"])
def test_nobody_says_that_they_are_a_part_of_offhook_or_what_cannot_be_kept(who: str) -> None:
    assert asked(json={"by": who}).status_code == 409


def test_the_command_line_says_the_login_name_and_somebody_without_one_is_an_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert login.HEADER.lower() == principals.HEADER
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    assert login.me() == ANN

    def nobody() -> str:
        raise KeyError("no name for this user")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert login.me() == Principal(PrincipalKind.OPERATOR)
