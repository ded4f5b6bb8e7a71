"""The carriers' webhooks: whatever is wrong, the answer is TwiML that a carrier can carry out, and every loop ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from offhook.actors.contracts.errors import JournalAway, LinkLost, NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.node_operations import CallRequest, Reservation
from offhook.actors.contracts.operations import plain
from offhook.cluster.errors import Overflow
from offhook.cluster.operations import Resumption
from offhook.policies.core import codec
from offhook.policies.core import events as ev
from offhook.policies.core.commands import HangUp, TransferCall
from offhook.policies.core.errors import Bug, CallerFault
from offhook.policies.core.records import Record
from offhook.serve.carriers.port import Signal
from offhook.serve.carriers.twilio import twiml, twiml_reader
from offhook.serve.carriers.twilio.carrier import Twilio
from offhook.serve.carriers.webhook import Connect, Dial, Hangup, Pause, Redirect, Say, Steps
from offhook.serve.client.control_client import ControlClient
from offhook.serve.gateway import tokens
from offhook.serve.web import asking_again, webhooks
from offhook.serve.web.api import make_api
from offhook.serve.web.call_answers import apology
from offhook.serve.web.public_addresses import PublicAddresses
from starlette.requests import ClientDisconnect

SECRET = "a secret of this test"
HOST = "http://voice.example:8000"
VOICE, RESUME = "/carriers/twilio/voice", "/carriers/twilio/resume"
FORM = {"CallSid": "CA123", "From": "+15550001", "To": "+15550002"}


class Installation(ControlClient):
    """A switchboard with its calls in memory; `broken` is what every question raises."""

    def __init__(self) -> None:
        self.reserved: list[dict[str, Any]] = []
        self.live: dict[str, dict[str, Any]] = {}
        self.records: list[Record] = []
        self.told: list[tuple[Any, ...]] = []
        self.broken: Exception | None = None
        self.journal_broken: Exception | None = None

    def _whole(self) -> None:
        if self.broken is not None:
            raise self.broken

    async def reserve(self, request: CallRequest) -> Reservation:
        self._whole()
        self.reserved.append(plain(request))
        if request.policy not in ("", "sales"):
            raise UnknownPolicy("no such policy; published: sales")
        if request.call in self.live:
            raise CallerFault(f"call {request.call} is live already")
        self.live[request.call] = {"line": "ringing"}
        return Reservation(request.call, media=("node-1.example", 8801))

    async def resume(self, call: str) -> Resumption:
        self._whole()
        if call not in self.live:
            raise NoSuchCall("it is over, or never was")
        return Resumption("node-2", ("node-2.example", 8802))

    async def state(self, call: str) -> dict[str, Any]:
        self._whole()
        if call not in self.live:
            raise NoSuchCall("unknown")
        return self.live[call]

    async def journal(self, _call: str, after_seq: int = -1, limit: int = 1_000) -> list[Record]:
        if self.journal_broken is not None:
            raise self.journal_broken
        self._whole()
        if not self.records:
            raise NoSuchCall("never heard of")
        return [record for record in self.records if record.seq > after_seq][:limit]

    async def dialled(self, call: str, grant: str, taken: bool, how: str) -> None:
        self._whole()
        self.told.append((call, grant, taken, how))

    # --- what happened ------------------------------------------------------------------------------------------------

    def record(self, kind: str, *parts: Any) -> None:
        body = codec.encode(parts[0]) if kind == "event" else [codec.encode(part) for part in parts]
        self.records.append(Record("CA123", 1, len(self.records), 0, kind, body))

    def transfers(self, target: str = "+15550199") -> None:
        """A live call has ordered one."""
        self.live["CA123"] = {"line": "lost", "transfer": {"grant": "g7", "pii_target": target}}


class Carrier:
    """Asks webhooks, and looks whether it can carry the answer out."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, address: str = VOICE, **form: str) -> Steps:
        answer = await self._client.post(address, data={**FORM, **form})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("application/xml")
        return twiml_reader.read(answer.text)


def run(test: Callable[[Carrier, Installation], Awaitable[None]], **options: Any) -> None:
    installation = Installation()
    api = make_api(installation, PublicAddresses(SECRET, 8790, ring_s=0.0, **options))  # type: ignore[arg-type]

    async def main() -> None:
        transport = httpx.ASGITransport(api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            await test(Carrier(client), installation)

    asyncio.run(main())


def stream_of(verbs: Steps) -> str:
    """The call that a stream was opened for, as its token says."""
    connect, redirect = verbs
    assert isinstance(connect, Connect) and isinstance(redirect, Redirect)
    assert urlsplit(redirect.url).path == RESUME
    return tokens.TokenVerifier(SECRET).redeem(connect.media_url.rpartition("/")[2], time.time())


def told(verbs: Steps) -> bool:
    """The caller hears words, and then the call is over."""
    return len(verbs) == 2 and isinstance(verbs[0], Say) and verbs[1] == Hangup()


# --- a call comes in --------------------------------------------------------------------------------------------------


def test_the_same_call_sid_twice_is_the_same_call_before_and_after_its_stream_has_started() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        assert stream_of(await carrier.ask()) == "CA123"
        assert stream_of(await carrier.ask()) == "CA123"
        installation.live["CA123"]["line"] = "open"
        assert stream_of(await carrier.ask()) == "CA123"
        assert list(installation.live) == ["CA123"]

    run(test)


def test_one_that_asks_while_its_first_ask_is_not_answered_waits_for_it() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.broken = CallerFault("call CA123 asks twice")

        async def nobody(_call: str) -> dict[str, Any]:
            raise NoSuchCall("no node leads it")

        installation.resume = nobody  # type: ignore[method-assign]
        pause, again = await carrier.ask(VOICE + "?policy=sales&tenant=acme")
        assert pause == Pause(1) and isinstance(again, Redirect)
        query = parse_qs(urlsplit(again.url).query)
        assert (query["policy"], query["tenant"], query["try"]) == (["sales"], ["acme"], ["1"])
        del installation.resume  # type: ignore[method-assign]
        installation.broken = None
        assert stream_of(await carrier.ask(again.url)) == "CA123"
        assert (installation.reserved[-1]["policy"], installation.reserved[-1]["tenant"]) == ("sales", "acme")

    run(test)


@pytest.mark.parametrize("policy", ["nosuch", "x" * 500, "../..", "sales\x00", "\U0001f600"])
def test_an_unknown_policy_rejects_the_call(policy: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        assert await carrier.ask(f"{VOICE}?{httpx.QueryParams({'policy': policy})}") == (Hangup(busy=True),)
        assert not installation.live

    run(test)


@pytest.mark.parametrize(
    "query",
    [
        {"priority": "asap"},
        {"priority": ""},
        {"priority": "x" * 5_000},
        {"priority": "7"},
        {"tenant": "x" * 5_000},
        {"tenant": "a b"},
        {"tenant": "<&>"},
        {"unknown": "x"},
        {"try": "-1", "at": "x"},
        {"try": "9" * 400, "at": "9" * 400},
        {"try": "\u00b2", "at": "\u0661"},
    ],
    ids=str,
)
def test_a_slip_in_the_webhooks_address_costs_no_caller_the_call(query: dict[str, str]) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        assert stream_of(await carrier.ask(f"{VOICE}?{httpx.QueryParams(query)}")) == "CA123"
        assert (installation.reserved[0]["priority"], installation.reserved[0]["tenant"]) == ("normal", "")

    run(test)


@pytest.mark.parametrize("priority", ["low", "normal", "high", "urgent", "HIGH"])
def test_a_priority_that_there_is_is_passed_on(priority: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        await carrier.ask(f"{VOICE}?priority={priority}&tenant=acme-2.x")
        assert (installation.reserved[0]["priority"], installation.reserved[0]["tenant"]) == (priority, "acme-2.x")

    run(test)


@pytest.mark.parametrize(
    ("form", "caller"),
    [
        ({"From": "9" * 200}, "9" * 128),
        ({"From": "x" * 100_000}, "x" * 128),
        ({"From": ""}, ""),
        ({"From": "anonymous"}, "anonymous"),
        ({"From": "sip:\u00fc@example.org"}, "sip:\u00fc@example.org"),
        ({"To": "9" * 200, "Direction": "y" * 200}, "+15550001"),
    ],
    ids=["200 digits", "100,000 characters", "empty", "anonymous", "a sip address", "others"],
)
def test_a_number_of_any_length_is_a_call(form: dict[str, str], caller: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        assert stream_of(await carrier.ask(**form)) == "CA123"
        assert installation.reserved[0]["caller"] == caller
        assert len(installation.reserved[0]["callee"]) <= 128 and installation.reserved[0]["direction"] == "inbound"

    run(test)


def test_a_number_that_is_missing_is_a_call() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        answer = await carrier._client.post(VOICE, data={"CallSid": "CA123"})
        assert stream_of(twiml_reader.read(answer.text)) == "CA123"
        assert (installation.reserved[0]["caller"], installation.reserved[0]["callee"]) == ("", "")

    run(test)


@pytest.mark.parametrize("sid", ["", "a b", "x" * 65, "../x", "\u00e4"])
@pytest.mark.parametrize("address", [VOICE, RESUME])
def test_without_a_usable_call_sid_nothing_begins(sid: str, address: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        (verb,) = await carrier.ask(address, CallSid=sid)
        assert isinstance(verb, Hangup) and not installation.reserved

    run(test)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"CallSid", b"&&&==="])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", "multipart/form-data", ""])
@pytest.mark.parametrize("address", [VOICE, RESUME])
def test_a_body_that_is_no_form_is_answered_in_twiml(body: bytes, kind: str, address: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        answer = await carrier._client.post(address, content=body, headers={"content-type": kind})
        assert answer.status_code == 200
        assert twiml_reader.read(answer.text)
        assert not installation.live

    run(test)


# --- what is away, and what is broken ---------------------------------------------------------------------------------

FAULTS = [
    LinkLost("the director is gone"),
    NoSpare("nobody can lead it now"),
    JournalAway("the store does not answer"),
    Bug("a fault of offhook"),
    CallerFault("this cannot be done now"),
    RuntimeError("secret inside"),
    KeyError("x"),
    ClientDisconnect(),
]


def busy_or_waits(fault: Exception, address: str, verbs: Steps) -> bool:
    if address == VOICE and isinstance(fault, NoSpare):
        return verbs == (Hangup(busy=True),)
    pause, again = verbs
    return pause == Pause(1) and isinstance(again, Redirect) and urlsplit(again.url).path == address


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("address", [VOICE, RESUME])
def test_whatever_is_away_or_broken_the_caller_waits_and_the_carrier_asks_again(fault: Exception, address: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.broken = fault
        verbs = await carrier.ask(address)
        assert busy_or_waits(fault, address, verbs)
        installation.broken = None
        installation.live["CA123"] = {"line": "open"}
        if isinstance(verbs[-1], Redirect):
            assert stream_of(await carrier.ask(verbs[-1].url)) == "CA123"

    run(test)


@pytest.mark.parametrize("address", [VOICE, RESUME])
def test_asking_again_ends_and_the_caller_is_told(address: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.broken = LinkLost("the director is gone")
        url, asks = address, 0
        while True:
            verbs = await carrier.ask(url)
            asks += 1
            if not isinstance(verbs[-1], Redirect):
                break
            url = verbs[-1].url
        assert told(verbs) and isinstance(verbs[0], Say) and verbs[0].text == "Sorry."
        assert asks == {VOICE: webhooks.ASKS_MAX, RESUME: webhooks.RESUME_ASKS_MAX}[address] + 1

    run(test, sorry_message="Sorry.")


def test_streams_that_cannot_be_opened_add_up_too_and_one_that_lasted_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [time.time()]

    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.live["CA123"] = {"line": "open"}
        url = RESUME
        for count in range(1, 6):
            connect, again = await carrier.ask(url)  # a gateway that nobody reaches: the carrier asks at once
            assert isinstance(connect, Connect) and isinstance(again, Redirect)
            assert parse_qs(urlsplit(again.url).query)["try"] == [str(count)]
            url = again.url
        now[0] += asking_again.STEADY_S
        _, again = await carrier.ask(url)
        assert isinstance(again, Redirect) and parse_qs(urlsplit(again.url).query)["try"] == ["1"]

    monkeypatch.setattr("offhook.serve.web.call_answers.time.time", lambda: now[0])
    run(test)


# --- transfers --------------------------------------------------------------------------------------------------------

UNTAKEN = ["busy", "no-answer", "failed", "canceled", "something new"]


def test_a_call_that_is_handed_over_is_dialled_with_a_limit_and_a_way_back() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.transfers("+1555<9>")
        text = (await carrier._client.post(RESUME, data=FORM)).text
        assert 'timeout="30"' in text
        assert twiml_reader.read(text) == (Dial("+1555<9>", HOST + RESUME),)
        assert await carrier.ask(RESUME) == (Dial("+1555<9>", HOST + RESUME),)  # asked twice: the same

    run(test)


@pytest.mark.parametrize("how", UNTAKEN)
def test_who_was_not_reached_comes_back_to_the_agent_and_the_call_knows(how: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.transfers()
        assert stream_of(await carrier.ask(RESUME, DialCallStatus=how)) == "CA123"
        assert installation.told == [("CA123", "g7", False, how)]

    run(test)


@pytest.mark.parametrize("how", UNTAKEN)
def test_who_was_not_reached_and_whose_call_is_over_is_told_so(how: str) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.record("commands", TransferCall("escalation", "+15550199", False))
        verbs = await carrier.ask(RESUME, DialCallStatus=how)
        assert told(verbs) and verbs[0] == Say("Nobody.")

    run(test, unreached_message="Nobody.")


@pytest.mark.parametrize("how", ["completed", "answered"])
@pytest.mark.parametrize("live", [True, False])
def test_after_a_transfer_that_was_taken_the_call_is_over(how: str, live: bool) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        if live:
            installation.transfers()
        assert await carrier.ask(RESUME, DialCallStatus=how) == (Hangup(),)
        assert installation.told == ([("CA123", "g7", True, how)] if live else [])

    run(test)


def test_who_was_redirected_for_want_of_a_slot_and_not_reached_is_told_so() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.broken = Overflow("redirect", "full", "+4930")
        (dial,) = await carrier.ask()
        installation.broken = None
        assert isinstance(dial, Dial)
        assert told(await carrier.ask(dial.action, DialCallStatus="busy"))

    run(test)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_transfer_that_failed_while_all_is_away_is_not_forgotten_and_ends(fault: Exception) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.transfers()
        installation.broken = fault
        verbs = await carrier.ask(RESUME, DialCallStatus="busy")
        asks = 1
        while isinstance(verbs[-1], Redirect) and asks < 3:
            verbs = await carrier.ask(verbs[-1].url)  # the carrier says it once only
            asks += 1
        installation.broken = None
        assert isinstance(verbs[-1], Redirect)
        assert stream_of(await carrier.ask(verbs[-1].url)) == "CA123"
        assert installation.told == [("CA123", "g7", False, "busy")]

    run(test)


def test_a_switchboard_that_cannot_tell_the_call_still_brings_the_caller_back() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.transfers()

        async def broken(*_: Any) -> None:
            raise RuntimeError("a bug")

        installation.dialled = broken  # type: ignore[method-assign]
        assert stream_of(await carrier.ask(RESUME, DialCallStatus="busy")) == "CA123"

    run(test)


def test_a_call_that_ended_with_a_transfer_is_dialled_from_its_journal() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.record("commands", HangUp("x"), TransferCall("g1", "+15550100", False))
        installation.record("commands", TransferCall("g2", "+15550199", False))
        installation.record("event", ev.LineLost(0, "transferred"))
        assert await carrier.ask(RESUME) == (Dial("+15550199", HOST + RESUME),)

    run(test)


@pytest.mark.parametrize(
    "after", [ev.ActionFinished(0, "g1", False, "busy"), ev.LineResumed(0)], ids=["it failed", "the caller came back"]
)
def test_a_call_that_ended_after_a_transfer_that_failed_is_over(after: ev.Event) -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.record("commands", TransferCall("g1", "+15550199", False))
        installation.record("event", after)
        installation.record("commands", HangUp("goodbye"))
        assert await carrier.ask(RESUME) == (Hangup(),)

    run(test)


@pytest.mark.parametrize("how", ["overflow", "live", "over"])
def test_a_carrier_that_offers_no_transfer_is_asked_for_none(
    how: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    signals = Twilio.capabilities.signals - {Signal.TRANSFER}
    monkeypatch.setattr(Twilio, "capabilities", replace(Twilio.capabilities, signals=signals))

    async def test(carrier: Carrier, installation: Installation) -> None:
        if how == "overflow":
            installation.broken = Overflow("redirect", "full", "+15550199")
            assert await carrier.ask() == (Hangup(busy=True),)
            return
        if how == "live":
            installation.transfers()
        else:
            installation.record("commands", TransferCall("g1", "+15550199", False))
        assert await carrier.ask(RESUME) == (Hangup(),)

    run(test)
    assert "offers no transfer" in caplog.text and "+15550199" not in caplog.text


def test_while_the_journal_is_away_a_transferred_caller_waits_and_is_asked_for_again() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        installation.record("commands", TransferCall("g1", "+15550199", False))
        installation.journal_broken = JournalAway("the store does not answer")
        pause, again = await carrier.ask(RESUME)
        assert pause == Pause(1) and isinstance(again, Redirect)
        installation.journal_broken = None
        assert await carrier.ask(again.url) == (Dial("+15550199", HOST + RESUME),)

    run(test)


def test_a_stream_that_ended_is_connected_again_while_the_call_lives_and_else_over() -> None:
    async def test(carrier: Carrier, installation: Installation) -> None:
        assert await carrier.ask(RESUME) == (Hangup(),)
        installation.live["CA123"] = {"line": "lost", "under_way": [], "transfer": None}
        connect, _ = await carrier.ask(RESUME)
        assert isinstance(connect, Connect) and connect.media_url.startswith(
            "ws://node-2.example:8802/media/twilio/CA123."
        )
        del installation.live["CA123"]
        installation.record("commands", HangUp("x"))
        assert await carrier.ask(RESUME) == (Hangup(),)

    run(test)


@pytest.mark.parametrize(("language", "told"), [("nl-NL", "nl-NL"), ("nl", ""), ("", "")])
def test_what_an_installation_says_by_itself_names_its_language(language: str, told: str) -> None:
    steps = apology("Het spijt ons.", language)
    assert twiml_reader.read(twiml.write(steps)) == (Say("Het spijt ons.", told), Hangup())
