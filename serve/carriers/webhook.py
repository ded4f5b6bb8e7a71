"""What is said between a carrier's webhooks and offhook, as types: what is asked, and the steps of an answer. Pure.

A carrier's folder reads its requests into an `Ask` and writes `Steps` in its own form; `web/webhooks.py` decides the
steps, the carrier's played end (`callers/`) reads them again and carries them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from offhook.policies.core.errors import CallerFault

DIAL_S = 30  # that another number rings before the carrier asks on
PAUSE_S_MAX = 180


class NotAuthentic(CallerFault):
    """A webhook was not asked by the carrier, as far as its signature tells."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """One HTTP request of a carrier. `url` is the address as the carrier was given it; header names are lower case."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """The HTTP answer to one."""

    body: bytes
    media_type: str
    status: int = 200


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that a carrier sends (its played end in tests) or that is sent to a carrier; `body` is encoded."""

    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


# --- asks -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallIn:
    """A call comes in, or one that was dialled is answered. The same `call` again means the same call.

    `call` becomes the call's id here: 1 to 64 letters, digits, _ or -. A call with another one is turned away.
    """

    call: str
    caller: str = ""
    callee: str = ""
    direction: Literal["inbound", "outbound"] = "inbound"


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The media stream of a call has ended, or could not be opened: what now?"""

    call: str


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """A number that was dialled has taken the call (and the talk is over), or has not: what now?

    `how` is the carrier's word for it; it is kept in the journal.
    """

    call: str
    taken: bool
    how: str


Ask = CallIn | StreamEnded | TransferEnded


# --- the steps of an answer, carried out in order ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connect:
    """Bring the caller's audio there, and go on with the next step when that stream ends or cannot be opened."""

    media_url: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Ask there what to do next."""

    url: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Be silent for 0 to PAUSE_S_MAX seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Say:
    """Have a robot's voice say a text, or play a recording where it is an http(s) address.

    `language`: of the text, a BCP 47 tag; "" = the carrier's own choice.
    """

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller with a number, and ask `action` what follows when that is over ("" = the next step)."""

    target: str
    action: str = ""
    timeout_s: int = DIAL_S


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call is over. `busy` = it is not answered at all: the caller hears a busy line."""

    busy: bool = False


Step = Connect | Redirect | Pause | Dial | Say | Hangup
Steps = tuple[Step, ...]
