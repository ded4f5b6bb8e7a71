"""The toy's one webhook: JSON events in, a list of steps out; both signed by a secret, where one is set."""

from __future__ import annotations

import hmac
import json
from typing import Any

from offhook.serve.carriers.port import CallerFault
from offhook.serve.carriers.webhook import (
    Ask,
    CallIn,
    Connect,
    Dial,
    Hangup,
    NotAuthentic,
    Pause,
    Redirect,
    Say,
    Step,
    Steps,
    StreamEnded,
    TransferEnded,
    WebhookAnswer,
    WebhookRequest,
)

PATH = "events"
SIGNATURE = "x-toy-signature"
STEPS: dict[str, type[Step]] = {
    "connect": Connect, "redirect": Redirect, "pause": Pause, "say": Say, "dial": Dial, "hangup": Hangup,
}  # fmt: skip
NAMES = {kind: name for name, kind in STEPS.items()}


class ToyWebhooks:
    """Everything comes to one address."""

    paths = (PATH,)
    resume = PATH

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def verify(self, request: WebhookRequest) -> None:
        given = request.headers.get(SIGNATURE, "").encode(errors="replace")
        if self._secret and not hmac.compare_digest(sign(self._secret, request.url, request.body).encode(), given):
            raise NotAuthentic(f"{SIGNATURE} does not fit this request")

    def read(self, path: str, request: WebhookRequest) -> Ask | None:
        del path  # there is one
        try:
            event = json.loads(request.body)
            kind = event["event"]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise CallerFault("a webhook's body is a JSON object with an event") from None
        call = str(event.get("call", ""))
        match kind:
            case "call":
                caller, callee = str(event.get("from", "")), str(event.get("to", ""))
                return CallIn(call, caller, callee, "outbound" if event.get("direction") == "outbound" else "inbound")
            case "stream-ended":
                return StreamEnded(call)
            case "transfer-ended":
                return TransferEnded(call, event.get("taken") is True, str(event.get("how", "")))
        return None

    async def answer(self, ask: Ask | None, steps: Steps) -> WebhookAnswer:
        del ask
        return WebhookAnswer(json.dumps({"steps": [_plain(step) for step in steps]}).encode(), "application/json")


def _plain(step: Step) -> dict[str, Any]:
    return {"do": NAMES[type(step)], **{name: getattr(step, name) for name in step.__slots__}}


def sign(secret: str, url: str, body: bytes) -> str:
    """What the signature's header must hold."""
    return hmac.new(secret.encode(), url.encode() + b"\n" + body, "sha256").hexdigest()
