"""What a carrier does with a caller whose stream has ended: asks the resume webhook, and carries its answer out.

As Twilio does it: `<Connect><Stream>` dials again under a new stream id; a stream that cannot be opened, or ends, is
followed by the next verb, the `<Redirect>`, so the webhook is asked again; `<Pause>` waits, `<Say>` takes no time here,
`<Dial>` hands the caller over (whoever is dialled takes the call), `<Hangup/>` or the answer's end ends the call. A
webhook that fails is asked a few times, like a Twilio webhook with `#rc=5`. Where all of it leads nowhere the carrier
gives up: every loop here is bounded.

Sources: https://www.twilio.com/docs/voice/twiml/stream, .../voice/twiml/redirect,
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from picows import WSError

from ..carriers.twilio import twiml_reader as twiml
from ..contracts.errors import LineFault

RESUME_PATH = "/carriers/twilio/resume"
ASK_WITHIN_S = 15.0  # Twilio's own limit for a webhook's answer
ASKS_MAX = 6  # one and five more, each after ASK_PAUSE_S
ASK_PAUSE_S = 0.5
DIAL_PAUSE_S = 0.3  # between two streams that could not be opened; the carrier's own round trips take about as long
REDIRECTS_MAX = 60  # in a row without a stream: about half a minute of trying


@dataclass(frozen=True, slots=True)
class Resume:
    """Whom to ask when a stream ends, and which call is meant."""

    url: str
    call_sid: str

    @classmethod
    def of(cls, api: str, call: str) -> Resume:
        """Of a call that was placed over an offhook's API: its id is its CallSid."""
        return cls(api.rstrip("/") + RESUME_PATH, call)


@dataclass(frozen=True, slots=True)
class Over:
    """No stream any more. `reason` is empty where the webhook simply said that the call is over."""

    reason: str = ""
    transferred_to: str = ""


class Redirects:
    """The redirects of one call. `dial(url)` opens a stream and raises OSError or WSError where it cannot."""

    def __init__(self, resume: Resume, dial: Callable[[str], Awaitable[None]], pace: float = 1.0) -> None:
        self._resume = resume
        self._dial = dial
        self._pace = pace
        self.asked = 0

    async def follow(self) -> Over | None:
        """A stream has ended: returns None when another one is open, else how the call ended."""
        verbs: deque[twiml.Verb] = deque((twiml.Redirect(self._resume.url),))
        redirects, told = 0, ""
        async with httpx.AsyncClient(timeout=ASK_WITHIN_S) as client:
            while verbs:
                verb = verbs.popleft()
                if isinstance(verb, twiml.Connect):
                    try:
                        await self._dial(verb.media_url)
                        return None
                    except (OSError, WSError, TimeoutError):
                        await self._rest(DIAL_PAUSE_S)
                elif isinstance(verb, twiml.Redirect):
                    redirects += 1
                    if redirects > REDIRECTS_MAX:
                        return Over(f"{REDIRECTS_MAX} redirects in a row led to no stream")
                    try:
                        verbs = deque(await self._ask(client, verb.url))
                    except (httpx.HTTPError, LineFault) as error:
                        return Over(f"the webhook {verb.url} cannot be followed: {error}")
                elif isinstance(verb, twiml.Pause):
                    await self._rest(verb.seconds)
                elif isinstance(verb, twiml.Say):
                    told = verb.text
                elif isinstance(verb, twiml.Dial):
                    return Over(f"transferred to {verb.target}", verb.target)
                else:
                    return Over("the webhook answered busy" if verb.busy else f"told: {told}" if told else "")
        return Over()

    async def _ask(self, client: httpx.AsyncClient, url: str) -> tuple[twiml.Verb, ...]:
        """Raises: httpx.HTTPError: no answer, or none that can be used, though asked again. LineFault: no TwiML."""
        for left in reversed(range(ASKS_MAX)):
            self.asked += 1
            try:
                answer = await client.post(url, data={"CallSid": self._resume.call_sid})
                answer.raise_for_status()
                return twiml.read(answer.text)
            except httpx.HTTPError:
                if not left:
                    raise
                await self._rest(ASK_PAUSE_S)
        raise AssertionError("unreachable")

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._pace)
