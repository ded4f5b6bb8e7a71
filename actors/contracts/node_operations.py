"""What can be asked of a node: the operations of its supervisor, and the records that they take and answer.

What is asked about one call is in `call_operations.py`; how operations travel in `operations.py`.
"""

# An operation has no body: what it answers is the actor's matter.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.fleet.cost import Usage

from .call_operations import CallList
from .metrics import MetricRow
from .operations import PLAIN, Operations, once, repeatable

Bundle = str | bytes  # an archive (`node/bundle_archive.py`), or a folder that the node has; "" = stock agents only
PlainPolicy = Annotated[Mapping[str, Any], PLAIN]  # a policy as `Policy.model_dump(mode="json")` has it
EngineChoice = Annotated[
    Mapping[str, Any], PLAIN
]  # which recognizer or synthesizer calls use: see `NodeOperations.engines`


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call that wants a slot. Empty fields are left to whoever decides them."""

    call: str
    direction: str = "inbound"
    caller: str = ""  # the remote party's number; personal data
    callee: str = ""  # personal data
    policy: str = ""  # its name, or a version; "" = the default
    tenant: str = ""  # for limits and accounts
    priority: str = "normal"
    wait_s: float = 0.0  # how long the caller rings while nobody is free; 0 = as the rules say
    queue: bool = False  # whoever asks will ask again for a caller who has to queue
    arm: str = ""  # of a rollout; "" = none


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call that has its slot: who leads it, and where its media link is opened."""

    call: str
    node: str = ""
    epoch: int = 0
    endpoint: str = ""
    token: str = ""
    media: tuple[str, int] = ("", 0)  # host and port of the node's gateway, as the director knows them; 0 = none


@dataclass(frozen=True, slots=True)
class AgentHostFigures:
    """One process of agents."""

    host: str
    policy: str
    agent: str
    up: bool
    calls: int
    seats: int
    pid: int = 0


@dataclass(frozen=True, slots=True)
class CallProcess:
    """One process that leads calls, or waits for one."""

    name: str
    pid: int = 0
    calls: int = 0  # that it has led
    pss_kb: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """One gateway of a node."""

    name: str
    pid: int = 0


@dataclass(frozen=True, slots=True)
class NodeFigures:
    """How one node fares."""

    node: str = ""
    pid: int = 0  # of its supervisor
    endpoint: str = ""  # where its residents connect
    up_s: float = 0.0
    calls: int = 0  # live
    starting: int = 0  # call actors, by where they stand
    spare: int = 0
    busy: int = 0
    retiring: int = 0
    started: int = 0  # call actors, ever
    free_slots: int = 0
    slots: int = 0
    spares_wanted: int = 0
    draining: bool = False
    drained_by: str = ""  # a principal, as text
    hung: int = 0  # processes that stopped answering and were killed
    takeovers: int = 0
    farewells: int = 0
    escalations: int = 0
    takeover_ms: tuple[float, ...] = ()  # of each takeover, from the death's notice to the new owner's word
    swapped: int = 0
    swaps_undone: int = 0
    records: int = 0
    records_refused: int = 0
    journal_up: bool = True
    journal_damages: int = 0
    journal_damaged: tuple[str, ...] = ()  # the latest
    acts_unknown: int = 0
    lag_ms_max: float = 0.0
    drift_ms: float = 0.0
    policies: tuple[str, ...] = ()
    default_policy: str = ""
    hosts: tuple[AgentHostFigures, ...] = ()
    gateways: tuple[GatewayProcess, ...] = ()
    machine: str = ""  # two nodes with the same one are processes of one machine
    journal: str = ""  # its file; "" = in Redis (a URL may hold a password)
    engines: tuple[str, ...] = ()  # endpoints that calls of this node dial, in this order
    agents_given_up: Mapping[str, str] = field(default_factory=dict)  # "version/agent" -> why
    metrics: str = ""  # where its supervisor shows its metrics: host:port


@dataclass(frozen=True, slots=True)
class Change:
    """Something that came or went on a node: a call "began" or "ended", a process "started"."""

    kind: str
    call: str = ""
    tenant: str = ""
    policy_version: str = ""
    took_s: float = 0.0  # how long the call lasted, or the process took until it was warm
    usage: Usage | None = None  # of a call that ended; None = not measured


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node's figures, and what came and went since it was asked last.

    Changes are numbered within one `life` of the supervisor. `whole` False = these do not follow what was told before,
    and `live` has every live call; `all` = nothing of this life was left out.
    """

    stats: NodeFigures
    life: int = 0
    number: int = 0  # of the newest change
    changes: tuple[Change, ...] = ()
    whole: bool = True
    all: bool = False
    live: tuple[tuple[str, str], ...] = ()  # (call, tenant)


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """What was counted of one arm of a rollout."""

    calls: int = 0
    ended: int = 0
    marks: Mapping[str, int] = field(default_factory=dict)  # see `policies/fleet/rollout.py`


@dataclass(frozen=True, slots=True)
class ArmReport:
    """What a node has counted of all arms; another `since` = it began anew."""

    since: int
    arms: Mapping[str, ArmFigures] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShadowOrder:
    """Which live calls a candidate shadows."""

    rollout: str
    version: str
    baseline: str
    share: float = 1.0
    direction: str = ""
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What the shadows of one rollout have found on a node; another `since` = they began anew."""

    since: int = 0  # 0 = they start, or are busy
    calls: int = 0  # that they have left
    diverged: int = 0
    faulted: int = 0
    present: int = 0  # calls that are being shadowed
    rows: Annotated[list[dict[str, Any]], PLAIN] = field(default_factory=list)  # differences, numbered by "seq"
    trials: Annotated[list[dict[str, Any]], PLAIN] = field(
        default_factory=list
    )  # calls that were left, numbered by "seq"
    failed: str = ""  # why the candidate cannot be shadowed


@dataclass(frozen=True, slots=True)
class SwapOutcome:
    """What became of an order to swap live calls."""

    asked: int = 0
    swapped: int = 0
    kept: int = 0  # no moment for it came
    refused: Mapping[str, str] = field(default_factory=dict)  # call -> why
    seated_ms: int = 0  # until the version's agents had room for these calls, before any was told


@dataclass(frozen=True, slots=True)
class Enlisted:
    """A resident's way in, and whether it leaves when the node is gone."""

    endpoint: str
    token: str
    leaves: bool = False


class NodeOperations(Operations):
    """Asked of a node's supervisor."""

    # --- calls ------------------------------------------------------------------------------------------------------

    @once
    async def reserve(self, request: CallRequest) -> Reservation:
        """Lease a warm call actor to a call, and have it primed with its policy and agents.

        Raises:
            NoSpare: none came free within the ring budget. UnknownPolicy. CallerFault: no call id, or one that is live.
            LinkLost: this node is gone.
        """

    @repeatable
    async def knows(self, call: str) -> str:
        """Whether a call is led there ("live"), in its journal ("kept"), or unknown ("")."""

    @repeatable
    async def leads(self, call: str) -> bool:
        """Whether a call goes on there: live, and not on its way to its end. Raises: LinkLost: the node is gone."""

    @repeatable
    async def adopt(self, call: str) -> None:
        """Have a call of a lost node go on there, from the shared journal. Raises: NoSuchCall, NoSpare."""

    @repeatable
    async def unled(self) -> list[str]:
        """Calls that a shared journal holds open and that node does not lead."""

    @repeatable
    async def close_unled(self, call: str, why: str) -> None:
        """Write the end of a call that nobody leads. Raises: NoSuchCall: somebody leads it, or it has ended."""

    @repeatable
    async def calls(self, live: bool | None = None, limit: int = 0) -> CallList:
        """The calls that the node knows, newest first.

        Args:
            live: only calls that go on, or only those that are over; None = both. limit: the newest so many; 0 = all.
        """

    @repeatable
    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """Have live calls led by another version from their next safe point on; waits until each has answered.

        Args:
            from_version: only calls that it leads; "" = whatever leads them.
            calls: only these; [] = all. Those that are not live there are nobody's matter there.
            deadline_ms: for the safe point. at_deadline: then "force" it, or "keep" the call as it is.

        Raises:
            UnknownPolicy: `to_version` was not published there. CallerFault: a deadline out of its range.
        """

    # --- what the node offers -----------------------------------------------------------------------------------------

    @repeatable
    async def publish_policy(self, version: str, policy: PlainPolicy, bundle: Bundle = "") -> None:
        """Offer a policy version to new calls; the latest one published is the default. Raises: PolicyError."""

    @repeatable
    async def withdraw_policy(self, version: str) -> None:
        """No new call gets this version; once no live one is led by it, its agent hosts end and it is forgotten."""

    @repeatable
    async def engines(self, recognizer: EngineChoice, synthesizer: EngineChoice) -> None:
        """Where calls find their speech engines: new ones, and live ones whose link to one is lost.

        Args:
            recognizer: {kind: "none" | "link", places: [see `engine_places.Place`], endpoints: [[endpoint, token], ...]
                (dialled last)}
            synthesizer: {kind: "none" | "tone" | "clip" | "link", places, endpoints, clips: folder, voice: name}

        Raises:
            CallerFault: an unknown kind. ProtocolFault: a place that is none.
        """

    @repeatable
    async def arms(self) -> ArmReport:
        """What was counted of each arm of a rollout."""

    @repeatable
    async def shadow(self, order: ShadowOrder, after_row: int = -1, after_trial: int = -1) -> ShadowReport:
        """Have the node's live calls shadowed, and tell what was found after these numbers.

        Raises:
            UnknownPolicy: the version is not offered there. CallerFault: too many rollouts.
        """

    @repeatable
    async def unshadow(self, rollout: str) -> None:
        """Let a rollout's shadows leave their calls."""

    # --- the node -----------------------------------------------------------------------------------------------------

    @repeatable
    async def ready(self, spares: int = 1, within_s: float = 60.0) -> NodeFigures:
        """Waits until so many spares are warm and every offered agent has a host. Raises: NoSpare."""

    @repeatable
    async def stats(self) -> NodeFigures:
        """How the node fares."""

    @repeatable
    async def measured(self) -> list[MetricRow]:
        """Every metric of the node, a row a series."""

    @repeatable
    async def processes(self) -> list[CallProcess]:
        """Memory and CPU time of every call process that answers; asking costs each some milliseconds."""

    @repeatable
    async def report(self, life: int = 0, number: int = 0) -> NodeReport:
        """The figures, and what came and went since change `number` of the supervisor's `life`."""

    @repeatable
    async def keep(self, spares: int, slots_max: int = 0) -> None:
        """Keep so many spares warm, and carry at most `slots_max` calls (0 = as it was started)."""

    @repeatable
    async def drain(self, on: bool = True, by: Principal = NOBODY) -> NodeFigures:
        """Take no new calls (and let the spares go), or take them again, as `by` says; live calls are not touched.

        Raises:
            IllegalMove: scaling closes or opens a node that an operator has closed.
        """

    @repeatable
    async def enlist(self, role: str, name: str) -> Enlisted:
        """Let a resident that was started by somebody else (a gateway) connect. Raises: CallerFault: another role."""

    @repeatable
    async def stop(self) -> None:
        """End everything that runs there. Calls that are live get a record of it."""
