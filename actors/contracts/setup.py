"""What a call actor is told when a call is assigned to it: one map on the wire, one frozen object on both sides.

Nothing here is decided; the supervisor fills it in, the call runs by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

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

    @classmethod
    def from_map(cls, raw: Mapping[str, Any]) -> Engines:
        """What `asdict` made, also after a way through msgpack or JSON."""
        known = {item.name: raw[item.name] for item in fields(cls) if item.name in raw}
        for name in ("recognizer_endpoints", "synthesizer_endpoints"):
            known[name] = tuple((str(endpoint), str(token)) for endpoint, token in known.get(name, ()))
        return cls(**known)


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
        """Plain values, for the wire."""
        return asdict(self)

    @classmethod
    def from_map(cls, raw: Any) -> Setup:
        """Raises:
        ProtocolFault: a field is missing or of the wrong type.
        """
        if not isinstance(raw, dict):
            raise ProtocolFault(f"a setup is a map, got {type(raw).__name__}")
        known = {name: raw[name] for name in _NAMES if name in raw}
        try:
            engines = known.pop("engines", None)
            known["anchor"] = tuple(known.get("anchor") or ("", 0))
            return cls(**known, engines=Engines.from_map(engines or {}))
        except TypeError as error:
            raise ProtocolFault(f"setup of call {raw.get('call', '?')}: {error}") from error


_NAMES = tuple(item.name for item in fields(Setup))


def agent_tokens(media_token: str, version: str, agents: Iterable[str]) -> dict[str, str]:
    """The tokens of a call's agents under one owner: they follow from the lease, so nobody has to be asked for them.

    The version is in them, because two versions' agents have links to a call while it is swapped.
    """
    return {agent: f"{media_token}.{version}.{agent}" for agent in agents}
