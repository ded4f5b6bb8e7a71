"""The carriers' webhooks: what a carrier asks when a call comes in, when its stream has ended, and after a transfer.

A carrier is always answered in its own form, with steps that it can carry out: with an error page the caller would
hear an apology in a robot's voice, or be hung up on without a word. Whatever goes wrong here, a caller waits and the
carrier asks again, so often and no oftener (`asking_again.py`); then the caller is told. How asks and answers are
worded is `carriers/`' matter; what an answer is to be, `call_answers.py`'s.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request
from fastapi.responses import Response
from offhook.policies.core.errors import CallerFault, WorldFault
from starlette.exceptions import HTTPException

from ..carriers.port import Carrier
from ..carriers.webhook import Ask, NotAuthentic, Pause, Redirect, Steps, StreamEnded, WebhookRequest
from ..client.control_client import ControlClient
from .asking_again import Asked
from .call_answers import DIALLED, CallAnswers, apology
from .public_addresses import PublicAddresses

log = logging.getLogger(__name__)

ROOT = "/carriers"  # a carrier's webhooks: ROOT/NAME/PATH
AGAIN_PAUSE_S = 1  # carriers pause in whole seconds
ASKS_MAX = 20  # in a row, in vain: about as long as a caller stays in silence
RESUME_ASKS_MAX = 60  # ... and as a call that nobody leads is kept for its carrier
Endpoint = Callable[[Request], Awaitable[Response]]
BODY_BYTES_MAX = 1 << 20  # of a request; a carrier's has some thousand bytes


def add_carrier(app: FastAPI, carrier: Carrier, control_client: ControlClient, door: PublicAddresses) -> None:
    """The webhooks of one carrier, under its name."""
    webhooks = carrier.webhooks
    resume = f"{ROOT}/{carrier.name}/{webhooks.resume}"
    answers = CallAnswers(carrier.name, carrier.capabilities.signals, resume, control_client, door)
    desk = WebhookDesk(carrier, answers, door)
    for path in webhooks.paths:
        app.post(f"{ROOT}/{carrier.name}/{path}", response_class=Response, tags=["carriers"])(desk.asked_at(path))


class WebhookDesk:
    """Answers one carrier for one installation."""

    def __init__(self, carrier: Carrier, answers: CallAnswers, door: PublicAddresses) -> None:
        self._carrier = carrier
        self._answers = answers
        self._door = door

    def asked_at(self, path: str) -> Endpoint:
        """The answering of one path. Only who is not the carrier is refused."""

        async def answer(request: Request) -> Response:
            ask: Ask | None = None
            try:
                read = await self._request(request)
                self._carrier.webhooks.verify(read)
                ask = self._repeated(request, self._carrier.webhooks.read(path, read))
                return await self._answer(ask, await self._answers.to(request, ask) if ask is not None else ())
            except NotAuthentic as stranger:
                log.warning("a webhook's signature does not fit its address; behind a proxy, is public_url set?")
                raise HTTPException(403, str(stranger)) from None
            except (WorldFault, CallerFault) as expected:
                fault: Exception = expected
            except Exception as bug:
                log.exception("a webhook failed: %s", request.url.path)
                fault = bug
            return await self._answer(ask, self._wait(request, path, fault))

        answer.__doc__ = f"What {self._carrier.name} asks at {path!r}; the answer is in its own form."
        answer.__name__ = f"{self._carrier.name}_{path}"
        return answer

    async def _request(self, request: Request) -> WebhookRequest:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES_MAX:
                raise CallerFault(f"a webhook's request of more than {BODY_BYTES_MAX} bytes")
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        url = self._door.api_url(request, path)
        return WebhookRequest(url, dict(request.query_params), dict(request.headers), bytes(body))

    def _repeated(self, request: Request, ask: Ask | None) -> Ask | None:
        """A carrier says once how a transfer ended; whoever has to ask again is told to say it again in the address."""
        how = request.query_params.get(DIALLED, "")
        return self._answers.not_taken(ask.call, how) if isinstance(ask, StreamEnded) and how else ask

    async def _answer(self, ask: Ask | None, steps: Steps) -> Response:
        answer = await self._carrier.webhooks.answer(ask, steps)
        return Response(answer.body, answer.status, media_type=answer.media_type)

    def _wait(self, request: Request, path: str, fault: Exception) -> Steps:
        """This cannot be answered now: ask again in a moment, and once that was often enough, tell the caller."""
        asked = Asked.of(request.query_params, time.time())
        most = RESUME_ASKS_MAX if path == self._carrier.webhooks.resume else ASKS_MAX
        if asked.count >= most:
            log.error("a caller is told that it does not go on: %s: %s", request.url.path, fault)
            return apology(self._door.sorry_message, self._door.language)
        return Pause(AGAIN_PAUSE_S), Redirect(self._answers.again(request))
