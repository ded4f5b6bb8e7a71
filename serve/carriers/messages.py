"""What is said on a carrier's media stream, as types, in both directions. How it is worded is each carrier's matter.

Audio in these messages is mu-law, 8 kHz, mono, whatever the carrier's wire holds: its codec converts. Numbers of
messages and versions of a wire are not here: a carrier's reader counts what is missing (`StreamReader.gaps`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# WebSocket close codes (RFC 6455, section 7.4.1) for what a stream's peer does wrong.
CLOSE_PROTOCOL = 1002
CLOSE_UNSUPPORTED = 1003
CLOSE_INVALID = 1007
CLOSE_POLICY = 1008
CLOSE_TOO_BIG = 1009

KEYS = frozenset("0123456789*#ABCD")


class SocketMessage(NamedTuple):
    """One WebSocket message to be sent: text (UTF-8) or binary."""

    payload: bytes
    binary: bool = False


# --- from the carrier -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open, and its stream has not begun: a greeting of the carrier's."""


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins. `stream` is the carrier's name of it, `call` of the call; `parameters` may hold the token."""

    stream: str
    call: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class Media(NamedTuple):  # not a dataclass: made 50 times a second and call, a tuple costs a third
    """Audio, of any length."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """From the application: tell when everything before this was played. From the carrier: it was."""

    name: str


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: one of KEYS."""

    digit: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream has ended: the caller hung up, or the call went on to something else."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """The application's own sound (or its key's tone), as a carrier returns it to who asks for both tracks."""


# --- from the application ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop what is buffered and not yet played."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the caller over to a number."""

    target: str


@dataclass(frozen=True, slots=True)
class SendKeys:
    """Press keys towards the far end: a sequence of KEYS. Nothing in offhook orders it yet."""

    keys: str


FromCarrier = Connected | Start | Media | Mark | Digit | Stop | Outbound
Order = HangUp | Transfer | SendKeys
FromApplication = Media | Mark | Clear | HangUp | Transfer | SendKeys
