"""What a carrier does with a caller whose stream has ended: asks the resume webhook, and carries its answer out.

`Connect` dials again under a new stream id; a stream that cannot be opened, or ends, is followed by the next step, a
`Redirect`, so the webhook is asked again; `Pause` waits, `Say` takes no time here, `Dial` hands the caller over
(whoever is dialled takes the call), `Hangup` or the answer's end ends the call. A webhook that fails is asked a few
times. Where all of it leads nowhere the carrier gives up: every loop here is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
from picows import WSError

from ..carriers.port import Carrier, PlayedCarrier
from ..carriers.webhook import Connect, Dial, Hangup, Pause, Redirect, Say, Steps, StreamEnded, WebhookAnswer
from ..contracts.errors import LineFault

ASK_WITHIN_S = 15.0  # carriers' own limit for a webhook's answer
ASKS_MAX = 6  # one and five more, each after ASK_PAUSE_S
ASK_PAUSE_S = 0.5
DIAL_PAUSE_S = 0.3  # between two streams that could not be opened; the carrier's own round trips take about as long
REDIRECTS_MAX = 60  # in a row without a stream: about half a minute of trying


@dataclass(frozen=True, slots=True)
class Resume:
    """Whom to ask when a stream ends, and which call is meant."""

    url: str
    call: str

    @classmethod
    def of(cls, carrier: Carrier, api: str, call: str) -> Resume:
        """Of a call that was placed over an offhook's API, as one of this carrier's."""
        return cls(f"{api.rstrip('/')}/carriers/{carrier.name}/{carrier.webhooks.resume}", call)


@dataclass(frozen=True, slots=True)
class Over:
    """No stream any more. `reason` is empty where the webhook simply said that the call is over."""

    reason: str = ""
    transferred_to: str = ""


class Redirects:
    """The redirects of one call. `dial(url)` opens a stream and raises OSError or WSError where it cannot."""

    def __init__(
        self, carrier: PlayedCarrier, resume: Resume, dial: Callable[[str], Awaitable[None]], pace: float = 1.0
    ) -> None:
        self._carrier = carrier
        self._resume = resume
        self._dial = dial
        self._pace = pace
        self.asked = 0

    async def follow(self) -> Over | None:
        """A stream has ended: returns None when another one is open, else how the call ended."""
        steps: Steps = (Redirect(self._resume.url),)
        redirects, told = 0, ""
        async with httpx.AsyncClient(timeout=ASK_WITHIN_S) as client:
            while steps:
                step, *rest = steps
                steps = tuple(rest)
                if isinstance(step, Connect):
                    try:
                        await self._dial(step.media_url)
                        return None
                    except (OSError, WSError, TimeoutError):
                        await self._rest(DIAL_PAUSE_S)
                elif isinstance(step, Redirect):
                    redirects += 1
                    if redirects > REDIRECTS_MAX:
                        return Over(f"{REDIRECTS_MAX} redirects in a row led to no stream")
                    try:
                        steps = await self._ask(client, step.url)
                    except (httpx.HTTPError, LineFault) as error:
                        return Over(f"the webhook {step.url} cannot be followed: {error}")
                elif isinstance(step, Pause):
                    await self._rest(step.seconds)
                elif isinstance(step, Say):
                    told = step.text
                elif isinstance(step, Dial):
                    return Over(f"transferred to {step.target}", step.target)
                elif isinstance(step, Hangup):
                    return Over("the webhook answered busy" if step.busy else f"told: {told}" if told else "")
        return Over()

    async def _ask(self, client: httpx.AsyncClient, url: str) -> Steps:
        """Raises: httpx.HTTPError: no answer, or none that can be used, though asked again. LineFault: no answer of
        the carrier's form."""
        asked = self._carrier.ask(StreamEnded(self._resume.call), url)
        for left in reversed(range(ASKS_MAX)):
            self.asked += 1
            try:
                answer = await client.request(asked.method, asked.url, content=asked.body, headers=dict(asked.headers))
                answer.raise_for_status()
                media_type = answer.headers.get("content-type", "")
                return self._carrier.steps(WebhookAnswer(answer.content, media_type, answer.status_code))
            except httpx.HTTPError:
                if not left:
                    raise
                await self._rest(ASK_PAUSE_S)
        raise AssertionError("unreachable")

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._pace)
