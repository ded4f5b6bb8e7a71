"""Simulated calls written down as a call's funnel writes them: for trying policies where nothing was recorded yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.codec import encode
from ..core.commands import RecordVerdict
from ..core.policy import Policy
from ..core.records import COMMANDS, EVENT, FORMAT, SNAPSHOT, VERDICT, Body, End, PolicyChange, Record, Start
from ..core.version import CORE
from .run import HORIZON_MS, assembled
from .world import Proposer
from .world import Record as Step


def recorded(
    seed: int,
    policy: Policy,
    *,
    agents: Mapping[str, Proposer] | None = None,
    fault_share: float = 0.3,
    unix_ms: int = 0,
) -> list[Record]:
    """One simulated call as its journal's records; the same every time."""
    world, _ = assembled(seed, fault_share=fault_share, policy=policy, agents=agents)
    world.run(max(HORIZON_MS, policy.limits.call_ms))
    return journal_of(f"sim-{seed}", policy, world.records, unix_ms)


def journal_of(call: str, policy: Policy, steps: Iterable[Step], unix_ms: int = 0) -> list[Record]:
    """Steps as the records that a call's funnel writes of them; a policy that changes on the way is recorded too."""
    records: list[Record] = []

    def write(at_ms: int, kind: str, body: Any) -> None:
        records.append(Record(call, 1, len(records) + 1, at_ms, kind, body))

    def tell(at_ms: int, body: Body) -> None:
        write(at_ms, body.KIND, body.plain())

    plain = policy.model_dump(mode="json")
    tell(0, Start("simulated", plain, unix_ms, format=FORMAT, core=CORE))
    last = None
    for last in steps:
        at_ms = last.event.at_ms
        if last.policy is not policy:
            policy = last.policy
            tell(at_ms, PolicyChange(policy.model_dump(mode="json"), "swapped"))
        write(at_ms, EVENT, encode(last.event))
        if last.commands:
            write(at_ms, COMMANDS, [encode(command) for command in last.commands])
            for command in last.commands:
                if isinstance(command, RecordVerdict):
                    write(at_ms, VERDICT, encode(command.verdict))
    if last is not None:
        write(last.state.now_ms, SNAPSHOT, encode(last.state))
        tell(last.state.now_ms, End(last.state.outcome))
    return records
