"""Simulated calls written down as a call's funnel writes them: for trying policies where nothing was recorded yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..core.codec import encode
from ..core.commands import RecordVerdict
from ..core.policy import Policy
from .run import HORIZON_MS, assembled
from .world import Proposer, Record


def recorded(
    seed: int,
    policy: Policy,
    *,
    agents: Mapping[str, Proposer] | None = None,
    fault_share: float = 0.3,
    unix_ms: int = 0,
) -> list[list[Any]]:
    """One simulated call as its journal's records `[call, epoch, seq, at_ms, kind, body]`; the same every time."""
    world, _ = assembled(seed, fault_share=fault_share, policy=policy, agents=agents)
    world.run(max(HORIZON_MS, policy.limits.call_ms))
    return journal_of(f"sim-{seed}", policy, world.records, unix_ms)


def journal_of(call: str, policy: Policy, steps: Iterable[Record], unix_ms: int = 0) -> list[list[Any]]:
    """Steps as the records that a call's funnel writes of them; a policy that changes on the way is recorded too."""
    records: list[list[Any]] = []

    def write(at_ms: int, kind: str, body: Any) -> None:
        records.append([call, 1, len(records) + 1, at_ms, kind, body])

    plain = policy.model_dump(mode="json")
    write(0, "start", {"unix_ms": unix_ms, "policy_version": "simulated", "policy": plain, "direction": "inbound"})
    last = None
    for last in steps:
        at_ms = last.event.at_ms
        if last.policy is not policy:
            policy = last.policy
            write(at_ms, "policy", {"version": "swapped", "policy": policy.model_dump(mode="json")})
        write(at_ms, "event", encode(last.event))
        if last.commands:
            write(at_ms, "commands", [encode(command) for command in last.commands])
            for command in last.commands:
                if isinstance(command, RecordVerdict):
                    write(at_ms, "verdict", encode(command.verdict))
    if last is not None:
        write(last.state.now_ms, "snapshot", encode(last.state))
        write(last.state.now_ms, "end", {"outcome": last.state.outcome, "counts": {}})
    return records
