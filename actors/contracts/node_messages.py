"""The messages between a supervisor and the processes of its node; see `messages.py` for the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .message import Message, among
from .messages import HELLO

Endpoints = list[Any]  # of [endpoint, token]


class ResidentHello(Message, name=HELLO):
    """To a supervisor, of a process of its node. `running`: what is live in it, as plain values; empty = nothing."""

    role: str  # "call", "agents" or "gateway"
    resident: str
    pid: int
    node: str
    endpoint: str  # where it listens itself
    running: object
    protocol: int = 0


# --- resident (call actor, agent host, gateway) -> supervisor ---------------------------------------------------------


class Beat(Message, name="beat"):
    """It lives."""

    lag_ms: float  # worst of its loop since the last
    live: bool  # something is live in it: it beats fast
    changes: list[Any] | None = None  # of its metrics since the last that had some (`process/metric_registry.py`)


class Journal(Message, name="journal"):
    """Records of one call, in order (`policies/core/records.py`)."""

    records: list[Any]


class Assigned(Message, name="assigned"):
    """`refusal` "" = the call is primed; agents may join."""

    call: str
    epoch: int
    refusal: str


class Ended(Message, name="ended"):
    """The actor is a spare again."""

    call: str
    epoch: int
    outcome: str


class Perform(Message, name="perform"):
    """Carry an act out. `arguments`: [name, value] each."""

    call: str
    epoch: int
    grant: str
    action: str
    arguments: list[Any]
    key: str


class Withdraw(Message, name="withdraw"):
    """Take that order back before its tool begins; answered by Performed."""

    call: str
    epoch: int
    grant: str
    action: str
    arguments: list[Any]
    key: str


class Attached(Message, name="attached"):
    """`reason` "" = the agent has its seat at the call."""

    call: str
    agent: str
    reason: str


class GaveUp(Message, name="gave_up"):
    """The agent failed too often; its seat is free."""

    call: str
    agent: str
    reason: str


class Offered(Message, name="offered"):
    """The call lets that version's agents in."""

    call: str
    epoch: int
    version: str


class Swapped(Message, name="swapped"):
    """`refusal` "" = that version leads the call."""

    call: str
    epoch: int
    version: str
    refusal: str


class Reply(Message, name="reply"):
    """To the query of that number."""

    number: int
    body: object


TO_SUPERVISOR = among(
    Beat, Journal, Assigned, Ended, Perform, Withdraw, Attached, GaveUp, Offered, Swapped, Reply
)  # fmt: skip

# --- supervisor -> resident -------------------------------------------------------------------------------------------


class Assign(Message, name="assign"):
    """To a call actor: lead this call (`setup.py`)."""

    call: str
    epoch: int
    setup: Mapping[str, Any]


class Attach(Message, name="attach"):
    """To an agent host: take a seat at this call."""

    call: str
    epoch: int
    agent: str
    endpoint: str
    token: str


class Detach(Message, name="detach"):
    """To an agent host: leave the call."""

    call: str


class Swap(Message, name="swap"):
    """To a call: let that version lead (`actors/call/swap.py`)."""

    call: str
    epoch: int
    version: str
    policy: Mapping[str, Any]
    tokens: Mapping[str, str]  # agent -> token
    deadline_ms: int  # from now
    at_deadline: str  # "force" or "keep"
    clips: str  # the folder of its recordings; "" = none


class Journaled(Message, name="journaled"):
    """Everything up to `seq` is safe."""

    call: str
    epoch: int
    seq: int


class JournalGone(Message, name="journal_away"):
    """The journal does not take records now."""

    reason: str


class Begun(Message, name="begun"):
    """The act has left; no withdrawal reaches it any more."""

    key: str
    grant: str


class Performed(Message, name="performed"):
    """The tool's answer, or (`withdrawn`) that nothing was done."""

    key: str
    ok: bool
    result: str
    withdrawn: bool = False
    grant: str = ""


class Retire(Message, name="retire"):
    """End the process once nothing is live in it."""

    reason: str


class Told(Message, name="event"):
    """To a call: an operator's or a carrier's word, a codec array; its at_ms is set on arrival."""

    call: str
    event: list[Any]


class EnginesMoved(Message, name="engines"):
    """To a call: where speech engines are from now on; a link that is open stays."""

    call: str
    recognizers: Endpoints
    synthesizers: Endpoints


class Owner(Message, name="owner"):
    """To a gateway: who has taken the call over."""

    call: str
    epoch: int
    endpoint: str
    token: str


class Query(Message, name="query"):
    """To a resident, answered by Reply: "state", "verdicts" or "stats"."""

    number: int
    what: str
    arguments: list[Any]


TO_CALL_FROM_SUPERVISOR = among(
    Assign, Swap, Journaled, JournalGone, Begun, Performed, Retire, Told, EnginesMoved, Query
)  # fmt: skip
TO_AGENT_HOST = among(Attach, Detach, Retire, Query)
TO_GATEWAY_FROM_SUPERVISOR = among(Owner, Retire, Query)
