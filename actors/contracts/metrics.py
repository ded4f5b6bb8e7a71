"""Every metric that offhook has, declared once: name, help, kind, unit, labels with their bounds, buckets.

A metric is measured in the process that knows it, kept by `process/metric_registry.py`, and shown by
`process/exporter.py`. Names follow OpenMetrics 1.0: a name ends with its unit, a counter's sample ends with `_total`,
durations are seconds. A label never holds a call, a number or what somebody said, and never grows without a bound:
either its values are listed here, or the first `most` of them are kept that are one word (`WORD`). Every other value is
counted under "other". No measuring here, and no text format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

OTHER = "other"  # the value that stands for all that a label does not list, or has no room for
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,47}")  # a name or a code: no sentence is one word
NODE = "node"  # the label that every series of a node carries; the registry of a node knows no other node


class Kind(StrEnum):
    """What may be done with a metric's values."""

    COUNTER = "counter"  # only ever rises, from zero at its process's start
    GAUGE = "gauge"  # as it is now
    HISTOGRAM = "histogram"  # how often a value was at most so large


@dataclass(frozen=True, slots=True)
class Label:
    """One label of a metric: `values` are all that it can have besides "other"; empty = the first `most` that come."""

    name: str
    values: tuple[str, ...] = ()
    most: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `buckets` are the upper bounds of a histogram, rising, without +Inf."""

    name: str  # without `_total`
    says: str
    kind: Kind
    unit: str = ""  # "" = a number of things
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One series as it stands, for those who ask by an operation. Of a histogram, `value` is the sum of its values, and
    `buckets` has their counts, the last of what lies beyond all `bounds`."""

    name: str
    kind: str = ""
    unit: str = ""
    says: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    value: float = 0.0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()


NODE_METRICS: dict[str, Metric] = {}  # measured on a node, shown by its supervisor
FLEET_METRICS: dict[str, Metric] = {}  # measured and shown by the director

# A reaction's goal is 150 ms from outside at p99, of which the detector takes 40; a takeover's is 100 ms.
_REACTION_S = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0)
_INSIDE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)  # frame in -> clear out: 5 ms, 50 ms
_REPLY_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
_PART_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)
_TAKEOVER_S = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 8.0)
_JOURNAL_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

REPLY_PARTS = ("end_of_turn", "round", "gate", "synthesis")  # in the order in which they pass
AGENT = Label("agent", most=24)  # names of the policies' agents; a policy has four or five
POLICY = Label("policy", most=16)  # a policy's name, without its hash
RULE = Label("rule", most=64)  # the gate has 36, and what is checked at the entry has some more


def _node(name: str, says: str, kind: Kind, *labels: Label, unit: str = "", buckets: tuple[float, ...] = ()) -> Metric:
    return _declared(NODE_METRICS, Metric(name, says, kind, unit, labels, buckets))


def _fleet(name: str, says: str, kind: Kind, *labels: Label) -> Metric:
    return _declared(FLEET_METRICS, Metric(name, says, kind, "", labels))


def _seconds(name: str, says: str, buckets: tuple[float, ...], *labels: Label) -> Metric:
    return _node(name, says, Kind.HISTOGRAM, *labels, unit="seconds", buckets=buckets)


def _declared(metrics: dict[str, Metric], metric: Metric) -> Metric:
    metrics[metric.name] = metric
    return metric


# --- measured by a call -----------------------------------------------------------------------------------------------

REACTION = _seconds(
    "offhook_reaction_seconds",
    "from the onset of the caller's speech to the clear that silences the agent",
    _REACTION_S,
)
CLEAR = _seconds(
    "offhook_clear_seconds",
    "from the arrival of the frame that confirmed an overlap to the clear on the line",
    _INSIDE_S,
)
REPLY = _seconds("offhook_reply_seconds", "from the end of the caller's turn to the first sound of the reply", _REPLY_S)
REPLY_PART = _seconds(
    "offhook_reply_part_seconds",
    "parts of a reply: the turn's end is decided, the agents' round, the gate's wait, the first sound is made",
    _PART_S,
    Label("part", REPLY_PARTS),
)
WORD_LAG = _seconds(
    "offhook_word_lag_seconds",
    "from the end of the sound that a reading covers to the reading",
    _PART_S,
    Label("reading", ("partial", "final")),
)
PROPOSAL = _seconds(
    "offhook_proposal_seconds", "from an agent's invitation to its answer, as the call sees it", _PART_S, AGENT
)
AGENTS_LATE = _node("offhook_agents_late", "answers that a round did not wait for any longer", Kind.COUNTER, AGENT)
AGENTS_LOST = _node("offhook_agents_lost", "agents that raised, hung or were cut off in a call", Kind.COUNTER, AGENT)
VERDICTS = _node(
    "offhook_verdicts",
    "the gate's answers; rule = the first that failed, none where none did",
    Kind.COUNTER,
    Label("answer", ("grant", "deny", "wait", "suggest")),
    RULE,
)
HOLDS = _node(
    "offhook_holds",
    "times that the agent was held, by what the sound turned out to be; open = the utterance or the call ended first",
    Kind.COUNTER,
    Label("was", ("taken", "backchannel", "noise", "open")),
)
DEBTS_WRITTEN_OFF = _node(
    "offhook_debts_written_off",
    "what a caller was owed and did not get, by what it was",
    Kind.COUNTER,
    Label("debt", ("sentence", "result", "timer", "reply", "unapproved", "key")),
)
RECORDS_LOST = _node("offhook_records_lost", "records that calls dropped while the journal was away", Kind.COUNTER)
CORE_FAULTS = _node("offhook_core_faults", "events at which the core of a call failed", Kind.COUNTER)

# --- measured by a node's supervisor ----------------------------------------------------------------------------------

CALLS_ENDED = _node(
    "offhook_calls_ended",
    "calls that are over, by how they ended (the policy's own word where it has one) and by policy",
    Kind.COUNTER,
    Label("outcome", most=32),
    POLICY,
)
CALLS_REFUSED = _node(
    "offhook_calls_refused",
    "calls that this node did not take",
    Kind.COUNTER,
    Label("reason", ("no_spare", "draining", "unknown_policy", "node_gone", "wrong_request")),
)
TAKEOVERS = _node(
    "offhook_takeovers",
    "calls whose process died or hung: led on, told goodbye, or lost",
    Kind.COUNTER,
    Label("outcome", ("led", "goodbye", "lost")),
)
TAKEOVER = _seconds(
    "offhook_takeover_seconds", "from the notice of a call process's death to the next owner's word", _TAKEOVER_S
)
SWAPS = _node(
    "offhook_swaps",
    "live calls that were offered another policy version, by what came of it",
    Kind.COUNTER,
    Label("outcome", ("swapped", "kept", "undone", "refused")),
)
JOURNAL_LAG = _seconds("offhook_journal_lag_seconds", "from a call's records to their being safe", _JOURNAL_S)
RECORDS = _node("offhook_records", "journal records that were taken in", Kind.COUNTER)
RECORDS_REFUSED = _node("offhook_records_refused", "journal records that were refused", Kind.COUNTER)
AGENTS_GIVEN_UP = _node(
    "offhook_agents_given_up",
    "agents that failed too often: in one call, or all of a policy version on this node",
    Kind.COUNTER,
    AGENT,
    Label("where", ("call", "node")),
)
HUNG = _node("offhook_hung", "call processes that stopped answering and were killed", Kind.COUNTER)
ACTS_UNKNOWN = _node(
    "offhook_acts_unknown", "acts of which nobody knows whether they happened; a person settles them", Kind.COUNTER
)
JOURNAL_DAMAGES = _node(
    "offhook_journal_damages", "damages of the journal that were found; what is whole is used", Kind.COUNTER
)

CALLS = _node("offhook_calls", "live calls", Kind.GAUGE)
FREE_SLOTS = _node("offhook_free_slots", "calls that the node could still take", Kind.GAUGE)
SPARES = _node("offhook_spares", "warm call actors without a call", Kind.GAUGE)
STARTING = _node("offhook_starting", "call actors that are starting", Kind.GAUGE)
LAG = _node(
    "offhook_lag_seconds", "lag that nine in ten call processes stay below, smoothed", Kind.GAUGE, unit="seconds"
)
LAG_WORST = _node("offhook_lag_worst_seconds", "lag of the slowest call process", Kind.GAUGE, unit="seconds")
DRAINING = _node("offhook_draining", "1 = takes no new calls", Kind.GAUGE)
JOURNAL_UP = _node("offhook_journal_up", "0 = irreversible actions are denied", Kind.GAUGE)

# --- measured by the director -----------------------------------------------------------------------------------------

NODES = _fleet("offhook_nodes", "nodes whose supervisor answers", Kind.GAUGE)
NODES_SILENT = _fleet(
    "offhook_nodes_silent", "nodes whose supervisor did not answer when it was asked last", Kind.GAUGE
)
NODES_WANTED = _fleet("offhook_nodes_wanted", "nodes that the traffic needs", Kind.GAUGE)
OFFERED = _fleet("offhook_offered_erlangs", "load that callers offer", Kind.GAUGE)
WAITING = _fleet("offhook_waiting", "callers that ring or queue", Kind.GAUGE)
ASKED = _fleet("offhook_asked", "calls that asked for a slot", Kind.COUNTER)
OVERFLOWED = _fleet(
    "offhook_overflowed",
    "calls that got no slot in time, by what became of them",
    Kind.COUNTER,
    Label("how", ("busy", "redirected", "abandoned")),
)
CENTS = _fleet("offhook_cents", "what calls have cost, in cents", Kind.COUNTER)
