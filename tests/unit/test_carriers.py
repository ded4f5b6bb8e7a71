"""The carrier port: every implementation keeps to it, packages bring their own, and nothing else knows one by name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from offhook.actors.contracts.node_operations import CallRequest, Reservation
from offhook.cluster.operations import Resumption
from offhook.serve.carriers import registry
from offhook.serve.carriers.port import Carrier
from offhook.serve.carriers.registry import load
from offhook.serve.carriers.webhook import CallIn, Connect, Hangup, StreamEnded, WebhookAnswer
from offhook.serve.client.control_client import ControlClient
from offhook.serve.config import settings
from offhook.serve.contracts.carrier_choice import CarrierChoice
from offhook.serve.contracts.errors import SettingFault
from offhook.serve.web.api import make_api
from offhook.serve.web.public_addresses import PublicAddresses
from offhook.testing.carrier_conformance import check
from source_tree import ROOT, sources
from toy_package import install


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path / "site", monkeypatch)
    return tmp_path


def test_twilio_keeps_to_the_port() -> None:
    check(*(registry.carrier(CarrierChoice("twilio", {"auth_token": token})) for token in ("right", "wrong")))
    check(registry.carrier(CarrierChoice("twilio")))


def test_the_toy_keeps_to_the_port(packages: Path) -> None:
    check(*(registry.carrier(CarrierChoice("toy", {"secret": secret})) for secret in ("right", "wrong")))
    check(registry.carrier(CarrierChoice("toy")))


def test_a_carrier_that_does_not_keep_to_it_is_found_out(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy: Any = registry.carrier(CarrierChoice("toy", {"secret": "right"}))
    stream, webhooks = __import__("toy_carrier.stream").stream, __import__("toy_carrier.webhooks").webhooks
    broken: list[tuple[Any, str, Any]] = [
        (stream.ToyWriter, "clear", lambda _self: stream.line(type="mark", name="x")),
        (stream.ToyReader, "read", lambda _self, raw, _binary: stream.Media(raw)),
        (stream.PlayedToyStream, "closing", lambda _self: ()),
        (webhooks.ToyWebhooks, "verify", lambda _self, _request: None),
        (webhooks.ToyWebhooks, "read", lambda _self, _path, _request: StreamEnded("call-7_x")),
    ]
    other = registry.carrier(CarrierChoice("toy", {"secret": "wrong"}))
    for owner, name, wrong in broken:
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, wrong)
            with pytest.raises((AssertionError, ValueError)):
                check(toy, other)
    check(toy, other)


def test_a_package_s_carrier_is_found_by_its_entry_point(packages: Path) -> None:
    assert registry.installed() == ["toy", "twilio"]
    carriers = load([CarrierChoice("toy", {"secret": "x"}), CarrierChoice("twilio")])
    assert list(carriers) == ["toy", "twilio"]
    assert all(isinstance(carrier, Carrier) for carrier in carriers.values())


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (CarrierChoice("twillio"), r"carrier 'twillio' is not installed \(did you mean twilio\?\); there are .*toy"),
        (CarrierChoice("../x"), "'../x' is not installed; there are"),
        (
            CarrierChoice("twilio", {"auth_tokn": "s3cret"}),
            r"OFFHOOK_TWILIO_AUTH_TOKN: .* \(did you mean auth_token\?\)",
        ),
        (CarrierChoice("gone"), r"'gone' \(offhook-toy-carrier 1.0.0, nosuch:X\) cannot be used: .*ModuleNotFound"),
        (CarrierChoice("half"), "'half' .* AttributeError"),
        (CarrierChoice("none"), "'none' .* lacks parts of"),
        (CarrierChoice("alias"), "'alias' .* calls itself 'toy'"),
    ],
    ids=lambda value: value.name if isinstance(value, CarrierChoice) else "",
)
def test_an_unknown_or_broken_carrier_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: CarrierChoice, words: str
) -> None:
    (tmp_path / "strange.py").write_text("class Empty:\n    options = {}\n    def __init__(self, options): pass\n")
    points = {"gone": "nosuch:X", "half": "toy_carrier.carrier:Half", "none": "strange:Empty"}
    install(tmp_path / "site", monkeypatch, **points, alias="toy_carrier.carrier:Toy")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(SettingFault, match=words) as fault:
        load([choice])
    assert "s3cret" not in str(fault.value)


def test_no_carrier_at_all_is_refused() -> None:
    with pytest.raises(SettingFault, match=r"carriers names none; installed are: .*twilio"):
        load([])


def test_options_come_from_the_environment_under_the_carrier_s_name() -> None:
    environ = {"OFFHOOK_CARRIERS": "toy:twilio", "OFFHOOK_TOY_DIAL_URL": "http://d", "OFFHOOK_TWILIO_AUTH_TOKEN": "t"}
    read = settings.read(environ)
    assert read.carrier_choices == (
        CarrierChoice("toy", {"dial_url": "http://d"}),
        CarrierChoice("twilio", {"auth_token": "t"}),
    )
    assert settings.unknown(environ) == []
    assert settings.unknown({"OFFHOOK_TOY_SECRET": "x"})[0].startswith("OFFHOOK_TOY_SECRET")  # where it is not used
    assert settings.read({"OFFHOOK_TWILIO_AUTH_TOKEN": "t"}).carrier_choices[0].options == {"auth_token": "t"}


def test_only_its_own_folder_and_the_default_of_a_setting_know_a_carrier_by_name() -> None:
    named = {
        str(source): len(re.findall("twilio|twiml", source.text, re.IGNORECASE))
        for source in sources()
        if not str(source).startswith("serve/carriers/twilio/")
    }
    assert {place: count for place, count in named.items() if count} == {"serve/config/settings.py": 1}
    assert "twilio" not in (ROOT / "serve/web/console.html").read_text().lower()


# --- the web ----------------------------------------------------------------------------------------------------------


class Calls(ControlClient):
    """A control client that takes every call."""

    async def reserve(self, request: CallRequest) -> Reservation:
        return Reservation(request.call, media=("node-1.example", 8801))

    async def resume(self, call: str) -> Resumption:
        from offhook.actors.contracts.errors import NoSuchCall

        raise NoSuchCall(f"no call {call}")

    async def journal(self, *_asked: Any, **_more: Any) -> list[list[Any]]:
        return []


def served(test: Callable[[httpx.AsyncClient], Awaitable[None]], *choices: CarrierChoice) -> None:
    async def main() -> None:
        api = make_api(Calls(), PublicAddresses("secret", 8790, carriers=choices))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://offhook.example") as client:
            await test(client)

    asyncio.run(main())


def test_a_carrier_s_webhooks_are_served_under_its_name_in_its_own_form(packages: Path) -> None:
    choice = CarrierChoice("toy", {"secret": "right"})
    toy = registry.carrier(choice)

    async def test(client: httpx.AsyncClient) -> None:
        async def ask(ask: Any, carrier: Carrier = toy) -> httpx.Response:
            asked = carrier.played().ask(ask, "http://offhook.example/carriers/toy/events")
            return await client.post(asked.url, content=asked.body, headers=dict(asked.headers))

        answer = await ask(CallIn("c-1", "+1", "+2"))
        connect, _ = toy.played().steps(WebhookAnswer(answer.content, "", answer.status_code))
        assert isinstance(connect, Connect) and connect.media_url.startswith("ws://node-1.example:8801/media/toy/c-1.")
        answer = await ask(StreamEnded("c-1"))
        assert toy.played().steps(WebhookAnswer(answer.content, "")) == (Hangup(),)
        stranger = await ask(StreamEnded("c-1"), registry.carrier(CarrierChoice("toy", {"secret": "wrong"})))
        assert stranger.status_code == 403
        told = (await client.get("/v1/carriers")).json()["carriers"]
        assert [each["name"] for each in told] == ["toy", "twilio"]
        assert told[0]["signals"] == ["answer", "hang_up", "send_keys", "transfer"]
        assert told[0]["webhooks"] == ["/carriers/toy/events"]
        placed = (await client.post("/v1/calls", json={})).json()
        assert placed["carrier"] == "toy" and "/media/toy/" in placed["media_url"]
        placed = (await client.post("/v1/calls", json={"carrier": "twilio"})).json()
        assert placed["carrier"] == "twilio" and "/media/twilio/" in placed["media_url"]
        refused = await client.post("/v1/calls", json={"carrier": "x"})
        assert (refused.status_code, "toy, twilio" in refused.json()["detail"]) == (409, True)

    served(test, choice, CarrierChoice("twilio"))
