"""The simulated callers, agents and operators meet every rule of the gate, and a call is nobody's but its own."""

from __future__ import annotations

from offhook.policies.core import events as ev
from offhook.policies.core.codec import encode
from offhook.policies.core.commands import RecordVerdict
from offhook.policies.gate import rules
from offhook.policies.simulation import run
from offhook.policies.simulation.world import World

SEEDS_MAX = 3_000  # rare rules (an operator's no asked about again, too many timers) need some hundreds


def test_every_rule_is_seen_refusing_and_operators_decide() -> None:
    unseen = set(rules.RULES)
    decided = 0
    for seed in range(1, SEEDS_MAX):
        world = _played(seed)
        for record in world.records:
            decided += isinstance(record.event, ev.OperatorDecided)
            for command in record.commands:
                if isinstance(command, RecordVerdict):
                    unseen -= {result.rule for result in command.verdict.rules if not result.ok}
        if not unseen and decided > 10:
            return
    raise AssertionError(
        f"never seen refusing in {SEEDS_MAX} calls: {sorted(unseen)}; operators decided {decided} times"
    )


def test_two_calls_in_one_process_do_not_know_of_each_other() -> None:
    """Led side by side, event by event, each is what it is alone."""
    alone = [_told(_played(seed)) for seed in (11, 12)]
    worlds = [run.assembled(seed=seed)[0] for seed in (11, 12)]
    for now_ms in range(0, run.HORIZON_MS, 50):
        for world in worlds:
            world.run(now_ms)
    for world in worlds:
        world.run(run.HORIZON_MS)
    assert [_told(world) for world in worlds] == alone


def _played(seed: int) -> World:
    world = run.assembled(seed=seed)[0]
    world.run(run.HORIZON_MS)
    return world


def _told(world: World) -> list[object]:
    return [(encode(record.event), [encode(command) for command in record.commands]) for record in world.records]
