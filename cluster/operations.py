"""What can be asked of the cluster: the director's operations, and the records that they take and answer.

What is asked of one node or of one call is in `actors/contracts/node_operations.py` and
`actors/contracts/call_operations.py`; how operations travel, and what `at` does, in `actors/contracts/operations.py`.
"""

# An operation has no body: what it answers is the actor's matter.
# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from offhook.actors.contracts.call_operations import CallList
from offhook.actors.contracts.metrics import MetricRow
from offhook.actors.contracts.node_operations import (
    Bundle,
    CallRequest,
    EngineChoice,
    NodeFigures,
    PlainPolicy,
    Reservation,
    SwapOutcome,
)
from offhook.actors.contracts.operations import PLAIN, Operations, once, repeatable
from offhook.policies.core.principal import NOBODY, Principal
from offhook.policies.fleet.rollout import ChangeFeed, Note, Plan, ShadowTally
from pydantic import Field, StringConstraints

VersionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}(\+[a-z]{1,10})?$")]
RolloutName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,80}$")]  # or its policy's: the newest
ROWS_MAX = 1_000  # differences in one answer


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a call goes on whose line broke."""

    node: str
    media: tuple[str, int] = ("", 0)  # host and port of the node's gateway; "" = that of the carrier, 0 = none


@dataclass(frozen=True, slots=True)
class AdmissionFigures:
    """Calls that asked for a slot since the director's start, and who waits now."""

    asked: int = 0
    waiting: int = 0
    overflowed: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)  # by what became of them


@dataclass(frozen=True, slots=True)
class CapacityFigures:
    """What the traffic needs, and what is offered."""

    scaled: bool = False
    offered_erlangs: float = 0.0
    arrivals_per_s: float = 0.0
    holding_s: float = 0.0
    spare_start_s: float = 0.0
    node_start_s: float = 0.0
    nodes_wanted: int = 0
    spares_wanted: Mapping[str, int] = field(default_factory=dict)  # by node
    why: str = ""
    admission: AdmissionFigures = field(default_factory=AdmissionFigures)


@dataclass(frozen=True, slots=True)
class ClusterFigures:
    """How the cluster fares, node by node."""

    nodes: Mapping[str, NodeFigures] = field(default_factory=dict)
    calls: int = 0
    free_slots: int = 0
    cordoned: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()  # nodes that did not answer when they were asked last
    unled: int = 0  # calls that nobody leads
    resuming: int = 0
    capacity: CapacityFigures = field(default_factory=CapacityFigures)
    metrics: str = ""  # where the director shows the fleet's metrics


@dataclass(frozen=True, slots=True)
class MetricList:
    """What was measured, a row a series; what a node has measured has its label "node"."""

    metrics: tuple[MetricRow, ...] = ()


@dataclass(frozen=True, slots=True)
class CostRow:
    """What some calls have cost."""

    calls: int = 0
    talk_min: float = 0.0
    cents: float = 0.0
    cents_per_minute: float = 0.0
    items: Mapping[str, float] = field(default_factory=dict)  # line of the bill -> cents
    policy_version: str = ""  # whose calls; "" = any
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What calls have cost since the director began to count."""

    since_unix_s: float = 0.0
    prices: Annotated[Mapping[str, Any], PLAIN] = field(default_factory=dict)  # `policies/fleet/cost.py`, Prices
    rows: tuple[CostRow, ...] = ()  # by policy version and tenant, the dearest minute first
    total: CostRow = field(default_factory=CostRow)


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """One published version."""

    version: str
    status: str = ""  # "leading", what a rollout does with it, "live" (only running calls have it), "unused"
    calls: int = 0  # live ones that it leads
    bytes: int = 0  # of its archive
    published_unix_ms: int = 0
    published_by: str = ""  # a principal, as text


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """One policy's name, the version that new calls get, and all that are published, the newest first."""

    name: str
    version: str = ""  # "" = none leads
    others: tuple[str, ...] = ()
    versions: tuple[VersionSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyList:
    """What is published; calls that name no policy get the default."""

    default: str = ""
    policies: tuple[PolicySummary, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """A version that was taken, and whether new calls get it that ask for its name."""

    name: str
    version: str
    leads: bool = False


@dataclass(frozen=True, slots=True)
class PublishedBundle:
    """One version, whole."""

    name: str
    version: str
    policy: PlainPolicy
    bundle: Bundle = ""


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """A rollout as an operator asks for it. Times with a unit may be written as in a policy: "5 min"."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]  # the published one that shall lead
    plan: Plan = field(default_factory=Plan)


@dataclass(frozen=True, slots=True)
class RolloutSummary:
    """One rollout in a list."""

    name: str
    policy: str
    baseline: str
    candidate: str
    stage: str
    share: float = 0.0  # of new calls that the candidate gets
    reason: str = ""  # why it went back


@dataclass(frozen=True, slots=True)
class GuardEvidence:
    """How near one guard is to rolling back: both in powers of e."""

    mark: str
    says: str = ""
    evidence: float = 0.0
    rolls_back_at: float = 1.0


@dataclass(frozen=True, slots=True)
class SwapTotals:
    """What the last move of running calls came to, over all nodes; counts of calls."""

    asked: int = 0
    swapped: int = 0
    kept: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStatus(RolloutSummary):
    """All of one rollout: where it stands, what was counted, how near each guard is, how it came there."""

    plan: Plan
    step: int = -1
    since_unix_ms: int = 0
    tallies: tuple[ChangeFeed, ...] = ()
    shadowed: ShadowTally = ShadowTally()
    history: tuple[Note, ...] = ()
    guards: tuple[GuardEvidence, ...] = ()
    swap: SwapTotals | None = None


@dataclass(frozen=True, slots=True)
class RolloutList:
    """Every rollout that is remembered, the newest first."""

    rollouts: tuple[RolloutSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class Divergence:
    """What the shadows of a rollout have found on live calls."""

    rollout: str
    rows: Annotated[list[dict[str, Any]], PLAIN] = field(
        default_factory=list
    )  # differences, as a backtest's report has them
    next_after: int = -1
    shadowing: int = 0  # calls now
    over: bool = False  # it is in shadow no more
    trials: Annotated[list[dict[str, Any]], PLAIN] = field(default_factory=list)  # calls that were left


class ClusterOperations(Operations):
    """Asked of the director."""

    # --- calls ------------------------------------------------------------------------------------------------------

    @once
    async def reserve(self, request: CallRequest) -> Reservation:
        """Place a call where a slot is free, within its ring budget.

        Raises:
            Overflow (a NoSpare): it gets none; says what becomes of it. UnknownPolicy. CallerFault: it is live already.
        """

    @repeatable
    async def find_node(self, call: str) -> str:
        """The node that leads a call, or else one that can tell of it. Raises: NoSuchCall."""

    @repeatable
    async def resume(self, call: str) -> Resumption:
        """Where a call goes on whose line broke. Another node adopts it where its own does not answer.

        Raises:
            NoSuchCall: it is over, or never was. NoSpare: nobody can take it now.
        """

    @repeatable
    async def calls(self, live: bool | None = None, limit: int = 0) -> CallList:
        """The calls of all nodes, newest first.

        Args:
            live: only calls that go on, or only those that are over; None = both. limit: the newest so many; 0 = all.
        """

    # --- policies ---------------------------------------------------------------------------------------------------

    @repeatable
    async def publish_policy(
        self,
        version: str,
        policy: PlainPolicy,
        bundle: Bundle = "",
        lead: str = "first",
        by: Principal = NOBODY,
    ) -> Published:
        """Offer a policy version to new calls on every node, now and on those that join.

        Args:
            lead: "first" = new calls that ask for its name get it where nobody leads that name; "now" = they do in any
                case, once its agents run; "start", "default" = as `DesiredState.lead` says of what `offhook up` brings.

        Raises:
            PolicyError: it is none, its agents cannot be loaded, or too many are kept. MemoryAway: nothing was done.
            CallerFault: it shall lead while a rollout decides who does.
        """

    @repeatable
    async def agents_up(self, version: str) -> None:
        """Waits until every node that answers has a process for each agent of a version. Raises: PolicyError."""

    @repeatable(at="GET /v1/policies")
    async def policies(self) -> PolicyList:
        """What is published, with what each version does; calls that name no policy get the default."""

    @repeatable
    async def bundle(self, asked: str) -> PublishedBundle:
        """One version by its name or its policy's. Raises: UnknownPolicy."""

    @repeatable(at="DELETE /v1/policies/{version}", status=204)
    async def withdraw_policy(self, version: VersionName, by: Principal = NOBODY) -> None:
        """Forget a version that nothing uses. Raises: UnknownPolicy. CallerFault: it is in use."""

    @repeatable
    async def swap_policy(
        self, to_version: str, from_version: str, calls: list[str], deadline_ms: int, at_deadline: str
    ) -> SwapOutcome:
        """Have live calls of all nodes led by another version; see `NodeOperations.swap_policy`."""

    # --- rollouts ---------------------------------------------------------------------------------------------------

    @once(at="POST /v1/rollouts", status=201)
    async def rollout_start(self, request: RolloutRequest, by: Principal = NOBODY) -> RolloutStatus:
        """Begin to roll a version out, from the one that leads its policy now.

        Raises:
            CallerFault: it leads already, or a rollout of its policy is under way. UnknownPolicy: not published.
            PolicyError: its agents do not run. MemoryAway: nothing was done.
        """

    @repeatable(at="GET /v1/rollouts")
    async def rollouts(self) -> RolloutList:
        """All that are remembered, the newest first."""

    @repeatable(at="GET /v1/rollouts/{name}")
    async def rollout(self, name: RolloutName) -> RolloutStatus:
        """Stage, steps with their counts, guards with their evidence, history. Raises: NoSuchRollout."""

    @once(at="POST /v1/rollouts/{name}/{word}")
    async def rollout_order(
        self, name: RolloutName, word: Literal["pause", "resume", "promote", "abort"], by: Principal = NOBODY
    ) -> RolloutStatus:
        """An operator's word. `abort` of a rollout that is live goes back to the version that led before.

        Raises:
            NoSuchRollout. IllegalMove: its stage does not allow it. MemoryAway: nothing was done.
        """

    @repeatable
    async def divergence(
        self, name: RolloutName, after: int = -1, limit: Annotated[int, Field(ge=1, le=ROWS_MAX)] = 100
    ) -> Divergence:
        """What shadows have found on live calls after row `after`. Raises: NoSuchRollout."""

    # --- nodes and engines ------------------------------------------------------------------------------------------

    @repeatable
    async def nodes(self) -> list[str]:
        """The nodes that have a supervisor."""

    @repeatable
    async def drain(self, node: str, on: bool = True, by: Principal = NOBODY) -> NodeFigures:
        """Give a node no new calls; its live ones stay. Or let it take them again. Raises: LinkLost: no such node."""

    @repeatable
    async def engines(self, recognizer: EngineChoice, synthesizer: EngineChoice) -> None:
        """Which speech engines calls use, on every node, now and on those that join; see `NodeOperations.engines`."""

    @repeatable
    async def announce_engine(self, place: Annotated[Mapping[str, str], PLAIN]) -> None:
        """An engine's replica listens there (`actors/engines/engine_places.py`); it says so again and again."""

    @repeatable
    async def withdraw_engine(self, replica: str) -> None:
        """An engine's replica takes no calls any more."""

    # --- the cluster ------------------------------------------------------------------------------------------------

    @repeatable
    async def stats(self) -> ClusterFigures:
        """How every node fares, and the cluster as a whole."""

    @repeatable(at="GET /v1/metrics")
    async def measured(self) -> MetricList:
        """What every node and the director have measured; a node that does not answer has no row. For people and
        scripts: Prometheus reads each node's own address (`metrics` of /v1/nodes)."""

    @repeatable(at="GET /v1/cost")
    async def cost(self) -> Cost:
        """What calls have cost since the director began to count: by policy version and tenant, and in all."""

    @repeatable
    async def ready(self) -> None:
        """Waits until carriers can bring audio to every node. Raises: StartFault: a media port is taken."""

    @repeatable
    async def stop(self) -> None:
        """End every node's gateway, residents and supervisor."""
