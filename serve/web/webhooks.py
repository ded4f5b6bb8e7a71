"""The carriers' webhooks: what a carrier asks when a call comes in, and when its stream has ended.

One function a carrier. How the answer is worded is `carriers/`' matter. A webhook is answered even when no call can be
taken: with an error page the caller would hear an apology in a robot's voice.
"""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import Response
from offhook.actors.errors import NoSpare, NoSuchCall
from offhook.cluster.errors import Overflow
from offhook.policies import codec
from offhook.policies.commands import TransferCall
from offhook.policies.errors import WorldFault
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from ..carriers import twiml
from .door import Door
from .switchboard import Switchboard

RESUME = "/carriers/twilio/resume"
QUEUE_PAUSE_S = 2  # after the message: short, because a slot is kept for a caller until they ask again
RECORDS_AT_ONCE = 2_000
RESUME_PAUSE_S = 1  # TwiML pauses in whole seconds


class TwilioForm(BaseModel):
    """The fields of Twilio's request that are used; the others are welcome."""

    model_config = ConfigDict(extra="allow")

    call: str = Field(alias="CallSid", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    caller: str = Field(default="", alias="From", max_length=128)
    callee: str = Field(default="", alias="To", max_length=128)
    direction: str = Field("inbound", alias="Direction", max_length=32)


def add_twilio(app: FastAPI, switchboard: Switchboard, door: Door) -> None:
    """The webhooks of Twilio. The call's id is its CallSid: a webhook that is asked twice means the same call."""

    async def really_twilio(request: Request) -> None:
        if not door.twilio_auth_token:
            return
        form = [(name, str(value)) for name, value in (await request.form()).multi_items()]
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = twiml.signature(door.twilio_auth_token, door.api_url(request, path), form)
        if not hmac.compare_digest(wanted, request.headers.get("X-Twilio-Signature", "")):
            raise HTTPException(403, "X-Twilio-Signature does not fit this request")

    def stream(request: Request, call: str, placed: dict[str, Any]) -> Response:
        media_url = door.media_url(request, call, placed.get("media", ()))
        return _xml(twiml.stream(media_url, door.api_url(request, RESUME)))

    def overflowed(request: Request, overflow: Overflow) -> Response:
        if overflow.act == "queue":
            again = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            return _xml(twiml.queue(door.queue_message, QUEUE_PAUSE_S, door.api_url(request, again)))
        return _xml(twiml.dial(overflow.to) if overflow.act == "redirect" else twiml.reject())

    guard = [Depends(really_twilio)]

    @app.post("/carriers/twilio/voice", response_class=Response, tags=["carriers"], dependencies=guard)
    async def voice(request: Request, form: Annotated[TwilioForm, Form()]) -> Response:
        """A call comes in: TwiML that connects its audio, or what the rules say when nobody is free: a busy line, the
        queue, another number. The address may name `policy`, `tenant` and `priority`."""
        direction = "outbound" if form.direction.startswith("outbound") else "inbound"
        wanted = {"call": form.call, "direction": direction, "caller": form.caller, "callee": form.callee}
        asked = request.query_params
        wanted |= {name: asked[name] for name in ("tenant", "priority") if name in asked}
        wanted["policy"] = asked.get("policy") or ""
        try:
            placed = await switchboard.reserve(wanted | {"wait_s": door.ring_s, "queue": True})
        except Overflow as overflow:
            return overflowed(request, overflow)
        except NoSpare:
            return _xml(twiml.reject())
        return stream(request, form.call, placed)

    @app.post(RESUME, response_class=Response, tags=["carriers"], dependencies=guard)
    async def resume(request: Request, form: Annotated[TwilioForm, Form()]) -> Response:
        """A stream ended: connect it again while the call lives (on another node, where its own was lost), dial when it
        was handed over, else hang up."""
        try:
            return stream(request, form.call, await switchboard.resume(form.call))
        except WorldFault:  # nobody can lead it at this moment, or the journal, or the director, is away: ask again
            return _xml(twiml.wait(RESUME_PAUSE_S, door.api_url(request, RESUME)))
        except NoSuchCall:
            target = await _transfer_target(switchboard, form.call)
            return _xml(twiml.dial(target) if target else twiml.hang_up())


async def _transfer_target(switchboard: Switchboard, call: str) -> str:
    """Whom the call was handed over to, from its journal; empty = nobody."""
    after_seq, target = -1, ""
    while True:
        try:
            records: list[list[Any]] = await switchboard.journal(call, after_seq, RECORDS_AT_ONCE)
        except NoSuchCall:
            return ""
        for _call, _epoch, after_seq, _at_ms, kind, body in records:  # noqa: B007 (goes on after the last one)
            if kind != "commands":
                continue
            for command in map(codec.decode, body):
                target = command.target if isinstance(command, TransferCall) else target
        if len(records) < RECORDS_AT_ONCE:
            return target


def _xml(text: str) -> Response:
    return Response(text, media_type=twiml.MEDIA_TYPE)
