"""What a call actor is told when a call is assigned to it: one map on the wire, one frozen object on both sides.

Nothing here is decided; the supervisor fills it in, the call runs by it. How these lie in a map, are checked and grow
is `policies/core/layout.py`'s matter: a new field is one line, at the end and with a default, and a new PROTOCOL.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offhook.policies.core.layout import CodecFault, Decoder, Encoder, map_decoder, map_encoder

from .errors import ProtocolFault


@dataclass(frozen=True, slots=True)
class Engines:
    """Where a call's speech comes from and goes to.

    `recognizer`: "none" or "link"; `synthesizer`: "tone", "clip", "none" or "link". With "link", `*_endpoints` holds
    [endpoint, token] pairs, the preferred one first; none = the call waits to be told. `clips` is the folder of a clip
    synthesizer.
    """

    recognizer: str = "none"
    recognizer_endpoints: tuple[tuple[str, str], ...] = ()
    synthesizer: str = "tone"
    synthesizer_endpoints: tuple[tuple[str, str], ...] = ()
    clips: str = ""
    voice: str = ""

    def as_map(self) -> dict[str, Any]:
        """Plain values, for the wire and for a file; what has its default is left out."""
        return _as_map(_write_engines, self)

    @classmethod
    def from_map(cls, raw: Any) -> Engines:
        """What `as_map` made, of this release or another.

        Raises:
            ProtocolFault: a field is of the wrong type; the message names it.
        """
        return typing.cast(Engines, _from_map(_read_engines, raw))


@dataclass(frozen=True, slots=True)
class Setup:
    """One call, as its owner must know it.

    `origin_unix_ms` is the call's zero in Unix time; `at_least_ms` what a former owner's clock had reached.
    """

    call: str
    epoch: int
    direction: str
    caller: str  # personal data
    callee: str  # personal data
    policy_version: str
    policy: Mapping[str, Any]
    media_token: str
    agent_tokens: Mapping[str, str]  # agent -> the token under which its host connects, any number of times
    observer_token: str
    origin_unix_ms: int
    anchor: tuple[str, int] = ("", 0)  # that zero on the machine's monotonic clock (see clock.py); "" = not known
    at_least_ms: int = 0
    after_seq: int = 0  # of the newest record that the journal already has of this call
    engines: Engines = field(default_factory=Engines)
    resume: tuple[Any, ...] = ()  # a takeover: the newest snapshot and all records after it; empty = a new call
    prices: Mapping[str, Any] = field(
        default_factory=dict
    )  # what it costs, see policies/fleet/cost.py; empty = the stock ones
    tenant: str = ""  # whose call it is, for limits and accounts
    farewell: str = ""  # why the call is only said goodbye to, without its core; "" = it goes on
    arm: str = ""  # of a rollout, to which the call was assigned (`node/arm_counters.py`); "" = of none

    def as_map(self) -> dict[str, Any]:
        """Plain values, for the wire; what has its default is left out."""
        return _as_map(_write_setup, self)

    @classmethod
    def from_map(cls, raw: Any) -> Setup:
        """What `as_map` made, of this release or another.

        Raises:
            ProtocolFault: a field is missing or of the wrong type; the message names it.
        """
        return typing.cast(Setup, _from_map(_read_setup, raw))


def _as_map(write: Encoder, thing: Setup | Engines) -> dict[str, Any]:
    return typing.cast(dict[str, Any], write(thing))


def _from_map(read: Decoder, raw: Any) -> Any:
    try:
        return read(raw)
    except CodecFault as fault:
        raise ProtocolFault(str(fault)) from None


_write_engines, _read_engines = map_encoder(Engines), map_decoder(Engines)
_write_setup, _read_setup = map_encoder(Setup), map_decoder(Setup)


def agent_tokens(media_token: str, version: str, agents: Iterable[str]) -> dict[str, str]:
    """The tokens of a call's agents under one owner: they follow from the lease, so nobody has to be asked for them.

    The version is in them, because two versions' agents have links to a call while it is swapped.
    """
    return {agent: f"{media_token}.{version}.{agent}" for agent in agents}
