"""The messages of Twilio Media Streams, as types: what a carrier says on a stream, and what an application does.

How they are read and written is `media_stream.py`'s matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Connected:
    """The first message of the carrier's socket."""

    protocol: str = "Call"
    version: str = "1.0.0"


@dataclass(frozen=True, slots=True)
class Start:
    """The stream begins; `parameters` are the `<Parameter>` elements of the TwiML."""

    stream: str
    call_sid: str
    sequence: int = 1
    account_sid: str = ""
    tracks: tuple[str, ...] = ("inbound",)
    parameters: Mapping[str, str] = field(default_factory=dict)


class Media(NamedTuple):  # not a dataclass: made 50 times a second and call, a tuple costs a third
    """Audio; from the carrier with its numbers (`timestamp_ms` since the stream began)."""

    audio: bytes
    sequence: int = 0
    chunk: int = 0
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """From the application: tell when everything before this was played. From the carrier: it was."""

    name: str
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed."""

    digit: str
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream has ended: the caller hung up, or the call went on to something else."""

    sequence: int = 0
    call_sid: str = ""


@dataclass(frozen=True, slots=True)
class Clear:
    """From the application: drop what is buffered and not yet played (its marks come back at once)."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """The application's own sound (or its key's tone), as a carrier returns it to who asks for both tracks."""

    sequence: int = 0


FromCarrier = Connected | Start | Media | Mark | Digit | Stop | Outbound
FromApplication = Media | Mark | Clear
