"""Tools that stand elsewhere and are reached by HTTP: one URL for each action.

    POST url   Idempotency-Key: KEY   {"key", "call", "action", "arguments"}    have it done
    GET  url?key=KEY (or HEAD)   Idempotency-Key: KEY                          was it done?

An answer of 2xx says that it was done; its body may be {"ok": bool, "result": "words for the agents"}. 404 to the
question says that it was not. What says neither (no answer, a lost connection, 408, 409, 425, 5xx, an `ok` that is no
bool) leaves it unknown; any other answer is a refusal. Redirects are not followed: an act goes where the operator sent
it. Source of header and 409: the IETF's draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from offhook.policies.core.errors import CallerFault

from ..contracts.orders import Order, Outcome
from .tools import LIMIT_MS, STOCK, NotKnown, Tool

if TYPE_CHECKING:
    import httpx

KEY_HEADER = "Idempotency-Key"
BODY_BYTES_MAX = 64 << 10  # of an answer; what lies beyond it is not read
NOT_DONE = (404, 410)  # answers to the question
UNDER_WAY = (202, 408, 409, 425)  # answers to the question, and all but 202 to an act
LOOK_UPS = ("get", "head", "none")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one action is carried out.

    Args:
        look_up: how the URL is asked whether an act happened: "get", "head", or "none" where it cannot be asked.
        idempotent: its side drops a repetition of a key.
        headers: sent along (authorization); never logged.
    """

    url: str
    look_up: str = "none"
    idempotent: bool = False
    limit_ms: int = LIMIT_MS
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_map(cls, action: str, raw: Any) -> Place:
        """Raises:
        CallerFault: a field is unknown, missing, or has a value that it cannot have; the message names it.
        """
        known = {item.name: item.type for item in fields(cls)}
        if not isinstance(raw, Mapping) or "url" not in raw or set(raw) - set(known):
            raise CallerFault(f"tool {action}: needs url, and may have {', '.join(sorted(set(known) - {'url'}))}")
        try:
            place = cls(**raw)
            headers = {str(name): str(value) for name, value in place.headers.items()}
            place = cls(str(place.url), str(place.look_up), bool(place.idempotent), int(place.limit_ms), headers)
        except (TypeError, ValueError, AttributeError) as error:
            raise CallerFault(f"tool {action}: {error}") from error
        if not place.url.startswith(("http://", "https://")) or "@" in place.url.partition("?")[0]:
            raise CallerFault(f"tool {action}: url is http(s)://..., and passwords belong into headers")
        if place.look_up not in LOOK_UPS:
            raise CallerFault(f"tool {action}: look_up is one of {', '.join(LOOK_UPS)}, not {place.look_up!r}")
        return place


def offered(places: Mapping[str, Any]) -> dict[str, Tool]:
    """The stock tools, and those at `places` (action -> the fields of a `Place`), which take the place of stock ones.

    Raises:
        CallerFault: one cannot be used.
    """
    tools = dict(STOCK)
    for action, raw in places.items():
        place = Place.from_map(str(action), raw)
        reached = _Reached(place)
        look_up = reached.look_up if place.look_up != "none" else None
        tools[str(action)] = Tool(reached.act, look_up, place.idempotent, place.limit_ms)
    return tools


class _Reached:
    """One place, and the connections to it. How long it may take is `Tool`'s matter."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client: httpx.AsyncClient | None = None

    async def act(self, order: Order) -> Outcome:
        """See `Tool`."""
        body = {"key": order.key, "call": order.call, "action": order.action, "arguments": dict(order.arguments)}
        try:
            status, told = await self._ask("POST", order.key, json=body)
        except ConnectionRefusedError as error:
            return Outcome(False, f"not carried out: the tool's server cannot be reached ({error})")
        if 200 <= status < 300:
            return _outcome(told, "done")
        if status in UNDER_WAY or status >= 500:
            raise NotKnown(f"the tool's server answered {status}")
        if 300 <= status < 400:
            return Outcome(False, f"not carried out: the tool's server answered {status}, a redirect is not followed")
        return Outcome(False, _words(_told(told), f"refused by the tool's server with {status}"))

    async def look_up(self, order: Order) -> Outcome | None:
        """See `Tool`."""
        method = self._place.look_up.upper()
        status, told = await self._ask(method, order.key, params={"key": order.key})
        if status in NOT_DONE:
            return None
        if 200 <= status < 300 and status not in UNDER_WAY:
            return _outcome(told, "it was done before")
        raise NotKnown(f"asked whether it happened, the tool's server answered {status}")

    async def _ask(self, method: str, key: str, **more: Any) -> tuple[int, bytes]:
        """Status and body.

        Raises:
            ConnectionRefusedError: nothing was sent. NotKnown: the connection was lost before there was an answer.
        """
        import httpx  # where no such tool is configured, nobody pays for it

        if self._client is None:
            # Its limit is `Tool`'s. The environment's proxies are not for it: settings are read in one place.
            self._client = httpx.AsyncClient(timeout=None, trust_env=False, headers=dict(self._place.headers))
        headers = {KEY_HEADER: key}
        try:
            async with self._client.stream(method, self._place.url, headers=headers, **more) as answer:
                body = b""
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > BODY_BYTES_MAX:
                        break
                return answer.status_code, body
        except (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ConnectionRefusedError(type(error).__name__) from error
        except httpx.HTTPError as error:
            raise NotKnown(f"the connection was lost before an answer: {type(error).__name__}") from error


def _outcome(body: bytes, otherwise: str) -> Outcome:
    """What the body of a 2xx tells; of one that tells nothing, `otherwise`. Raises: NotKnown: `ok` is no bool."""
    told = _told(body)
    ok = told.get("ok", True)
    if not isinstance(ok, bool):
        raise NotKnown(f"`ok` in the answer of the tool's server is {type(ok).__name__}, not a bool")
    return Outcome(ok, _words(told, otherwise))


def _told(body: bytes) -> dict[str, Any]:
    """The body's fields; none where it is no JSON object."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _words(told: Mapping[str, Any], otherwise: str) -> str:
    words = told.get("result")
    return words if isinstance(words, str) and words else otherwise
