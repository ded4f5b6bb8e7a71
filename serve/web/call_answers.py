"""What becomes of a caller whose carrier asks: the steps of each answer, whatever the carrier.

How asks are read and steps worded is `carriers/`' matter, what is done when something fails is `webhooks.py`'s.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection

from fastapi import Request
from offhook.actors.contracts.errors import NoSpare, NoSuchCall, UnknownPolicy
from offhook.actors.contracts.node_operations import CallRequest, Reservation
from offhook.cluster.errors import Overflow
from offhook.cluster.operations import Resumption
from offhook.policies.core.commands import TransferCall
from offhook.policies.core.errors import CallerFault
from offhook.policies.core.events import ActionFinished, LineResumed
from offhook.policies.core.records import Record
from offhook.policies.fleet.admission_rules import Priority

from ..carriers.port import Signal
from ..carriers.webhook import (
    Ask,
    CallIn,
    Connect,
    Dial,
    Hangup,
    Pause,
    Redirect,
    Say,
    Steps,
    StreamEnded,
    TransferEnded,
)
from ..client.control_client import ControlClient
from ..gateway.tokens import valid_call_id
from .asking_again import Asked
from .public_addresses import PublicAddresses

log = logging.getLogger(__name__)

QUEUE_PAUSE_S = 2  # after the message: short, because a slot is kept for a caller until they ask again
RECORDS_AT_ONCE = 2_000
NUMBER_CHARS_MAX = 128  # of a caller's number as the journal keeps it
DIALLED = "dialled"  # how a transfer that was not taken ended, in the address of an ask that comes after it

_HANG_UP = Hangup()
_TENANT = re.compile(r"[A-Za-z0-9_.-]{0,64}\Z")


class CallAnswers:
    """Answers for one carrier, which offers `signals`. `resume` is the path that it asks when a stream has ended."""

    def __init__(
        self,
        carrier: str,
        signals: Collection[Signal],
        resume: str,
        control_client: ControlClient,
        door: PublicAddresses,
    ) -> None:
        self._carrier = carrier
        self._signals = signals
        self._resume = resume
        self._control_client = control_client
        self._door = door

    async def to(self, request: Request, ask: Ask) -> Steps:
        """The steps that answer.

        Raises:
            WorldFault, CallerFault: it cannot be answered now.
        """
        if isinstance(ask, CallIn):
            return await self._call_in(request, ask)
        if not valid_call_id(ask.call):
            return (Hangup(),)
        if isinstance(ask, TransferEnded):
            return await self._transfer_ended(request, ask)
        return await self._stream_ended(request, ask)

    @staticmethod
    def not_taken(call: str, how: str) -> TransferEnded:
        """What an ask means whose address has DIALLED: only who was not reached asks on."""
        return TransferEnded(call, False, how[:NUMBER_CHARS_MAX])

    def again(self, request: Request) -> str:
        """The address at which the carrier is to ask this again."""
        query, now_s = dict(request.query_params), time.time()
        if dialled := getattr(request.state, DIALLED, ""):
            query[DIALLED] = dialled
        return self._door.api_url(request, Asked.of(query, now_s).again(request.url.path, query, now_s))

    # --- asks ---------------------------------------------------------------------------------------------------------

    async def _call_in(self, request: Request, ask: CallIn) -> Steps:
        """Connect the call's audio, or what the rules say when nobody is free: a busy line, the queue, another number.
        The address may name `policy`, `tenant` and `priority`."""
        if not valid_call_id(ask.call):
            log.warning("a call came in without a usable id", extra={"carrier": self._carrier})
            return (Hangup(busy=True),)
        try:
            placed: Reservation | Resumption = await self._control_client.reserve(self._wanted(request, ask))
        except Overflow as overflow:
            return self._overflowed(request, ask.call, overflow)
        except NoSpare:
            return (Hangup(busy=True),)
        except UnknownPolicy as fault:
            log.error("a call is rejected: the webhook's address names a policy that is not there: %s", fault)
            return (Hangup(busy=True),)
        except CallerFault as fault:
            log.info("asked twice: %s", fault, extra={"call": ask.call})
            placed = await self._leading(ask.call)
        return self._stream(request, ask.call, placed, self._door.api_url(request, self._resume))

    async def _stream_ended(self, request: Request, ask: StreamEnded) -> Steps:
        """Connect it again while the call lives (on another node, where its own was lost), dial when it is handed over,
        else hang up."""
        try:
            placed = await self._control_client.resume(ask.call)
        except NoSuchCall:
            target = (await self._ordered(ask.call))[1]
            return self._dial(request, ask.call, target) if target else (Hangup(),)
        target = (await self._under_way(ask.call))[1]
        if target:
            return self._dial(request, ask.call, target)
        return self._stream(request, ask.call, placed, self.again(request))

    async def _transfer_ended(self, request: Request, ask: TransferEnded) -> Steps:
        """The carrier has dialled another number: the call is over, or who was not reached comes back to the agent, or
        is told."""
        how = ask.how[:NUMBER_CHARS_MAX]
        if not ask.taken:
            request.state.dialled = how
        await self._tell(ask.call, ask.taken, how)
        if ask.taken:
            return (Hangup(),)
        log.warning("a transfer was not taken", extra={"call": ask.call, "dialled": how})
        try:
            placed = await self._control_client.resume(ask.call)
        except NoSuchCall:
            return apology(self._door.unreached_message, self._door.language)
        return self._stream(request, ask.call, placed, self._door.api_url(request, self._resume))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _wanted(self, request: Request, ask: CallIn) -> CallRequest:
        """What is asked of the admission queue. A slip in the webhook's address is the operator's, not the caller's."""
        asked = request.query_params
        wanted: dict[str, str] = {}
        for name, fits in (("tenant", _TENANT.match), ("priority", _is_priority)):
            if name in asked and fits(asked[name]):
                wanted[name] = asked[name]
            elif name in asked:
                log.error("the voice webhook's address has a %s that is none; it is left out", name)
        return CallRequest(
            call=ask.call,
            direction=ask.direction,
            caller=ask.caller[:NUMBER_CHARS_MAX],
            callee=ask.callee[:NUMBER_CHARS_MAX],
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
                records = await self._control_client.journal(call, after_seq, RECORDS_AT_ONCE)
            except NoSuchCall:
                return "", ""
            for record in records:
                order = _newest(order, record)
            if len(records) < RECORDS_AT_ONCE:
                return order
            after_seq = records[-1].seq

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

    def _stream(self, request: Request, call: str, placed: Reservation | Resumption, then_url: str) -> Steps:
        media_url = self._door.media_url(request, self._carrier, call, placed.media)
        return Connect(media_url), Redirect(then_url)

    def _dial(self, request: Request, call: str, target: str, otherwise: Hangup = _HANG_UP) -> Steps:
        """Hand the caller over to a number; `otherwise` where the carrier offers no transfer."""
        if Signal.TRANSFER not in self._signals:
            told = {"carrier": self._carrier, "call": call}
            log.warning("a caller is not handed over to another number: the carrier offers no transfer", extra=told)
            return (otherwise,)
        return (Dial(target, self._door.api_url(request, self._resume)),)

    def _overflowed(self, request: Request, call: str, overflow: Overflow) -> Steps:
        if overflow.act == "queue":
            again = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            message = Say(self._door.queue_message, self._door.language)
            return message, Pause(QUEUE_PAUSE_S), Redirect(self._door.api_url(request, again))
        if overflow.act == "redirect":
            return self._dial(request, call, overflow.to, otherwise=Hangup(busy=True))
        return (Hangup(busy=True),)


def apology(message: str, language: str) -> Steps:
    """Say (or play) why the call cannot go on, then hang up."""
    return Say(message, language), Hangup()


def _newest(order: tuple[str, str], record: Record) -> tuple[str, str]:
    """The transfer that stands after a record: a newer one, or none once it failed or the caller came back."""
    if record.holds(LineResumed, ActionFinished):
        event = record.event()
        if isinstance(event, LineResumed) or (isinstance(event, ActionFinished) and event.grant == order[0]):
            return "", ""
    for command in record.commands_of(TransferCall):
        order = (command.grant, command.target)
    return order


def _is_priority(word: str) -> bool:
    return word.upper() in Priority.__members__
