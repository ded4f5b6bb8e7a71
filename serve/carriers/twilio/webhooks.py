"""Twilio's webhooks: what its forms ask, whether it was really Twilio who asked, and the TwiML that answers. Pure.

Sources: https://www.twilio.com/docs/voice/twiml#request-parameters, .../twiml/dial#attributes-action. A call's id is
its CallSid: a webhook that is asked twice means the same call.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl

from offhook.policies.core.errors import CallerFault

from ..webhook import (
    Ask,
    CallIn,
    NotAuthentic,
    Steps,
    StreamEnded,
    TransferEnded,
    WebhookAnswer,
    WebhookRequest,
)
from . import twiml

VOICE, RESUME = "voice", "resume"
TAKEN = frozenset({"completed", "answered"})  # what Twilio says of a number that took the call
FIELDS_MAX = 1_000  # of one form; Twilio sends about thirty
SIGNATURE = "x-twilio-signature"


class TwilioWebhooks:
    """Of one account; without its auth token nobody's signature is looked at."""

    paths = (VOICE, RESUME)
    resume = RESUME

    def __init__(self, auth_token: str) -> None:
        self._auth_token = auth_token

    def verify(self, request: WebhookRequest) -> None:
        """Raises: NotAuthentic: the signature does not fit address and form."""
        if not self._auth_token:
            return
        wanted = twiml.signature(self._auth_token, request.url, form(request.body))
        if not hmac.compare_digest(wanted.encode(), request.headers.get(SIGNATURE, "").encode(errors="replace")):
            raise NotAuthentic("X-Twilio-Signature does not fit this request")

    def read(self, path: str, request: WebhookRequest) -> Ask:
        """A call comes in, or its stream has ended, or the number that was dialled has taken it or not."""
        fields = dict(form(request.body))
        call = fields.get("CallSid", "")
        if path == VOICE:
            direction = fields.get("Direction", "")
            outbound = direction.startswith("outbound")
            return CallIn(call, fields.get("From", ""), fields.get("To", ""), "outbound" if outbound else "inbound")
        if how := fields.get("DialCallStatus", ""):
            return TransferEnded(call, how in TAKEN, how)
        return StreamEnded(call)

    async def answer(self, ask: Ask | None, steps: Steps) -> WebhookAnswer:
        """TwiML, whoever asked."""
        del ask
        return WebhookAnswer(twiml.write(steps).encode(errors="replace"), twiml.MEDIA_TYPE)


def form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form, in their order; of a body that is none, whatever looks like them.

    Raises:
        CallerFault: more than FIELDS_MAX fields.
    """
    try:
        return parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise CallerFault(f"a form of more than {FIELDS_MAX} fields") from error
