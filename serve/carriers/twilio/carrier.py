"""Twilio as a carrier: media streams and webhooks fitted to the port (`..port`), and its end, played. Pure.

Hanging up and handing over are the end of the stream: the webhook that is asked then has the rest. Twilio's streams
send no keys, and outgoing calls are placed by whoever holds the account: neither is offered.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlencode

from ...contracts.errors import LineFault
from ..messages import CLOSE_UNSUPPORTED, FromApplication, Order, SendKeys, SocketMessage
from ..port import Capabilities, Carrier, NotOffered, Signal
from ..webhook import Ask, CallIn, HttpRequest, Steps, TransferEnded, WebhookAnswer
from . import twiml, twiml_reader
from .media_stream import ApplicationWriter, CarrierReader, CarrierWriter, read_application
from .webhooks import SIGNATURE, TwilioWebhooks

NAME = "twilio"


class Twilio(Carrier):
    """One Twilio account."""

    options: ClassVar[Mapping[str, str]] = {"auth_token": "checks the webhooks' signatures; not set = not checked"}
    name = NAME
    capabilities = Capabilities(frozenset({Signal.ANSWER, Signal.HANG_UP, Signal.TRANSFER}))

    def __init__(self, options: Mapping[str, str]) -> None:
        self._auth_token = options.get("auth_token", "")
        self.webhooks = TwilioWebhooks(self._auth_token)

    def reader(self) -> CarrierReader:
        return CarrierReader()

    def writer(self, stream: str) -> TwilioWriter:
        return TwilioWriter(stream)

    def played(self) -> PlayedTwilio:
        return PlayedTwilio(self._auth_token)


class TwilioWriter:
    """What the application sends on one stream."""

    __slots__ = ("_words",)

    def __init__(self, stream: str) -> None:
        self._words = ApplicationWriter(stream)

    def media(self, audio: bytes) -> SocketMessage:
        return SocketMessage(self._words.media(audio))

    def mark(self, name: str) -> SocketMessage:
        return SocketMessage(self._words.mark(name))

    def clear(self) -> SocketMessage:
        return SocketMessage(self._words.clear())

    def order(self, order: Order) -> tuple[SocketMessage, ...]:
        if isinstance(order, SendKeys):
            raise NotOffered(NAME, Signal.SEND_KEYS)
        return ()


class PlayedTwilio:
    """Twilio's end, as a softphone plays it."""

    def __init__(self, auth_token: str) -> None:
        self._auth_token = auth_token

    def stream(self, call: str) -> PlayedTwilioStream:
        return PlayedTwilioStream(CarrierWriter("MZ" + secrets.token_hex(16), call))

    def ask(self, ask: Ask, url: str) -> HttpRequest:
        fields = {"CallSid": ask.call}
        if isinstance(ask, CallIn):
            fields |= {"From": ask.caller, "To": ask.callee, "CallStatus": "ringing"}
            fields["Direction"] = "inbound" if ask.direction == "inbound" else "outbound-api"
        elif isinstance(ask, TransferEnded):
            fields["DialCallStatus"] = ask.how
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self._auth_token:
            headers[SIGNATURE] = twiml.signature(self._auth_token, url, fields.items())
        return HttpRequest(url, urlencode(fields).encode(), headers)

    def steps(self, answer: WebhookAnswer) -> Steps:
        return twiml_reader.read(answer.body.decode(errors="replace"))


class PlayedTwilioStream:
    """Twilio's end of one stream."""

    def __init__(self, words: CarrierWriter) -> None:
        self._words = words
        self.name = words.stream

    def opening(self, parameters: Mapping[str, str]) -> tuple[SocketMessage, ...]:
        return SocketMessage(self._words.connected()), SocketMessage(self._words.start(parameters))

    def media(self, audio: bytes) -> SocketMessage:
        return SocketMessage(self._words.media(audio))

    def mark(self, name: str) -> SocketMessage:
        return SocketMessage(self._words.mark(name))

    def digit(self, digit: str) -> SocketMessage:
        return SocketMessage(self._words.dtmf(digit))

    def closing(self) -> tuple[SocketMessage, ...]:
        return (SocketMessage(self._words.stop()),)

    def read(self, raw: bytes, binary: bool) -> FromApplication:
        if binary:
            raise LineFault("json", "binary message; messages are JSON text", CLOSE_UNSUPPORTED)
        return read_application(raw)
