"""The toy carrier as offhook meets it, and its played end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from offhook.serve.carriers.port import Capabilities, Carrier, LineFault, NotOffered, Outgoing, Signal, WorldFault
from offhook.serve.carriers.webhook import Ask, CallIn, HttpRequest, Steps, TransferEnded, WebhookAnswer

from .stream import PlayedToyStream, ToyReader, ToyWriter
from .webhooks import SIGNATURE, STEPS, ToyWebhooks, sign

DIAL_WITHIN_S = 10.0


class Toy(Carrier):
    """It dials only where it is told an address to ask for that."""

    options: ClassVar[Mapping[str, str]] = {
        "secret": "signs the webhooks; not set = not checked",
        "dial_url": "takes orders to dial; not set = it does not dial",
    }
    name = "toy"

    def __init__(self, options: Mapping[str, str]) -> None:
        self._secret = options.get("secret", "")
        self._dial_url = options.get("dial_url", "")
        unoffered = set() if self._dial_url else {Signal.DIAL}
        self.capabilities = Capabilities(frozenset(Signal) - unoffered, message_bytes_max=16_000)
        self.webhooks = ToyWebhooks(self._secret)

    def reader(self) -> ToyReader:
        return ToyReader()

    def writer(self, stream: str) -> ToyWriter:
        del stream  # its socket says which it is
        return ToyWriter()

    def played(self) -> PlayedToy:
        return PlayedToy(self._secret)

    async def dial(self, outgoing: Outgoing) -> str:
        if not self._dial_url:
            raise NotOffered(self.name, Signal.DIAL)
        order = {"to": outgoing.callee, "from": outgoing.caller, "answer": outgoing.answer_url}
        try:
            async with httpx.AsyncClient(timeout=DIAL_WITHIN_S) as client:
                answer = (await client.post(self._dial_url, json=order)).raise_for_status()
            return str(answer.json()["call"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise WorldFault(f"the toy carrier does not dial: {type(error).__name__}") from error


class PlayedToy:
    """The carrier's end."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def stream(self, call: str) -> PlayedToyStream:
        return PlayedToyStream("s-" + secrets.token_hex(8), call)

    def ask(self, ask: Ask, url: str) -> HttpRequest:
        event: dict[str, Any] = {"event": "stream-ended", "call": ask.call}
        if isinstance(ask, CallIn):
            event |= {"event": "call", "from": ask.caller, "to": ask.callee, "direction": ask.direction}
        elif isinstance(ask, TransferEnded):
            event |= {"event": "transfer-ended", "taken": ask.taken, "how": ask.how}
        body = json.dumps(event).encode()
        signed = {SIGNATURE: sign(self._secret, url, body)} if self._secret else {}
        return HttpRequest(url, body, {"content-type": "application/json", **signed})

    def steps(self, answer: WebhookAnswer) -> Steps:
        try:
            told = [dict(step) for step in json.loads(answer.body)["steps"]]
            return tuple(STEPS[step.pop("do")](**step) for step in told)
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise LineFault("answer", f"no list of steps: {type(error).__name__}") from None
