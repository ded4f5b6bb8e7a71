"""The carriers' webhooks: what a carrier asks when a call comes in, when its stream has ended, and after a transfer.

A carrier is always answered in its own words, with something that it can carry out: with an error page the caller would
hear an apology in a robot's voice, or be hung up on without a word. Whatever goes wrong here, a caller waits and the
carrier asks again, so often and no oftener (`asking_again.py`); then the caller is told. How answers are worded is
`carriers/`' matter.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from offhook.actors.contracts.errors import NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.node_operations import CallRequest, Reservation
from offhook.cluster.errors import Overflow
from offhook.cluster.operations import Resumption
from offhook.policies.core import codec
from offhook.policies.core.commands import TransferCall
from offhook.policies.core.errors import CallerFault, WorldFault
from offhook.policies.fleet.admission_rules import Priority
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.exceptions import HTTPException

from ..carriers.twilio import twiml
from ..client.control_client import ControlClient
from .asking_again import Asked
from .public_addresses import PublicAddresses

log = logging.getLogger(__name__)

VOICE = "/carriers/twilio/voice"
RESUME = "/carriers/twilio/resume"
QUEUE_PAUSE_S = 2  # after the message: short, because a slot is kept for a caller until they ask again
RECORDS_AT_ONCE = 2_000
AGAIN_PAUSE_S = 1  # TwiML pauses in whole seconds
ASKS_MAX = {VOICE: 20, RESUME: 60}  # in a row, in vain: about as long as a caller stays in silence, and as a call that
# nobody leads is kept for its carrier
NUMBER_CHARS_MAX = 128  # of a caller's number as the journal keeps it
DIALLED = "dialled"  # how a transfer ended, in the address of an ask that comes after it
TAKEN = frozenset({"completed", "answered"})  # what a carrier says of a number that took the call

_CALL = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_TENANT = re.compile(r"[A-Za-z0-9_.-]{0,64}\Z")


def _text(value: Any) -> str:
    return value[:NUMBER_CHARS_MAX] if isinstance(value, str) else ""


Text = Annotated[str, BeforeValidator(_text)]


class TwilioForm(BaseModel):
    """The fields of Twilio's request that are used; the others are welcome, and none is reason to refuse a caller."""

    model_config = ConfigDict(extra="allow")

    call: Text = Field(default="", alias="CallSid")
    caller: Text = Field(default="", alias="From")
    callee: Text = Field(default="", alias="To")
    direction: Text = Field(default="inbound", alias="Direction")
    dialled: Text = Field(default="", alias="DialCallStatus")


def add_twilio(app: FastAPI, control_client: ControlClient, door: PublicAddresses) -> None:
    """The webhooks of Twilio. The call's id is its CallSid: a webhook that is asked twice means the same call."""
    desk = TwilioDesk(control_client, door)

    class InTwiml(APIRoute):
        """Answers in TwiML whatever happens; only who is not the carrier is refused."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def answered(request: Request) -> Response:
                try:
                    response: Response = await handler(request)
                    return response
                except HTTPException as refusal:
                    if refusal.status_code == 403:
                        raise
                    fault: Exception = refusal
                except (RequestValidationError, WorldFault, CallerFault) as expected:
                    fault = expected
                except Exception as bug:
                    log.exception("a webhook failed: %s", request.url.path)
                    fault = bug
                return desk.wait(request, fault)

            return answered

    router = APIRouter(route_class=InTwiml, dependencies=[Depends(desk.really_twilio)], tags=["carriers"])
    router.post(VOICE, response_class=Response)(desk.voice)
    router.post(RESUME, response_class=Response)(desk.resume)
    app.include_router(router)


class TwilioDesk:
    """Answers Twilio for one installation."""

    def __init__(self, control_client: ControlClient, door: PublicAddresses) -> None:
        self._control_client = control_client
        self._door = door

    async def really_twilio(self, request: Request) -> None:
        """Raises:
        HTTPException: it was somebody else who asked.
        """
        door = self._door
        if not door.twilio_auth_token:
            return
        form = [(name, str(value)) for name, value in (await request.form()).multi_items()]
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        wanted = twiml.signature(door.twilio_auth_token, door.api_url(request, path), form)
        given = request.headers.get("X-Twilio-Signature", "")
        if not hmac.compare_digest(wanted.encode(), given.encode(errors="replace")):
            log.warning("a webhook's signature does not fit its address; behind a proxy, is public_url set?")
            raise HTTPException(403, "X-Twilio-Signature does not fit this request")

    # --- webhooks -----------------------------------------------------------------------------------------------------

    async def voice(self, request: Request, form: Annotated[TwilioForm, Form()]) -> Response:
        """A call comes in: TwiML that connects its audio, or what the rules say when nobody is free: a busy line, the
        queue, another number. The address may name `policy`, `tenant` and `priority`."""
        if not _CALL.match(form.call):
            log.warning("a call came in without a usable CallSid")
            return _xml(twiml.reject())
        try:
            placed: Reservation | Resumption = await self._control_client.reserve(self._wanted(request, form))
        except Overflow as overflow:
            return self._overflowed(request, overflow)
        except NoSpare:
            return _xml(twiml.reject())
        except UnknownPolicy as fault:
            log.error("a call is rejected: the webhook's address names a policy that is not there: %s", fault)
            return _xml(twiml.reject())
        except CallerFault as fault:
            log.info("asked twice: %s", fault, extra={"call": form.call})
            placed = await self._leading(form.call)
        return self._stream(request, form.call, placed, self._door.api_url(request, RESUME))

    async def resume(self, request: Request, form: Annotated[TwilioForm, Form()]) -> Response:
        """A stream ended: connect it again while the call lives (on another node, where its own was lost), dial when it
        is handed over, else hang up. After a transfer: who was not reached comes back to the agent, or is told."""
        if not _CALL.match(form.call):
            return _xml(twiml.hang_up())
        dialled = form.dialled or request.query_params.get(DIALLED, "")[:NUMBER_CHARS_MAX]
        if dialled:
            return await self._dialled(request, form.call, dialled)
        try:
            placed = await self._control_client.resume(form.call)
        except NoSuchCall:
            target = (await self._ordered(form.call))[1]
            return self._dial(request, target) if target else _xml(twiml.hang_up())
        target = (await self._under_way(form.call))[1]
        if target:
            return self._dial(request, target)
        return self._stream(request, form.call, placed, self._again(request))

    async def _dialled(self, request: Request, call: str, dialled: str) -> Response:
        """The carrier has dialled another number: the call is over, or goes on here."""
        request.state.dialled = dialled  # a carrier says it once: whoever has to ask again is told to say it again
        taken = dialled in TAKEN
        await self._tell(call, taken, dialled)
        if taken:
            return _xml(twiml.hang_up())
        log.warning("a transfer was not taken", extra={"call": call, "dialled": dialled})
        try:
            placed = await self._control_client.resume(call)
        except NoSuchCall:
            return _xml(twiml.apologize(self._door.unreached_message))
        return self._stream(request, call, placed, self._door.api_url(request, RESUME))

    def wait(self, request: Request, fault: Exception) -> Response:
        """This cannot be answered now: ask again in a moment, and once that was often enough, tell the caller."""
        path = request.url.path
        asked = Asked.of(request.query_params, time.time())
        if asked.count >= ASKS_MAX.get(path, 0):
            log.error("a caller is told that it does not go on: %s: %s", path, fault)
            return _xml(twiml.apologize(self._door.sorry_message))
        return _xml(twiml.wait(AGAIN_PAUSE_S, self._again(request)))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _wanted(self, request: Request, form: TwilioForm) -> CallRequest:
        """What is asked of the admission queue. A slip in the webhook's address is the operator's, not the caller's."""
        direction = "outbound" if form.direction.startswith("outbound") else "inbound"
        asked = request.query_params
        wanted: dict[str, str] = {}
        for name, fits in (("tenant", _TENANT.match), ("priority", _is_priority)):
            if name in asked and fits(asked[name]):
                wanted[name] = asked[name]
            elif name in asked:
                log.error("the voice webhook's address has a %s that is none; it is left out", name)
        return CallRequest(
            call=form.call,
            direction=direction,
            caller=form.caller,
            callee=form.callee,
            policy=asked.get("policy") or "",
            wait_s=self._door.ring_s,
            queue=True,
            **wanted,
        )

    async def _leading(self, call: str) -> Resumption:
        """Where a call goes on that has begun.

        Raises:
            WorldFault: it has not yet, or not any more.
        """
        try:
            return await self._control_client.resume(call)
        except NoSuchCall as fault:
            raise NoSpare(f"call {call} asks twice, and is not led yet: {fault}") from fault

    async def _under_way(self, call: str) -> tuple[str, str]:
        """(grant, target) of the transfer that a live call has ordered and that is not over; empty = there is none."""
        try:
            transfer = (await self._control_client.state(call)).get("transfer") or {}
        except NoSuchCall:
            transfer = {}
        return str(transfer.get("grant", "")), str(transfer.get("pii_target", ""))

    async def _ordered(self, call: str) -> tuple[str, str]:
        """The same of a call that is over, from its journal: with that it ended, if nothing followed."""
        after_seq, order = -1, ("", "")
        while True:
            try:
                records: list[list[Any]] = await self._control_client.journal(call, after_seq, RECORDS_AT_ONCE)
            except NoSuchCall:
                return "", ""
            for _call, _epoch, after_seq, _at_ms, kind, body in records:  # noqa: B007 (goes on after the last one)
                order = _newest(order, kind, body)
            if len(records) < RECORDS_AT_ONCE:
                return order

    async def _tell(self, call: str, taken: bool, dialled: str) -> None:
        """The call learns how its transfer ended. Where it cannot, the caller, who is on the line, does not wait."""
        try:
            grant, _target = await self._under_way(call)
            if grant:
                await self._control_client.dialled(call, grant, taken, dialled)
        except NoSuchCall:
            log.info("a call was over when its transfer ended", extra={"call": call})
        except Exception as fault:
            log.error("a call is not told how its transfer ended: %r", fault, extra={"call": call})

    def _again(self, request: Request) -> str:
        query, now_s = dict(request.query_params), time.time()
        if dialled := getattr(request.state, DIALLED, ""):
            query[DIALLED] = dialled
        return self._door.api_url(request, Asked.of(query, now_s).again(request.url.path, query, now_s))

    def _stream(self, request: Request, call: str, placed: Reservation | Resumption, then_url: str) -> Response:
        return _xml(twiml.stream(self._door.media_url(request, call, placed.media), then_url))

    def _dial(self, request: Request, target: str) -> Response:
        return _xml(twiml.dial(target, self._door.api_url(request, RESUME)))

    def _overflowed(self, request: Request, overflow: Overflow) -> Response:
        if overflow.act == "queue":
            again = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            message = self._door.queue_message
            return _xml(twiml.queue(message, QUEUE_PAUSE_S, self._door.api_url(request, again)))
        if overflow.act == "redirect":
            return self._dial(request, overflow.to)
        return _xml(twiml.reject())


def _newest(order: tuple[str, str], kind: str, body: Any) -> tuple[str, str]:
    """The transfer that stands after a record: a newer one, or none once it failed or the caller came back."""
    if kind == "event" and (body[0] == "LineResumed" or (body[0] == "ActionFinished" and body[2] == order[0])):
        return "", ""
    if kind == "commands":
        for command in map(codec.decode, body):
            order = (command.grant, command.target) if isinstance(command, TransferCall) else order
    return order


def _is_priority(word: str) -> bool:
    return word.upper() in Priority.__members__


def _xml(text: str) -> Response:
    return Response(text, media_type=twiml.MEDIA_TYPE)
