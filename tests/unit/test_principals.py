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
from hypothesis import given
from hypothesis import strategies as st
from offhook.cluster.desired_state import CORDONED, POLICY, DesiredState, Version
from offhook.cluster.state_store import FileMemory
from offhook.policies.core import events as ev
from offhook.policies.core.codec import decode, encode
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.principal import ID_CHARS_MAX, NAME_CHARS_MAX, NOBODY, Principal, PrincipalKind
from offhook.policies.gate.entry import event_of
from offhook.serve.cli.cli_options import signed
from offhook.serve.client import login
from offhook.serve.web import principals, problems
from offhook.serve.web.principals import AskedBy

ANN = Principal(PrincipalKind.PERSON, "ann")
ANN_LEE = Principal(PrincipalKind.PERSON, "ann", "Ann Lee")


@pytest.mark.parametrize(
    ("text", "principal", "shown"),
    [
        ("person:ann", ANN, "ann"),
        ("person:ann (Ann Lee)", ANN_LEE, "ann (Ann Lee)"),
        ("system:scaling", Principal(PrincipalKind.SYSTEM, "scaling"), "system scaling"),
        ("program:anonymous@::1", Principal(PrincipalKind.PROGRAM, "anonymous@::1"), "program anonymous@::1"),
        ("ann", Principal(PrincipalKind.UNKNOWN, "ann"), "ann"),
        ("unknown:ann", Principal(PrincipalKind.UNKNOWN, "unknown:ann"), "unknown:ann"),
        ("boss:ann", Principal(PrincipalKind.UNKNOWN, "boss:ann"), "boss:ann"),
        ("person:", Principal(PrincipalKind.UNKNOWN, "person:"), "unknown person:"),
        ("person:system scaling", Principal(PrincipalKind.PERSON, "system scaling"), "person system scaling"),
        ("person:systems team", Principal(PrincipalKind.PERSON, "systems team"), "systems team"),
        ("system scaling", Principal(PrincipalKind.UNKNOWN, "system scaling"), "unknown system scaling"),
        ("SYSTEM:x", Principal(PrincipalKind.UNKNOWN, "SYSTEM:x"), "unknown SYSTEM:x"),
        ("person:ann ()", Principal(PrincipalKind.PERSON, "ann ()"), "ann ()"),
        ("", NOBODY, "somebody"),
    ],
)
def test_a_principal_is_written_as_it_was_read(text: str, principal: Principal, shown: str) -> None:
    assert Principal.of(text) == principal
    assert (principal.text, str(principal)) == (text, shown)


@given(st.builds(str.__add__, st.sampled_from(["", "person:", "system:", "who:"]), st.text("ab ():", max_size=12)))
def test_every_text_is_read_and_written_as_it_was(text: str) -> None:
    assert Principal.of(text).text == text


@given(
    st.sampled_from([PrincipalKind.PERSON, PrincipalKind.UNKNOWN]),
    st.sampled_from(["system", "program", "System", " system", "(system", "\uff53\uff59\uff53\uff54\uff45\uff4d"]),
    st.sampled_from(["", " scaling", ":scaling", "_x", "-x"]),
)
def test_nobody_reads_as_another_kind(kind: PrincipalKind, word: str, rest: str) -> None:
    assert str(Principal(kind, word + rest)).startswith(f"{kind.value} ")


@pytest.mark.parametrize("who", ["person:ann (Ann Lee)", "person:ann", "ann", "api", ""])
def test_events_of_every_age_are_read_and_written_as_they_were(who: str) -> None:
    for array in (["HangupRequested", 7, who, "enough"], ["OperatorDecided", 7, "p1", True, who]):
        event: Any = decode(array)
        assert Principal.of(who) in (getattr(event, "by", None), getattr(event, "operator", None))
        assert encode(event) == array
    assert encode(ev.HangupRequested(7, ANN, "enough")) == ["HangupRequested", 7, "person:ann", "enough"]


@pytest.mark.parametrize("who", ["", "person:" + "x" * (ID_CHARS_MAX + 1), f"ann{chr(10)}", " "])
def test_a_call_takes_no_word_of_somebody_who_cannot_be_kept(who: str) -> None:
    with pytest.raises(CallerFault, match=r"HangupRequested\.by"):
        event_of(["HangupRequested", 0, who, "enough"], 9)


def test_who_asked_fits_up_to_its_limits() -> None:
    most = Principal(PrincipalKind.PERSON, "x" * ID_CHARS_MAX, "y" * NAME_CHARS_MAX)
    assert most.fits and len(most.text) <= principals.CHARS_MAX
    assert not Principal(PrincipalKind.PERSON, "ann", "y" * (NAME_CHARS_MAX + 1)).fits
    assert not NOBODY.fits


def test_the_cluster_keeps_who_published_and_who_cordoned_and_reads_what_was_kept_before(tmp_path: Path) -> None:
    async def test() -> None:
        memory = FileMemory(tmp_path)
        state = DesiredState(memory)
        await state.keep(Version("v1", {"name": "sales"}, b"", by=ANN), set())
        await state.cordon("n1", True, ["n1", "n2"], ANN_LEE)
        again = DesiredState(memory)
        await again.recall()
        assert (again.versions["v1"].by, again.cordoned) == (ANN, {"n1": ANN_LEE})
        assert again.table({}, {}).policies[0].versions[0].published_by == "person:ann"
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
        ({}, "program:anonymous@192.0.2.7"),
        ({"headers": {"x-offhook-by": "person:ann (Ann Lee)"}}, "person:ann (Ann Lee)"),
        ({"headers": {"x-offhook-by": "ann"}}, "person:ann"),
        ({"headers": {b"x-offhook-by": "j\u00fcrgen".encode()}}, "person:j\u00fcrgen"),
        ({"headers": {"x-offhook-by": "program:crm"}}, "program:crm"),
        ({"params": {"by": "ann"}}, "person:ann"),
        ({"params": {"by": "boss:ann"}}, "person:boss:ann"),
        ({"params": {"by": "ann"}, "headers": {"x-offhook-by": "bob"}}, "person:ann"),
    ],
    ids=str,
)
def test_who_asks_the_api_is_told_in_one_place(request_: dict[str, Any], who: str) -> None:
    answer = asked(**request_)
    assert (answer.status_code, answer.json()) == (200, who)


NO_KINDS = ["system scaling", "system:", "person:", "program:", "SYSTEM:x", "unknown:x", " System x", "Person:ann"]
ANONYMOUS = ["program:anonymous@127.0.0.1", "program:Anonymous@x", "program: anonymous@x"]


@pytest.mark.parametrize("who", ["system:scaling", "x" * (ID_CHARS_MAX + 1), "a\tb", " ", *NO_KINDS, *ANONYMOUS])
def test_nobody_says_that_they_are_a_part_of_offhook_or_what_cannot_be_kept(who: str) -> None:
    assert asked(params={"by": who}).status_code == 409


def test_a_person_who_is_called_anonymous_has_said_who_decides() -> None:
    named = principals.named_in("anonymous@home", NOBODY)
    assert principals.signed(named) == Principal(PrincipalKind.PERSON, "anonymous@home")
    with pytest.raises(CallerFault, match="say who decides"):
        principals.signed(Principal(PrincipalKind.PROGRAM, "anonymous@127.0.0.1"))


# --- the command line -------------------------------------------------------------------------------------------------


def test_the_command_line_says_the_login_name_and_who_has_none_says_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert login.HEADER.lower() == principals.HEADER
    monkeypatch.setattr("getpass.getuser", lambda: "j\u00fcrgen")
    assert login.headers() == {b"X-Offhook-By": "person:j\u00fcrgen".encode()}
    assert (signed(None), signed("kim")) == ("j\u00fcrgen", "kim")

    def nobody() -> str:
        raise KeyError("no name for this user")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert login.headers() == {}
    with pytest.raises(CallerFault, match="--by NAME"):
        signed(None)
