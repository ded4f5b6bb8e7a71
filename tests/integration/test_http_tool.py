"""Tools by HTTP, against a real server on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from offhook.actors.contracts.orders import Order, Outcome
from offhook.actors.journals.sqlite_register import SqliteRegister
from offhook.actors.node.http_tool import BODY_BYTES_MAX, Place, offered
from offhook.actors.node.leases import LeaseBook
from offhook.actors.node.outbox import Outbox
from offhook.actors.node.residents import Residents
from offhook.actors.node.tools import RESULT_CHARS_MAX
from offhook.policies.core.errors import CallerFault
from tool_server import ToolServer

ORDER = Order("c1", 1, "g1", "book", {"time": "ten"}, "c1/book#0")
Test = Callable[[ToolServer, Outbox, SqliteRegister], Awaitable[None]]


def run(tmp_path: Path, test: Test, **place: Any) -> None:
    async def limited() -> None:
        register = SqliteRegister(tmp_path / "tools.db", "node")
        with ToolServer() as server:
            tools = offered({"book": {"url": server.url, **place}})
            async with asyncio.timeout(60):
                await test(server, Outbox(register, tools, LeaseBook(), Residents.__new__(Residents)), register)
        await register.close()

    asyncio.run(limited())


def test_an_act_is_posted_with_its_key_once(tmp_path: Path) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        assert await box.perform(ORDER) == await box.perform(ORDER) == Outcome(True, "booked")
        body = {"key": ORDER.key, "call": "c1", "action": "book", "arguments": {"time": "ten"}}
        assert server.done == {ORDER.key: [body]} and server.asked == [("POST", ORDER.key)]
        assert server.headers[0]["Authorization"] == "Bearer x"

    run(tmp_path, test, headers={"Authorization": "Bearer x"})


@pytest.mark.parametrize("look_up", ["get", "head"])
@pytest.mark.parametrize("happened", [True, False])
def test_after_a_crash_the_server_is_asked_before_anything_is_posted(
    tmp_path: Path, look_up: str, happened: bool
) -> None:
    async def test(server: ToolServer, box: Outbox, register: SqliteRegister) -> None:
        await register.begin(ORDER, "former", 1_000)
        if happened:
            server.done[ORDER.key] = [{}]
        outcome = await box.perform(ORDER)
        assert outcome.ok and len(server.done[ORDER.key]) == 1
        assert [method for method, _ in server.asked] == [look_up.upper(), *["POST"] * (not happened)]

    run(tmp_path, test, look_up=look_up)


@pytest.mark.parametrize("how", ["hang", "break", 500, 503, 409, 425])
def test_no_clear_answer_is_looked_into_and_never_posted_twice(tmp_path: Path, how: str | int) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.how = how
        outcome = await box.perform(ORDER)
        if isinstance(how, str):
            assert outcome == Outcome(True, "it is booked")
        else:
            assert not outcome.known and f"answered {how}" in outcome.result
        assert await box.perform(ORDER) == outcome
        assert server.asked == [("POST", ORDER.key), ("GET", ORDER.key)]

    # Only what never answers is waited for; a limit is of the look-up too, which a busy machine may keep waiting.
    run(tmp_path, test, look_up="get", **{"limit_ms": 2_000} if how == "hang" else {})


@pytest.mark.parametrize("status", [202, 409, 500, 501, 405, 401])
def test_a_look_up_without_a_clear_answer_leaves_it_unknown(tmp_path: Path, status: int) -> None:
    async def test(server: ToolServer, box: Outbox, register: SqliteRegister) -> None:
        await register.begin(ORDER, "former", 1_000)
        server.look_up_status = status
        outcome = await box.perform(ORDER)
        assert not outcome.known and f"answered {status}" in outcome.result
        assert server.asked == [("GET", ORDER.key)]

    run(tmp_path, test, look_up="get")


def test_a_server_that_cannot_be_asked_leaves_it_unknown_unless_it_is_idempotent(tmp_path: Path) -> None:
    async def unknown(server: ToolServer, box: Outbox, register: SqliteRegister) -> None:
        await register.begin(ORDER, "former", 1_000)
        assert not (await box.perform(ORDER)).known and server.asked == []

    async def again(server: ToolServer, box: Outbox, register: SqliteRegister) -> None:
        assert (await box.perform(ORDER)).ok and server.asked == [("POST", ORDER.key)]

    run(tmp_path, unknown)
    again_folder = tmp_path / "again"
    again_folder.mkdir()
    run(again_folder, again, idempotent=True)


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (400, b'{"ok": false, "result": "that slot is taken"}', "that slot is taken"),
        (404, b"<html>", "refused by the tool's server with 404"),
        (429, b"", "refused by the tool's server with 429"),
        (302, b"", "answered 302, a redirect is not followed"),
    ],
)
def test_a_refusal_is_a_known_failure(tmp_path: Path, status: int, answer: bytes, says: str) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.how, server.answer = status, answer
        outcome = await box.perform(ORDER)
        assert outcome.known and not outcome.ok and says in outcome.result
        server.how, server.answer = "do", None
        assert (await box.perform(replace(ORDER, grant="g2"))).ok, "a retry under the same key may succeed"
        assert [method for method, _ in server.asked] == ["POST", "POST"]

    run(tmp_path, test, look_up="get")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[1]",
        b"fine",
        b"x" * (3 * BODY_BYTES_MAX),
        b'{"result": "booked"}',
        b'{"ok": true, "result": 5}',
        b'{"ok": true, "result": ["booked"]}',
        b"[" * BODY_BYTES_MAX,
        b"\xff\xfe",
        b"9" * 10_000,
    ],
)
def test_any_body_is_taken(tmp_path: Path, answer: bytes) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.answer = answer
        outcome = await box.perform(ORDER)
        assert outcome.ok and outcome.result in ("done", "booked")

    run(tmp_path, test)


@pytest.mark.parametrize("ok", ['"yes"', "0", "null", "[]", '"false"'])
def test_an_ok_that_is_no_bool_leaves_it_to_the_look_up(tmp_path: Path, ok: str) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.answer = f'{{"ok": {ok}, "result": "booked"}}'.encode()
        assert await box.perform(ORDER) == Outcome(True, "it is booked")
        assert server.asked == [("POST", ORDER.key), ("GET", ORDER.key)]

    async def without(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.answer = f'{{"ok": {ok}}}'.encode()
        outcome = await box.perform(ORDER)
        assert not outcome.known and "is " in outcome.result and "not a bool" in outcome.result

    run(tmp_path, test, look_up="get")
    apart = tmp_path / "apart"
    apart.mkdir()
    run(apart, without)


def test_words_of_a_server_are_plain_and_bounded(tmp_path: Path) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.answer = json.dumps({"ok": True, "result": "booked\n\x1b[31m \ud800for " + "t" * 10_000}).encode()
        outcome = await box.perform(ORDER)
        assert outcome.ok and len(outcome.result) == RESULT_CHARS_MAX
        assert outcome.result.startswith("booked [31m for t") and outcome.result.isprintable()
        server.how, server.answer = 400, json.dumps({"ok": "no", "result": "taken\x07"}).encode()
        assert await box.perform(replace(ORDER, key="k2")) == Outcome(False, "taken"), "a refusal stays one"

    run(tmp_path, test)


def test_a_server_that_is_not_there_has_done_nothing(tmp_path: Path) -> None:
    async def test(server: ToolServer, box: Outbox, _register: SqliteRegister) -> None:
        server.close()
        outcome = await box.perform(ORDER)
        assert outcome.known and not outcome.ok and "cannot be reached" in outcome.result

    run(tmp_path, test)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "tool book: needs url"),
        ("http://x", "tool book: needs url"),
        ({"url": "http://x", "colour": 1}, "may have headers, idempotent, limit_ms, look_up"),
        ({"url": "ftp://x"}, "url is http"),
        ({"url": "http://user:secret@x"}, "passwords belong into headers"),
        ({"url": "http://x", "look_up": "post"}, "look_up is one of get, head, none"),
        ({"url": "http://x", "limit_ms": 0}, "limit_ms is 1 to"),
        ({"url": "http://x", "limit_ms": "soon"}, "tool book: invalid literal"),
        ({"url": "http://x", "headers": 3}, "tool book:"),
    ],
)
def test_a_place_that_cannot_work_says_why(raw: Any, says: str) -> None:
    with pytest.raises(CallerFault, match=says):
        offered({"book": raw})
    assert "secret" not in repr(Place("http://x", headers={"a": "secret"}))
