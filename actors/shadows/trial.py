"""Trials of a policy bundle in this process: agents loaded, recorded calls led again; simulated ones: `rehearsal.py`.

A bundle's code may be anything: it may raise, hang or eat memory. Whoever runs a trial does so in a process that can be
spared and within a limit of time (`serve/bundles/policy_check.py` in a child process, `policies/replay/backtest.py` in
Ray tasks); what comes back is plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from offhook.policies.core.errors import OffhookError, PolicyError
from offhook.policies.core.policy import Policy
from offhook.policies.core.records import Rows, record_of
from offhook.policies.core.topics import Topic
from offhook.policies.replay.backtest import Proposer, Trial, backtest
from offhook.policies.replay.recording import read

from ..agents.bundle import agent_class
from ..agents.failures import failure_of
from ..agents.plain import as_plain

ALL_TOPICS = "*"


def agents_of(policy: Policy, bundle: str) -> dict[str, Proposer]:
    """A policy's agents, made in this process.

    Raises:
        PolicyError: one cannot be loaded or made; the message names it.
    """
    made: dict[str, Proposer] = {}
    for name, spec in policy.agents.items():
        kind = agent_class(spec.code, bundle)
        _check_topics(name, kind)
        try:
            made[name] = as_plain(kind(name, spec))
        except Exception as error:
            failure = failure_of(error, bundle)
            raise PolicyError(f"agents.{name}: it cannot be made: {failure.told()}") from error
    return made


def _check_topics(name: str, kind: type[Any]) -> None:
    topics = getattr(kind, "topics", None)
    if not isinstance(topics, (tuple, list)) or not all(isinstance(topic, str) and topic for topic in topics):
        raise PolicyError(
            f"agents.{name}: {kind.__name__} declares no topics; write: topics = () or the names of notices to hear"
        )
    known_topics = {ALL_TOPICS, *map(str, Topic)}
    if unknown := sorted(set(topics) - known_topics):
        known = ", ".join(sorted(known_topics))
        raise PolicyError(f"agents.{name}: {kind.__name__} wants notices of {', '.join(unknown)}; there are: {known}")


def try_calls(
    policy: Policy,
    bundle: str,
    journals: Iterable[Sequence[Rows]],
    *,
    recorded_agents: bool,
    same_ms: int,
    every_policy: bool = False,
) -> list[dict[str, Any]]:
    """Lead recorded calls again; one plain report a call (see `told`), {call, unreadable} where it has no journal, or
    {call, led_by} where a policy of another name led it and `every_policy` does not ask for those too.

    Raises:
        PolicyError: an agent cannot be loaded.
    """
    agents: Mapping[str, Proposer] | None = None if recorded_agents else agents_of(policy, bundle)
    found = []
    for records in journals:
        try:
            recording = read(records)
            other = recording.policy.name if recording.policy is not None else policy.name
            if other != policy.name and not every_policy:
                found.append({"call": recording.call, "led_by": other})
            else:
                found.append(told(backtest(recording, policy, agents, same_ms=same_ms)))
        except (OffhookError, ValueError) as error:
            found.append(
                {
                    "call": record_of(records[0]).call if records else "",
                    "unreadable": f"{type(error).__name__}: {error}",
                }
            )
    return found


def told(trial: Trial) -> dict[str, Any]:
    """A trial in plain values."""
    return {
        "call": trial.call,
        "policy_version": trial.policy_version,
        "events": trial.events,
        "end_ms": trial.end_ms,
        "known_until_ms": trial.known_until_ms,
        "divergence": asdict(trial.divergence) if trial.divergence is not None else None,
        "differences": [{**each.plain(), "rank": each.rank} for each in trial.differences],
        "verdicts": trial.verdicts,
        "reused": trial.reused,
        "unknown": trial.unknown,
        "before": trial.before.times,
        "after": trial.after.times,
    }
