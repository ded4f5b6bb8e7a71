"""The carrier port: all that a carrier must offer, and the only thing of it that gateway, web and callers know.

A carrier is a folder (or a package) with a class `Carrier`, named by an entry point of the group `offhook.carriers`
(`registry.py`). It words things and decides nothing: no sockets, no clocks; only `Webhooks.answer` and `Carrier.dial`
may wait, for carriers that are commanded by requests. `offhook.testing.carrier_conformance` tells whether one keeps to
the port. How to write one: `examples/carriers/toy/`. It imports this module, `messages.py` and `webhook.py`, no other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from offhook.policies.core.errors import CallerFault, WorldFault

from ..contracts.errors import LineFault, SettingFault
from .messages import FromApplication, FromCarrier, Order, SocketMessage
from .webhook import Ask, HttpRequest, Steps, WebhookAnswer, WebhookRequest

__all__ = [
    "MESSAGE_BYTES_MAX",
    "CallerFault",
    "Capabilities",
    "Carrier",
    "CarrierFactory",
    "LineFault",
    "NotOffered",
    "Outgoing",
    "PlayedCarrier",
    "PlayedStream",
    "SettingFault",
    "Signal",
    "StreamReader",
    "StreamWriter",
    "Webhooks",
    "WorldFault",
]

# Of one message on a stream, unless a carrier says less; 64 KiB are 6 s of audio in base64.
MESSAGE_BYTES_MAX = 64 << 10


class Signal(StrEnum):
    """What a carrier may be asked to do with a call.

    The gateway looks at what a carrier offers before it orders anything: where it offers no hang-up, all that ends is
    its stream; where it offers no transfer, the call's act fails with that reason and the caller is told. SEND_KEYS and
    DIAL are what a carrier may offer already; nothing in offhook asks for them yet, except its tests.
    """

    ANSWER = "answer"  # bring its audio: the steps of a webhook's answer
    HANG_UP = "hang_up"  # an order on the stream, or the end of the stream and then the webhook's answer
    TRANSFER = "transfer"  # the same
    SEND_KEYS = "send_keys"  # an order on the stream: `SendKeys`
    DIAL = "dial"  # place an outgoing call: `Carrier.dial`, `Outgoing`


class NotOffered(CallerFault):
    """A carrier cannot do what it was asked; `signal` says what."""

    def __init__(self, carrier: str, signal: Signal) -> None:
        super().__init__(carrier, signal)
        self.carrier = carrier
        self.signal = signal

    def __str__(self) -> str:
        return f"the carrier {self.carrier!r} does not offer {self.signal}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a carrier can do, as it is set up."""

    signals: frozenset[Signal]
    message_bytes_max: int = MESSAGE_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A call to be dialled. `answer_url` is the webhook that is asked (`CallIn`, outbound) when it is answered."""

    callee: str
    caller: str
    answer_url: str


class StreamReader(Protocol):
    """Reads what the carrier sends on one socket, and checks form, order and stream."""

    @property
    def gaps(self) -> int:
        """Steps in the carrier's numbering that were not by one; 0 where it does not number."""

    def read(self, raw: bytes, binary: bool) -> FromCarrier:
        """One message, text or binary. After a fault the reader can read on.

        Raises:
            LineFault: not a message that the carrier may send now.
        """


class StreamWriter(Protocol):
    """Writes what the application sends on one stream."""

    def media(self, audio: bytes) -> SocketMessage:
        """Play mu-law audio after what is already buffered."""

    def mark(self, name: str) -> SocketMessage:
        """Tell (`Mark`) when everything before it was played, or was cleared."""

    def clear(self) -> SocketMessage:
        """Drop what is buffered."""

    def order(self, order: Order) -> tuple[SocketMessage, ...]:
        """What is said on the stream to have it done. The stream is closed after `HangUp` and `Transfer`: nothing to
        be said means that its end is enough, and the webhook that is asked then has the rest.

        Raises:
            NotOffered: the carrier has no such order.
        """


class Webhooks(Protocol):
    """The requests of a carrier. They come to `/carriers/NAME/PATH`, PATH being one of `paths`."""

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths, without slashes; one is enough for a carrier that sends everything to one address."""

    @property
    def resume(self) -> str:
        """The path that is asked when a stream has ended."""

    def verify(self, request: WebhookRequest) -> None:
        """Whether it was the carrier that asked; where no secret is set up, everybody is believed.

        Raises:
            NotAuthentic: it was somebody else.
        """

    def read(self, path: str, request: WebhookRequest) -> Ask | None:
        """What is asked; None = nothing that needs more than a receipt. A field that is missing is left empty.

        Raises:
            CallerFault: this cannot be read at all.
        """

    async def answer(self, ask: Ask | None, steps: Steps) -> WebhookAnswer:
        """The answer that has the steps carried out; no steps = a receipt. `ask` is None where it could not be read."""


class PlayedStream(Protocol):
    """The carrier's end of one stream, for softphones and tests: writes what a `StreamReader` reads, and so on."""

    @property
    def name(self) -> str:
        """As the carrier calls the stream; no two streams have the same."""

    def opening(self, parameters: Mapping[str, str]) -> tuple[SocketMessage, ...]:
        """The first messages, up to the one that is read as `Start`."""

    def media(self, audio: bytes) -> SocketMessage:
        """20 ms of the caller's voice, mu-law."""

    def mark(self, name: str) -> SocketMessage:
        """Everything before that mark was played."""

    def digit(self, digit: str) -> SocketMessage:
        """A key was pressed."""

    def closing(self) -> tuple[SocketMessage, ...]:
        """The last messages, when the caller has hung up."""

    def read(self, raw: bytes, binary: bool) -> FromApplication:
        """One message of the application.

        Raises:
            LineFault: not a message that an application may send.
        """


class PlayedCarrier(Protocol):
    """The carrier itself, for softphones and tests."""

    def stream(self, call: str) -> PlayedStream:
        """A new stream of a call, under a name of its own."""

    def ask(self, ask: Ask, url: str) -> HttpRequest:
        """The request that asks a webhook, signed where a secret is set up."""

    def steps(self, answer: WebhookAnswer) -> Steps:
        """What a webhook's answer says is to be done.

        Raises:
            LineFault: not an answer that this carrier can carry out.
        """


@runtime_checkable
class Carrier(Protocol):
    """One carrier, as it is set up."""

    name: str  # as its entry point is called
    capabilities: Capabilities
    webhooks: Webhooks

    @abstractmethod
    def reader(self) -> StreamReader:
        """For one new socket of the carrier."""

    @abstractmethod
    def writer(self, stream: str) -> StreamWriter:
        """For a stream that has started under this name."""

    @abstractmethod
    def played(self) -> PlayedCarrier:
        """Its end, played."""

    async def dial(self, outgoing: Outgoing) -> str:
        """Have the carrier place a call; returns the call's id. Nothing in offhook asks for it yet.

        Raises:
            NotOffered: it does not dial for us.
            WorldFault: it does not answer, or refuses.
        """
        del outgoing
        raise NotOffered(self.name, Signal.DIAL)


class CarrierFactory(Protocol):
    """What an entry point names: usually the carrier's class."""

    @property
    def options(self) -> Mapping[str, str]:
        """What may be set (`OFFHOOK_NAME_OPTION`), in lower case, and what it is."""

    def __call__(self, options: Mapping[str, str]) -> Carrier:
        """The carrier with these options; those that were not set are missing.

        Raises:
            SettingFault: an option has a value that it cannot have.
        """
